"""Sums and products as NumPy has them."""

from __future__ import annotations

from tinymed.kernels.arrays import Array


def add(a: Array, b: Array) -> Array:
    """Return a + b, of one shape."""
    y: Array = a + b
    return y


def multiply(a: Array, b: Array) -> Array:
    """Return a b, of one shape."""
    y: Array = a * b
    return y
