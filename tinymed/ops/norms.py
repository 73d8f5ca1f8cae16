"""Lengths of vectors, and vectors brought to a length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.errors import check_dim, check_dims
from tinymed.kernels.arrays import Array
from tinymed.ops.elementwise import abs, clamp, sign, where
from tinymed.ops.promotion import cast, rounded_once
from tinymed.ops.reduction import Dims, Reduction, check_floating, sum

__all__ = ["norm", "normalize", "renorm", "vector_norm"]


class Norm(Reduction):
    """y = (sum |x|^p)^(1/p);  dL/dx = sign(x) (|x| / y)^(p - 1) dL/dy.

    The largest |x| for p = inf, the smallest for -inf. Where y is 0 the derivative is 0.
    """

    def __init__(self, dims: tuple[int, ...], keepdim: bool, p: float) -> None:
        super().__init__(dims, keepdim)
        self.p = p

    def forward(self, x: Array) -> Array:
        size = {"axis": self.dims, "keepdims": self.keepdim}
        if math.isinf(self.p):
            return (abs(x).max if self.p > 0 else abs(x).min)(**size)
        if self.p == 2:
            return (x * x).sum(**size) ** 0.5
        with np.errstate(divide="ignore"):  # 0 to a negative power
            powers = abs(x) ** self.p if self.p != 1 else abs(x)
            return powers.sum(**size) ** (1 / self.p)

    def backward(self, grad_output: Array, x: Array, output: Array) -> tuple[Any, ...]:
        y = self.spread(output, x.shape)
        return (self.spread(grad_output, x.shape) * slope(x, y, self.p, self.dims),)


def slope(x: Any, y: Any, p: float, dims: tuple[int, ...]) -> Any:
    """Return dy/dx of the ``p``-norm y of ``x`` over ``dims``; y broadcasts with x."""
    if p in (0, 1):
        return sign(x) * p
    if math.isinf(p):
        chosen = (abs(x) == y) | (x != x)
        count = sum(chosen, dims, keepdim=True)
        return sign(x) * (cast(chosen, x.dtype) / cast(count, x.dtype))
    scale = where(y == 0, 1.0, y)
    if p == 2:
        return where(y == 0, 0.0, x / scale)
    flat = (x == 0) | (y == 0)
    return where(flat, 0.0, sign(x) * (where(flat, 1.0, abs(x)) / scale) ** (p - 1))


def vector_norm(
    x: Any, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None
) -> Any:
    """Return the ``ord``-norm over ``dim``: (sum |x|^ord)^(1/ord), as ``torch.linalg`` does.

    Parameters
    ----------
    x : of a floating dtype
    ord : float
        inf is the largest |x|, -inf the smallest, 0 the number of elements that are not 0.
    dim : int or tuple, optional
        None takes all axes.
    dtype : optional
        ``x`` is cast to it first.
    """
    return length("vector_norm", x, ord, dim, keepdim, dtype)


def norm(
    x: Any, p: float | str = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None
) -> Any:
    """Return the norm of the elements over ``dim`` as one vector; "fro" is p = 2.

    The gradient is 0 where the norm is 0, where it has none. The nuclear norm is not implemented.
    """
    if p == "nuc":
        raise NotImplementedError("norm: p='nuc' is not implemented; only numbers and 'fro' are")
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"norm: p={p!r} is neither a number nor 'fro'")
    return length("norm", x, 2 if isinstance(p, str) else p, dim, keepdim, dtype)


def length(name: str, x: Any, p: float, dim: Dims, keepdim: bool, dtype: Any = None) -> Any:
    """Return the ``p``-norm over ``dim``; ``name`` is for messages."""
    x = x if dtype is None else cast(x, dtype)
    check_floating(name, x)
    dims = check_dims(name, dim, x.ndim)
    if (p < 0 or p == math.inf) and math.prod(x.shape[d] for d in dims) == 0:
        raise ValueError(
            f"{name}: x {x.shape} has no elements along dim={dim}, and p={p} needs one"
        )
    if p == 0:
        return cast(sum(x != 0, dims, keepdim), x.dtype)
    return Norm(dims, keepdim, p)(x)


@rounded_once
def normalize(x: Any, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Any:
    """Return x / max(norm, eps) with the ``p``-norm along ``dim``: vectors of length 1.

    Examples
    --------
    >>> normalize(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    return x / clamp(length("normalize", x, p, dim, True), min=eps)


@rounded_once
def renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    """Return ``x`` with each slice along ``dim`` whose ``p``-norm exceeds ``maxnorm`` cut to it."""
    axis = check_dim("renorm", dim, x.ndim)
    if x.ndim < 2:
        raise ValueError(f"renorm: x {x.shape} needs at least 2 axes")
    if p <= 0 or maxnorm < 0:
        raise ValueError(f"renorm: p={p} must be above 0 and maxnorm={maxnorm} not below it")
    others = tuple(i for i in range(x.ndim) if i != axis)
    size = length("renorm", x, p, others, True)
    over = size > maxnorm
    return x * where(over, maxnorm / where(over, size + 1e-7, 1.0), 1.0)
