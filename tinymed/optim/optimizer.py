"""What every optimizer does: parameter groups, state for each parameter, saving and loading.

>>> import tinymed as tm
>>> weight = tm.tensor([3.0], requires_grad=True)
>>> optimizer = tm.optim.SGD([weight], lr=0.5)
>>> (weight * weight).sum().backward()
>>> optimizer.step()
>>> weight
tensor([0.], requires_grad=True)
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from numbers import Real
from typing import Any, ClassVar

from tinymed.autograd import wrote
from tinymed.kernels.arrays import Array, array_module, place, to_place
from tinymed.kernels.buffers import empty
from tinymed.kernels.recording import Slot, act, action, active
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

__all__ = [
    "Group",
    "Optimizer",
    "State",
    "check_betas",
    "check_not_negative",
    "check_state",
    "slots",
]

Group = dict[str, Any]
State = dict[str, Any]

MOST_NUMBERS = 16  # that a kernel takes: betas, rates, corrections
BESIDE = {"params", "initial_lr"}  # what a group has that is no setting: a scheduler's first rate
ROWS = "SGD, Adagrad and SparseAdam"  # the optimizers that take a RowGradient


class Optimizer:
    """Changes parameters by their gradients; a subclass says how in `update`, for one of them.

    A network has dozens of small parameters, and what a step costs is mostly Python. Those of one
    group that are alike are therefore changed together: a subclass that writes `update_all` instead
    gets them in lists, for one call of a kernel. One that takes a `RowGradient` as well, as
    embeddings with ``sparse=True`` have it, says how in `update_rows`.

    Parameters
    ----------
    params : iterable of Tensor, or of dicts
        A dict is a group: ``{"params": [...], "lr": 0.1}`` overrides the defaults.
    defaults : dict
        The settings of groups that do not give their own.
    """

    kernel: ClassVar[Any] = None  # the one call for parameters that are alike, if it is one

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[int, dict[str, Any]] = {}  # by the parameter's number, groups in order
        # A model is no list of its parameters, even where it can be iterated, as Sequential can
        if isinstance(params, (Tensor, dict, set)) or hasattr(params, "parameters"):
            raise TypeError(
                f"{type(self).__name__}: params is a {type(params).__name__}, expected a list of "
                "tensors, or of groups; model.parameters() makes one"
            )
        given = list(params)
        if not given:
            raise ValueError(
                f"{type(self).__name__}: no parameters given; a generator gives them once, and a "
                "module does not see layers in a plain list (nn.ModuleList)"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Group) -> None:
        """Add parameters with settings of their own."""
        name = type(self).__name__
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{name}: a group must be a dict with 'params', this is {group!r}")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for p in self.parameters()}
        unknown = set(group) - BESIDE - set(self.defaults)
        if unknown:
            raise TypeError(f"{name}: a group has no setting {', '.join(sorted(unknown))}")
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"{name}: a parameter is a {type(param).__name__}, not a Tensor")
            if not param.is_leaf:
                raise ValueError(
                    f"{name}: {param.shape} made by {type(param.grad_fn).__name__} is not a leaf; "
                    "only leaves have a gradient to step along"
                )
            if id(param) in known:
                raise ValueError(f"{name}: a parameter {param.shape} is given twice")
            known.add(id(param))
        settings = {**self.defaults, **group, "params": params}
        self.check(settings)
        self.param_groups.append(settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        known = [name for name in ("lr", "weight_decay", "eps", "momentum") if name in group]
        check_not_negative(type(self).__name__, group, *known)

    def parameters(self) -> Iterator[Tensor]:
        """Yield the parameters of all groups in order."""
        return (param for group in self.param_groups for param in group["params"])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = Tensor(array_module(param.data).zeros_like(param.data))

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            for param in group["params"]:
                self.check_gradient(param, group)  # all of them before one is changed
        if active() is not None and self._can_be_recorded():
            for together in self._alike():
                self._record(*together)
            self._bind()
        else:
            self._step()

    @action
    def _step(self) -> None:
        first = 0
        for group in self.param_groups:
            for number, param in enumerate(group["params"], first):
                if isinstance(param.grad, RowGradient):
                    state = self.state.setdefault(number, {"step": 0})
                    state["step"] += 1
                    self._step_along_rows(param, state, group)
            first += len(group["params"])
        for params, grads, states, group in self._alike():
            for state in states:
                state["step"] += 1
            self.update_all(params, grads, states, group)
            for array in params:
                wrote(array)

    def _alike(self) -> Iterator[tuple[list[Array], list[Array], list[State], Group]]:
        """Yield parameters with dense gradients that are changed together, as `update_all` asks."""
        first = 0
        for group in self.param_groups:
            together: dict[Hashable, tuple[list[Array], list[Array], list[State]]] = {}
            for number, param in enumerate(group["params"], first):
                if param.grad is None or isinstance(param.grad, RowGradient):
                    continue
                state = self.state.setdefault(number, {"step": 0})
                array = param.data
                kind = array.__class__, array.dtype, self.alike(state)
                params, grads, states = together.setdefault(kind, ([], [], []))
                params.append(array)
                grads.append(-param.grad.data if group["maximize"] else param.grad.data)
                states.append(state)
            first += len(group["params"])
            for params, grads, states in together.values():
                yield params, grads, states, group

    # ------------------------------------------------------------- as part of a compiled step

    def _can_be_recorded(self) -> bool:
        """Return whether a step is one call of a kernel for each group, on memory that stays."""
        if self.kernel is None or any(group["maximize"] for group in self.param_groups):
            return False
        given = [p for p in self.parameters() if p.grad is not None]
        return all(
            place(p.data) == "cpu"
            and p.data.flags.carray
            and p.grad.data.flags.carray
            and p.data.dtype.char in "fd"
            for p in given
        )

    def _record(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Record the kernel's call, and before it an action that finds its numbers.

        The action counts steps and reads the settings, which schedulers change; the call is
        compiled.
        """
        slot = Slot(empty((MOST_NUMBERS,), "float64"))
        alone = params[:1], grads[:1], states[:1]
        run: Any = None

        def find_numbers() -> tuple[Any, ...]:
            nonlocal run
            for state in states:
                state["step"] += 1
            # Later on one parameter is enough: the numbers are the same for all that are alike.
            given = (params, grads, states) if run is None else alone
            arguments = self.arguments(*given, group)
            run = run or self.kernel.chosen(*arguments)
            slot.fill(run, *arguments)
            for array in params:
                wrote(array)
            return arguments

        arguments = act(find_numbers)
        slot.read(run, *arguments)

    def _bind(self) -> None:
        """Let the recorded step hold for as long as it would be of the same parameters and states.

        The state of a parameter may be made in the step, so this comes at its end.
        """
        recording, known = active(), self._structure()
        if recording is not None:
            recording.guards.append(lambda: [*map(id, self._structure())] == [*map(id, known)])

    def _structure(self) -> list[Any]:
        """Return what a recorded step is bound to: flags, parameters and their states."""
        settings = [value for group in self.param_groups for value in _settings(group).values()]
        return [*map(bool, settings), *self.parameters(), *self.state.values()]

    def _step_along_rows(self, param: Tensor, state: State, group: Group) -> None:
        """Change one parameter by the gradient of some of its rows."""
        grad = -param.grad if group["maximize"] else param.grad
        self.update_rows(param.data, grad, state, group)
        wrote(param.data)

    def alike(self, state: State) -> Hashable:
        """Return what must be equal in the states of parameters that are changed together."""
        return state["step"]

    def check_gradient(self, param: Tensor, group: Group) -> None:
        """Raise for a gradient of another shape, or of a kind that this optimizer cannot use."""
        grad, name = param.grad, type(self).__name__
        if grad is None:
            return
        if not isinstance(grad, (Tensor, RowGradient)):
            raise TypeError(f"{name}: a gradient is a {type(grad).__name__}, expected a Tensor")
        if grad.shape != param.shape:
            raise ValueError(
                f"{name}: the gradient of a parameter {param.shape} is {grad.shape}, expected "
                "the same shape"
            )
        if not isinstance(grad, RowGradient):
            return
        if type(self).update_rows is Optimizer.update_rows:
            raise RuntimeError(
                f"{name}: the gradient of a parameter {param.shape} is a RowGradient, which {ROWS} "
                "take; use one of these, or an embedding with sparse=False"
            )
        if group.get("weight_decay"):
            raise RuntimeError(
                f"{name}: weight_decay={group['weight_decay']} changes every row of a parameter "
                f"{param.shape}, its RowGradient only {len(grad.rows)}; use weight_decay=0"
            )

    def arguments(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> tuple[Any, ...]:
        """Return what `kernel` is called with; for optimizers that have one."""
        raise NotImplementedError(f"{type(self).__name__} has no kernel")

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place: arrays of one dtype whose states are `alike`."""
        if self.kernel is not None:
            self.kernel(*self.arguments(params, grads, states, group))
            return
        for param, grad, state in zip(params, grads, states, strict=True):
            self.update(param, grad, state, group)

    def update(self, param: Array, grad: Array, state: State, group: Group) -> None:
        """Change ``param`` in place."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def update_rows(self, param: Array, grad: RowGradient, state: State, group: Group) -> None:
        """Change the rows of ``param`` that have a gradient, in place."""
        raise NotImplementedError(f"{type(self).__name__} has no update_rows")

    def state_dict(self) -> dict[str, Any]:
        """Return settings and state, arrays as they are: what `load_state_dict` needs to go on."""
        groups, start = [], 0
        for group in self.param_groups:
            end = start + len(group["params"])
            groups.append({**_settings(group), "params": list(range(start, end))})
            start = end
        state = {number: dict(entries) for number, entries in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned; arrays are copied to where the parameters are.

        Nothing is taken over unless everything fits.

        Raises
        ------
        ValueError
            If settings, groups, numbers of parameters or shapes differ.
        """
        name = type(self).__name__
        check_state(name, state_dict, "state", "param_groups")
        groups = state_dict["param_groups"]
        ours = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in groups]
        if theirs != ours:
            raise ValueError(f"{name}: the state is of groups of {theirs} parameters, not {ours}")
        for group in groups:
            if set(group) - BESIDE != set(self.defaults):
                raise ValueError(
                    f"{name}: the state has the settings {', '.join(sorted(set(group) - BESIDE))}; "
                    f"expected {', '.join(sorted(self.defaults))}"
                )
            self.check(group)
        params = dict(enumerate(self.parameters()))
        state: dict[int, dict[str, Any]] = {}
        for key, entries in state_dict["state"].items():
            if int(key) not in params:
                raise ValueError(f"{name}: there is no parameter {key} of {len(params)}")
            check_state(name, entries, "step")
            state[int(key)] = _restored(name, key, entries, params[int(key)].data)
        self.state = state
        for group, saved in zip(self.param_groups, groups, strict=True):
            for setting, value in _settings(saved).items():
                group[setting] = tuple(value) if isinstance(value, list) else value

    def __repr__(self) -> str:
        settings = [
            ", ".join(f"{name}={value}" for name, value in _settings(group).items())
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(settings)})"


def check_not_negative(name: str, group: Group, *settings: str) -> None:
    """Raise unless each of these settings is a number >= 0."""
    for setting in settings:
        value, is_number = group[setting], isinstance(group[setting], Real)
        if not is_number or not value >= 0:
            raise ValueError(f"{name}: {setting}={value!r} is not a number >= 0")


def check_betas(name: str, group: Group) -> None:
    """Raise unless ``betas`` are two numbers in [0, 1)."""
    betas = group["betas"]
    pair = isinstance(betas, (tuple, list)) and len(betas) == 2
    if not pair or not all(isinstance(beta, Real) and 0 <= float(beta) < 1 for beta in betas):
        raise ValueError(f"{name}: {betas=} are not two numbers in [0, 1)")


def check_state(name: str, state: Any, *entries: str) -> None:
    """Raise `ValueError` unless ``state`` is a dict that has these entries."""
    missing = [entry for entry in entries if not isinstance(state, dict) or entry not in state]
    if missing:
        has = ", ".join(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise ValueError(
            f"{name}: the state has no {', '.join(missing)}, but {has or 'nothing'}; "
            "load what state_dict() returned"
        )


def slots(states: list[State], name: str, params: list[Array], value: float = 0) -> list[Array]:
    """Return the array ``name`` of each state, full of ``value`` when first asked for.

    It follows its parameter to a GPU and back.
    """
    for state, param in zip(states, params, strict=True):
        if name not in state:
            state[name] = array_module(param).full_like(param, value)
        elif state[name].__class__ is not param.__class__:
            state[name] = to_place(state[name], place(param))
    return [state[name] for state in states]


def _settings(group: Group) -> dict[str, Any]:
    """Return a group without its parameters."""
    return {name: value for name, value in group.items() if name != "params"}


def _restored(name: str, key: Any, entries: dict[str, Any], param: Array) -> dict[str, Any]:
    """Return saved state with its arrays copied to the place and dtype of their parameter."""
    restored = {}
    for entry, value in entries.items():
        is_array = hasattr(value, "shape")
        if is_array and value.shape != param.shape:
            raise ValueError(
                f"{name}: {entry} of parameter {key} is {value.shape}, expected {param.shape}"
            )
        if is_array:
            moved = to_place(value, place(param))
            value = moved.astype(param.dtype, copy=moved is value)
        restored[entry] = value
    return restored
