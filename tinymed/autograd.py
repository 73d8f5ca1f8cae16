"""The engine: arrays that remember how they were made. `backpropagation` walks back from them.

It knows no operation. An operation is a `Function`: called with arrays it computes, called with
`Variable` objects it also becomes a node of the graph. One clock numbers everything that happens,
recorded calls and writes into arrays alike, and two rules follow from it:

* a call can only use what was made before it, so nodes taken by descending number are in reverse
  topological order: the walk needs no recursion and no search;
* a saved array must not carry a write with a later number than the call that saved it.
"""

from __future__ import annotations

import inspect
import itertools
import operator
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

import numpy as np

from tinymed import anomaly
from tinymed.anomaly import WATCH
from tinymed.errors import check_one_place, places
from tinymed.grad_mode import MODE
from tinymed.precision import NARROW, SINGLE, dtype_back, kind_of, rounded, widened

__all__ = ["Edge", "Function", "Variable", "wrote"]

Array = Any  # a NumPy or CuPy array
Edge = tuple[Any, int]  # (the Function or leaf Variable a gradient goes to, which of its outputs)


class Casting:
    """Where `amp.autocast` has its inputs from: None until somebody uses it, in any thread."""

    __slots__ = ("hook",)

    def __init__(self) -> None:
        self.hook: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] | None = None


CASTING = Casting()
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


def sole(array: Array) -> bool:
    """Return whether the caller's caller alone has ``array``, and no other array its memory."""
    base = getattr(array, "base", None)
    # Four references: both callers' variables, the parameter, and the argument of getrefcount
    return sys.getrefcount(array) == 4 and not isinstance(base, type(array))


def wrote(array: Array) -> None:
    """Tell the engine that ``array`` was changed in place; every tinymed call that writes does."""
    Writes.latest = Writes.at[id(owner(array))] = next(CLOCK)
    if WATCH.observer is not None:
        WATCH.observer(None, array)


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

    def __init__(
        self, data: Array, requires_grad: bool = False, source: Edge | None = None
    ) -> None:
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


def picker(positions: tuple[int, ...]) -> Callable[[list[Any]], tuple[Any, ...]]:
    """Return the function that takes these positions out of a list, as a tuple."""
    if not positions:
        return lambda values: ()
    if len(positions) == 1:
        (only,) = positions
        return lambda values: (values[only],)
    return operator.itemgetter(*positions)  # several times as fast as a loop


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a plain function's parameters, ``*rest`` among them.

    `inspect.signature` says the same, but for 150 ops it would take a tenth of the import.
    """
    code = function.__code__
    return code.co_varnames[: code.co_argcount + bool(code.co_flags & inspect.CO_VARARGS)]


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

    Floats of 16 bits come to ``forward`` and ``backward`` in float32, and what these return is
    rounded once (see `precision`); they are kept in 16. An op that only moves values, or hands them
    to kernels that see to it themselves, takes them ``as_given``.
    """

    registry: ClassVar[dict[str, type[Function]]] = {}
    setting: ClassVar[ContextVar[Any] | None] = None  # backward sees the value forward saw
    differentiable: ClassVar[bool] = True
    stays: ClassVar[bool] = True  # False: what it makes is on another device
    as_given: ClassVar[bool] = False  # True: floats of 16 bits are not widened
    twice_differentiable: ClassVar[bool] = True  # False: backward refuses Variables, by name
    saves: ClassVar[tuple[int, ...]] = ()
    saved_names: ClassVar[tuple[str, ...]] = ()
    pick: ClassVar[Any]  # takes what is saved from the list of inputs and output

    edges: Sequence[Edge | None] = ()
    saved: Sequence[Any] | None = None
    made: tuple[tuple[Any, Any], ...] = ()  # shape and dtype of each output
    number = 0
    wide = False  # was it computed in float32 from floats of 16 bits?
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
            raise TypeError(
                f"{cls.__name__}: no backward; write one, or set differentiable = False"
            )
        inputs, wanted = list(parameters(cls.forward)[1:]), list(parameters(cls.backward)[2:])
        unknown = [p for p in wanted if p not in inputs and p != "output"]
        if unknown:
            raise TypeError(
                f"{cls.__name__}.backward asks for {unknown}; "
                f"it may name inputs of forward {inputs} or 'output'"
            )
        cls.saves = tuple(OUTPUT if p == "output" else inputs.index(p) for p in wanted)
        cls.saved_names, cls.pick = tuple(wanted), staticmethod(picker(cls.saves))

    output_shape: Callable[..., Any]  # shapes in, shape out; the only place that rejects shapes
    forward: Callable[..., Any]
    backward: Callable[..., Any]

    def __call__(self, *inputs: Any) -> Any:
        """Compute, and record when an input is a Variable that wants a gradient."""
        if CASTING.hook is not None:
            inputs = CASTING.hook(self, inputs)
        arrays: list[Any] = []
        edges: list[Edge | None] = []
        variables = recorded = narrow = False
        for x in inputs:
            if isinstance(x, Variable):
                variables = True
                array = x.data
                arrays.append(array)
                if array.dtype.char in NARROW:
                    narrow = True
                if x.requires_grad:
                    recorded = True
                    edges.append(x.source or (x, 0))
                else:
                    edges.append(None)
            else:
                arrays.append(x)
                edges.append(None)
                if getattr(x, "dtype", SINGLE).char in NARROW:
                    narrow = True
        try:
            if narrow and not self.as_given:
                output = self.in_float32(arrays)
            else:
                output = self.forward(*arrays)
        except Exception as error:
            self.explain(error, arrays)
            raise
        if output.__class__ is not np.ndarray:
            output = self.settled(output, arrays)
        if WATCH.on:
            self.origin = anomaly.check_forward(self, inputs, output)
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
        setting = Function.setting
        if setting is not None and (value := setting.get()) is not None:
            self.setting_then = value
        arrays.append(output)
        self.saved = self.pick(arrays)
        if several:
            self.made = tuple((y.shape, y.dtype) for y in output)
            return tuple(
                result_of(y, (self, i)) if kind_of(y.dtype) == "f" else kind(y)
                for i, y in enumerate(output)
            )
        dtype = output.dtype
        if kind_of(dtype) != "f":
            return kind(output)
        self.made = ((output.shape, dtype),)
        return result_of(output, (self, 0))

    def in_float32(self, arrays: Sequence[Any]) -> Any:
        """Return what ``forward`` makes of floats of 16 bits, rounded back to theirs."""
        self.wide = True
        return rounded(self.forward(*widened(arrays)), dtype_back(arrays))

    def explain(self, error: Exception, arrays: Sequence[Any]) -> None:
        """Raise in other words an error of ``forward`` that comes from its inputs, if it does."""
        name = type(self).__name__.lower()
        check_one_place(name, arrays)
        if isinstance(error, ValueError) and hasattr(self, "output_shape"):
            self.output_shape(*(None if a is None else getattr(a, "shape", ()) for a in arrays))
        if isinstance(error, OverflowError):  # a number that the dtype of the arrays cannot hold
            raise ValueError(f"{name}: {error}; cast the tensor first") from None
        if isinstance(error, MemoryError) and (where := places(arrays)) and where != ["cpu"]:
            raise MemoryError(f"{name}: out of memory on {where[0]}: {error}; use smaller batches")

    def settled(self, output: Any, arrays: Sequence[Any]) -> Any:
        """Return what is no plain NumPy array: scalars as arrays, a GPU's if it is the inputs'."""
        if isinstance(output, np.generic):
            return np.asarray(output)  # NumPy makes scalars of arrays without axes
        first = output[0] if isinstance(output, tuple) else output
        if not isinstance(first, np.ndarray) and self.stays:
            check_one_place(type(self).__name__.lower(), (*arrays, first))
        return output

    def keep(self, **constants: Any) -> None:
        """Keep what backward needs and has no gradient (indices, masks); freed like the rest."""
        self.constants = constants

    def kept(self, name: str) -> Any:
        """Return what forward kept under ``name``."""
        return (self.constants or {})[name]

    def input_shape(self, index: int = 0) -> tuple[int, ...]:
        """Shape of the input ``index``, which must be one that wants a gradient."""
        shape: tuple[int, ...] = self.input_made(index)[0]
        return shape

    def input_made(self, index: int = 0) -> tuple[Any, Any]:
        """Shape and dtype of the input ``index``, which must be one that wants a gradient."""
        edge = self.edges[index]
        if edge is None:
            raise ValueError(f"{type(self).__name__}: input {index} wants no gradient")
        target, output = edge
        made: tuple[Any, Any] = target.made[output]
        return made

    def fit(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        """Bring a gradient that ``backward`` returned to the shape of its input, where that is
        part of the op's contract (broadcasting); otherwise return it as it is, and be refused.
        """
        return gradient

    def restore(self, recording: bool) -> Sequence[Any]:
        """Return what was saved: arrays, or, to record a second graph, Variables on their edges."""
        saved = self.saved
        if saved is None:
            raise self.freed()
        if Writes.latest > self.number:
            self.check_writes()
        if not recording:
            return saved
        restored: list[Any] = []
        for position, array in zip(self.saves, saved, strict=True):
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

    def freed(self) -> RuntimeError:
        """Word the error for a node that an earlier backward passed, keeping nothing."""
        return RuntimeError(
            f"backward: the graph behind the tensor {self.describe()} was freed by an earlier "
            "backward; pass retain_graph=True to that one"
        )

    def check_writes(self) -> None:
        """Raise if an array that was saved or kept has been written since."""
        saved = zip(self.saved_names, self.saved or (), strict=True)
        for name, array in (*saved, *(self.constants or {}).items()):
            for part in array if isinstance(array, tuple) else (array,):
                if part is not None and Writes.at.get(id(owner(part)), 0) > self.number:
                    raise RuntimeError(
                        f"backward: the tensor {name} {part.shape} {part.dtype}, saved by "
                        f"{self.describe()}, was overwritten in place after it was saved; "
                        "write to a clone(), or compute a new tensor"
                    )

    def describe(self) -> str:
        """Name the op and what it made, for messages."""
        made = ", ".join(f"{shape} {dtype}" for shape, dtype in self.made)
        return f"{made} made by {type(self).__name__}"
