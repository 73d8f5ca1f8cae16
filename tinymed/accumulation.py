"""Gradients added up: on their way through the graph, and in the ``.grad`` of a leaf."""

from __future__ import annotations

from typing import Any

from tinymed.anomaly import WATCH
from tinymed.autograd import Variable, result_of, sole, wrote
from tinymed.kernels import arithmetic
from tinymed.kernels.recording import active, copied
from tinymed.precision import SINGLE, as_dtype, is_narrow
from tinymed.row_gradient import RowGradient

__all__ = ["accumulate", "accumulated_rows", "added", "in_dtype"]


def in_dtype(gradient: Any, dtype: Any) -> Any:
    """Return a gradient (array, RowGradient or Variable) in ``dtype``; itself if it already is."""
    if gradient.dtype == dtype:
        return gradient
    if isinstance(gradient, Variable):
        return gradient.to(dtype)  # type: ignore[attr-defined]  # of `Variable.result_type`
    return as_dtype(gradient, dtype)


def added(a: Any, b: Any) -> Any:
    """Return the sum of two gradients; of 16 bits in float32, to be rounded when it is complete."""
    if is_narrow(a):
        a = in_dtype(a, SINGLE)
    if is_narrow(b):
        b = in_dtype(b, SINGLE)
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
