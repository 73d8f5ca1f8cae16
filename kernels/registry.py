"""Which implementation of a hot operation runs: where the array lives restricts, an order decides.

A kernel is a pure function of arrays and plain numbers with one implementation per backend, all
with the same parameters: ``kernels/<operation>/<backend>.py`` holds ``<kernel>``, and variants
``numba_cpu:direct`` are ``<kernel>_direct`` in the same file. Files are imported on first use.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from tinymed.kernels.arrays import is_array, place

__all__ = ["KERNELS", "PREFERENCE", "Kernel", "explain", "kernel", "use_backend"]

HOST = ("numba_cpu", "reference")  # backends that take NumPy arrays, fastest first
DEVICE = ("cuda", "numba_cuda", "reference")  # and CuPy arrays
NEEDS = {"numba_cpu": "numba", "cuda": "cupy", "numba_cuda": "numba"}
EXTRA = {"numba_cpu": "fast", "cuda": "cuda13", "numba_cuda": "cuda13"}

KERNELS: dict[str, Kernel] = {}
# The names given to use_backend, for the code that runs inside; None is the default order.
PREFERENCE: ContextVar[tuple[str, ...] | None] = ContextVar("tinymed_backend", default=None)


class Kernel:
    """One hot operation and its implementations; calling it runs the one that is chosen."""

    def __init__(self, name: str, implementations: dict[str, str]) -> None:
        self.name = name
        self.implementations = implementations  # backend or backend:variant -> "module:function"
        self.loaded: dict[str, Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return f"<kernel {self.name}: {', '.join(self.implementations)}>"

    def __call__(self, *arguments: Any) -> Any:
        """Run the chosen implementation on ``arguments``, the arrays first."""
        preference = PREFERENCE.get() or from_environment()
        return self.load(self.choose(arguments, preference))(*arguments)

    def choose(self, arguments: tuple[Any, ...], preference: tuple[str, ...] | None) -> str:
        """Return the backend that runs, or raise `LookupError` saying which ones there are."""
        array = next(a for a in arguments if is_array(a))
        where = place(array)
        allowed = HOST if where == "cpu" else DEVICE
        if preference is not None:
            return self._demanded(preference, allowed, where)
        for backend in allowed:
            if backend in self.implementations and missing(backend) is None:
                return backend
        raise LookupError(f"{self.name} has no implementation for arrays on {where}")

    def _demanded(self, preference: tuple[str, ...], allowed: tuple[str, ...], where: str) -> str:
        """Return the first preferred backend that can run; never anything that was not named."""
        if not all(name in self.implementations for name in preference):
            add_plugged_in()
        refusal: Exception | None = None
        for name in preference:
            backend = name.partition(":")[0]
            if name not in self.implementations:
                continue
            if backend in HOST + DEVICE and backend not in allowed:
                found: Exception = LookupError(
                    f"{self.name} on {name!r} does not take arrays on {where}"
                )
            elif missing(backend):
                found = ImportError(
                    f"{self.name} on {name!r} needs {NEEDS[backend]}: "
                    f"pip install tinymed[{EXTRA[backend]}]"
                )
            else:
                return name
            refusal = refusal or found
        raise refusal or LookupError(
            f"{self.name} has no {' or '.join(map(repr, preference))} implementation; "
            f"it has {', '.join(self.implementations)}"
        )

    def load(self, backend: str) -> Callable[..., Any]:
        """Import the implementation of ``backend``, once."""
        if backend not in self.loaded:
            module, _, function = self.implementations[backend].partition(":")
            self.loaded[backend] = getattr(importlib.import_module(module), function)
        return self.loaded[backend]


def kernel(operation: str, name: str, *backends: str) -> Kernel:
    """Declare a kernel of the package ``operation`` and the backends that implement it."""
    implementations = {}
    for backend in backends:
        file, _, variant = backend.partition(":")
        function = f"{name}_{variant}" if variant else name
        implementations[backend] = f"{operation}.{file}:{function}"
    declared = Kernel(f"{operation.rpartition('.')[2]}.{name}", implementations)
    return KERNELS.setdefault(declared.name, declared)


@functools.cache  # asked before every call of a kernel
def missing(backend: str) -> str | None:
    """Return the package that ``backend`` needs and that is not installed, if there is one."""
    needed = NEEDS.get(backend)
    return needed if needed is not None and importlib.util.find_spec(needed) is None else None


def from_environment() -> tuple[str, ...] | None:
    """Return the preference in ``TINYMED_BACKEND`` (names separated by commas), for scripts."""
    named = os.environ.get("TINYMED_BACKEND")
    return tuple(part.strip() for part in named.split(",")) if named else None


@functools.cache  # once: reading the metadata of all installed packages takes milliseconds
def add_plugged_in() -> None:
    """Add the implementations that installed packages offer in the group ``tinymed.kernels``.

    The entry point's name is ``kernel@backend`` (``conv.forward@mine``), its value
    ``module:function``. They run when they are asked for by name.
    """
    import importlib.metadata  # 15 ms, for those who ask for a backend by name alone

    for point in importlib.metadata.entry_points(group="tinymed.kernels"):
        name, _, backend = point.name.partition("@")
        if name in KERNELS and backend:
            KERNELS[name].implementations.setdefault(backend, point.value)


@contextlib.contextmanager
def use_backend(*names: str) -> Iterator[None]:
    """Run kernels on these backends inside: one name is a demand, several an order of preference.

    It holds for this thread or task, for the forward and for the backward of what is recorded
    inside. What has none of them raises `LookupError`; nothing is replaced silently.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymed.kernels import use_backend
    >>> from tinymed import ops
    >>> with use_backend("reference"):
    ...     ops.linear(np.ones((1, 2)), np.ones((3, 2))).shape
    (1, 3)
    """
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"use_backend: {names} is not one or more names of backends")
    token = PREFERENCE.set(names)
    try:
        yield
    finally:
        PREFERENCE.reset(token)


def explain(name: str, *arrays: Any) -> str:
    """Say which implementation of the kernel ``name`` would run on ``arrays``, and why.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymed.kernels import explain
    >>> print(explain("conv.forward", np.ones(1)))
    conv.forward runs 'reference': the array is on cpu, where the order is numba_cpu, reference
    """
    if name not in KERNELS:
        raise LookupError(f"explain: no kernel {name!r}; there are {', '.join(sorted(KERNELS))}")
    if not any(map(is_array, arrays)):
        raise TypeError("explain: no array given; what runs depends on where it lives")
    named, preference = PREFERENCE.get(), PREFERENCE.get() or from_environment()
    chosen = KERNELS[name].choose(arrays, preference)
    if preference is not None:
        asks = "use_backend" if named else "TINYMED_BACKEND"
        why = f"{asks} asks for {', '.join(preference)}"
    else:
        where = place(next(filter(is_array, arrays)))
        order = HOST if where == "cpu" else DEVICE
        why = f"the array is on {where}, where the order is {', '.join(order)}"
    return f"{name} runs {chosen!r}: {why}"


def table() -> list[tuple[str, str, str]]:
    """Return (kernel, backend, 'available' or why not) for every implementation."""
    add_plugged_in()
    return [
        (name, backend, f"needs {lacks}" if (lacks := missing(backend)) else "available")
        for name, declared in sorted(KERNELS.items())
        for backend in declared.implementations
    ]
