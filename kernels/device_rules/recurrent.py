"""Which recurrent kernel runs on a GPU: by hidden size, batch, and what the GPU has.

All weights in the shared memory of one cluster per 4 sequences, if they fit and all clusters run at
once; in that of the whole GPU, if they fit and no block has more than two tiles of 32 sequences one
after the other; else a product for each step, which many sequences keep busy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinymed.kernels.device_rules.tensor_cores import has_tensor_cores
from tinymed.kernels.rules import Rule, always

__all__ = ["RECURRENT_RULES"]


def dtype_of(arguments: tuple[Any, ...]) -> str:
    """Return the name of the dtype of all arrays; "" if they have several."""
    dtypes = {argument.dtype.name for argument in arguments if hasattr(argument, "dtype")}
    return dtypes.pop() if len(dtypes) == 1 else ""


def one_float(*arguments: Any) -> bool:
    """Return whether all arrays are of one floating dtype."""
    return dtype_of(arguments) in ("float32", "float64", "float16", "bfloat16")


def products_of(*arguments: Any) -> bool:
    """Return whether the GPU has products of the arrays: of 16 bits, tensor cores."""
    return dtype_of(arguments) in ("float32", "float64") or has_tensor_cores(*arguments)


def single(*arguments: Any) -> bool:
    """Return whether all arrays are float32."""
    return dtype_of(arguments) == "float32"


def plain_lstm_forward(*arguments: Any) -> bool:
    """Return whether an LSTM has neither a projection nor peepholes, in float32."""
    return arguments[7] is None is arguments[8] and single(*arguments)


def plain_lstm_backward(*arguments: Any) -> bool:
    """Return the same of the gradient's arguments."""
    return arguments[6] is None is arguments[7] and single(*arguments)


def reset_after_forward(*arguments: Any) -> bool:
    """Return whether the reset gate of a GRU comes after U h, in float32."""
    return bool(arguments[8]) and single(*arguments)


def reset_after_backward(*arguments: Any) -> bool:
    """Return the same of the gradient's arguments: there are candidates then."""
    return arguments[3] is not None and single(*arguments)


def up_to_32_bits(*arguments: Any) -> bool:
    """Return whether all arrays are of one floating dtype but float64."""
    return one_float(*arguments) and dtype_of(arguments) != "float64"


def entry_of(kernel: str, arguments: tuple[Any, ...]) -> str:
    """Return the entry point: a GRU's by where its reset gate is, an LSTM's by its projection."""
    forward, back = kernel == "gru_forward", kernel == "gru_backward"
    if (forward and not arguments[8]) or (back and arguments[3] is None):  # no candidates
        return kernel.replace("gru_", "gru_reset_before_")
    projection = {"lstm_forward": 7, "lstm_backward": 6}.get(kernel)
    if projection is not None and arguments[projection] is not None:
        return kernel.replace("lstm_", "lstm_projected_")
    return kernel


def pays(kind: str, kernel: str, weight_at: int) -> Callable[..., bool]:
    """Return whether a layer is to run by "grid" or "cluster": a function of its arguments.

    ``weight_at`` is where weight_hh is among them.
    """

    def on_this_gpu(*arguments: Any) -> bool:
        from tinymed.kernels.recurrent import resident

        weight, batch = arguments[weight_at], len(arguments[1])
        return resident.pays(kind, entry_of(kernel, arguments), weight, batch)

    return on_this_gpu


CLUSTER = "weights in a cluster's shared memory, the state sent from block to block"
GRID = "weights in the whole GPU's shared memory, one launch for all steps"
STEPS = Rule(
    "cuda", one_float, always, "W x at once, then a product and a launch each step", products_of
)


def resident_rules(kernel: str, weight_at: int) -> tuple[Rule, ...]:
    """Return the rules of a layer that can stay in shared memory."""
    return (
        Rule(
            "cuda:cluster", up_to_32_bits, pays("cluster", kernel, weight_at), CLUSTER, products_of
        ),
        Rule("cuda:grid", up_to_32_bits, pays("grid", kernel, weight_at), GRID, products_of),
        STEPS,
    )


RECURRENT_RULES: dict[str, tuple[Rule, ...]] = {
    "recurrent.rnn_forward": resident_rules("rnn_forward", 3),
    "recurrent.rnn_backward": resident_rules("rnn_backward", 3),
    "recurrent.lstm_forward": resident_rules("lstm_forward", 4),
    "recurrent.lstm_backward": resident_rules("lstm_backward", 5),
    "recurrent.gru_forward": resident_rules("gru_forward", 3),
    "recurrent.gru_backward": resident_rules("gru_backward", 5),
    "recurrent.before": (Rule("cuda", one_float, always, "all steps at once"),),
}
