"""The rules all losses follow: what they refuse, how classes are read, how losses are averaged.

No loss broadcasts: (N,) against (N, 1) compares everything with everything, and is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.division import divide
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import getitem
from tinymed.ops.promotion import same_dtype
from tinymed.ops.reduction import mean, sum
from tinymed.ops.shaping import permute, reshape
from tinymed.precision import kind_of


def class_rows(name: str, x: Any, target: Any, ignore_index: int) -> tuple[Any, Array, Array]:
    """Return x as (M, C), class indices (M,), and 1.0 or 0.0 (M,) for what counts or is ignored.

    An ignored row, which may hold anything, NaN too, is replaced by zeros, its index by 0.
    """
    check_arrays(name, x=x, target=target)
    check_floats(name, x)
    shape = tuple(target.shape)
    if x.ndim == 0 or item_shape(x.shape) != shape:
        raise ValueError(
            f"{name}: x {x.shape} and target {shape} do not fit; "
            "expected logits (N, C, ...) and class indices (N, ...)"
        )
    classes = x.shape[min(1, x.ndim - 1)]
    indices = checked_classes(name, target, classes, ignore_index)
    if classes == 0:
        raise ValueError(f"{name}: x {x.shape} has no classes; expected at least one")
    rows = permute(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x
    rows = reshape(rows, (len(indices), classes))
    xp = array_module(indices)
    ignored = indices == ignore_index
    if not values_known() or ignored.any():
        rows = where(ignored[:, None], 0.0, rows)
        indices = xp.where(ignored, 0, indices)
    return rows, indices, xp.asarray(~ignored, x.dtype)


def item_shape(x: Shape) -> Shape:
    """Return the shape of the class indices that belong to logits (N, C, ...) or (C,)."""
    return (*x[:1], *x[2:]) if len(x) > 1 else ()


def checked_classes(name: str, target: Any, classes: int, ignore_index: int | None) -> Array:
    """Return class indices as a flat int64 array, or raise naming the first that is not one."""
    array = plain(target)
    if kind_of(array.dtype) == "f":
        what = "NaN" if (array != array).any() else f"{array.dtype} values"
        raise TypeError(
            f"{name}: target holds {what}, expected class indices (integers); cast it to int64"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: target is {array.dtype}, expected integers")
    indices = array.reshape(-1).astype(np.int64, copy=False)
    wrong = (indices < 0) | (indices >= classes)
    if ignore_index is not None:
        wrong &= indices != ignore_index
    if values_known() and wrong.any():
        raise IndexError(
            f"{name}: class index {int(indices[wrong][0])} in target is out of range for "
            f"{classes} classes"
        )
    return indices


def class_weights(
    name: str, weight: Any, rows: Any, indices: Array, kept: Array, argument: str = "weight"
) -> Any:
    """Return for each row the weight of its class, 0 where it is ignored."""
    if weight is None:
        return kept
    check_weight(name, weight, rows, rows.shape[1], argument)
    return getitem(weight, indices) * kept


def check_weight(name: str, weight: Any, x: Any, classes: int, argument: str = "weight") -> None:
    """Raise unless there is one weight for each class, in the dtype of x."""
    same_dtype(name, **{"x": x, argument: weight})
    if tuple(weight.shape) != (classes,):
        raise ValueError(
            f"{name}: {argument} {weight.shape} is not one for each of {classes} classes"
        )


def weighted_reduce(name: str, losses: Any, counts: Any, shape: Shape, reduction: str) -> Any:
    """Return the losses of items (M,), their mean divided by the weights in ``counts``."""
    if reduction == "mean":
        total = sum(counts)
        empty = values_known() and plain(total) == 0  # where 0 / 0 would warn
        return divide(sum(losses), np.nan if empty else total)
    return reduce(name, reshape(losses, tuple(shape)), reduction)


def plain(x: Any) -> Array:
    """Return the array of a Tensor; an array as it is."""
    return x.data if isinstance(x, Variable) else x


def check_floats(name: str, x: Any, what: str = "logits", argument: str = "x") -> None:
    """Raise unless ``x`` holds floats."""
    if kind_of(x.dtype) != "f":
        raise TypeError(f"{name}: {argument} is {x.dtype}, expected floating {what}")


def check_range(
    name: str, x: Any, low: float, high: float | None, argument: str = "target", advice: str = ""
) -> None:
    """Raise where a value is NaN or outside [low, high]."""
    array = plain(x)
    inside = array >= low if high is None else (array >= low) & (array <= high)
    if values_known() and not inside.all():
        limits = f"below {low} or NaN" if high is None else f"outside [{low}, {high}] or NaN"
        raise ValueError(f"{name}: {argument} holds values {limits}{advice}")


def weighed(name: str, losses: Any, weight: Any) -> Any:
    """Return the losses times a weight that broadcasts to them; None weighs nothing."""
    if weight is None:
        return losses
    check_broadcast(name, "weight", weight, losses)
    return losses * weight


def check_broadcast(name: str, argument: str, weight: Any, x: Any) -> None:
    """Raise unless ``weight`` is a number, or broadcasts to the shape of x and no further."""
    shape, given = tuple(x.shape), tuple(getattr(weight, "shape", ()))
    fits = len(given) <= len(shape) and all(
        n in (1, m) for n, m in zip(reversed(given), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(f"{name}: {argument} {given} does not broadcast to x {shape}")


def check_arrays(name: str, **inputs: Any) -> None:
    """Raise unless all inputs are Tensors or arrays."""
    for argument, x in inputs.items():
        if not hasattr(x, "shape"):
            raise TypeError(f"{name}: {argument} is {type(x).__name__}, expected a Tensor or array")


def same_shape(name: str, **inputs: Any) -> None:
    """Raise where broadcasting would compare everything with everything."""
    check_arrays(name, **inputs)
    (first, x), *others = inputs.items()
    for argument, other in others:
        if tuple(x.shape) != tuple(other.shape):
            raise ValueError(
                f"{name}: {first} {x.shape} and {argument} {other.shape} differ in shape"
            )


def reduce(name: str, losses: Any, reduction: str) -> Any:
    """Return the mean, the sum, or the losses as they are."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{name}: reduction={reduction!r} is not 'mean', 'sum' or 'none'")
