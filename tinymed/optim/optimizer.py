"""What every optimizer does: parameter groups, state for each parameter, saving and loading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

from tinymed.autograd import wrote
from tinymed.kernels.arrays import Array, array_module
from tinymed.tensor import Tensor

__all__ = ["Group", "Optimizer", "check_not_negative"]

Group = dict[str, Any]


class Optimizer:
    """Changes parameters by their gradients; a subclass says how in `update`.

    Parameters
    ----------
    params : iterable of Tensor, or of dicts
        A dict is a group: ``{"params": [...], "lr": 0.1}`` overrides the defaults.
    defaults : dict
        The settings of groups that do not give their own.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[int, dict[str, Any]] = {}  # by the parameter's number, groups in order
        if isinstance(params, (Tensor, dict, set)):
            raise TypeError(
                f"{type(self).__name__}: params is a {type(params).__name__}, expected a list of "
                "tensors, or of groups; model.parameters() makes one"
            )
        given = list(params)
        if not given:
            raise ValueError(f"{type(self).__name__}: no parameters given")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, group: Group) -> None:
        """Add parameters with settings of their own."""
        name = type(self).__name__
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{name}: a group must be a dict with 'params', this is {group!r}")
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for p in self.parameters()}
        unknown = set(group) - {"params"} - set(self.defaults)
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
        check_not_negative(type(self).__name__, group, "lr", "weight_decay")

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
        number = 0
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    state = self.state.setdefault(number, {"step": 0})
                    state["step"] += 1
                    grad = -param.grad.data if group["maximize"] else param.grad.data
                    self.update(param.data, grad, state, group)
                    wrote(param.data)
                number += 1

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: Group) -> None:
        """Change ``param`` in place."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

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
        name, groups = type(self).__name__, state_dict["param_groups"]
        ours = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in groups]
        if theirs != ours:
            raise ValueError(f"{name}: the state is of groups of {theirs} parameters, not {ours}")
        for group in groups:
            if set(_settings(group)) != set(self.defaults):
                raise ValueError(
                    f"{name}: the state has the settings {', '.join(sorted(_settings(group)))}; "
                    f"expected {', '.join(sorted(self.defaults))}"
                )
            self.check(group)
        params = dict(enumerate(self.parameters()))
        state: dict[int, dict[str, Any]] = {}
        for key, entries in state_dict["state"].items():
            if int(key) not in params:
                raise ValueError(f"{name}: there is no parameter {key} of {len(params)}")
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
        restored[entry] = array_module(param).array(value, param.dtype) if is_array else value
    return restored
