"""Gradients added up: on their way through the graph, and in the ``.grad`` of a leaf."""

from __future__ import annotations

from typing import Any

from tinymed.anomaly import WATCH
from tinymed.autograd import Variable, result_of, sole, wrote
from tinymed.kernels import arithmetic
from tinymed.kernels.recording import active, copied
from tinymed.row_gradient import RowGradient

__all__ = ["accumulate", "accumulated_rows", "added"]


def added(a: Any, b: Any) -> Any:
    """Return the sum of two gradients."""
    return a + b if active() is None else arithmetic.add(a, b)


def accumulate(leaf: Variable, gradient: Any) -> None:
    """Add to ``leaf.grad``. A leaf owns its gradient: one that others have too is copied."""
    if isinstance(gradient, RowGradient) or isinstance(leaf.grad, RowGradient):
        if WATCH.observer is not None:
            WATCH.observer(leaf, gradient)
        leaf.grad = accumulated_rows(leaf.grad, gradient)
    elif isinstance(gradient, Variable):  # create_graph: the gradient is itself part of a graph
        if leaf.grad is not None:
            leaf.grad = leaf.grad + gradient
        else:
            copy, edge = gradient.data.copy(), gradient.edge
            leaf.grad = result_of(copy, edge) if edge else Variable.result_type(copy)
    elif leaf.grad is None:
        if not (gradient.ndim and sole(gradient)):
            gradient = copied(gradient)
        if WATCH.observer is not None:
            WATCH.observer(leaf, gradient)
        leaf.grad = Variable.result_type(gradient)
    elif leaf.grad.requires_grad:
        leaf.grad = leaf.grad + gradient
    else:
        leaf.grad.data += gradient
        wrote(leaf.grad.data)


def accumulated_rows(held: Any, gradient: Any) -> Any:
    """Return the sum of a ``.grad`` and a gradient, one of which is a RowGradient, at least."""
    kind: Any = Variable.result_type
    if held is None:
        return gradient.copy()
    if isinstance(held, RowGradient):
        if isinstance(gradient, Variable):  # create_graph
            return kind(held.to_dense()) + gradient
        total = held + gradient
        return total if isinstance(total, RowGradient) else kind(total)
    if held.requires_grad:
        return held + kind(gradient.to_dense())
    held.data[gradient.rows] += gradient.values  # each row once, so that none is lost
    wrote(held.data)
    return held
