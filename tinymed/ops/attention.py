"""Attention: each query takes a weighted mean of the values, the weights from its match with keys.

Sources: Vaswani et al. (2017), "Attention is all you need", section 3.2 and 3.5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.kernels.arrays import array_module
from tinymed.kernels.recording import values_known
from tinymed.ops.activation import softmax
from tinymed.ops.arithmetic import add, multiply
from tinymed.ops.broadcasting import Shape, expand
from tinymed.ops.dropout import dropout
from tinymed.ops.elementwise import where
from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import cast, same_dtype
from tinymed.ops.shaping import reshape, transpose

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    generator: np.random.Generator | None = None,
) -> Any:
    """Return softmax(scale query key^T + mask) value.

    Parameters
    ----------
    query : (..., L, E)
    key : (..., S, E)
    value : (..., S, V)
    attn_mask : broadcasts to (..., L, S), or None
        bool: True where a query may look; floating: added to the scores.
    dropout_p : float
        Of the weights; applied whenever it is above 0, so pass 0 outside training.
    is_causal : bool
        Query i looks at the keys 0 .. i only. Not together with ``attn_mask``.
    scale : float or None
        None stands for 1 / sqrt(E).
    enable_gqa : bool
        ``key`` and ``value`` have fewer heads (third axis from the end) than ``query``; each serves
        as many neighbouring query heads.
    generator : numpy.random.Generator or None
        For dropout; None takes `tinymed.random.default_generator`.

    Returns
    -------
    (..., L, V); zero for a query that may look nowhere.
    """
    weights = attention_weights(query, key, attn_mask, is_causal, scale, enable_gqa)
    if dropout_p:
        weights = dropout(weights, dropout_p, True, generator)
    return matmul(weights, _shared_heads(query, value) if enable_gqa else value)


def attention_weights(
    query: Any,
    key: Any,
    attn_mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Return softmax(scale query key^T + mask), (..., L, S); rows that are masked whole are 0."""
    name = "scaled_dot_product_attention"
    same_dtype(name, query=query, key=key)
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"{name}: query {query.shape} and key {key.shape} must be (..., L, E) and (..., S, E)"
        )
    if is_causal and attn_mask is not None:
        raise ValueError(f"{name}: attn_mask and is_causal=True are both given; give one")
    if enable_gqa:
        key = _shared_heads(query, key)
    if scale is None:
        scale = 1 / math.sqrt(max(1, query.shape[-1]))
    scores = matmul(multiply(query, scale), transpose(key, -2, -1))
    if is_causal:
        attn_mask = _causal(scores)
    if attn_mask is None:
        return softmax(scores, -1)
    _check_mask(name, attn_mask, scores)
    if attn_mask.dtype.kind == "b":
        scores = where(attn_mask, scores, -math.inf)
    else:
        scores = add(scores, cast(attn_mask, scores.dtype))
    return _softmax_of_masked(scores)


def _softmax_of_masked(scores: Any) -> Any:
    """Return the softmax of rows, 0 where a whole row is -inf: it would be 0 / 0 there."""
    array = scores.data if isinstance(scores, Variable) else scores
    nowhere = (array == -math.inf).all(axis=-1, keepdims=True)
    if values_known() and not nowhere.any():
        return softmax(scores, -1)
    return where(nowhere, 0.0, softmax(where(nowhere, 0.0, scores), -1))


def _causal(scores: Any) -> Any:
    """Return the mask (L, S) that lets query i look at the keys 0 .. i."""
    array = scores.data if isinstance(scores, Variable) else scores
    return array_module(array).tri(*array.shape[-2:], dtype=bool)


def _check_mask(name: str, mask: Any, scores: Any) -> None:
    """Raise unless a mask is bool or floating, and broadcasts to the scores."""
    if mask.dtype not in (np.bool_, np.float32, scores.dtype):
        raise TypeError(
            f"{name}: attn_mask is {mask.dtype}, expected bool, float32 or {scores.dtype}"
        )
    try:
        fits = np.broadcast_shapes(tuple(mask.shape), tuple(scores.shape)) == tuple(scores.shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: attn_mask {mask.shape} does not broadcast to {scores.shape}")


def _shared_heads(query: Any, x: Any) -> Any:
    """Return keys or values (..., heads, S, E) with each head repeated for its query heads."""
    heads, wanted = x.shape[-3], query.shape[-3]
    if wanted % heads:
        raise ValueError(
            f"scaled_dot_product_attention: {heads} heads of keys do not divide the {wanted} of "
            f"query {query.shape}"
        )
    before: Shape = tuple(x.shape[:-2])
    apart = reshape(x, (*before, 1, *x.shape[-2:]))
    repeated = expand(apart, (*before, wanted // heads, *x.shape[-2:]))
    return reshape(repeated, (*before[:-1], wanted, *x.shape[-2:]))
