"""`tinymed.cuda.capture`: a training step as CUDA graphs, launched without the Python between.

The first calls run the step as it is, on a stream of their own. The next one is captured: the GPU
takes down what it is given instead of doing it, and does it when the graph is launched. What has to
be done anew in each call (random numbers, an optimizer's step, a scheduler) is an *action*, as in
`compile`: the graph ends before it, the action is done, and another graph begins behind it.

Results and intermediate values of a graph lie in a memory pool of their own, which nothing else
takes from while the graph may be launched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tinymed.anomaly import LAYERS, observe_ops
from tinymed.autograd import Variable
from tinymed.errors import CompileError
from tinymed.grad_mode import MODE, no_grad
from tinymed.kernels import recording
from tinymed.kernels.arrays import Array, is_at, place
from tinymed.kernels.devices import cupy_on_gpu
from tinymed.nn.module import Module
from tinymed.repeated import Plan, Premises, Repeated
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

__all__ = ["Captured", "capture"]

WARM_UP = 2  # calls before the capture: kernels are compiled, libraries started, states made


def capture(step: Callable[..., Any]) -> Captured:
    """Return ``step`` as a function that launches CUDA graphs of what it does.

    Parameters
    ----------
    step : function or Module
        As of `tinymed.compile`: takes tensors or arrays on a GPU, and returns tensors (one, a
        tuple of them, or None); a training step from ``zero_grad`` to ``optimizer.step()``, or a
        model in evaluation mode. What it does may depend on the shapes of its inputs, not on their
        values.

    Returns
    -------
    Captured
        Called like ``step``. Inputs are copied to where the graphs read them; the tensors it
        returns have memory of their own and no graph behind them.

    Raises
    ------
    CompileError
        From the third call with inputs of certain shapes, which is captured, if the step does what
        a graph cannot repeat: it reads a value (``loss.item()``, an ``if`` on a tensor), copies
        from host memory, or adds to a gradient of an earlier step.
    ImportError, RuntimeError
        Without CuPy, a driver or a GPU.

    Notes
    -----
    Done anew in each call, between graphs: optimizers (the learning rate may change), schedulers,
    clipping, `GradScaler`, averages of weights, dropout of every kind and `rrelu` (the same numbers
    as without graphs, from the same generator). Each of them ends a graph, which costs about ten
    microseconds.

    Classes and indices out of range are refused by the calls before the capture, as always; after
    it nothing looks at them.

    A set of shapes costs three calls as slow as before; so does a switch between `train` and
    `eval`, and an array that takes the place of a parameter's (``model.to``). Gradients are left in
    ``.grad``, in the same memory each time.

    While a step is captured, copies to a GPU are refused, those of other threads too: CuPy has one
    allocator of pinned memory for all. Afterwards it is CuPy's own.

    Examples
    --------
    >>> from tinymed import cuda, nn, optim
    >>> def train(model, loader):
    ...     optimizer = optim.Adam(model.parameters())
    ...     def step(x, y):
    ...         optimizer.zero_grad()
    ...         loss = nn.functional.cross_entropy(model(x), y)
    ...         loss.backward()
    ...         optimizer.step()
    ...         return loss
    ...     fast_step = cuda.capture(step)
    ...     return [fast_step(x, y).item() for x, y in loader]
    """
    return Captured(step)


class Captured(Repeated):
    """A step, and its graphs for each set of input shapes; see `capture`."""

    name = "capture"

    def array(self, position: int, x: Any) -> Array:
        """Return the array of an input."""
        array = super().array(position, x)
        if place(array) == "cpu":
            raise TypeError(
                f"capture: input {position} is on cpu, expected one on a GPU; move it by "
                ".to('cuda'), or let DataLoader(..., device='cuda') do it"
            )
        if not is_at(array, "cuda"):
            raise ValueError(
                f"capture: input {position} is on {place(array)}, which is not the current GPU; "
                f"call the step in `with cuda.device({place(array)!r}):`"
            )
        return array

    def plan(self, arrays: Sequence[Any]) -> Plan:
        """Return a new plan for inputs like these."""
        return _Plan(self.step, arrays)


class _Plan:
    """What a step does with inputs of one set of shapes: as it is, captured, then launched."""

    def __init__(self, step: Callable[..., Any], inputs: Sequence[Array]) -> None:
        self.cupy = cupy_on_gpu("capture")
        self.step = step
        self.inputs = [self.cupy.empty(array.shape, array.dtype) for array in inputs]
        self.stream = self.cupy.cuda.Stream(non_blocking=True)
        self.pool = self.cupy.cuda.MemoryPool()
        self.runs = 0
        self.parts: list[Callable[[], Any]] = []  # launches of graphs, and actions between them
        self.captured = False
        self.result: Any = None
        self.leaves: dict[int, Variable] = {}  # what ops were given that no op made
        self.premises = Premises((), ())
        self.gradients: dict[int, tuple[Variable, Tensor]] = {}
        self.kept: list[tuple[Variable, Tensor, bool]] = []
        self.met: dict[int, Module] = {}

    def __call__(self, arrays: Sequence[Array]) -> Any:
        """Do the step on these inputs."""
        caller = self.cupy.cuda.get_current_stream()
        self.stream.wait_event(caller.record())
        with self.stream:
            for own, given in zip(self.inputs, arrays, strict=True):
                own[...] = given
            if self.captured:
                self._launch()
                found = _with_arrays(self.result, copied)
            elif self.runs < WARM_UP:
                self.runs += 1
                with observe_ops(self._meet):
                    found = _with_arrays(self._run(), same)
            else:
                self._capture()
                found = _with_arrays(self.result, copied)
        caller.wait_event(self.stream.record())
        return found

    def ready(self) -> bool:
        """Return whether the next call launches graphs."""
        return self.captured

    def outdated(self) -> bool:
        """Return whether the step rests on what is no longer so."""
        return not self.premises.hold()

    def modules(self) -> Iterator[Module]:
        """Yield the modules that the step called, those in them too."""
        for module in self.met.values():
            yield from module.modules()

    def _run(self) -> Any:
        """Return what the step returns."""
        evaluates = isinstance(self.step, Module) and not self.step.training
        with no_grad() if evaluates or not MODE.enabled else contextlib.nullcontext():
            return self.step(*map(Tensor, self.inputs))

    def _capture(self) -> None:
        """Take the step down, part by part, and do it: each part when it is complete."""
        guard = self.cupy.cuda.set_pinned_memory_allocator
        usual = self.cupy.get_default_pinned_memory_pool().malloc
        self.parts, self.leaves, self.gradients = [], {}, {}

        def begin() -> None:
            guard(_refuse_copy)
            self.stream.begin_capture()

        def end() -> None:
            graph = self.stream.end_capture()
            guard(usual)
            self.parts.append(graph.launch)
            graph.launch()

        def pause(function: Callable[[], Any], again: bool) -> Any:
            end()
            with self.cupy.cuda.using_allocator(default):
                result = function()
            if again:
                self.parts.append(function)
            begin()
            return result

        default = self.cupy.cuda.get_allocator()
        with self.cupy.cuda.using_allocator(self.pool.malloc), recording.pausing(pause):
            begin()
            try:
                with observe_ops(self._see):
                    self.result = _with_arrays(self._run(), same)
            except BaseException as error:
                self._give_up(guard, usual, error)
                raise
            end()
        self.kept = [(leaf, given, leaf.grad is None) for leaf, given in self.gradients.values()]
        self.premises = Premises(self.leaves.values(), self.met.values())
        self.captured = True

    def _give_up(self, guard: Any, usual: Any, error: BaseException) -> None:
        """End a capture that failed, and word why if it is the GPU or CuPy that refused."""
        guard(usual)
        with contextlib.suppress(RuntimeError):  # it is ended already, or what failed has undone it
            self.stream.end_capture()
        # CuPy refuses copies itself, by a plain RuntimeError; the step ran before the capture
        if isinstance(error, RuntimeError) and not isinstance(error, CompileError):
            raise CompileError(
                f"capture: the step waits for the GPU, or does what a graph cannot hold ({error}); "
                "keep reading values, and ops whose results have sizes that depend on them, out "
                "of the step"
            ) from error

    def _launch(self) -> None:
        """Do the step again."""
        for leaf, gradient, _ in self.kept:
            leaf.grad = gradient
        for part in self.parts:
            part()
        for leaf, _, forgotten in self.kept:
            if forgotten:
                leaf.grad = None

    def _meet(self, node: Any, inputs: Any) -> None:
        """Be told of ops before the capture: which modules there are."""
        if LAYERS.running:
            self.met[id(LAYERS.running[0])] = LAYERS.running[0]

    def _see(self, node: Any, inputs: Any) -> None:
        """Be told of ops and gradients while they are captured."""
        if recording.repeats() is None:  # inside an action
            return
        if isinstance(node, Variable):
            if isinstance(inputs, RowGradient):
                raise CompileError(
                    f"capture: the gradient of a parameter {node.data.shape} is of some of its "
                    "rows, which depend on the batch; use sparse=False"
                )
            self.gradients[id(node)] = node, Tensor(inputs)
            return
        self._meet(node, inputs)
        for x in inputs if node is not None else ():
            if isinstance(x, Variable) and x.source is None and id(x) not in self.leaves:
                if x.requires_grad and x.grad is not None:
                    raise CompileError(
                        f"capture: a parameter {x.data.shape} has a gradient from before the step; "
                        "begin the step with zero_grad()"
                    )
                self.leaves[id(x)] = x


def _refuse_copy(size: int) -> Any:
    """Stand in for the allocator of pinned memory: a graph would read it after it is given back."""
    raise CompileError(
        f"capture: {size} bytes are copied from host memory inside the step; make what is constant "
        "before it, and pass what changes as an input"
    )


def same(array: Array) -> Array:
    """Return the array itself."""
    return array


def copied(array: Array) -> Array:
    """Return an array of its own, which the next launch does not change."""
    return array.copy()


def _with_arrays(result: Any, made: Callable[[Array], Array]) -> Any:
    """Return results as tensors without a graph, on what ``made`` returns for their arrays."""
    if isinstance(result, tuple):
        return tuple(_with_arrays(each, made) for each in result)
    if result is None:
        return None
    if not isinstance(result, Tensor):
        raise CompileError(f"capture: the step returns a {type(result).__name__}; return tensors")
    return Tensor(made(result.data))
