"""A step that is run as it is at first and then repeated: what `compile` and `capture` share."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Protocol

from tinymed.anomaly import WATCH
from tinymed.autograd import Variable
from tinymed.errors import CompileError
from tinymed.grad_mode import MODE
from tinymed.kernels import recording
from tinymed.kernels.arrays import Array, is_array
from tinymed.kernels.registry import PREFERENCE
from tinymed.kernels.threads import get_num_threads
from tinymed.nn.module import Module
from tinymed.tensor import Tensor

__all__ = ["MOST", "Plan", "Premises", "Repeated"]

MOST = 16  # plans of one step that are kept, each with all memory of a step


class Plan(Protocol):
    """What is done with inputs of one set of shapes."""

    def __call__(self, arrays: Sequence[Any]) -> Any:
        """Do the step on these inputs."""

    def ready(self) -> bool:
        """Return whether the next call is a repetition."""

    def outdated(self) -> bool:
        """Return whether the step rests on what is no longer so; see `Premises`."""

    def modules(self) -> Iterator[Module]:
        """Yield the modules that the step called, those in them too."""


class Premises:
    """What a step that was taken down rests on: parameters, and what is set in its modules.

    Parameters
    ----------
    leaves : iterable of Variable
        What ops were given that no op made.
    modules : iterable of Module
        Those that the step called. Of these and of all in them count parameters, buffers, layers,
        hooks, and attributes: the p of a dropout layer, say.
    """

    def __init__(self, leaves: Iterable[Variable], modules: Iterable[Module]) -> None:
        self.leaves = [
            (leaf, leaf.data, leaf.requires_grad, tuple(leaf.hooks or ())) for leaf in leaves
        ]
        parts = {id(part): part for module in modules for part in module.modules()}
        self.homes = [home for part in parts.values() for home in homes_of(part)]
        self.sizes = [*map(len, self.homes)]
        self.kept = [*chain.from_iterable(map(dict.values, self.homes))]

    def hold(self) -> bool:
        """Return whether all is as it was."""
        for leaf, array, wants, hooks in self.leaves:
            if leaf.data is not array or leaf.requires_grad is not wants:
                return False
            if (leaf.hooks or hooks) and tuple(leaf.hooks or ()) != hooks:
                return False
        if [*map(len, self.homes)] != self.sizes:
            return False
        return all(map(operator.is_, chain.from_iterable(map(dict.values, self.homes)), self.kept))


def homes_of(module: Module) -> Iterator[dict[str, Any]]:
    """Yield where a module keeps its attributes, hooks, tensors and layers."""
    yield vars(module)
    yield module._forward_hooks
    yield module._forward_pre_hooks
    yield from filter(None, (module._parameters, module._buffers, module._modules))


class Repeated:
    """A step, and a plan for each set of input shapes and each mode of its modules."""

    name: ClassVar[str]  # of the function that makes it, for messages

    def __init__(self, step: Callable[..., Any]) -> None:
        if not callable(step):
            raise TypeError(f"{self.name}: a {type(step).__name__} is not a function or a Module")
        self.step = step
        self.plans: dict[tuple[Any, ...], Plan] = {}  # the one used last at the end
        self.modules = list(step.modules()) if isinstance(step, Module) else []
        self.lock = threading.RLock()

    def __call__(self, *inputs: Any) -> Any:
        """Do the step on tensors or arrays."""
        if (who := recording.repeats()) is not None:
            raise CompileError(
                f"{who}: a step calls a function that is compiled or captured itself; call what "
                "that was made of"
            )
        arrays = [self.array(position, x) for position, x in enumerate(inputs)]
        if WATCH.values:  # under detect_anomaly, which looks at what each op makes
            return self.step(*map(Tensor, arrays))
        with self.lock:
            key = self._key(arrays)
            plan = self.plans.pop(key, None)
            if plan is None or plan.outdated():
                plan = self.plan(arrays)
            if plan.ready():
                self.plans[key] = plan
                return plan(arrays)
            try:
                return plan(arrays)
            finally:
                self._keep(plan, arrays)

    def array(self, position: int, x: Any) -> Array:
        """Return the array of an input, or raise why it cannot be one."""
        if isinstance(x, Variable) and x.requires_grad:
            raise CompileError(f"{self.name}: input {position} wants a gradient; detach() it")
        array = x.data if isinstance(x, Variable) else x
        if not is_array(array):
            raise TypeError(
                f"{self.name}: input {position} is a {type(array).__name__}, expected a Tensor or "
                "an array"
            )
        return array

    def plan(self, arrays: Sequence[Any]) -> Plan:
        """Return a new plan for inputs like these."""
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def _key(self, arrays: Sequence[Array]) -> tuple[Any, ...]:
        """Return what a plan is made for."""
        shapes = tuple([(a.shape, a.dtype) for a in arrays])
        modes = tuple([module.training for module in self.modules])
        return shapes, modes, MODE.enabled, MODE.casts, PREFERENCE.get(), get_num_threads()

    def _keep(self, plan: Plan, arrays: Sequence[Array]) -> None:
        """Keep the plan; it may have met modules whose mode is part of the key from now on."""
        known = set(map(id, self.modules))
        new = [module for module in plan.modules() if id(module) not in known]
        if new:
            self.modules += new
            self.plans.clear()
        self.plans[self._key(arrays)] = plan
        while len(self.plans) > MOST:
            del self.plans[next(iter(self.plans))]
