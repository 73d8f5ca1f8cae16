"""Transformers: layers of attention and of linear layers, each with a residual sum and a norm.

References
----------
Vaswani et al. (2017), "Attention is all you need", section 3.1.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from tinymed import ops
from tinymed.creation import full
from tinymed.errors import refuse
from tinymed.nn import init
from tinymed.nn.attention import MultiheadAttention
from tinymed.nn.containers import ModuleList
from tinymed.nn.dropout import Dropout
from tinymed.nn.linear import Linear
from tinymed.nn.module import Module, check_sizes
from tinymed.nn.sample_normalization import LayerNorm
from tinymed.tensor import Tensor

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Any], Any]
ACTIVATIONS = {"relu": ops.relu, "gelu": ops.gelu}


class _Layer(Module):
    """What both layers share: some attentions, then two linear layers, with sums and norms."""

    attentions: ClassVar[tuple[str, ...]]  # their names, in PyTorch's order

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = ops.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if not callable(activation) and activation not in ACTIVATIONS:
            raise ValueError(
                f"{type(self).__name__}: activation={activation!r} is neither a function nor one "
                f"of {', '.join(map(repr, ACTIVATIONS))}"
            )
        made = {"device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, generator=generator, **made
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, generator=generator, **made)
        self.dropout = Dropout(dropout, generator=generator)
        self.linear2 = Linear(dim_feedforward, d_model, bias, generator=generator, **made)
        self.norm_first = norm_first
        parts = range(1, len(self.attentions) + 2)
        for number in parts:
            setattr(self, f"norm{number}", LayerNorm(d_model, layer_norm_eps, bias=bias, **made))
        for number in parts:
            setattr(self, f"dropout{number}", Dropout(dropout, generator=generator))
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def added(self, number: int, x: Any, part: Callable[[Any], Any]) -> Any:
        """Return x + part(x), normalised before or after, as part ``number`` of the layer."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        if self.norm_first:
            return x + dropout(part(norm(x)))
        return norm(x + dropout(part(x)))

    def feed_forward(self, x: Any) -> Any:
        """Return what the two linear layers make of each position by itself."""
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Layer):
    """Self-attention, then two linear layers, each with a residual sum and layer norm.

    Parameters
    ----------
    d_model, nhead, dim_feedforward : int
        Features, heads, and the width between the two linear layers.
    dropout : float
    activation : "relu", "gelu", or a function of a tensor
    layer_norm_eps : float
    batch_first : bool
        (N, L, E) instead of (L, N, E).
    norm_first : bool
        Normalise before each part instead of after its sum.
    bias : bool

    References
    ----------
    Vaswani et al. (2017), "Attention is all you need", section 3.1.
    """

    attentions = ("self_attn",)

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Any:
        """Return a tensor of the shape of ``src``; masks as in `MultiheadAttention`."""

        def attend(x: Any) -> Any:
            y, _ = self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )
            return y

        return self.added(2, self.added(1, src, attend), self.feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to an encoder's output, then two linear layers.

    Each has a residual sum and layer norm. The settings are those of `TransformerEncoderLayer`.
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """Return a tensor of the shape of ``tgt``.

        Parameters
        ----------
        tgt : (L, N, E), with ``batch_first`` (N, L, E), or (L, E)
        memory : the same with S in the place of L
            What the encoder made of the source.
        tgt_mask, memory_mask : (L, L) and (L, S), or one for each head
        tgt_key_padding_mask, memory_key_padding_mask : (N, L) and (N, S)
            All as in `MultiheadAttention`, and so are the promises that masks are causal.
        """

        def look_back(x: Any) -> Any:
            y, _ = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )
            return y

        def look_there(x: Any) -> Any:
            y, _ = self.multihead_attn(
                *(x, memory, memory, memory_key_padding_mask, False, memory_mask),
                is_causal=memory_is_causal,
            )
            return y

        y = self.added(2, self.added(1, tgt, look_back), look_there)
        return self.added(3, y, self.feed_forward)


def _copies(name: str, layer: Module, num_layers: int) -> ModuleList:
    """Return ``num_layers`` copies of a layer."""
    check_sizes(name, num_layers=num_layers)
    return ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])


class TransformerEncoder(Module):
    """A stack of copies of one encoder layer, and a last norm.

    Parameters
    ----------
    encoder_layer : TransformerEncoderLayer
        Copied ``num_layers`` times: the copies start equal.
    num_layers : int
    norm : Module or None
    enable_nested_tensor : False
        There are no nested tensors, with which PyTorch leaves out padding.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = False,
    ) -> None:
        super().__init__()
        refuse("TransformerEncoder", enable_nested_tensor=(enable_nested_tensor, False))
        self.layers = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Any:
        """Return a tensor of the shape of ``src``; masks as in `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """A stack of copies of one decoder layer, and a last norm.

    Parameters
    ----------
    decoder_layer : TransformerDecoderLayer
        Copied ``num_layers`` times: the copies start equal.
    num_layers : int
    norm : Module or None
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """Return a tensor of the shape of ``tgt``; masks as in `TransformerDecoderLayer`."""
        masks = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, tgt_is_causal, memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of a source and a decoder that writes a target: for translation, summaries.

    Sequences come in as features: an embedding and a positional encoding stand before it, a linear
    layer to the vocabulary behind it.

    Parameters
    ----------
    d_model, nhead : int
        E and the heads.
    num_encoder_layers, num_decoder_layers : int
    dim_feedforward, dropout, activation
        As in `TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module or None
        In the place of a stack that is made here; called with masks by their names.
    layer_norm_eps, batch_first, norm_first, bias
        As in `TransformerEncoderLayer`. Each stack ends with a norm.

    Examples
    --------
    >>> import tinymed as tm
    >>> model = Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> mask = Transformer.generate_square_subsequent_mask(3)
    >>> model(tm.ones(2, 5, 8), tm.ones(2, 3, 8), tgt_mask=mask).shape
    (2, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = ops.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        made = {"device": device, "dtype": dtype}
        given = (
            *(d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps),
            *(batch_first, norm_first, bias),
        )

        def last() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, **made)

        if custom_encoder is None:
            one: Module = TransformerEncoderLayer(*given, **made, generator=generator)
            custom_encoder = TransformerEncoder(one, num_encoder_layers, last())
        if custom_decoder is None:
            one = TransformerDecoderLayer(*given, **made, generator=generator)
            custom_decoder = TransformerDecoder(one, num_decoder_layers, last())
        self.encoder, self.decoder = custom_encoder, custom_decoder
        for parameter in self.parameters():  # else all copies would start equal
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter, generator=generator)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Any:
        """Return what the decoder makes of ``tgt``, of its shape.

        Parameters
        ----------
        src : (S, N, E), with ``batch_first`` (N, S, E), or (S, E)
        tgt : the same with L in the place of S
        src_mask, tgt_mask, memory_mask : (S, S), (L, L) and (L, S), or one for each head
        src_key_padding_mask, tgt_key_padding_mask, memory_key_padding_mask
            (N, S), (N, L) and (N, S). All as in `MultiheadAttention`, and so are the promises that
            masks are causal. Padding of the source is padding of the memory: give it twice.

        Raises
        ------
        ValueError
            If source and target differ in batch or are not of ``d_model`` features.
        """
        batch = None if src.ndim == 2 else 0 if self.batch_first else 1
        if src.ndim != tgt.ndim or (batch is not None and src.shape[batch] != tgt.shape[batch]):
            raise ValueError(f"Transformer: src {src.shape} and tgt {tgt.shape} differ in batch")
        for name, x in (("src", src), ("tgt", tgt)):
            if x.shape[-1] != self.d_model:
                raise ValueError(f"Transformer: {name} {x.shape} must have {self.d_model} features")
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: str = "cpu", dtype: Any = None) -> Tensor:
        """Return (sz, sz) that keeps a position from what comes after it: -inf there, 0 else."""
        return ops.triu(full((sz, sz), -math.inf, dtype=dtype, device=device), 1)
