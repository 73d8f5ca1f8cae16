"""Numba's compiler as the kernels use it: the GIL let go, the result kept on disk.

What is compiled depends on more than Numba sees: vector code comes from functions of other modules
and from the width of the host's registers. The key of the cache therefore holds both; of the
modules, those that the function's own imports, so that a change of one kernel costs the others
nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache

from tinymed.kernels.simd.vector import VECTOR_BYTES
from tinymed.kernels.sources import fingerprint

__all__ = ["announce", "be_silent", "compiled"]

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def be_silent(function: str) -> None:
    """Take no notice that ``function`` is compiled now, not taken from the cache."""


announce: Callable[[str], None] = be_silent  # programs put another function in its place


@functools.cache
def _key(file: str) -> tuple[Any, ...]:
    """Return what the code of functions in a file depends on, beside what Numba knows."""
    return VECTOR_BYTES, numba.config.BOUNDSCHECK, fingerprint(Path(file))


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache on disk, its keys completed by what it does not see."""

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(signature, codegen), *_key(self._py_func.__code__.co_filename))

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        found = super().load_overload(signature, target_context)
        if found is None:
            announce(self._py_func.__qualname__)
        return found


class _NamedCache(_Cache):
    """The same for functions known by their names: what they close over is not looked at."""

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (signature, codegen.magic_tuple(), *_key(self._py_func.__code__.co_filename))


class _NoCache(NullCache):  # type: ignore[misc]
    """No cache, where nothing can be written: each process compiles anew."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_func = function

    def load_overload(self, signature: Any, target_context: Any) -> None:
        announce(self._py_func.__qualname__)


def compiled(function: Callable[..., Any], name: str = "") -> Callable[..., Any]:
    """Compile ``function`` for each kind of arguments it meets, once per machine.

    It must not touch Python objects. Division by zero gives inf or nan, as in NumPy.
    ``NUMBA_BOUNDSCHECK=1`` makes array accesses raise `IndexError` outside of their bounds.

    One of several functions that another function makes gets a ``name`` which no other of them has:
    the cache knows it by that, for the intrinsics it closes over have no key that lasts.
    """
    if name:
        function.__qualname__ = name
    dispatcher = numba.njit(**OPTIONS)(function)
    try:
        dispatcher._cache = (_NamedCache if name else _Cache)(function)
    except RuntimeError:  # Numba finds no folder that it can write to
        dispatcher._cache = _NoCache(function)
    return dispatcher
