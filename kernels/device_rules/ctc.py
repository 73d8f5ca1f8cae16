"""Which kernels of connectionist temporal classification run on a GPU."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.rules import Rule, always, labelled, labelled_grad

__all__ = ["CTC_RULES"]

MOST_LABELS = 1023  # whose states the threads of one block share, as kernels/ctc/ctc.cu has them


def walks(log_probs: Any, targets: Any, *others: Any) -> bool:
    """Return whether a block can walk along each sequence: its labels, int64, are not too many."""
    return labelled(log_probs, targets, *others) and targets.shape[1] <= MOST_LABELS


def walks_back(grad_output: Any, log_probs: Any, targets: Any, *others: Any) -> bool:
    """Return the same of the gradient's arguments."""
    few = targets.shape[1] <= MOST_LABELS
    return few and labelled_grad(grad_output, log_probs, targets, *others)


CTC_RULES: dict[str, tuple[Rule, ...]] = {
    "ctc.forward": (Rule("cuda", walks, always, "a block goes along a sequence, no atomics"),),
    "ctc.grad": (Rule("cuda", walks_back, always, "back along it, then a warp for each step"),),
}
