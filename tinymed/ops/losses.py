"""Losses of classes. Those of logits come first: softmax and sigmoid belong to the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.kernels import losses as value_kernels
from tinymed.kernels import softmax as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.recording import active, values_known
from tinymed.ops.activation import log_softmax, logsigmoid, sigmoid, softmax
from tinymed.ops.arithmetic import negative
from tinymed.ops.broadcasting import Shape, expand
from tinymed.ops.elementwise import clamp, log
from tinymed.ops.indexing import put_along_dim, take_along_dim
from tinymed.ops.loss_rules import (
    check_arrays,
    check_broadcast,
    check_floats,
    check_range,
    check_weight,
    class_rows,
    class_weights,
    item_shape,
    reduce,
    same_shape,
    weighed,
    weighted_reduce,
)
from tinymed.ops.promotion import cast, rounded_once
from tinymed.ops.reduction import sum
from tinymed.ops.shaping import reshape
from tinymed.precision import finfo, kind_of

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "nll_loss",
]

EPSILON = float(np.float32(1e-12))  # as in PyTorch, which writes it in single precision


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


class MeanCrossEntropy(CrossEntropy):
    """y = mean of -log softmax(x_m)[t_m];  dL/dx_m = (softmax(x_m) - onehot(t_m)) dL/dy / M."""

    def output_shape(self, x: Shape, target: Shape) -> Shape:
        return ()

    def forward(self, x: Array, target: Array) -> Array:
        return kernels.mean_cross_entropy(x, target)

    def backward(self, grad_output: Array, x: Array, target: Array) -> tuple[Any, ...]:
        if not isinstance(grad_output, Variable):
            return kernels.mean_cross_entropy_grad(grad_output, x, target), None
        share: Any = grad_output
        return super().backward(expand(share / len(target), target.shape), x, target)


class MeanLogistic(Function):
    """y = mean of log(1 + exp(x)) - t x;  dL/dx = (sigmoid(x) - t) dL/dy / n.

    The binary cross-entropy of logits.
    """

    def output_shape(self, x: Shape, target: Shape) -> Shape:
        return ()

    def forward(self, x: Array, target: Array) -> Array:
        return value_kernels.mean_logistic(x, target)

    def backward(self, grad_output: Array, x: Array, target: Array) -> tuple[Any, ...]:
        to_x, to_target = self.edges
        grad_x = None
        if to_x and isinstance(grad_output, Variable):
            grad_x = (sigmoid(x) - target) * (grad_output / math.prod(x.shape))
        elif to_x:
            grad_x = value_kernels.mean_logistic_grad(grad_output, x, target)
        return grad_x, -x * (grad_output / math.prod(x.shape)) if to_target else None


class BinaryCrossEntropy(Function):
    """y = -t log x - (1 - t) log(1 - x);  dL/dx = (x - t) / (x (1 - x)) dL/dy.

    As in PyTorch the logarithms end at -100, and x (1 - x) at 1e-12 (or the smallest number of the
    dtype): at x = 0 and 1 loss and gradient are large, not infinite.
    """

    def output_shape(self, x: Shape, target: Shape) -> Shape:
        return x

    def forward(self, x: Array, target: Array) -> Array:
        xp = array_module(x)
        with np.errstate(divide="ignore"):
            log_x, log_rest = xp.log(x), xp.log1p(-x)
        return (target - 1) * xp.maximum(log_rest, -100) - target * xp.maximum(log_x, -100)

    def backward(self, grad_output: Array, x: Array, target: Array) -> tuple[Any, ...]:
        to_x, to_target = self.edges
        grad_x = grad_target = None
        if to_x:
            least = max(EPSILON, float(finfo(self.made[0][1]).tiny))
            grad_x = grad_output * (x - target) / clamp(x * (1 - x), min=least)
        if to_target:
            with np.errstate(divide="ignore"):
                grad_target = grad_output * (log(1 - x) - log(x))
        return grad_x, grad_target


def cross_entropy(
    x: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Return the cross-entropy of softmax(``x``) and class indices, or probabilities.

    Parameters
    ----------
    x : (N, C), (N, C, *spatial) or (C,)
        Logits: no softmax before it.
    target : integers (N,), (N, *spatial) or (), or floats of the shape of x
        Class indices 0 .. C - 1, or the probability of each class.
    weight : (C,) or None
        Weight of each class. The mean over class indices is divided by the weights of the targets,
        that over probabilities by their number, as in PyTorch.
    ignore_index : int
        Class indices of this value count nothing.
    reduction : "mean", "sum" or "none"
    label_smoothing : float in [0, 1]
        e: the target becomes (1 - e) target + e / C, so that no logit is driven to infinity.

    Raises
    ------
    IndexError
        If a class index is out of range; the message names it.
    ValueError
        If shapes do not fit, or a probability is negative or NaN.

    References
    ----------
    Szegedy et al. (2016), section 7, for label smoothing.
    """
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing={label_smoothing} is not in [0, 1]")
    check_arrays("cross_entropy", x=x, target=target)
    if x.ndim and tuple(x.shape) == tuple(target.shape):
        if ignore_index != -100:
            raise ValueError(
                f"cross_entropy: ignore_index={ignore_index} needs class indices, but target "
                f"{target.shape} holds probabilities"
            )
        return _of_probabilities(x, target, weight, reduction, label_smoothing)
    rows, indices, kept = class_rows("cross_entropy", x, target, ignore_index)
    plain_mean = reduction == "mean" and weight is None and not label_smoothing
    # A compiled step may meet the ignored class later; what is no class its kernel refuses.
    later = active() is not None and 0 <= ignore_index < rows.shape[1]
    # What training mostly asks for, as one node.
    if plain_mean and kept.size and values_known() and kept.all() and not later:
        return MeanCrossEntropy()(rows, indices)
    counts = class_weights("cross_entropy", weight, rows, indices, kept)
    losses = CrossEntropy()(rows, indices) * counts
    if label_smoothing:
        each = negative(log_softmax(rows, 1))
        spread = sum(each if weight is None else each * weight, 1)
        losses = (1 - label_smoothing) * losses + label_smoothing / rows.shape[1] * spread * kept
    return weighted_reduce("cross_entropy", losses, counts, target.shape, reduction)


def _of_probabilities(
    x: Any, target: Any, weight: Any, reduction: str, label_smoothing: float
) -> Any:
    """Return the cross-entropy of logits and probabilities of one shape, classes on axis 1."""
    check_floats("cross_entropy", x)
    if kind_of(target.dtype) != "f":
        raise TypeError(
            f"cross_entropy: target {target.shape} is {target.dtype}; expected probabilities "
            f"(floats) of that shape, or class indices {item_shape(x.shape)}"
        )
    check_range("cross_entropy", target, 0, None)
    axis = min(1, x.ndim - 1)
    classes = x.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = log_softmax(x, axis) * target
    if weight is not None:
        check_weight("cross_entropy", weight, x, classes)
        products = products * reshape(weight, (classes,) + (1,) * (x.ndim - 2))
    return reduce("cross_entropy", negative(sum(products, axis)), reduction)


def nll_loss(
    x: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """Return -weight[t] x[t], the negative log-likelihood of class indices.

    Parameters
    ----------
    x : (N, C), (N, C, *spatial) or (C,)
        Log-probabilities, as `log_softmax` gives them; for logits there is `cross_entropy`.
    target : integers (N,), (N, *spatial) or ()
        Class indices 0 .. C - 1.
    weight, ignore_index, reduction
        As in `cross_entropy`.
    """
    rows, indices, kept = class_rows("nll_loss", x, target, ignore_index)
    counts = class_weights("nll_loss", weight, rows, indices, kept)
    chosen = reshape(take_along_dim(rows, indices[:, None], 1), (-1,))
    return weighted_reduce("nll_loss", negative(chosen) * counts, counts, target.shape, reduction)


def binary_cross_entropy(x: Any, target: Any, weight: Any = None, reduction: str = "mean") -> Any:
    """Return -[t log x + (1 - t) log(1 - x)], the logarithms cut at -100.

    Parameters
    ----------
    x, target : one shape
        Probabilities, and targets in [0, 1]. For logits `binary_cross_entropy_with_logits` is
        exact where this one is cut.
    weight : broadcasts to x, or None
    reduction : "mean", "sum" or "none"

    Raises
    ------
    ValueError
        If shapes differ, or a value lies outside [0, 1] or is NaN.
    """
    name = "binary_cross_entropy"
    same_shape(name, x=x, target=target)
    check_floats(name, x, "probabilities")
    check_range(name, x, 0, 1, "x", "; for logits use binary_cross_entropy_with_logits")
    check_range(name, target, 0, 1)
    losses = BinaryCrossEntropy()(x, cast(target, x.dtype))
    return reduce(name, weighed(name, losses, weight), reduction)


@rounded_once
def binary_cross_entropy_with_logits(
    x: Any, target: Any, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """Return -[p t log s + (1 - t) log(1 - s)], s = sigmoid(x), without overflow.

    Written (1 - t) x + (1 + (p - 1) t) log(1 + exp(-x)).

    Parameters
    ----------
    x, target : one shape
        Logits, and targets in [0, 1].
    weight : broadcasts to x, or None
    pos_weight : broadcasts to x, or None
        p, the weight of the positives: > 1 trades precision for recall.
    reduction : "mean", "sum" or "none"
    """
    name = "binary_cross_entropy_with_logits"
    if reduction == "mean" and weight is None is pos_weight:  # what training mostly asks for
        same_shape(name, x=x, target=target)
        check_floats(name, x)
        check_range(name, target, 0, 1)
        if math.prod(x.shape):
            return MeanLogistic()(x, cast(target, x.dtype))
    losses = weighed(name, logistic(name, x, target, pos_weight), weight)
    return reduce(name, losses, reduction)


def logistic(name: str, x: Any, target: Any, pos_weight: Any = None) -> Any:
    """Return the binary cross-entropy of each logit, for the function ``name``."""
    same_shape(name, x=x, target=target)
    check_floats(name, x)
    check_range(name, target, 0, 1)
    target = cast(target, x.dtype)
    softened = -logsigmoid(x)
    if pos_weight is not None:
        check_broadcast(name, "pos_weight", pos_weight, x)
        softened = softened * ((pos_weight - 1) * target + 1)
    return (1 - target) * x + softened
