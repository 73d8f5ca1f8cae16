"""Weighted sums along an axis, one tap of all outputs after the other."""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module, sent


def forward(x: Array, index: Array, weight: Array, dim: int) -> Array:
    """Return y with y_o = sum_k weight_ok x_index_ok along axis ``dim``.

    index (outputs, K), int64, -1 for none; weight (outputs, K), of the dtype of x.
    """
    xp = array_module(x)
    index, weight = sent(index, x), sent(weight, x, x.dtype)
    along = (-1, *[1] * (x.ndim - dim - 1))
    y = xp.zeros((*x.shape[:dim], len(index), *x.shape[dim + 1 :]), x.dtype)
    for k in range(index.shape[1]):
        here = index[:, k]
        taken = xp.take(x, xp.maximum(here, 0), axis=dim)
        nothing = xp.zeros((), x.dtype)  # where there is none: not even 0 times infinity
        taken = xp.where((here >= 0).reshape(along), taken, nothing)
        y += taken * weight[:, k].reshape(along)
    return y
