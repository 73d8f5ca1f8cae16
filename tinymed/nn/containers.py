"""Modules made of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from tinymed.nn.module import Module

__all__ = ["ModuleList", "Sequential"]


class _Ordered(Module):
    """Modules by number: "0", "1", ... are their names in state_dict."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._part(index)
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"{type(self).__name__}: index {index} is out of range for {len(self)} modules"
            )
        return list(self)[index]

    def _part(self, index: slice) -> _Ordered:
        """Return a container of some of the modules."""
        raise NotImplementedError

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        name = str(len(self))
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {type(module).__name__} is not a Module")
        if name in self._modules:
            raise KeyError(f"{type(self).__name__}: the name {name!r} is taken; use add_module")
        self.add_module(name, module)
        return self


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

    def forward(self, x: Any) -> Any:
        """Apply the modules in order."""
        for module in self:
            x = module(x)
        return x


class ModuleList(_Ordered):
    """Modules in a list, found by `parameters` and `state_dict`; calling them is up to you."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def _part(self, index: slice) -> ModuleList:
        """Return some of the modules, numbered anew."""
        return ModuleList(list(self)[index])

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several modules at the end."""
        for module in modules:
            self.append(module)
        return self
