"""The rules of what memory bounds on a GPU: one pass, in order."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.rules import (
    Rule,
    alike,
    alike_but_first,
    alike_floats,
    alike_reals,
    always,
    floats,
    reals,
    rows,
)
from tinymed.precision import of_sums

__all__ = ["MEMORY_RULES"]


def channels(x: Any, *others: Any) -> bool:
    """Return whether (M, C, L) is float32 or float64, with channels and 2^31 positions at most."""
    return floats(x) and x.shape[1] > 0 and x.size <= x.shape[1] << 31


def channels_of_both(grad_output: Any, y: Any) -> bool:
    """Return the same of the gradient's arguments, which are of one dtype and shape."""
    return alike_floats(grad_output, y) and channels(y)


def classes(logits: Any, target: Any) -> bool:
    """Return whether the same is true of logits (M, C), and targets are int64."""
    return channels(logits) and bool(target.dtype == "int64")


def classes_grad(grad_output: Any, logits: Any, target: Any) -> bool:
    """Return the same of the gradient's arguments."""
    return classes(logits, target) and bool(grad_output.dtype == logits.dtype)


def normalized(x: Any, *others: Any) -> bool:
    """Return whether x is float32 or float64 with channels, and fewer than 2^31 elements."""
    given = [one for one in others if hasattr(one, "dtype")]
    return (
        floats(x)
        and x.shape[1] > 0
        and x.size < 1 << 31
        and all(one.dtype == x.dtype for one in given)
    )


def normalized_channels(x: Any, *others: Any) -> bool:
    """Return whether x is of floats with channels and fewer than 2^31 elements.

    A gradient, which has as many axes, is of x's dtype, all others of what x is added up in.
    """
    given = [one for one in others if hasattr(one, "dtype")]
    return (
        reals(x)
        and x.shape[1] > 0
        and x.size < 1 << 31
        and all(g.dtype == (x.dtype if g.ndim == x.ndim else of_sums(x.dtype)) for g in given)
    )


def numbered(x: Any, *settings: Any) -> bool:
    """Return whether x is of floats, with elements that 31 bits number."""
    return reals(x) and x.size < 1 << 31


def taps(x: Any, index: Any, weight: Any, dim: int) -> bool:
    """Return whether x is float32 or float64, and numbers of x, y and taps are below 2^31."""
    largest = max(x.shape[dim], len(index))
    size = x.size // max(1, x.shape[dim]) * largest
    return floats(x) and max(size, index.size) < 1 << 31


def matrix_rows(weight: Any, ids: Any, *others: Any) -> bool:
    """Return whether a table is a matrix in float32 or float64, and ids are int64."""
    return weight.ndim == 2 and rows(weight, ids)


def bags_of_rows(weight: Any, ids: Any, offsets: Any, scale: Any = None) -> bool:
    """Return whether the same is true of bags, and ``scale``, if any, is of the table's dtype."""
    whole = matrix_rows(weight, ids) and bool(offsets.dtype == "int64")
    return whole and (scale is None or scale.dtype == weight.dtype)


def alike_dtypes(arrays: Any) -> bool:
    """Return whether all arrays of a list are float32, or all float64."""
    return floats(arrays[0]) and len({array.dtype for array in arrays}) == 1


IN_REGISTERS = "a row stays in registers: one read, one write; sums in one order"
IN_PARTS = "a channel in parts that are merged in order"
IN_CHUNKS = "sums of chunks of one size, added in order"

MEMORY_RULES: dict[str, tuple[Rule, ...]] = {
    **{
        f"softmax.{name}": (Rule("cuda", can, always, IN_REGISTERS),)
        for name, can in (
            ("softmax", channels),
            ("softmax_grad", channels_of_both),
            ("log_softmax", channels),
            ("log_softmax_grad", channels_of_both),
            ("cross_entropy", classes),
            ("cross_entropy_grad", classes_grad),
            ("mean_cross_entropy", classes),
            ("mean_cross_entropy_grad", classes_grad),
        )
    },
    **{
        f"arithmetic.{name}": (Rule("cuda", alike_reals, always, "16 bytes a thread"),)
        for name in ("add", "multiply")
    },
    "activation.forward": (Rule("cuda", reals, always, "16 bytes a thread, one pass"),),
    "activation.grad": (Rule("cuda", alike_reals, always, "16 bytes a thread, one pass"),),
    **{
        f"losses.{name}": (Rule("cuda", can, always, why),)
        for name, can, why in (
            ("mean_squares", alike_floats, IN_CHUNKS),
            ("mean_squares_grad", alike_but_first, "16 bytes a thread, one pass"),
            ("mean_logistic", alike_floats, IN_CHUNKS),
            ("mean_logistic_grad", alike_but_first, "16 bytes a thread, one pass"),
        )
    },
    "resampling.forward": (Rule("cuda", taps, always, "a thread for a pack; taps in order"),),
    "dropout.forward": (Rule("cuda", numbered, always, "the mask is drawn in registers"),),
    "dropout.uniform": (Rule("cuda", numbered, always, "four numbers a thread, one write"),),
    "embedding.forward": (Rule("cuda", matrix_rows, always, "16 bytes a thread"),),
    **{
        f"embedding.{name}": (Rule("cuda", rows, always, "sorted, then added in order"),)
        for name in ("sum_rows", "grad_weight")
    },
    **{
        f"embedding.{name}": (Rule("cuda", bags_of_rows, always, "the rows of a bag in order"),)
        for name in ("bag_sum", "bag_max")
    },
    "embedding.renormalize": (Rule("cuda", matrix_rows, always, "a warp for a row"),),
    **{
        f"normalization.{name}": (Rule("cuda", can, always, why),)
        for name, can, why in (
            ("batch_norm", normalized_channels, IN_PARTS),
            ("batch_norm_grad", normalized_channels, IN_PARTS),
            ("affine", normalized_channels, "one pass"),
            ("group_norm", normalized, IN_REGISTERS),
            ("group_norm_grad", normalized, IN_REGISTERS),
        )
    },
    **{
        f"optimizer.{name}": (Rule("cuda", alike, always, "up to 64 arrays in one launch"),)
        for name in (
            "sgd",
            "adam",
            "adamax",
            "nadam",
            "radam",
            "sparse_adam",
            "rmsprop",
            "adagrad",
            "adadelta",
        )
    },
    "optimizer.squares": (Rule("cuda", alike_dtypes, always, IN_CHUNKS),),
}
