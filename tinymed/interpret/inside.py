"""What a model's own layers told while it ran: weights of attention, gates of memory."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from tinymed.grad_mode import no_grad
from tinymed.interpret.question import Array, evaluated
from tinymed.kernels.arrays import to_host
from tinymed.nn import GRU, LSTM, Module, MultiheadAttention
from tinymed.nn.gates import gate_maps

__all__ = ["attention_maps", "recurrent_maps"]

Call = tuple[str, Module, dict[str, Any]]


def attention_maps(model: Module, *inputs: Any, **named: Any) -> dict[str, Array]:
    """Return the weights of every `MultiheadAttention` as it runs within the model.

    Parameters
    ----------
    model : Module
        Run once in eval mode, without recording; its modes are left as they were.
    *inputs, **named
        What the model takes.

    Returns
    -------
    dict of str to numpy.ndarray (N, heads, L, S)
        By the name of the layer, "" for the model itself: how much of each of S keys each of L
        queries took; rows add up to 1, or to 0 where all is masked.

    Raises
    ------
    TypeError
        The model runs no such layer.
    ValueError
        A layer runs twice.

    Notes
    -----
    The weights say what was looked at, not what decided: what a layer above does with it, they do
    not show (Jain, Wallace, 2019, "Attention is not explanation").

    Examples
    --------
    >>> import tinymed as tm
    >>> layer = tm.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> attention_maps(layer, tm.ones(3, 5, 8))["self_attn"].shape
    (3, 2, 5, 5)
    """
    maps: dict[str, Array] = {}

    def asked(name: str, layer: Module, arguments: dict[str, Any]) -> Any:
        if name in maps:
            raise ValueError(f"attention_maps: layer {name!r} ran twice, once expected")
        wanted = {"need_weights": True, "average_attn_weights": False}
        output, weights = type(layer).forward(layer, **(arguments | wanted))
        maps[name] = to_host(weights.data)
        if not arguments.get("need_weights", True):
            return output, None
        heads = weights.ndim - 3  # the axis in (N, h, L, S), or in (h, L, S) without a batch
        averaged = arguments.get("average_attn_weights", True)
        return output, weights.mean(heads) if averaged else weights

    listened(model, (MultiheadAttention,), asked, inputs, named)
    if not maps:
        raise TypeError(f"attention_maps: {type(model).__name__} runs no MultiheadAttention")
    return maps


def recurrent_maps(
    model: Module, *inputs: Any, **named: Any
) -> dict[str, dict[str, dict[str, Array]]]:
    """Return the gates of every LSTM and GRU as it runs within the model.

    Parameters
    ----------
    model, *inputs, **named
        As for `attention_maps`.

    Returns
    -------
    dict of str to what `gate_maps` returns
        By the name of the layer.

    Raises
    ------
    TypeError
        The model runs no such layer.
    ValueError
        A layer runs twice; what `gate_maps` refuses.

    Examples
    --------
    >>> import tinymed as tm
    >>> recurrent_maps(tm.nn.LSTM(3, 4), tm.ones(5, 2, 3))[""]["l0"]["forget"].shape
    (2, 5, 4)
    """
    maps: dict[str, dict[str, dict[str, Array]]] = {}

    def asked(name: str, layer: Module, arguments: dict[str, Any]) -> Any:
        if name in maps:
            raise ValueError(f"recurrent_maps: layer {name!r} ran twice, once expected")
        maps[name] = gate_maps(layer, **arguments)  # type: ignore[arg-type]
        return type(layer).forward(layer, **arguments)

    listened(model, (LSTM, GRU), asked, inputs, named)
    if not maps:
        raise TypeError(f"recurrent_maps: {type(model).__name__} runs no LSTM and no GRU")
    return maps


def listened(
    model: Module,
    kinds: tuple[type[Module], ...],
    asked: Callable[[str, Module, dict[str, Any]], Any],
    inputs: tuple[Any, ...],
    named: dict[str, Any],
) -> None:
    """Run the model with ``asked(name, layer, arguments)`` in the place of ``layer.forward``."""
    with contextlib.ExitStack() as stack, evaluated(model), no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, kinds):
                stack.enter_context(replaced(name, layer, asked))
        model(*inputs, **named)


@contextlib.contextmanager
def replaced(
    name: str, layer: Module, asked: Callable[[str, Module, dict[str, Any]], Any]
) -> Iterator[None]:
    """Let calls of one layer go to ``asked``; hooks see inputs only without their names."""
    signature = inspect.signature(layer.forward)

    def forward(*inputs: Any, **named: Any) -> Any:
        return asked(name, layer, dict(signature.bind(*inputs, **named).arguments))

    layer.__dict__["forward"] = forward
    try:
        yield
    finally:
        del layer.__dict__["forward"]
