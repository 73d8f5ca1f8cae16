"""Connectionist temporal classification: sequences labelled without knowing when."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.errors import CompileError
from tinymed.kernels import ctc as kernels
from tinymed.kernels.arrays import CPU, Array, array_module, place, sent, to_host
from tinymed.kernels.recording import values_known
from tinymed.ops.broadcasting import Shape
from tinymed.ops.loss_rules import check_floats, plain, reduce
from tinymed.ops.promotion import cast, rounded_once
from tinymed.ops.shaping import reshape

__all__ = ["ctc_loss"]


class CTC(Function):
    """y_n = -log sum over alignments of prod_t p_tn;  dL/dx = (exp(x) - occupancy) dL/dy.

    x is the logarithm of p. The occupancy of a class is the probability of being at it at step t,
    given the labels. exp(x) is PyTorch's convention: the derivative with respect to x alone is
    -occupancy, but through the log_softmax that made x both give the same, and this one is already
    the derivative with respect to the logits.
    """

    twice_differentiable = False

    def __init__(self, blank: int, zero_infinity: bool) -> None:
        self.blank, self.zero_infinity = blank, zero_infinity

    def output_shape(
        self, x: Shape, targets: Shape, input_lengths: Shape, target_lengths: Shape
    ) -> Shape:
        return x[1:2]

    def forward(
        self, x: Array, targets: Array, input_lengths: Array, target_lengths: Array
    ) -> Array:
        losses, alpha = kernels.forward(x, targets, input_lengths, target_lengths, self.blank)
        self.keep(losses=losses, alpha=alpha)
        return array_module(x).where(losses == np.inf, 0, losses) if self.zero_infinity else losses

    def backward(
        self,
        grad_output: Array,
        x: Array,
        targets: Array,
        input_lengths: Array,
        target_lengths: Array,
    ) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable):
            raise NotImplementedError("ctc_loss: no second derivative; drop create_graph=True")
        losses = self.kept("losses")
        of_impossible = 0.0 if self.zero_infinity else np.nan  # inf has no derivative
        grad_losses = array_module(x).where(losses == np.inf, of_impossible, grad_output)
        lengths = input_lengths, target_lengths
        alpha = self.kept("alpha")
        gradient = kernels.grad(
            grad_losses.astype(x.dtype), x, targets, *lengths, self.blank, losses, alpha
        )
        return gradient, None, None, None


@rounded_once
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Any:
    """Return -log of the probability of the labels, summed over all their alignments.

    An alignment gives each step a label or the blank; equal neighbours are then merged and blanks
    dropped, so two equal labels in a row need a blank between them.

    Parameters
    ----------
    log_probs : (T, N, C) or (T, C)
        Logarithms of probabilities, as `log_softmax` gives them.
    targets : integers (N, S), or (sum of target_lengths,), the labels one after the other
        Labels 0 .. C - 1 without the blank. What lies beyond a target's length is not looked at.
    input_lengths, target_lengths : integers (N,), as a Tensor, array, tuple or list
        Steps of each sequence, 0 .. T, and its number of labels. For (T, C) a number will do.
    blank : int
        The class that stands for no label.
    reduction : "mean", "sum" or "none"
        "mean" first divides each loss by the number of its labels (at least 1).
    zero_infinity : bool
        Count labels that no alignment fits (more labels than steps) as 0, loss and gradient, in
        place of inf and NaN.

    Raises
    ------
    IndexError
        If a label is out of range or the blank.
    ValueError
        If a length is negative or too long, shapes do not fit, or log_probs holds values above 0.

    Notes
    -----
    Time and memory are those of T N (2 S + 1) numbers, which are kept for backward. In a step that
    `tinymed.cuda.capture` repeats, lengths that are to change from call to call are inputs of the
    step; the targets are then (N, S).

    References
    ----------
    Graves, Fernandez, Gomez and Schmidhuber (2006).
    """
    check_log_probs(log_probs)
    shape = tuple(log_probs.shape)
    steps, batch, classes = shape if len(shape) == 3 else (shape[0], 1, shape[1])
    if not 0 <= blank < classes:
        raise ValueError(f"ctc_loss: blank={blank} is not one of the {classes} classes")
    like = plain(log_probs)
    known = checked_lengths("input_lengths", input_lengths, batch, steps, "steps")
    input_lengths = beside(like, input_lengths, known)
    known = checked_lengths("target_lengths", target_lengths, batch, None, "labels")
    target_lengths = beside(like, target_lengths, known)
    labels = padded(plain(targets), known, batch, classes, blank)

    dtype = log_probs.dtype
    rows = log_probs if len(shape) == 3 else reshape(log_probs, (steps, 1, classes))
    losses = CTC(blank, zero_infinity)(rows, labels, input_lengths, target_lengths)
    if reduction == "mean":
        losses = losses / array_module(like).maximum(target_lengths, 1).astype(losses.dtype)
    if len(shape) == 2:
        losses = reshape(losses, ())
    return cast(reduce("ctc_loss", losses, reduction), dtype)


def check_log_probs(log_probs: Any) -> None:
    """Raise unless there are two or three axes of logarithms of probabilities."""
    check_floats("ctc_loss", log_probs, "log-probabilities", "log_probs")
    if log_probs.ndim not in (2, 3):
        raise ValueError(f"ctc_loss: log_probs {log_probs.shape} expected (T, N, C) or (T, C)")
    array = plain(log_probs)
    if values_known() and (array > 0.01).any():  # rounding may lift the logarithm of 1 a little
        raise ValueError(
            f"ctc_loss: log_probs holds {float(array[array > 0.01][0]):.3g}, a probability above "
            "1; expected log_softmax(logits, -1)"
        )


def checked_lengths(
    argument: str, given: Any, batch: int, limit: int | None, what: str
) -> np.ndarray[Any, Any] | None:
    """Return lengths as integers (N,) on the host, or raise naming the first that is not one.

    None stands for those on a GPU that captures: they were looked at by the calls before.
    """
    given = plain(given)
    unseen = not values_known() and hasattr(given, "dtype") and place(given) != CPU
    lengths = given if unseen else to_host(given)
    if lengths.dtype.kind not in "iu" and lengths.size:
        raise TypeError(f"ctc_loss: {argument} is {lengths.dtype}, expected integers")
    if lengths.size != batch:
        raise ValueError(f"ctc_loss: {argument} has {lengths.size} lengths for {batch} sequences")
    if unseen:
        return None
    lengths = lengths.reshape(-1).astype(np.int64)
    for length in lengths:
        if length < 0 or (limit is not None and length > limit):
            most = "" if limit is None else f" to {limit}"
            raise ValueError(f"ctc_loss: {argument} holds {length}, expected 0{most} {what}")
    return lengths


def beside(like: Array, given: Any, known: np.ndarray[Any, Any] | None) -> Array:
    """Return lengths (N,) where ``like`` is: those ``given``, if they are there; else the known."""
    given = plain(given)
    if hasattr(given, "dtype") and place(given) == place(like):
        return given.reshape(-1).astype(np.int64)
    return sent(np.asarray(known), like)


def padded(
    targets: Array, lengths: np.ndarray[Any, Any] | None, batch: int, classes: int, blank: int
) -> Array:
    """Return the labels as (N, S), S the largest length, with blanks behind each target's own."""
    if targets.dtype.kind not in "iu":
        raise TypeError(f"ctc_loss: targets is {targets.dtype}, expected integers")
    if lengths is None:
        if targets.ndim != 2 or len(targets) != batch:
            raise CompileError(
                f"capture: ctc_loss finds the labels of each sequence in targets {targets.shape} "
                f"by target_lengths, which are on the GPU; pass ({batch}, S), or a tuple of lengths"
            )
        return targets.astype(np.int64)
    longest, total = int(lengths.max(initial=0)), sum(lengths.tolist())
    joined = targets.ndim == 1 and len(targets) == total
    rows = targets.ndim == 2 and len(targets) == len(lengths) and targets.shape[1] >= longest
    if not (joined or rows):
        raise ValueError(
            f"ctc_loss: targets {targets.shape} do not fit target_lengths; expected "
            f"({len(lengths)}, {longest} or more), or the {total} labels one after the other"
        )
    within = np.arange(longest) < lengths[:, None]  # (N, S)
    real = sent(within, targets)
    if joined:
        places = np.where(within, (np.cumsum(lengths) - lengths)[:, None] + np.arange(longest), 0)
        labels = targets[sent(places, targets)]
    else:
        labels = targets[:, :longest]
    labels = array_module(targets).where(real, labels, blank).astype(np.int64)
    wrong = real & ((labels < 0) | (labels >= classes) | (labels == blank))
    if values_known() and wrong.any():
        raise IndexError(
            f"ctc_loss: targets holds the label {int(labels[wrong][0])}; expected one of "
            f"{classes} classes other than the blank {blank}"
        )
    return labels
