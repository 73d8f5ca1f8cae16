"""A user's own kernel: a file with one function that has a kernel's name and parameters.

KERNEL = "conv.forward"      # or given on the command line

def forward(x, weight, bias, stride, padding, dilation, groups, activation): ...
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tinymed.errors import DataError
from tinymed.kernels import KERNELS

__all__ = ["Added", "load_added"]


@dataclass(frozen=True)
class Added:
    """A kernel's name, what the user's implementation is called, and the function."""

    kernel: str
    name: str
    function: Callable[..., Any]


def load_added(path: Path, kernels: list[str]) -> Added:
    """Return the implementation in the file ``path``.

    Parameters
    ----------
    path : path of a Python file
    kernels : list of str
        What was asked for by name: with exactly one, the file needs no ``KERNEL``.

    Raises
    ------
    FileNotFoundError, DataError, LookupError, TypeError
        For each way the file can be wrong, with what to write instead.
    """
    module = _imported(path)
    kernel = getattr(module, "KERNEL", None) or (kernels[0] if len(kernels) == 1 else None)
    if kernel is None:
        raise DataError(
            f'load_added: {path} does not say which kernel it is; write KERNEL = "conv.forward" '
            f"in it, or name one on the command line"
        )
    if kernel not in KERNELS:
        raise LookupError(
            f"load_added: {path} has KERNEL = {kernel!r}; there are {', '.join(sorted(KERNELS))}"
        )
    if kernels and kernel not in kernels:
        raise LookupError(
            f"load_added: {path} has KERNEL = {kernel!r}, which is not among the kernels asked "
            f"for: {', '.join(kernels)}"
        )
    reference = KERNELS[kernel].load("reference")
    wanted = f"{kernel.rpartition('.')[2]}{_parameters(reference)}"
    function = getattr(module, kernel.rpartition(".")[2], None)
    if not callable(function):
        raise DataError(f"load_added: {path} has no function {wanted} for {kernel}")
    found, needed = (list(inspect.signature(f).parameters) for f in (function, reference))
    if found != needed:
        raise TypeError(
            f"load_added: {path} has {function.__name__}({', '.join(found)}), {kernel} is {wanted}"
        )
    return Added(kernel, path.stem, function)


def _parameters(function: Callable[..., Any]) -> str:
    return f"({', '.join(inspect.signature(function).parameters)})"


def _imported(path: Path) -> ModuleType:
    """Return the module in a file."""
    if not path.is_file():
        raise FileNotFoundError(f"load_added: no file {path}")
    if path.suffix != ".py":
        raise DataError(f"load_added: {path} is not a Python file; its name must end in .py")
    spec = importlib.util.spec_from_file_location(f"tinymed_added_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DataError(f"load_added: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # as an import does it: Numba's cache and pickle look there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise DataError(
            f"load_added: importing {path} raises {type(error).__name__}: {error}"
        ) from error
    return module
