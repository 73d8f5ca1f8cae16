"""Dropout: a product with a random mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.arrays import array_module
from tinymed.ops.arithmetic import multiply
from tinymed.ops.reduction import check_floating
from tinymed.random import default_generator

__all__ = ["dropout"]


def dropout(
    x: Any, p: float = 0.5, training: bool = True, generator: np.random.Generator | None = None
) -> Any:
    """Return ``x`` with each element set to 0 with probability ``p``, the others / (1 - p).

    The mean stays what it was, so nothing is done when not ``training``.

    Parameters
    ----------
    p : float in [0, 1]
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} is not a probability")
    check_floating("dropout", x)
    if not training or p == 0:
        return x
    generator = default_generator() if generator is None else generator
    kept = generator.random(x.shape, dtype=np.float32) >= p
    mask = kept / x.dtype.type(1 - p) if p < 1 else np.zeros(x.shape, x.dtype)
    array = x if not hasattr(x, "requires_grad") else x.data
    return multiply(x, array_module(array).asarray(mask, x.dtype))
