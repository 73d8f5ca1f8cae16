"""From a result back to what it was made of: the walk that turns the record into gradients.

Gradients wait at the nodes they have reached; the youngest node is visited next. Nothing that could
still send it a gradient is younger, so each node is visited once, with its whole gradient.
"""

from __future__ import annotations

import heapq
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinymed import anomaly
from tinymed.accumulation import accumulate, added, in_dtype
from tinymed.anomaly import WATCH
from tinymed.autograd import Edge, Function, Variable, Writes
from tinymed.grad_mode import set_grad_enabled
from tinymed.precision import NARROW, SINGLE, is_narrow
from tinymed.row_gradient import RowGradient

__all__ = ["Handle", "add_hook", "backward", "grad", "retain_grad"]

Target = tuple[int, int]  # an edge by the id of where it leads, since == on Tensors is elementwise


class Handle:
    """What a hook is removed with: ``handle.remove()``, or the call ``handle()``."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self.remove = remove

    def __call__(self) -> None:
        """Remove the hook."""
        self.remove()


def add_hook(variable: Variable, hook: Callable[[Any], Any]) -> Handle:
    """Call ``hook(gradient)`` when the whole gradient of ``variable`` is known; it may replace it.

    The node holds the hook, not the Variable, so hooks make no reference cycle.
    Returns what removes it.
    """
    if not variable.requires_grad:
        raise RuntimeError("register_hook: the tensor does not require a gradient")
    if variable.source is None:
        hooks = variable.hooks = variable.hooks or []
    else:
        node, index = variable.source
        node.hooks = node.hooks or {}
        hooks = node.hooks.setdefault(index, [])
    hooks.append(hook)
    return Handle(lambda: hooks.remove(hook) if hook in hooks else None)


def retain_grad(variable: Variable) -> None:
    """Let a Variable that is not a leaf keep its gradient in ``.grad`` as well."""
    if not variable.requires_grad:
        raise RuntimeError("retain_grad: the tensor does not require a gradient")
    if variable.source is not None:
        node, index = variable.source
        hooks = (node.hooks or {}).get(index, ())
        if not any(isinstance(hook, Retain) and hook.variable() is variable for hook in hooks):
            add_hook(variable, Retain(variable))


class Retain:
    """The hook behind `retain_grad`: it runs after all others and sees what they made."""

    def __init__(self, variable: Variable) -> None:
        self.variable = weakref.ref(variable)

    def __call__(self, gradient: Variable) -> None:
        """Add ``gradient`` to the ``.grad`` of the Variable, if that is still alive."""
        variable = self.variable()
        if variable is not None:
            accumulate(variable, gradient if gradient.requires_grad else gradient.data)


def run_hooks(hooks: list[Callable[[Any], Any]], gradient: Any, made: tuple[Any, Any]) -> Any:
    """Pass a gradient (array, RowGradient or Variable) through hooks.

    They see and return Variables, or RowGradients.
    """
    kind, passed = Variable.result_type, (Variable, RowGradient)
    seen = gradient if isinstance(gradient, passed) else kind(gradient)
    for hook in sorted(hooks, key=lambda hook: isinstance(hook, Retain)):
        replaced = hook(seen)
        if replaced is not None:
            if not isinstance(replaced, passed):
                raise TypeError(
                    f"hook: returned {type(replaced).__name__}, expected a Tensor or None"
                )
            whole = replaced.data if isinstance(replaced, Variable) else replaced
            if (whole.shape, whole.dtype) != made:
                raise ValueError(
                    f"hook: returned a gradient {whole.shape} {whole.dtype}, "
                    f"expected {made[0]} {made[1]}"
                )
            seen = replaced
    return seen if isinstance(gradient, Variable) or isinstance(seen, RowGradient) else seen.data


class Walk:
    """One pass back through the graph: the gradients that have arrived, and who is next."""

    def __init__(self, create_graph: bool, retain_graph: bool) -> None:
        self.create_graph, self.retain_graph = create_graph, retain_graph or create_graph
        self.queue: list[int] = []  # negative numbers of the nodes that wait: youngest first
        self.nodes: dict[int, tuple[Function, list[Any]]] = {}  # number -> node, its gradients
        self.leaves: dict[int, tuple[Variable, Any]] = {}  # id -> leaf, its gradient
        self.unrounded = False  # does a gradient of 16 bits wait in float32 for the rest of it?

    def start(self, roots: Sequence[Variable], gradients: Sequence[Any]) -> None:
        """Put the gradients that the caller gives at the roots; None means 1 for a scalar."""
        for root, gradient in zip(roots, gradients, strict=True):
            self.arrive(*checked_edge(root), start_gradient(root, gradient, self.create_graph))

    def arrive(self, target: Any, index: int, gradient: Any) -> None:
        """Add ``gradient`` to what has arrived for output ``index`` of ``target``."""
        number = target.number
        if number == 0:  # a leaf
            name = id(target)
            if name in self.leaves:
                gradient = self.sum_of(self.leaves[name][1], gradient)
            self.leaves[name] = target, gradient
            return
        if gradient.__class__ is RowGradient:
            gradient = gradient.to_dense()  # for the next backward: ops know arrays only
        if number in self.nodes:
            arrived = self.nodes[number][1]
            before = arrived[index]
            arrived[index] = gradient if before is None else self.sum_of(before, gradient)
        else:
            arrived = [None] * len(target.made)
            arrived[index] = gradient
            self.nodes[number] = target, arrived
            heapq.heappush(self.queue, -number)

    def sum_of(self, before: Any, gradient: Any) -> Any:
        """Return what has arrived so far."""
        total = added(before, gradient)
        self.unrounded = self.unrounded or total.dtype != before.dtype
        return total

    def settled(self, gradients: list[Any], made: Sequence[tuple[Any, Any]]) -> list[Any]:
        """Return gradients that are complete, rounded to the dtypes of what was made."""
        if not self.unrounded:
            return gradients
        return [
            gradient if gradient is None else in_dtype(gradient, dtype)
            for gradient, (_, dtype) in zip(gradients, made, strict=True)
        ]

    def run(self, wanted: dict[Target, Any] | None = None) -> None:
        """Visit the nodes, youngest first. With ``wanted``, fill it and go nowhere else."""
        needed = None if wanted is None else self.leading_to(wanted)
        watched = WATCH.on
        while self.queue:
            node, gradients = self.nodes.pop(-heapq.heappop(self.queue))
            gradients = self.settled(gradients, node.made)
            if node.hooks is not None:
                for index, hooks in node.hooks.items():
                    if gradients[index] is not None:
                        gradients[index] = run_hooks(hooks, gradients[index], node.made[index])
            if wanted is not None and needed is not None:
                for index, gradient in enumerate(gradients):
                    if (id(node), index) in wanted:
                        wanted[id(node), index] = gradient
                if node.number not in needed:
                    continue
            saved = node.saved
            if saved is None or self.create_graph or Writes.latest > node.number:
                saved = node.restore(self.create_graph)
            incoming = gradients[0] if len(gradients) == 1 else tuple(gradients)
            if node.wide:
                incoming, saved = in_float32(incoming), in_float32(saved)
            if node.setting_then is None:
                outgoing = node.backward(incoming, *saved)
            else:
                outgoing = under_its_setting(node, incoming, saved)
            if watched:
                anomaly.check_backward(node, gradients, outgoing)
            if outgoing.__class__ is not tuple or len(outgoing) != len(node.edges):
                raise wrong_count(node, outgoing)
            for edge, gradient in zip(node.edges, outgoing, strict=True):
                if edge is not None and gradient is not None:
                    target, index = edge
                    if target.number:
                        shape, dtype = target.made[index]
                    else:  # a leaf
                        shape, dtype = target.data.shape, target.data.dtype
                    try:
                        fits = gradient.shape == shape
                        if not fits:
                            gradient = node.fit(gradient, shape)
                            fits = gradient.shape == shape
                        if fits and gradient.dtype != dtype:
                            fits = dtype.char in NARROW and gradient.dtype == SINGLE
                            self.unrounded = self.unrounded or fits
                    except AttributeError:
                        fits = False
                    if not fits:
                        raise wrong_gradient(node, gradient, (shape, dtype))
                    self.arrive(target, index, gradient)
            if not self.retain_graph:
                node.saved, node.edges, node.constants = None, (), None

    def leading_to(self, wanted: dict[Target, Any]) -> set[int]:
        """Numbers of the nodes from which an edge in ``wanted`` can be reached."""
        found = {node.number: node for node, _ in self.nodes.values()}
        stack = list(found.values())
        while stack:
            node = stack.pop()
            if node.saved is None:
                raise node.freed()  # it no longer knows where it led to
            for edge in node.edges:
                if edge is not None and edge[0].number and edge[0].number not in found:
                    found[edge[0].number] = edge[0]
                    stack.append(edge[0])
        needed: set[int] = set()
        for number in sorted(found):  # oldest first: what an edge leads to is decided before it
            for edge in found[number].edges:
                if edge is not None and (named(edge) in wanted or edge[0].number in needed):
                    needed.add(number)
        return needed


def in_float32(values: Any) -> Any:
    """Return arrays or Variables in float32 if they have 16 bits, those of tuples one by one."""
    if isinstance(values, tuple):
        return tuple(map(in_float32, values))
    return in_dtype(values, SINGLE) if is_narrow(values) else values


def under_its_setting(node: Function, incoming: Any, saved: Sequence[Any]) -> Any:
    """Call ``backward`` with `Function.setting` as it was when the node was recorded."""
    if Function.setting is None:
        return node.backward(incoming, *saved)
    token = Function.setting.set(node.setting_then)
    try:
        return node.backward(incoming, *saved)
    finally:
        Function.setting.reset(token)


def named(edge: Edge) -> Target:
    """Return an edge by identity."""
    return id(edge[0]), edge[1]


def checked_edge(root: Variable) -> Edge:
    """Return where the gradient of ``root`` goes, or say why there is none."""
    if root.edge is None:
        raise RuntimeError(
            f"backward: the tensor {root.data.shape} {root.data.dtype} does not require a gradient "
            "and was not made from one that does (or was made under no_grad)"
        )
    return root.edge


def start_gradient(root: Variable, gradient: Any, create_graph: bool) -> Any:
    """Return the gradient to begin with, as an array, or as a Variable under ``create_graph``."""
    if gradient is None:
        if root.data.size != 1:
            raise RuntimeError(
                f"backward: the tensor {root.data.shape} is not a scalar; pass the gradient of the "
                "loss with respect to it, or call sum() or mean() first"
            )
        gradient = np.ones_like(root.data)
    shape, dtype = root.made[0] if root.source is None else root.source[0].made[root.source[1]]
    array = gradient.data if isinstance(gradient, Variable) else gradient
    if getattr(array, "shape", None) != shape or array.dtype != dtype:
        raise RuntimeError(
            f"backward: the gradient is {getattr(array, 'shape', type(array).__name__)} "
            f"{getattr(array, 'dtype', '')}, expected {shape} {dtype} like the tensor"
        )
    if not create_graph:
        return array
    return gradient if isinstance(gradient, Variable) else Variable.result_type(array)


def wrong_count(node: Function, outgoing: Any) -> RuntimeError:
    """Word the error for a ``backward`` that does not return one gradient per input."""
    several = isinstance(outgoing, tuple)
    returned = f"{len(outgoing)} gradients" if several else type(outgoing).__name__
    return RuntimeError(
        f"{type(node).__name__}.backward: returned {returned}, expected a tuple of "
        f"{len(node.edges)}, one for each input of forward"
    )


def wrong_gradient(node: Function, gradient: Any, made: tuple[Any, Any]) -> RuntimeError:
    """Word the error for a ``backward`` that returns what does not fit its input."""
    shape = getattr(gradient, "shape", f"of {type(gradient).__name__}")
    return RuntimeError(
        f"{type(node).__name__}.backward: returned a gradient {shape} "
        f"{getattr(gradient, 'dtype', '')} for an input {made[0]} {made[1]}"
    )


def backward(
    roots: Sequence[Variable],
    gradients: Sequence[Any],
    create_graph: bool = False,
    retain_graph: bool = False,
) -> None:
    """Add to the ``.grad`` of every leaf the derivative of ``roots``, weighted by ``gradients``.

    Parameters
    ----------
    roots : sequence of Variable
    gradients : sequence of array, Variable or None
        One per root, of its shape and dtype; None stands for 1 where the root is a scalar.
    create_graph : bool
        Record the walk itself, so that gradients can be differentiated again.
    retain_graph : bool
        Keep what was saved, so that backward can be called again.

    Notes
    -----
    O(nodes log nodes) time; what a node saved is freed as soon as it was visited.
    """
    walk = Walk(create_graph, retain_graph)
    walk.start(roots, gradients)
    with set_grad_enabled(create_graph):
        walk.run()
        for name in list(walk.leaves):
            leaf, gradient = walk.leaves.pop(name)
            (gradient,) = walk.settled([gradient], leaf.made)
            if leaf.hooks:
                gradient = run_hooks(leaf.hooks, gradient, leaf.made[0])
            accumulate(leaf, gradient)


def grad(
    outputs: Variable | Sequence[Variable],
    inputs: Variable | Sequence[Variable],
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Return the derivatives of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    Parameters
    ----------
    outputs, inputs : Variable or sequence of Variable
        Inputs may stand anywhere in the graph.
    grad_outputs : array, Variable, None, or a sequence of these
        Weights of the outputs; None stands for 1 where the output is a scalar.
    create_graph, retain_graph : bool
        As in `backward`; ``retain_graph`` defaults to ``create_graph``.
    allow_unused : bool
        Return None for an input that no output depends on; otherwise that is a `RuntimeError`.
    """
    roots = [outputs] if isinstance(outputs, Variable) else list(outputs)
    targets = [inputs] if isinstance(inputs, Variable) else list(inputs)
    weights = list(grad_outputs) if isinstance(grad_outputs, (list, tuple)) else [grad_outputs]
    if grad_outputs is None:
        weights = [None] * len(roots)
    if len(weights) != len(roots):
        raise ValueError(f"grad: {len(weights)} grad_outputs for {len(roots)} outputs")
    wanted: dict[Target, Any] = {named(checked_edge(target)): None for target in targets}
    walk = Walk(create_graph, create_graph if retain_graph is None else retain_graph)
    walk.start(roots, weights)
    with set_grad_enabled(create_graph):
        walk.run(wanted)
        for leaf, gradient in walk.leaves.values():
            if (id(leaf), 0) in wanted:
                (gradient,) = walk.settled([gradient], leaf.made)
                wanted[id(leaf), 0] = run_hooks(leaf.hooks or [], gradient, leaf.made[0])
    found = [wanted[named(checked_edge(target))] for target in targets]
    for target, gradient in zip(targets, found, strict=True):
        if gradient is None and not allow_unused:
            raise RuntimeError(
                f"grad: no output depends on the input {target.data.shape} {target.data.dtype}; "
                "allow_unused=True returns None for it"
            )
    kind = Variable.result_type
    ready = (Variable, RowGradient, type(None))
    return tuple(g if isinstance(g, ready) else kind(g) for g in found)
