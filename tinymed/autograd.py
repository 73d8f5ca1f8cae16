"""The engine: arrays that remember how they were made, and the walk that turns this into gradients.

It knows no operation. An operation is a `Function`: called with arrays it computes, called with
`Variable` objects it also becomes a node of the graph. One clock numbers everything that happens,
recorded calls and writes into arrays alike, and two rules follow from it:

* a call can only use what was made before it, so nodes taken by descending number are in reverse
  topological order: `backward` needs no recursion and no search;
* a saved array must not carry a write with a later number than the call that saved it.
"""

from __future__ import annotations

import contextlib
import heapq
import inspect
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from tinymed import anomaly
from tinymed.anomaly import WATCH

__all__ = ["Function", "Variable", "backward", "enable_grad", "grad", "no_grad", "wrote"]

Array = Any  # a NumPy or CuPy array
Edge = tuple[Any, int]  # (the Function or leaf Variable a gradient goes to, which of its outputs)


class Mode(threading.local):
    """What holds in this thread: is anything recorded, is anything watched."""

    enabled = True


MODE = Mode()
CLOCK = itertools.count(1)
OUTPUT = -1  # the output's position among what a Function saves: behind its inputs


class Writes:
    """When each piece of memory was last written, by the id of the array that owns it.

    An id may be taken over by a younger array, but never while a node holds the older one: an old
    entry then carries a smaller number than any node that saves the younger array.
    """

    latest = 0
    at: ClassVar[dict[int, int]] = {}


def owner(array: Array) -> Array:
    """Return the array that owns the memory ``array`` looks at."""
    while isinstance(getattr(array, "base", None), type(array)):
        array = array.base
    return array


def wrote(array: Array) -> None:
    """Tell the engine that ``array`` was changed in place. Every tinymed call that writes does so."""
    Writes.latest = Writes.at[id(owner(array))] = next(CLOCK)


@contextlib.contextmanager
def set_grad_enabled(mode: bool) -> Iterator[None]:
    """Record calls, or not, inside the ``with`` block or the decorated function; for this thread."""
    before, MODE.enabled = MODE.enabled, mode
    try:
        yield
    finally:
        MODE.enabled = before


def no_grad() -> contextlib.AbstractContextManager[None]:
    """Record nothing inside: ``with no_grad():`` or ``@no_grad()``."""
    return set_grad_enabled(False)


def enable_grad() -> contextlib.AbstractContextManager[None]:
    """Record again inside a `no_grad` block."""
    return set_grad_enabled(True)


class Variable:
    """An array, the (node, output index) that made it, and, for leaves, its gradient."""

    __slots__ = ("__weakref__", "data", "grad", "hooks", "requires_grad", "source")
    __array_ufunc__ = None  # so that ndarray * Variable calls Variable.__rmul__
    number: ClassVar[int] = 0  # nodes have one; a leaf is older than all of them
    result_type: ClassVar[type[Variable]]  # what a call returns; tensor.py sets it to Tensor

    data: Array
    requires_grad: bool
    source: Edge | None
    grad: Any
    hooks: list[Callable[[Any], Any]] | None

    def __init__(self, data: Array, requires_grad: bool = False, source: Edge | None = None):
        self.data, self.requires_grad, self.source = data, requires_grad, source
        self.grad = self.hooks = None

    @property
    def edge(self) -> Edge | None:
        """Where a gradient with respect to this goes; None if nobody wants one."""
        return (self.source or (self, 0)) if self.requires_grad else None

    @property
    def made(self) -> tuple[tuple[Any, Any], ...]:
        """Shape and dtype of each output; a leaf is its own only output (see `Function.made`)."""
        return ((self.data.shape, self.data.dtype),)


Variable.result_type = Variable


def result_of(data: Array, source: Edge | None) -> Variable:
    """Return the Variable for a recorded result, without what a constructor checks: a hot path."""
    result = object.__new__(Variable.result_type)
    result.data, result.requires_grad, result.source = data, True, source
    result.grad = result.hooks = None
    return result


class Function:
    """One operation, and, once called with Variables, the node of the graph.

    A subclass writes ``forward(self, *inputs)`` (arrays in, an array or a tuple of arrays out) and
    ``backward(self, grad_output, ...)``, which names what it needs: inputs of ``forward`` by name,
    or ``output``. Exactly those are kept. ``backward`` is written with operators and tinymed's ops,
    which take arrays as well as Tensors: arrays come in for a first derivative, Tensors under
    ``create_graph=True``, and the same lines serve both. It returns one gradient per input, None
    for zero. Settings are constructor arguments and stay readable: ``y.grad_fn.stride``.

    Edges lead to (node or leaf Variable, output index), never to the Variables in between, so
    what ``backward`` does not name is not kept alive.
    """

    registry: ClassVar[dict[str, type[Function]]] = {}
    setting: ClassVar[ContextVar[Any] | None] = None  # backward sees the value forward saw
    differentiable: ClassVar[bool] = True
    saves: ClassVar[tuple[int, ...]] = ()

    edges: Sequence[Edge | None] = ()
    saved: list[Any] | None = None
    made: tuple[tuple[Any, Any], ...] = ()  # shape and dtype of each output
    number = 0
    constants: dict[str, Any] | None = None
    hooks: dict[int, list[Callable[[Any], Any]]] | None = None
    origin: anomaly.Origin | None = None
    setting_then: Any = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Register the class; read off ``backward``'s signature what to save."""
        super().__init_subclass__(**keywords)
        if not hasattr(cls, "forward"):
            return  # a family of ops, not an op
        Function.registry[cls.__name__] = cls
        if not cls.differentiable:
            return
        if not hasattr(cls, "backward"):
            raise TypeError(f"{cls.__name__}: no backward; write one, or set differentiable = False")
        inputs = [p for p in inspect.signature(cls.forward).parameters if p != "self"]
        wanted = list(inspect.signature(cls.backward).parameters)[2:]
        unknown = [p for p in wanted if p not in inputs and p != "output"]
        if unknown:
            raise TypeError(
                f"{cls.__name__}.backward asks for {unknown}; "
                f"it may name inputs of forward {inputs} or 'output'"
            )
        cls.saves = tuple(OUTPUT if p == "output" else inputs.index(p) for p in wanted)
        cls.saved_names = tuple(wanted)

    saved_names: ClassVar[tuple[str, ...]] = ()

    def output_shape(self, *shapes: tuple[int, ...]) -> Any:
        """Shapes in, shape (or tuple of shapes) out; the only place that rejects shapes."""
        raise NotImplementedError(f"{type(self).__name__} does not say its output's shape")

    forward: Callable[..., Any]
    backward: Callable[..., Any]

    def __call__(self, *inputs: Any) -> Any:
        """Compute, and record when an input is a Variable that wants a gradient."""
        arrays, edges, variables, recorded = [], [], False, False
        for x in inputs:
            if isinstance(x, Variable):
                variables = True
                arrays.append(x.data)
                if x.requires_grad:
                    recorded = True
                    edges.append(x.source or (x, 0))
                else:
                    edges.append(None)
            else:
                arrays.append(x)
                edges.append(None)
        try:
            output = self.forward(*arrays)
        except ValueError:
            shapes = (None if a is None else getattr(a, "shape", ()) for a in arrays)
            with contextlib.suppress(NotImplementedError):
                self.output_shape(*shapes)  # its own words, if it is the shapes
            raise
        if output.__class__ is not np.ndarray and isinstance(output, np.generic):
            output = np.asarray(output)  # NumPy makes scalars of arrays without axes
        if WATCH.on:
            self.origin = anomaly.check_forward(self, arrays, output)
        if not variables:
            return output
        kind = Variable.result_type
        several = isinstance(output, tuple)
        if not (recorded and MODE.enabled and self.differentiable):
            return tuple(map(kind, output)) if several else kind(output)
        if self.number:
            raise RuntimeError(f"{type(self).__name__}: a node is called once; make another one")
        self.edges = edges
        self.number = next(CLOCK)
        if Function.setting is not None:
            self.setting_then = Function.setting.get()
        arrays.append(output)
        self.saved = list(map(arrays.__getitem__, self.saves))
        if several:
            self.made = tuple((y.shape, y.dtype) for y in output)
            return tuple(
                result_of(y, (self, i)) if y.dtype.kind == "f" else kind(y)
                for i, y in enumerate(output)
            )
        dtype = output.dtype
        if dtype.kind != "f":
            return kind(output)
        self.made = ((output.shape, dtype),)
        return result_of(output, (self, 0))

    def keep(self, **constants: Any) -> None:
        """Keep what backward needs and what has no gradient (indices, masks); freed like the rest."""
        self.constants = constants

    def kept(self, name: str) -> Any:
        """Return what forward kept under ``name``."""
        return (self.constants or {})[name]

    def input_shape(self, index: int = 0) -> tuple[int, ...]:
        """Shape of the input ``index``, which must be one that wants a gradient."""
        target, output = self.edges[index]  # type: ignore[misc]
        shape: tuple[int, ...] = target.made[output][0] if target.number else target.data.shape
        return shape

    def fit(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        """Bring a gradient that ``backward`` returned to the shape of its input, where that is
        part of the op's contract (broadcasting); otherwise return it as it is, and be refused.
        """
        return gradient

    def restore(self, recording: bool) -> list[Any]:
        """Return what was saved: arrays, or, to record a second graph, Variables on their edges."""
        if self.saved is None:
            raise RuntimeError(
                f"backward: the graph behind the tensor {self.describe()} was freed by an earlier "
                "backward; pass retain_graph=True to that one"
            )
        if Writes.latest > self.number:
            self.check_writes()
        if not recording:
            return self.saved
        restored: list[Any] = []
        for position, array in zip(self.saves, self.saved, strict=True):
            if position == OUTPUT:
                outputs = array if isinstance(array, tuple) else (array,)
                made = tuple(result_of(y, (self, i)) for i, y in enumerate(outputs))
                restored.append(made if isinstance(array, tuple) else made[0])
                continue
            edge = self.edges[position]
            if edge is None:
                restored.append(array)  # no gradient flows here: a constant
            else:
                restored.append(result_of(array, edge))
        return restored

    def check_writes(self) -> None:
        """Raise if an array that was saved or kept has been written since."""
        saved = zip(self.saved_names, self.saved or (), strict=True)
        for name, array in (*saved, *(self.constants or {}).items()):
            for part in array if isinstance(array, tuple) else (array,):
                if Writes.at.get(id(owner(part)), 0) > self.number:
                    raise RuntimeError(
                        f"backward: the tensor {name} {part.shape} {part.dtype}, saved by "
                        f"{self.describe()}, was overwritten in place after it was saved; "
                        "write to a clone(), or compute a new tensor"
                    )

    def describe(self) -> str:
        """Name the op and what it made, for messages."""
        made = ", ".join(f"{shape} {dtype}" for shape, dtype in self.made)
        return f"{made} made by {type(self).__name__}"


def add_hook(variable: Variable, hook: Callable[[Any], Any]) -> Callable[[], None]:
    """Call ``hook(gradient)`` when the whole gradient of ``variable`` is known; it may replace it.

    The node holds the hook, not the Variable, so hooks make no reference cycle.
    Returns the function that removes it.
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
    return lambda: hooks.remove(hook) if hook in hooks else None


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

    def __init__(self, variable: Variable):
        self.variable = weakref.ref(variable)

    def __call__(self, gradient: Variable) -> None:
        """Add ``gradient`` to the ``.grad`` of the Variable, if that is still alive."""
        variable = self.variable()
        if variable is not None:
            accumulate(variable, gradient if gradient.requires_grad else gradient.data)


def run_hooks(hooks: list[Callable[[Any], Any]], gradient: Any, made: tuple[Any, Any]) -> Any:
    """Pass a gradient (array or Variable) through hooks, which see and return Variables."""
    kind = Variable.result_type
    seen = gradient if isinstance(gradient, Variable) else kind(gradient)
    for hook in sorted(hooks, key=lambda hook: isinstance(hook, Retain)):
        replaced = hook(seen)
        if replaced is not None:
            if not isinstance(replaced, Variable):
                raise TypeError(f"hook: returned {type(replaced).__name__}, expected a Tensor or None")
            if (replaced.data.shape, replaced.data.dtype) != made:
                raise ValueError(
                    f"hook: returned a gradient {replaced.data.shape} {replaced.data.dtype}, "
                    f"expected {made[0]} {made[1]}"
                )
            seen = replaced
    return seen if isinstance(gradient, Variable) else seen.data


class Walk:
    """One pass back through the graph: the gradients that have arrived, and who is next."""

    def __init__(self, create_graph: bool, retain_graph: bool):
        self.create_graph, self.retain_graph = create_graph, retain_graph or create_graph
        self.queue: list[int] = []  # negative numbers of the nodes that wait: youngest first
        self.nodes: dict[int, tuple[Function, list[Any]]] = {}  # number -> node, its gradients
        self.leaves: dict[int, tuple[Variable, Any]] = {}  # id -> leaf, its gradient

    def start(self, roots: Sequence[Variable], gradients: Sequence[Any]) -> None:
        """Put the gradients that the caller gives at the roots; None means 1 for a scalar."""
        for root, gradient in zip(roots, gradients, strict=True):
            self.arrive(*checked_edge(root), start_gradient(root, gradient, self.create_graph))

    def arrive(self, target: Any, index: int, gradient: Any) -> None:
        """Add ``gradient`` to what has arrived for output ``index`` of ``target``."""
        number = target.number
        if number == 0:  # a leaf
            before = self.leaves.get(id(target))
            self.leaves[id(target)] = target, before[1] + gradient if before else gradient
        elif number in self.nodes:
            arrived = self.nodes[number][1]
            before = arrived[index]
            arrived[index] = gradient if before is None else before + gradient
        else:
            arrived = [None] * len(target.made)
            arrived[index] = gradient
            self.nodes[number] = target, arrived
            heapq.heappush(self.queue, -number)

    def run(self, wanted: dict[Edge, Any] | None = None) -> None:
        """Visit the nodes, youngest first. With ``wanted``, fill it and go nowhere else."""
        needed = None if wanted is None else self.leading_to(wanted)
        watched = WATCH.on
        while self.queue:
            node, gradients = self.nodes.pop(-heapq.heappop(self.queue))
            if node.hooks is not None:
                for index, hooks in node.hooks.items():
                    if gradients[index] is not None:
                        gradients[index] = run_hooks(hooks, gradients[index], node.made[index])
            if wanted is not None and needed is not None:
                for index, gradient in enumerate(gradients):
                    if (node, index) in wanted:
                        wanted[node, index] = gradient
                if node.number not in needed:
                    continue
            saved = node.restore(self.create_graph)
            incoming = gradients[0] if len(gradients) == 1 else tuple(gradients)
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
                    if gradient.shape != shape:
                        gradient = node.fit(gradient, shape)
                        if gradient.shape != shape:
                            raise wrong_gradient(node, gradient, (shape, dtype))
                    if gradient.dtype != dtype:
                        raise wrong_gradient(node, gradient, (shape, dtype))
                    self.arrive(target, index, gradient)
            if not self.retain_graph:
                node.saved, node.edges, node.constants = None, (), None

    def leading_to(self, wanted: dict[Edge, Any]) -> set[int]:
        """Numbers of the nodes from which an edge in ``wanted`` can be reached."""
        found = {node.number: node for node, _ in self.nodes.values()}
        stack = list(found.values())
        while stack:
            for edge in stack.pop().edges:
                if (
                    edge is not None
                    and isinstance(edge[0], Function)
                    and edge[0].number not in found
                ):
                    found[edge[0].number] = edge[0]
                    stack.append(edge[0])
        needed: set[int] = set()
        for number in sorted(found):  # oldest first: what an edge leads to is decided before it
            for edge in found[number].edges:
                if edge is not None and (
                    edge in wanted or isinstance(edge[0], Function) and edge[0].number in needed
                ):
                    needed.add(number)
        return needed


def under_its_setting(node: Function, incoming: Any, saved: list[Any]) -> Any:
    """Call ``backward`` with `Function.setting` as it was when the node was recorded."""
    if Function.setting is None:
        return node.backward(incoming, *saved)
    token = Function.setting.set(node.setting_then)
    try:
        return node.backward(incoming, *saved)
    finally:
        Function.setting.reset(token)


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
    return RuntimeError(
        f"{type(node).__name__}.backward: returned a gradient {gradient.shape} {gradient.dtype} "
        f"for an input {made[0]} {made[1]}"
    )


def accumulate(leaf: Variable, gradient: Any) -> None:
    """Add to ``leaf.grad``. A leaf owns its gradient: the first is copied, later ones are added in."""
    if isinstance(gradient, Variable):  # create_graph: the gradient is itself part of a graph
        if leaf.grad is not None:
            leaf.grad = leaf.grad + gradient
        elif gradient.requires_grad:
            leaf.grad = result_of(gradient.data.copy(), gradient.edge)
        else:
            leaf.grad = Variable.result_type(gradient.data.copy())
    elif leaf.grad is None:
        leaf.grad = Variable.result_type(gradient.copy() if gradient.ndim else np.array(gradient))
    elif leaf.grad.requires_grad:
        leaf.grad = leaf.grad + gradient
    else:
        leaf.grad.data += gradient
        wrote(leaf.grad.data)


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
        for leaf, gradient in walk.leaves.values():
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
    wanted: dict[Edge, Any] = {checked_edge(target): None for target in targets}
    walk = Walk(create_graph, create_graph if retain_graph is None else retain_graph)
    walk.start(roots, weights)
    with set_grad_enabled(create_graph):
        walk.run(wanted)
        for leaf, gradient in walk.leaves.values():
            if (leaf, 0) in wanted:
                wanted[leaf, 0] = run_hooks(leaf.hooks or [], gradient, leaf.made[0])
    found = [wanted[checked_edge(target)] for target in targets]
    for target, gradient in zip(targets, found, strict=True):
        if gradient is None and not allow_unused:
            raise RuntimeError(
                f"grad: no output depends on the input {target.data.shape} {target.data.dtype}; "
                "allow_unused=True returns None for it"
            )
    kind = Variable.result_type
    return tuple(g if g is None or isinstance(g, Variable) else kind(g) for g in found)
