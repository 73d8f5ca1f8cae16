"""`compile`: a training step, or a model, as a list of compiled calls without the Python between.

The first call with inputs of certain shapes runs the step as it is and takes down the compiled
calls that it makes. So does the second. The two must have made the same calls, and what they were
handed must have come from kernels, from the inputs, or be the same in both: anything else depends
on values and cannot be repeated; an input that both were given the same may have been read, and is
watched. The calls are then made once more on the second batch, from memory
full of NaN, and have to give the same results. From then on they alone are made, by one compiled
function.

So nothing is guessed and nothing translated: the compiled step is what the eager one did. What it
cannot repeat it refuses, with the reason.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinymed.anomaly import LAYERS, observe_ops
from tinymed.autograd import Variable
from tinymed.errors import CompileError
from tinymed.grad_mode import MODE, no_grad
from tinymed.kernels import recording, use_backend
from tinymed.kernels.arrays import place
from tinymed.kernels.registry import ENVIRONMENT, PREFERENCE, missing
from tinymed.nn.module import Module
from tinymed.repeated import Plan, Premises, Repeated
from tinymed.repetition import arrays_of, check_alike, check_repeats
from tinymed.tensor import Tensor

__all__ = ["Compiled", "compile"]

Array = np.ndarray[Any, Any]

# Ops whose results come from compiled kernels, or are views. Of any other one only Python knows.
REPEATABLE = frozenset(
    [
        "Add",
        "AddAt",
        "AvgPool",
        "AvgPoolGrad",
        "BatchNorm",
        "Cat",
        "Clone",
        "Conv",
        "ConvActivated",
        "ConvGradInput",
        "ConvGradWeight",
        "ConvPool",
        "CrossEntropy",
        "ELU",
        "Embedding",
        "EmbeddingGrad",
        "GELU",
        "GELUTanh",
        "GRU",
        "GetItem",
        "HardSigmoid",
        "HardSwish",
        "HardTanh",
        "LSTM",
        "LeakyReLU",
        "Linear",
        "LinearActivated",
        "LogSigmoid",
        "MatMul",
        "MaxPool",
        "MaxPoolGrad",
        "MeanCrossEntropy",
        "MeanLogistic",
        "MeanSquares",
        "Mish",
        "Multiply",
        "Permute",
        "PutRows",
        "RNN",
        "ReLU",
        "Reshape",
        "SiLU",
        "Sigmoid",
        "Softplus",
        "TakeRows",
        "Tanh",
    ]
)


def compile(step: Callable[..., Any]) -> Compiled:
    """Return ``step`` as a function that does what it does without the Python in it.

    Parameters
    ----------
    step : function or Module
        Takes tensors or arrays and returns tensors (one, a tuple of them, or None): a training step
        from ``zero_grad`` to ``optimizer.step()``, or a model in evaluation mode. What it does may
        depend on the shapes of its inputs, not on their values. Random numbers, optimizers,
        schedulers and the clipping of gradients do their work in each call. Other Python in it (a
        list that is appended to, a print) runs in the first two calls only.

    Returns
    -------
    Compiled
        Called like ``step``. The tensors it returns have no graph behind them.

    Raises
    ------
    CompileError
        From one of the first two calls, if it finds what cannot be repeated: an op that no kernel
        does, a value that is read, an input that wants a gradient. From a later one, if it is of an
        input whose values were the same in both.
    ImportError
        From a call, without Numba.

    Notes
    -----
    Worth it where Python is what a step costs: small networks, single inputs. All intermediate
    results of a step stay allocated, for each of the last 16 sets of input shapes. Each of these,
    and each switch between `train` and `eval`, costs two calls as slow as before and up to a
    second; so does an array that takes the place of a parameter's, and another parameter, layer,
    setting of a layer or hook. A second call on the values of the first shows nothing, and the next
    one counts instead. An input that both had the same is compared in each call, and costs one slow
    call when it first changes.

    Gradients are left in ``.grad``, in the same memory each time. Threads may call it, one waits
    for the other.

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
    return Compiled(step)


class Compiled(Repeated):
    """A step, and what it does for each set of input shapes; see `compile`."""

    name = "compile"

    def array(self, position: int, x: Any) -> Any:
        """Return the array of an input."""
        array = super().array(position, x)
        if place(array) != "cpu":
            raise TypeError(
                f"compile: input {position} is on {place(array)}, expected one on the CPU; "
                "tinymed.cuda.capture is for steps on a GPU"
            )
        return array

    def plan(self, arrays: Sequence[Any]) -> Plan:
        """Return a new plan for inputs like these."""
        return _Plan(self.step, arrays)


class _Plan:
    """What a step does with inputs of one set of shapes: eager, eager once more, then repeated."""

    def __init__(self, step: Callable[..., Any], inputs: Sequence[Array]) -> None:
        if lacks := missing("numba_cpu"):
            raise ImportError(f"compile: it needs {lacks}; pip install tinymed[fast]")
        self.step = step
        self.inputs = [np.empty(array.shape, array.dtype) for array in inputs]
        self.earlier: _Run | None = None
        self.run: _Run | None = None
        self.program: Callable[[], None] | None = None
        self.premises = Premises((), ())
        self.guards: list[Callable[[], bool]] = []  # whether what was recorded still holds
        self.unchanged: list[int] = []  # inputs that both runs saw the same values of

    def __call__(self, arrays: Sequence[Array]) -> Any:
        """Do the step on these inputs."""
        if self.program is not None and self.run is not None and self._as_before(arrays):
            for own, given in zip(self.inputs, arrays, strict=True):
                np.copyto(own, given)
            return self.run.repeated(self.program)
        known = range(len(arrays)) if self.program is None else self.unchanged
        unchanged = [at for at in known if np.array_equal(self.inputs[at], arrays[at])]
        earlier = self.earlier = self.earlier or self.run
        self.program = self.run = None  # what is recorded now takes their place, or nothing does
        for own, given in zip(self.inputs, arrays, strict=True):
            np.copyto(own, given)
        if earlier is None or 0 < len(arrays) == len(unchanged):
            self.earlier = _Run(self.step, self.inputs)
            self._depend_on(self.earlier, self.earlier)
            return self.earlier.results()
        before = [(array, array.copy()) for array in earlier.arrays()]
        run = _Run(self.step, self.inputs, [array for array, _ in before])
        self.program = _program(earlier, run, before)
        self.unchanged = unchanged
        self._depend_on(earlier, run)
        self.earlier, self.run = None, run
        return run.results()

    def _as_before(self, arrays: Sequence[Array]) -> bool:
        """Return whether inputs of which both runs saw the same values still have them.

        What Python made of these was the same in both runs, too, and looked like a constant.
        """
        return all(np.array_equal(self.inputs[at], arrays[at]) for at in self.unchanged)

    def _depend_on(self, earlier: _Run, run: _Run) -> None:
        """Note what must stay as it is from one run to the next."""
        leaves = [leaf for leaf in run.leaves.values() if id(leaf) in earlier.leaves]
        self.premises = Premises(leaves, {**earlier.modules, **run.modules}.values())
        self.guards = run.recording.guards

    def ready(self) -> bool:
        """Return whether the next call is a repetition."""
        return self.program is not None

    def outdated(self) -> bool:
        """Return whether the step rests on what is no longer so."""
        return not (self.premises.hold() and all(holds() for holds in self.guards))

    def modules(self) -> Iterator[Module]:
        """Yield the modules that the step called, those in them too."""
        for run in (self.earlier, self.run):
            for module in {} if run is None else run.modules.values():
                yield from module.modules()


class _Run:
    """One eager run of a step: its result, and what was taken down of it."""

    def __init__(
        self, step: Callable[..., Any], inputs: Sequence[Array], watched: Sequence[Array] = ()
    ) -> None:
        self.inputs = inputs
        self.tensors = [Tensor(array) for array in inputs]
        self.gradients: dict[int, tuple[Variable, Tensor]] = {}  # on the memory that kernels wrote
        self.leaves: dict[int, Variable] = {}  # what ops were given that no op made
        self.modules: dict[int, Module] = {}
        enabled = MODE.enabled and not (isinstance(step, Module) and not step.training)
        with recording.record(watched) as self.recording, observe_ops(self.see), _on_numba():
            try:
                with no_grad() if not enabled else contextlib.nullcontext():
                    self.result = step(*self.tensors)
            except (LookupError, NotImplementedError) as error:
                if isinstance(error, (IndexError, KeyError)):
                    raise  # what the step says of its inputs
                raise CompileError(f"compile: {error}") from error
        self.kept = [(leaf, given, leaf.grad is None) for leaf, given in self.gradients.values()]

    def see(self, node: Any, inputs: Any) -> None:
        """Be told of ops, writes and gradients; refuse what only Python knows."""
        if recording.active() is None:  # inside an action, which is Python and stays it
            return
        if isinstance(node, Variable):
            self._see_gradient(node, inputs)
            return
        if node is None:
            raise CompileError(
                f"compile: an array {inputs.shape} is written in place, outside of any kernel; if "
                "it is a gradient, call zero_grad() in the step"
            )
        name = type(node).__name__
        if name not in REPEATABLE:
            raise CompileError(f"compile: no compiled kernel does the op {name} of the step")
        if LAYERS.running:
            self.modules[id(LAYERS.running[0])] = LAYERS.running[0]
        for x in inputs:
            if isinstance(x, Variable) and x.source is None:
                self.leaves[id(x)] = x

    def _see_gradient(self, leaf: Variable, gradient: Any) -> None:
        if not isinstance(gradient, np.ndarray):
            raise CompileError(
                f"compile: the gradient of a parameter {leaf.data.shape} is of some of its rows, "
                "which depend on the batch; use sparse=False"
            )
        if id(leaf) in self.gradients:
            raise CompileError(
                f"compile: a parameter {leaf.data.shape} gets two gradients in one step; compile "
                "the two parts of the step on their own"
            )
        self.gradients[id(leaf)] = leaf, Tensor(gradient)

    def repeated(self, program: Callable[[], None]) -> Any:
        """Return the results of the program, with gradients where the step leaves them."""
        for leaf, gradient, _ in self.kept:
            leaf.grad = gradient
        program()
        for leaf, _, forgotten in self.kept:
            if forgotten:
                leaf.grad = None
        return self.results()

    def arrays(self) -> Iterator[Array]:
        """Yield each array that compiled calls were handed, once: the largest at its place."""
        largest: dict[int, Array] = {}
        for array in (*arrays_of(self.recording), *self.recording.hidden):
            at = array.ctypes.data
            if at not in largest or array.nbytes > largest[at].nbytes:
                largest[at] = array
        yield from largest.values()

    def outcome(self) -> Iterator[Array]:
        """Yield the arrays of gradients and results."""
        yield from (gradient.data for _, gradient in self.gradients.values())
        results = self.result if isinstance(self.result, tuple) else (self.result,)
        yield from (result.data for result in results if result is not None)

    def results(self) -> Any:
        """Return what the step returned, on memory of its own."""
        if isinstance(self.result, tuple):
            return tuple(map(_detached, self.result))
        return _detached(self.result)


def _on_numba() -> contextlib.AbstractContextManager[None]:
    """Let kernels run on Numba alone; what is asked for may be one of its variants."""
    asked = PREFERENCE.get() or ENVIRONMENT or ("numba_cpu",)
    if not isinstance(asked, tuple):
        raise CompileError("compile: autotune times the kernels one by one; compile outside of it")
    others = [name for name in asked if name.partition(":")[0] != "numba_cpu"]
    if others:
        raise CompileError(
            f"compile: the backend {others[0]!r} is asked for; only 'numba_cpu' is compiled"
        )
    return use_backend(*asked)


def _detached(result: Any) -> Any:
    if result is None:
        return None
    if not isinstance(result, Tensor):
        raise CompileError(f"compile: the step returns a {type(result).__name__}; return tensors")
    return Tensor(result.data.copy())


def _program(earlier: _Run, run: _Run, before: list[tuple[Array, Array]]) -> Callable[[], None]:
    """Return what repeats ``run``; ``before`` are the earlier run's arrays as they were before it.

    Raises
    ------
    CompileError
        If the two runs differ in what cannot differ, or the program computes something else.
    """
    from tinymed.kernels.program import Program  # Numba, for those who compile

    run.results()  # or say what is wrong with them
    check_alike(earlier.recording, run.recording, run.inputs)
    try:
        program = Program(run.recording)
    except ValueError as error:
        raise CompileError(f"compile: {error}") from error
    check_repeats(program, run.recording, [*run.outcome()], run.inputs, before)
    return program
