"""Modules made of modules, and lists and dictionaries of modules and parameters."""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from tinymed.nn.module import Module, Parameter
from tinymed.tensor import Tensor

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def _place(container: Any, index: Any) -> int:
    """Return an index as a number >= 0, or raise `IndexError`."""
    number, length = operator.index(index), len(container)
    if not -length <= number < length:
        raise IndexError(
            f"{type(container).__name__}: index {number} is out of range for {length} entries"
        )
    return number % length


def _pairs(container: Any, entries: Any) -> list[tuple[str, Any]]:
    """Return (name, entry) pairs of a mapping, another container or an iterable of pairs."""
    if isinstance(entries, (Mapping, _Named)):
        return list(entries.items())
    if not isinstance(entries, Iterable):
        raise TypeError(
            f"{type(container).__name__}: {type(entries).__name__} is neither a mapping nor an "
            "iterable of (name, entry) pairs"
        )
    pairs = [tuple(pair) for pair in entries]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{type(container).__name__}: (name, entry) pairs are expected")
    return [(name, entry) for name, entry in pairs]


# ------------------------------------------------------------------------- modules by number


class _Ordered(Module):
    """Modules by number: "0", "1", ... are their names in state_dict."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(index)
        return list(self)[_place(self, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(list(self._modules)[_place(self, index)], self._checked(module))

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index if isinstance(index, slice) else _place(self, index)]
        self._renumber(modules)

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)

    def _part(self, index: slice) -> _Ordered:
        """Return a container of some of the modules."""
        raise NotImplementedError

    def _checked(self, module: Any) -> Module:
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {type(module).__name__} is not a Module")
        return module

    def _renumber(self, modules: Iterable[Module]) -> None:
        """Hold these modules under the names "0", "1", ..."""
        self.__dict__["_modules"] = {str(i): module for i, module in enumerate(modules)}

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        name = str(len(self))
        self._checked(module)
        if name in self._modules:
            raise KeyError(f"{type(self).__name__}: the name {name!r} is taken; use add_module")
        self.add_module(name, module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at ``index``; those behind get new numbers."""
        modules = list(self)
        modules.insert(index, self._checked(module))
        self._renumber(modules)
        return self

    def pop(self, index: int) -> Module:
        """Take out a module and return it; those behind get new numbers."""
        module: Module = self[index]
        del self[index]
        return module


class Sequential(_Ordered):
    """Modules that are applied one after the other.

    Parameters
    ----------
    *modules : Module, or one dict of name -> Module
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                self.add_module(name, module)
            return
        for each in modules:
            self.append(each)  # type: ignore[arg-type]

    def _part(self, index: slice) -> Sequential:
        """Return some of the modules, under the names they have here."""
        return Sequential(dict(list(self._modules.items())[index]))

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self:
            x = module(x)
        return x


class ModuleList(_Ordered):
    """Modules in a list, found by `parameters` and `state_dict`; calling them is up to you."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def _part(self, index: slice) -> ModuleList:
        """Return some of the modules, numbered anew."""
        return ModuleList(list(self)[index])

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


# ----------------------------------------------------------------------------- entries by name


class _Named(Module):
    """Entries by name, in the order in which they came."""

    _home: str  # where Module keeps them

    @property
    def _entries(self) -> dict[str, Any]:
        entries: dict[str, Any] = self.__dict__[self._home]
        return entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Any:
        self._check_there(name)
        return self._entries[name]

    def __delitem__(self, name: str) -> None:
        self._check_there(name)
        del self._entries[name]

    def _check_there(self, name: str) -> None:
        if name not in self._entries:
            having = ", ".join(map(repr, self._entries)) or "nothing"
            raise KeyError(f"{type(self).__name__}: no {name!r}, there is {having}")

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._entries.keys()

    def values(self) -> ValuesView[Any]:
        """Return the entries."""
        return self._entries.values()

    def items(self) -> ItemsView[str, Any]:
        """Return the (name, entry) pairs."""
        return self._entries.items()

    def pop(self, name: str) -> Any:
        """Take out an entry and return it."""
        entry = self[name]
        del self[name]
        return entry

    def clear(self) -> None:
        """Take out everything."""
        self._entries.clear()


class ModuleDict(_Named):
    """Modules by name, found by `parameters` and `state_dict`; calling them is up to you.

    Parameters
    ----------
    modules : mapping of name -> Module, or iterable of pairs, optional

    Examples
    --------
    >>> from tinymed import nn
    >>> heads = nn.ModuleDict({"mass": nn.Linear(2, 1), "age": nn.Linear(2, 1, bias=False)})
    >>> list(heads.state_dict())
    ['mass.weight', 'mass.bias', 'age.weight']
    """

    _home = "_modules"

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"ModuleDict: {name!r} is {type(module).__name__}, not a Module")
        if not isinstance(name, str):
            raise TypeError(f"ModuleDict: the name {name!r} is {type(name).__name__}, not str")
        self.add_module(name, module)

    def update(self, modules: Any) -> None:
        """Add or replace the modules of a mapping or an iterable of (name, module) pairs."""
        for name, module in _pairs(self, modules):
            self[name] = module


class ParameterDict(_Named):
    """Parameters by name, found by `parameters` and `state_dict`.

    Parameters
    ----------
    parameters : mapping of name -> Parameter or Tensor, or iterable of pairs, optional
        A Tensor becomes a Parameter. The entries of a plain dict come in the order of their
        names, as in PyTorch, on which the order of an optimizer's state depends.
    """

    _home = "_parameters"

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update(() if parameters is None else parameters)

    def __setitem__(self, name: str, parameter: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"ParameterDict: the name {name!r} is {type(name).__name__}, not str")
        self.register_parameter(name, _parameter(self, parameter))

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._entries)

    def __or__(self, other: ParameterDict) -> ParameterDict:
        both = self.copy()
        both.update(other)
        return both

    def __ior__(self, other: ParameterDict) -> Self:
        self.update(other)
        return self

    def update(self, parameters: Any) -> None:
        """Add or replace the parameters of a mapping or an iterable of (name, parameter) pairs."""
        pairs = _pairs(self, parameters)
        for name, parameter in sorted(pairs) if type(parameters) is dict else pairs:
            self[name] = parameter

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or ``default`` where there is none."""
        return self._entries.get(name, default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return a parameter, after setting it to ``default`` where there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def popitem(self) -> tuple[str, Any]:
        """Take out the entry that came last, and return its name and itself."""
        return self._entries.popitem()

    def copy(self) -> ParameterDict:
        """Return another dictionary of the same parameters."""
        return ParameterDict(list(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a dictionary with the same parameter under each of the ``keys``."""
        return ParameterDict((name, default) for name in keys)

    def extra_repr(self) -> str:
        """Return the shapes that `repr` shows."""
        return ", ".join(f"{name}: {p.shape}" for name, p in self.items() if p is not None)


# -------------------------------------------------------------------------- parameters by number


class ParameterList(Module):
    """Parameters in a list: "0", "1", ... are their names in state_dict. Tensors become Parameters.

    Examples
    --------
    >>> import tinymed as tm
    >>> list(tm.nn.ParameterList([tm.zeros(2), tm.ones(3)]).state_dict())
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ParameterList(list(self)[index])
        return self._parameters[str(_place(self, index))]

    def __setitem__(self, index: int, value: Any) -> None:
        self.register_parameter(str(_place(self, index)), _parameter(self, value))

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _parameter(self, value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several parameters at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(
                f"ParameterList: {type(values).__name__} is not an iterable of parameters"
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Return the shapes that `repr` shows."""
        return ", ".join(str(parameter.shape) for parameter in self)


def _parameter(container: Module, value: Any) -> Parameter | None:
    """Return a Parameter, made of a Tensor where it is not one yet; None keeps a name free."""
    if value is None or isinstance(value, Parameter):
        return value
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{type(container).__name__}: {type(value).__name__} is not a Parameter or a Tensor"
        )
    return Parameter(value)
