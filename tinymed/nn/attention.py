"""Multi-head attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import empty, zeros
from tinymed.nn import init
from tinymed.nn.linear import Linear
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.ops.attention import attention_weights

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several subspaces at once: concat(head_1, ..., head_h) W_out + b.

    head_i = softmax(Q W_i^Q (K W_i^K)^T / sqrt(E / h)) V W_i^V.

    Parameters
    ----------
    embed_dim : int
        E, divisible by ``num_heads``.
    num_heads : int
        h.
    dropout : float
        Of the weights, while training.
    bias : bool
        In the projections.
    add_bias_kv : bool
        Append a learned key and value.
    add_zero_attn : bool
        Append a key and a value of zeros.
    kdim, vdim : int or None
        Features of keys and values, E if None.
    batch_first : bool
        (N, L, E) instead of (L, N, E).

    References
    ----------
    Vaswani et al. (2017), "Attention is all you need", section 3.2.2.
    """

    out_proj: Linear

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: num_heads={num_heads} does not divide embed_dim={embed_dim}"
            )
        if not 0 <= dropout <= 1:
            raise ValueError(f"MultiheadAttention: dropout={dropout} is not a probability")
        self.embed_dim, self.num_heads, self.dropout = embed_dim, num_heads, dropout
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.batch_first, self.add_zero_attn, self.generator = batch_first, add_zero_attn, generator
        made = {"dtype": dtype, "device": device}
        together = self.kdim == self.vdim == embed_dim
        shapes = {
            "in_proj_weight": (3 * embed_dim, embed_dim) if together else None,
            "q_proj_weight": None if together else (embed_dim, embed_dim),
            "k_proj_weight": None if together else (embed_dim, self.kdim),
            "v_proj_weight": None if together else (embed_dim, self.vdim),
        }
        for name, shape in shapes.items():
            self.register_parameter(
                name, None if shape is None else Parameter(empty(shape, **made))
            )
        start = Parameter(zeros(3 * embed_dim, **made)) if bias else None
        self.register_parameter("in_proj_bias", start)
        for name in ("bias_k", "bias_v"):
            extra = Parameter(empty(1, 1, embed_dim, **made)) if add_bias_kv else None
            self.register_parameter(name, extra)
        self.out_proj = Linear(embed_dim, embed_dim, bias, generator=generator, **made)
        for name in shapes:
            if (weight := getattr(self, name)) is not None:
                init.xavier_uniform_(weight, generator=generator)
        if add_bias_kv:
            init.xavier_normal_(self.bias_k, generator=generator)
            init.xavier_normal_(self.bias_v, generator=generator)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """Return what the queries take from the values, and with what weights.

        Parameters
        ----------
        query : (L, N, E), with ``batch_first`` (N, L, E), or (L, E)
        key, value : the same with S in the place of L, and kdim, vdim features
        key_padding_mask : (N, S) or (S,)
            bool: True for keys to leave out; floating: added to the scores.
        need_weights : bool
            Whether to return the weights; None is returned in their place otherwise.
        attn_mask : (L, S) or (N h, L, S)
            bool: True where a query may *not* look; floating: added to the scores.
        average_attn_weights : bool
            The mean over the heads, (N, L, S), rather than (N, h, L, S).
        is_causal : bool
            A promise that ``attn_mask`` is causal; it must be given.

        Returns
        -------
        output of the shape of ``query``, weights or None
            A query that may look nowhere takes zero (PyTorch returns NaN with need_weights).
        """
        single = query.ndim == 2
        self._check(query, key, value, attn_mask, is_causal)
        if single:
            query, key, value = (ops.unsqueeze(x, 0) for x in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = ops.unsqueeze(key_padding_mask, 0)
        elif not self.batch_first:
            query, key, value = self._batch_first(query, key, value)
        q, k, v = self._projected(query, key, value)
        mask = self._mask(query, key, key_padding_mask, attn_mask)
        k, v, mask = self._extended(k, v, mask)
        q, k, v = (self._heads(x) for x in (q, k, v))
        weights = attention_weights(q, k, mask)
        used = ops.dropout(weights, self.dropout, self.training, self.generator)
        y = ops.transpose(ops.matmul(used, v), 1, 2)  # (N, h, L, E/h) -> (N, L, h, E/h)
        y = self.out_proj(ops.reshape(y, (*y.shape[:2], self.embed_dim)))
        if need_weights:
            weights = ops.mean(used, 1) if average_attn_weights else used
        if single:
            return ops.squeeze(y, 0), ops.squeeze(weights, 0) if need_weights else None
        return y if self.batch_first else ops.transpose(y, 0, 1), weights if need_weights else None

    def _check(self, query: Any, key: Any, value: Any, attn_mask: Any, is_causal: bool) -> None:
        """Raise unless the inputs fit each other and the layer."""
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal=True needs attn_mask as well")
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise ValueError(
                f"MultiheadAttention: query {query.shape}, key {key.shape} and value {value.shape} "
                "must all have 3 axes, or all 2"
            )
        batch = None if query.ndim == 2 else (0 if self.batch_first else 1)
        sequence = 0 if query.ndim == 2 or batch == 1 else 1
        named = {"query": self.embed_dim, "key": self.kdim, "value": self.vdim}
        for (name, features), x in zip(named.items(), (query, key, value), strict=True):
            if x.shape[-1] != features:
                raise ValueError(
                    f"MultiheadAttention: {name} {x.shape} must have {features} features"
                )
            if batch is not None and x.shape[batch] != query.shape[batch]:
                raise ValueError(
                    f"MultiheadAttention: query {query.shape} and {name} {x.shape} differ in batch"
                )
        if key.shape[sequence] != value.shape[sequence]:
            raise ValueError(
                f"MultiheadAttention: key {key.shape} and value {value.shape} differ in length"
            )

    def _batch_first(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
        """Return (N, L, E) of (L, N, E); what was one tensor stays one."""
        turned = ops.transpose(query, 0, 1)
        if key is query and value is query:
            return turned, turned, turned
        second = ops.transpose(key, 0, 1)
        return turned, second, second if value is key else ops.transpose(value, 0, 1)

    def _projected(self, query: Any, key: Any, value: Any) -> tuple[Any, ...]:
        """Return queries, keys and values, each (N, L or S, E)."""
        weight, bias, e = self.in_proj_weight, self.in_proj_bias, self.embed_dim
        if weight is not None and key is query and value is query:  # one product instead of three
            return ops.split(ops.linear(query, weight, bias), e, -1)
        weights = (
            (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            if weight is None
            else ops.split(weight, e)
        )
        biases = (None, None, None) if bias is None else ops.split(bias, e)
        given = zip((query, key, value), weights, biases, strict=True)
        return tuple(ops.linear(x, w, b) for x, w, b in given)

    def _mask(self, query: Any, key: Any, padding: Any, mask: Any) -> Any:
        """Return both masks as one to add, (N or 1, h or 1, L or 1, S), or None."""
        n, length, steps = query.shape[0], query.shape[1], key.shape[1]
        total = None
        if padding is not None:
            if tuple(padding.shape) != (n, steps):
                raise ValueError(
                    f"MultiheadAttention: key_padding_mask {padding.shape} is not {(n, steps)}"
                )
            total = ops.reshape(additive(padding, query), (n, 1, 1, steps))
        if mask is not None:
            several = (n * self.num_heads, length, steps)
            if tuple(mask.shape) not in ((length, steps), several):
                raise ValueError(
                    f"MultiheadAttention: attn_mask {mask.shape} is neither {(length, steps)} nor "
                    f"{several}"
                )
            apart = (n, self.num_heads) if mask.ndim == 3 else (1, 1)
            mask = ops.reshape(additive(mask, query), (*apart, length, steps))
            total = mask if total is None else total + mask
        return total

    def _extended(self, k: Any, v: Any, mask: Any) -> tuple[Any, Any, Any]:
        """Return keys, values and mask with the learned pair and the zeros behind them."""
        n, e = k.shape[0], self.embed_dim
        more = 0
        if self.bias_k is not None:
            k = ops.cat([k, ops.expand(self.bias_k, (n, 1, e))], 1)
            v = ops.cat([v, ops.expand(self.bias_v, (n, 1, e))], 1)
            more += 1
        if self.add_zero_attn:
            k, v = (ops.pad(x, (0, 0, 0, 1)) for x in (k, v))
            more += 1
        return k, v, mask if mask is None or not more else ops.pad(mask, (0, more))

    def _heads(self, x: Any) -> Any:
        """Return (N, L, E) as (N, h, L, E / h)."""
        n, length, e = x.shape
        return ops.transpose(ops.reshape(x, (n, length, self.num_heads, e // self.num_heads)), 1, 2)


def additive(mask: Any, like: Any) -> Any:
    """Return a mask as what is added to scores: -inf where a bool one is True."""
    if mask.dtype.kind == "b":
        return ops.cast(ops.where(mask, -math.inf, 0.0), like.dtype)
    if mask.dtype != like.dtype:
        raise TypeError(
            f"MultiheadAttention: a mask is {mask.dtype}, expected bool or {like.dtype}"
        )
    return mask
