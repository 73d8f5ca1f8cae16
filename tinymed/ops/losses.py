"""Losses. Classification losses take logits: softmax and sigmoid belong to the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.errors import refuse
from tinymed.kernels import softmax as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.activation import softmax, softplus
from tinymed.ops.broadcasting import Shape
from tinymed.ops.elementwise import where
from tinymed.ops.indexing import put_along_dim
from tinymed.ops.promotion import cast, same_dtype
from tinymed.ops.reduction import mean, sum
from tinymed.ops.shaping import permute, reshape

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "mse_loss"]


class CrossEntropy(Function):
    """y_m = -log softmax(x_m)[t_m];  dL/dx_m = (softmax(x_m) - onehot(t_m)) dL/dy_m."""

    def output_shape(self, x: Shape, target: Shape) -> Shape:
        return target

    def forward(self, x: Array, target: Array) -> Array:
        return kernels.cross_entropy(x, target)

    def backward(self, grad_output: Array, x: Array, target: Array) -> tuple[Any, ...]:
        if not isinstance(grad_output, Variable):
            return kernels.cross_entropy_grad(grad_output, x, target), None
        column = reshape(grad_output, (-1, 1))
        index = reshape(target, (-1, 1))
        return softmax(x, 1) * column - put_along_dim(column, index, 1, x.shape), None


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the cross-entropy of softmax(``x``) and class indices.

    Parameters
    ----------
    x : (N, C), (N, C, *spatial) or (C,)
        Logits: no softmax before it.
    target : integers (N,), (N, *spatial) or ()
        Class indices 0 .. C - 1.
    weight : (C,) or None
        Weight of each class; the mean is divided by the weights of the targets.
    ignore_index : int
        Targets with this value count nothing.
    reduction : "mean", "sum" or "none"

    Raises
    ------
    IndexError
        If a class index is out of range; the message names it.
    """
    refuse("cross_entropy", label_smoothing=(label_smoothing, 0.0))
    if x.dtype.kind != "f":
        raise TypeError(f"cross_entropy: x is {x.dtype}, expected floating logits")
    shape = target.shape
    if x.ndim == 0 or (x.shape[0:1] + x.shape[2:] if x.ndim > 1 else ()) != shape:
        raise ValueError(
            f"cross_entropy: x {x.shape} and target {shape} do not fit; "
            "expected logits (N, C, ...) and class indices (N, ...)"
        )
    classes = x.shape[1] if x.ndim > 1 else x.shape[0]
    indices = checked_classes(target, classes, ignore_index)
    rows = permute(x, (0, *range(2, x.ndim), 1)) if x.ndim > 2 else x
    rows = reshape(rows, (len(indices), classes))
    xp = array_module(indices)
    ignored = indices == ignore_index
    if ignored.any():  # whatever they hold, NaN too, must not reach the loss or the gradient
        rows = where(ignored[:, None], 0.0, rows)
    per_item = CrossEntropy()(rows, xp.where(ignored, 0, indices))
    counts = xp.asarray(~ignored, x.dtype)
    if weight is not None:
        same_dtype("cross_entropy", x=x, weight=weight)
        if tuple(weight.shape) != (classes,):
            raise ValueError(
                f"cross_entropy: weight {weight.shape} is not one for each of {classes}"
            )
        array = weight.data if isinstance(weight, Variable) else weight
        counts = counts * array[xp.where(ignored, 0, indices)]
    losses = per_item * counts
    if reduction == "mean":
        total = counts.sum()
        return sum(losses) / (total if total != 0 else np.nan)
    return reduce("cross_entropy", reshape(losses, shape), reduction)


def checked_classes(target: Any, classes: int, ignore_index: int) -> Array:
    """Return class indices as a flat int64 array, or raise naming the first that is not one."""
    array = target.data if isinstance(target, Variable) else target
    if array.dtype.kind == "f":
        what = "NaN" if (array != array).any() else f"{array.dtype} values"
        raise TypeError(
            f"cross_entropy: target holds {what}, expected class indices (integers); "
            "targets that are probabilities are not implemented"
        )
    if array.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: target is {array.dtype}, expected integers")
    indices = array.reshape(-1).astype(np.int64)
    wrong = ((indices < 0) | (indices >= classes)) & (indices != ignore_index)
    if wrong.any():
        raise IndexError(
            f"cross_entropy: class index {int(indices[wrong][0])} in target is out of range for "
            f"{classes} classes"
        )
    return indices


def binary_cross_entropy_with_logits(
    x: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """Return -[p t log s + (1 - t) log(1 - s)], s = sigmoid(x), without overflow.

    Written (1 - t) x + (1 + (p - 1) t) log(1 + exp(-x)).

    Parameters
    ----------
    x, target : one shape
        Logits, and targets in [0, 1] in a floating dtype.
    weight : broadcasts to x, or None
    pos_weight : broadcasts to x, or None
        p, the weight of the positives: > 1 trades precision for recall.
    reduction : "mean", "sum" or "none"
    """
    same_shape("binary_cross_entropy_with_logits", x, target)
    target = cast(target, x.dtype)
    array = target.data if isinstance(target, Variable) else target
    if not ((array >= 0) & (array <= 1)).all():  # also refuses NaN
        raise ValueError("binary_cross_entropy_with_logits: target holds values outside [0, 1]")
    emphasis = 1 if pos_weight is None else (pos_weight - 1) * target + 1
    losses = (1 - target) * x + softplus(-x) * emphasis
    return reduce(
        "binary_cross_entropy_with_logits", losses if weight is None else losses * weight, reduction
    )


def mse_loss(x: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of (x - target)^2. Shapes must be equal: (N,) and (N, 1) are a mistake."""
    same_shape("mse_loss", x, target)
    difference = x - target
    return reduce("mse_loss", difference * difference, reduction)


def same_shape(name: str, x: Any, target: Any) -> None:
    """Raise where broadcasting would compare everything with everything."""
    if tuple(x.shape) != tuple(target.shape):
        raise ValueError(f"{name}: x {x.shape} and target {target.shape} differ in shape")


def reduce(name: str, losses: Any, reduction: str) -> Any:
    """Return the mean, the sum, or the losses as they are."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{name}: reduction={reduction!r} is not 'mean', 'sum' or 'none'")
