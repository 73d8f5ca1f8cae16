"""`compile`: a training step, or a model, as a list of compiled calls without the Python between.

The first call with inputs of certain shapes runs the step as it is and takes down the compiled calls
that it makes. So does the second. The two must have made the same calls, and what they were handed
must have come from kernels, from the inputs, or be the same in both: anything else depends on values
and cannot be repeated. The calls are then made once more on the second batch and have to give the
same results. From then on they alone are made, on the same memory, by one compiled function.

So nothing is guessed and nothing translated: the compiled step is what the eager one did. What it
cannot repeat it refuses, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinymed.anomaly import observe_ops
from tinymed.autograd import Variable, no_grad
from tinymed.errors import CompileError
from tinymed.kernels import recording, use_backend
from tinymed.kernels.recording import Call, Recording
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = ["Compiled", "compile"]

Array = np.ndarray[Any, Any]

# Ops whose results come from compiled kernels, or are views. Of any other one only Python knows.
REPEATABLE = frozenset(
    "AvgPool BatchNorm Conv ConvActivated ConvGradInput ConvGradWeight ConvPool Embedding GRU LSTM "
    "Linear LinearActivated MatMul MaxPool MeanCrossEntropy Permute RNN ReLU Reshape Transpose".split()
)
TOLERANCE = 1e-5  # of what the program computes, relative to the largest number of an array


def compile(step: Callable[..., Any]) -> Compiled:
    """Return ``step`` as a function that does what it does without the Python in it.

    Parameters
    ----------
    step : function or Module
        Takes tensors or arrays and returns tensors (one, a tuple of them, or None): a training step
        from ``zero_grad`` to ``optimizer.step()``, or a model in evaluation mode. What it does may
        depend on the shapes of its inputs, not on their values. Other Python in it (a list that
        is appended to, a print) runs in the first two calls only.

    Returns
    -------
    Compiled
        Called like ``step``. The tensors it returns have no graph behind them.

    Raises
    ------
    CompileError
        From a call that finds what cannot be repeated: an op that no kernel does, a value that is
        read, an input that wants a gradient.

    Notes
    -----
    Worth it where Python is what a step costs: small networks, single inputs. Needs Numba. All
    intermediate results of a step stay allocated, for each set of input shapes.

    Examples
    --------
    >>> import tinymed as tm
    >>> from tinymed import nn, optim
    >>> model, loss_of = nn.Linear(3, 2), nn.CrossEntropyLoss()
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = loss_of(model(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> fast_step = tm.compile(step)
    """
    if not callable(step):
        raise TypeError(f"compile: a {type(step).__name__} is not a function or a Module")
    return Compiled(step)


class Compiled:
    """A step, and what it does for each set of input shapes; see `compile`."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step = step
        self.plans: dict[tuple[Any, ...], _Plan] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Do the step on tensors or arrays."""
        arrays = [_array(position, x) for position, x in enumerate(inputs)]
        key: tuple[Any, ...] = tuple([(a.shape, a.dtype.char) for a in arrays])
        if isinstance(self.step, Module):
            key += tuple([module.training for module in self.step.modules()])
        plan = self.plans.get(key)
        if plan is None:
            plan = self.plans[key] = _Plan(self.step, arrays)
        return plan(arrays)


def _array(position: int, x: Any) -> Array:
    """Return the array of an input."""
    array = x.data if isinstance(x, Variable) else x
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"compile: input {position} is a {type(x).__name__}, expected a Tensor or a NumPy array"
        )
    if isinstance(x, Variable) and x.requires_grad:
        raise CompileError(f"compile: input {position} wants a gradient; detach() it")
    return array


class _Plan:
    """What a step does with inputs of one set of shapes: eager, eager once more, then repeated."""

    def __init__(self, step: Callable[..., Any], inputs: Sequence[Array]) -> None:
        self.step = step
        self.inputs = [np.empty_like(array, order="C") for array in inputs]
        self.earlier: _Run | None = None
        self.run: _Run | None = None
        self.program: Callable[[], None] | None = None

    def __call__(self, arrays: Sequence[Array]) -> Any:
        """Do the step on these inputs."""
        earlier, same = self.earlier, True
        for own, given in zip(self.inputs, arrays, strict=True):
            same = same and self.program is None and np.array_equal(own, given)
            np.copyto(own, given)
        if self.program is not None and self.run is not None:
            for leaf, gradient in self.run.gradients:
                leaf.grad = gradient
            self.program()
            return self.run.results()
        before = [] if earlier is None else [(a, a.copy()) for a in earlier.arrays()]
        run = _Run(self.step, self.inputs)
        if earlier is None or same:  # two runs on equal inputs would not show what depends on them
            self.earlier = run
        else:
            self.program = _program(earlier, run, before)
            self.earlier, self.run = None, run
        return run.results()


class _Run:
    """One eager run of a step: its result, and what was taken down of it."""

    def __init__(self, step: Callable[..., Any], inputs: Sequence[Array]) -> None:
        self.inputs = inputs
        self.gradients: list[tuple[Variable, Tensor]] = []  # on the memory that kernels wrote
        training = not isinstance(step, Module) or step.training
        with recording.record() as self.recording, observe_ops(self.see), use_backend("numba_cpu"):
            try:
                if training:
                    self.result = step(*map(Tensor, inputs))
                else:
                    with no_grad():
                        self.result = step(*map(Tensor, inputs))
            except LookupError as error:
                raise CompileError(f"compile: {error}") from error

    def see(self, node: Any, inputs: Any) -> None:
        """Be told of ops, writes and gradients; refuse what only Python knows."""
        if recording.active() is None:  # inside an action, which is Python and stays it
            return
        if isinstance(node, Variable):
            self.gradients.append((node, Tensor(inputs)))
            return
        if node is None:
            raise CompileError(
                f"compile: an array {inputs.shape} is written in place, outside of any kernel; if "
                "it is a gradient, call zero_grad() in the step"
            )
        name = type(node).__name__
        if name not in REPEATABLE:
            raise CompileError(f"compile: no compiled kernel does the op {name} of the step")

    def arrays(self) -> Iterator[Array]:
        """Yield each array that compiled calls were handed, once: the largest at its place."""
        largest: dict[int, Array] = {}
        for array in _arrays_of(self.recording):
            at = array.ctypes.data
            if at not in largest or array.nbytes > largest[at].nbytes:
                largest[at] = array
        yield from largest.values()

    def results(self) -> Any:
        """Return what the step returned, on memory of its own."""
        if isinstance(self.result, tuple):
            return tuple(map(_detached, self.result))
        return _detached(self.result)


def _detached(result: Any) -> Any:
    if result is None:
        return None
    if not isinstance(result, Tensor):
        raise CompileError(f"compile: the step returns a {type(result).__name__}; return tensors")
    return Tensor(result.data.copy())


def _arrays_of(taken: Recording) -> Iterator[Array]:
    """Yield the arrays of all calls, in order, those in tuples too."""
    for step in taken.steps:
        if isinstance(step, Call):
            yield from _arrays_in(step.given)


def _arrays_in(values: Any) -> Iterator[Array]:
    for value in values:
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from _arrays_in(value)


def _program(earlier: _Run, run: _Run, before: list[tuple[Array, Array]]) -> Callable[[], None]:
    """Return what repeats ``run``; ``before`` are the earlier run's arrays as they were before it.

    Raises
    ------
    CompileError
        If the two runs differ in what cannot differ, or the program computes something else.
    """
    from tinymed.kernels.program import Program  # Numba, for those who compile

    _check_alike(earlier.recording, run)
    try:
        program = Program(run.recording)
    except ValueError as error:
        raise CompileError(f"compile: {error}") from error
    _check_repeats(program, run, before)
    return program


def _check_alike(earlier: Recording, run: _Run) -> None:
    """Raise if two runs made different calls, or handed over what depends on values."""
    steps, others = run.recording.steps, earlier.steps
    if list(map(_shape_of, steps)) != list(map(_shape_of, others)):
        raise CompileError("compile: two runs of the step made different calls; it reads values")
    made = run.recording.made
    ours = [(a.ctypes.data, a.ctypes.data + a.nbytes) for a in run.inputs]
    for now, then in zip(_arrays_of(run.recording), _arrays_of(earlier), strict=True):
        at = now.ctypes.data
        lasting = at == then.ctypes.data or not now.size
        if lasting or any(first <= at < last for first, last in (*made, *ours)):
            continue
        floats = now.dtype.kind == "f" and now.size > 1
        if floats or not np.array_equal(now, then):
            raise CompileError(
                f"compile: an array {now.shape} {now.dtype} of the step is made by Python, not by a "
                "kernel: of a view that is not contiguous, say"
            )


def _shape_of(step: Any) -> Any:
    """Return what two runs must have in common: all but the contents and places of arrays."""
    if not isinstance(step, Call):
        return getattr(step.function, "__qualname__", type(step.function).__name__)
    return step.function, step.count, step.least, tuple(map(_form, step.given))


def _form(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype
    return tuple(map(_form, value)) if isinstance(value, tuple) else (type(value), value)


def _check_repeats(program: Any, run: _Run, before: list[tuple[Array, Array]]) -> None:
    """Make the calls of ``run`` once more, from where it began, and compare what they computed."""
    after = {array.ctypes.data: (array, array.copy()) for array in run.arrays()}
    inputs = {array.ctypes.data for array in run.inputs}
    state = set()  # parameters and the like: what was there before; actions change it as well
    for array, contents in before:
        if array.ctypes.data in after and array.ctypes.data not in inputs:
            state.add(array.ctypes.data)
            np.copyto(array, contents)
    program.without_actions()
    for place, (array, expected) in after.items():
        found = array.copy()
        np.copyto(array, expected)
        if place in state or array.dtype.kind != "f" or not array.size:
            continue
        finite = np.isfinite(expected)
        scale = float(np.abs(expected[finite]).max(initial=0)) or 1.0
        differs = float(np.abs(found[finite] - expected[finite]).max(initial=0)) / scale
        if not differs <= TOLERANCE:
            raise CompileError(
                f"compile: repeated, an array {array.shape} of the step differs by {differs:.1e}; "
                "something that leads to it is no kernel's"
            )
