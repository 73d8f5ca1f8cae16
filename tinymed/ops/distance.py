"""Distances and angles between vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinymed.autograd import Function
from tinymed.errors import check_dim, check_size
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.broadcasting import Shape, expand
from tinymed.ops.elementwise import abs, clamp
from tinymed.ops.extremes import amax
from tinymed.ops.indexing import getitem
from tinymed.ops.joining import cat
from tinymed.ops.norms import length, slope
from tinymed.ops.promotion import promote, rounded_once, same_dtype
from tinymed.ops.reduction import check_floating, sum
from tinymed.ops.shaping import unsqueeze

__all__ = ["cdist", "cosine_similarity"]

BLOCK = 2**22  # elements of differences held at a time
MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


class CDist(Function):
    """y_ij = norm_p(a_i - b_j);  dL/da_i = sum_j dL/dy_ij norm_p'(a_i - b_j), dL/db_j = -sum_i.

    The differences, as many as y has elements times M, are made again in blocks of rows of a.
    """

    def __init__(self, p: float) -> None:
        self.p = p

    def output_shape(self, a: Shape, b: Shape) -> Shape:
        return (*a[:-1], b[-2])

    def forward(self, a: Array, b: Array) -> Array:
        xp = array_module(a, b)
        y = xp.zeros(check_size("cdist", self.output_shape(a.shape, b.shape)), a.dtype)
        for rows in self.blocks(a.shape, b.shape) if a.shape[-1] else ():
            y[..., rows, :] = length("cdist", differences(a, b, rows), self.p, -1, False)
        return y

    def backward(self, grad_output: Array, a: Array, b: Array, output: Array) -> tuple[Any, ...]:
        grads_a: list[Any] = []
        grad_b: Any = None
        for rows in self.blocks(a.shape, b.shape):
            part = (..., rows, slice(None))
            apart, y = differences(a, b, rows), unsqueeze(getitem(output, part), -1)
            if math.isinf(self.p) and a.shape[-1]:
                # y may be rounded, and is to be found among the differences
                y = amax(abs(apart), -1, keepdim=True)
            along = slope(apart, y, self.p, (output.ndim,))
            share = unsqueeze(getitem(grad_output, part), -1) * along  # (..., rows, R, M)
            grads_a.append(sum(share, -2))
            to_b = -sum(share, -3)
            grad_b = to_b if grad_b is None else grad_b + to_b
        return cat(grads_a, -2), grad_b

    def blocks(self, a: Shape, b: Shape) -> Iterator[slice]:
        """Yield slices of the rows of ``a``, at least one."""
        width = int(np.prod(a[:-2])) * b[-2] * a[-1]
        count = max(1, BLOCK // max(width, 1))
        for start in range(0, max(a[-2], 1), count):
            yield slice(start, start + count)


def differences(a: Any, b: Any, rows: slice) -> Any:
    """Return a_i - b_j for the given rows of a: (..., rows, R, M)."""
    return unsqueeze(getitem(a, (..., rows, slice(None))), -2) - unsqueeze(b, -3)


def cdist(
    x1: Any,
    x2: Any,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Any:
    """Return the ``p``-distances between all rows of ``x1`` and all rows of ``x2``.

    Parameters
    ----------
    x1 : (..., P, M)
    x2 : (..., R, M)
        The axes before the last two are broadcast.
    p : float >= 0
        inf is the largest difference, 0 the number of coordinates that differ.
    compute_mode : str
        PyTorch's permission to use matrix products, at the price of digits for close points. It is
        not made use of.

    Returns
    -------
    (..., P, R)

    Notes
    -----
    The gradient is 0 between equal points. For p = inf, equal differences share it, as in `norm`.
    Beyond inputs and output about 2**22 numbers are held at a time.
    """
    same_dtype("cdist", x1=x1, x2=x2)
    check_floating("cdist", x1)
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(
            f"cdist: x1 {x1.shape} and x2 {x2.shape} must be (..., P, M) and (..., R, M)"
        )
    if p < 0:
        raise ValueError(f"cdist: p={p} is negative")
    if compute_mode not in MODES:
        raise ValueError(f"cdist: compute_mode={compute_mode!r} is not in {MODES}")
    try:
        batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    except ValueError:
        raise ValueError(
            f"cdist: the batch axes of x1 {x1.shape} and x2 {x2.shape} do not broadcast"
        ) from None
    a, b = expand(x1, (*batch, *x1.shape[-2:])), expand(x2, (*batch, *x2.shape[-2:]))
    return CDist(p)(a, b)


@rounded_once
def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """Return the cosine of the angle between ``x1`` and ``x2`` along ``dim``; both broadcast.

    x1 . x2 / (max(|x1|, eps) max(|x2|, eps)): 0 where one of them is 0.
    """
    x1, x2 = promote(x1, x2)
    check_floating("cosine_similarity", x1)
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ValueError(
            f"cosine_similarity: x1 {x1.shape} and x2 {x2.shape} do not broadcast"
        ) from None
    axis = check_dim("cosine_similarity", dim, len(shape))
    x1, x2 = (
        x / clamp(length("cosine_similarity", x, 2, axis, True), min=eps)
        for x in (expand(x1, shape), expand(x2, shape))
    )
    return sum(x1 * x2, axis)
