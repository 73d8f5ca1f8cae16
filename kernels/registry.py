"""Which implementation of a hot operation runs: where the array lives restricts, an order decides.

A kernel is a pure function of arrays and plain numbers with one implementation per backend, all
with the same parameters: ``kernels/<operation>/<backend>.py`` holds ``<kernel>``, and its variant
``numba_cpu:winograd`` is in ``numba_cpu_winograd.py``. Files are imported on first use.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed.kernels.arrays import CPU, is_array, place
from tinymed.kernels.device_rules import DEVICE_RULES
from tinymed.kernels.recording import active
from tinymed.kernels.rules import RULES, Rule, always
from tinymed.precision import any_narrow, dtype_back, flat, rounded, widened

if TYPE_CHECKING:
    from tinymed.kernels.tuning import Tuned

__all__ = ["KERNELS", "PREFERENCE", "Kernel", "explain", "kernel", "use_backend"]

HOST = ("numba_cpu", "reference")  # backends that take NumPy arrays, fastest first
DEVICE = ("cuda", "numba_cuda", "reference")  # and CuPy arrays
NEEDS = {"numba_cpu": "numba", "cuda": "cupy", "numba_cuda": "numba_cuda"}
EXTRA = {"numba_cpu": "fast", "cuda": "cuda13", "numba_cuda": "cuda13"}

IN_ORDER = "the first there is, in the order of its place"
IN_FLOAT32 = "in float32, its results rounded: none is for 16 bits"

KERNELS: dict[str, Kernel] = {}
# What use_backend or autotune asks of the code that runs inside; None is the default order.
PREFERENCE: ContextVar[tuple[str, ...] | Tuned | None] = ContextVar("tinymed_backend", default=None)


class Kernel:
    """One hot operation and its implementations; calling it runs the one that is chosen."""

    def __init__(
        self,
        name: str,
        implementations: dict[str, str],
        writes: tuple[int, ...] = (),
        moves: bool = False,
        narrow: tuple[int, ...] | None = None,
    ) -> None:
        self.name = name
        self.implementations = implementations  # backend or backend:variant -> "module:function"
        self.writes = writes  # which arguments are changed in place
        self.moves = moves  # does it compute nothing, so that any dtype will do?
        self.narrow = narrow  # which results have 16 bits where the first array has; None: all
        self.loaded: dict[str, Callable[..., Any]] = {}
        self.ordered: dict[bool, tuple[Rule, ...]] = {}  # on the host or not -> what is tried

    def __repr__(self) -> str:
        return f"<kernel {self.name}: {', '.join(self.implementations)}>"

    def __call__(self, *arguments: Any) -> Any:
        """Run the chosen implementation on ``arguments``, the arrays first."""
        return self.chosen(*arguments)(*arguments)

    def chosen(self, *arguments: Any) -> Callable[..., Any]:
        """Return what runs on ``arguments``: an implementation, or `in_float32`, which calls one.

        What a rule of its own says it can do with 16 bits is left to it: tensor cores add up in
        float32. The reference would compute in 16.
        """
        try:
            rule = self.choose(arguments, PREFERENCE.get() or ENVIRONMENT)
        except LookupError:
            if self.moves or not any_narrow(arguments) or active() is not None:
                raise  # `compile` repeats calls of kernels, not the casts around them
            return self.in_float32
        if rule.can is always and not self.moves and any_narrow(arguments):
            return self.in_float32
        return self.loaded.get(rule.implementation) or self.load(rule.implementation)

    def in_float32(self, *arguments: Any) -> Any:
        """Run on floats of 16 bits what runs on float32, and round what it returns or writes."""
        wide = widened(list(arguments))
        result = self(*wide)
        for position in self.writes:
            changed = zip(flat([arguments[position]]), flat([wide[position]]), strict=True)
            for given, found in changed:
                if found is not given:
                    given[...] = rounded(found, given.dtype)
        if self.narrow is None:
            return rounded(result, dtype_back(arguments))
        results, dtype = (result if isinstance(result, tuple) else (result,)), arguments[0].dtype
        kept = (rounded(r, dtype) if i in self.narrow else r for i, r in enumerate(results))
        return tuple(kept) if isinstance(result, tuple) else next(kept)

    def add(self, name: str, target: str) -> None:
        """Add the implementation ``name``, a backend or backend:variant, at "module:function"."""
        self.implementations.setdefault(name, target)
        self.ordered.clear()

    def candidates(self, on_host: bool) -> tuple[Rule, ...]:
        """Return the rules of what runs on the host, or on a GPU, in the order they are tried."""
        if on_host not in self.ordered:
            rules = list((RULES if on_host else DEVICE_RULES).get(self.name, ()))
            named = {rule.implementation for rule in rules}
            order = HOST if on_host else DEVICE
            rules += [Rule(b, always, always, IN_ORDER) for b in order if b not in named]
            self.ordered[on_host] = tuple(
                r for r in rules if r.implementation in self.implementations
            )
        return self.ordered[on_host]

    def choose(
        self, arguments: tuple[Any, ...], preference: tuple[str, ...] | Tuned | None
    ) -> Rule:
        """Return the rule of the implementation that runs; `LookupError` says which there are."""
        # Most calls have a NumPy array first, and this line is why they cost a microsecond less.
        where = CPU if arguments[0].__class__ is np.ndarray else place(first_array(arguments))
        if preference is not None:
            if isinstance(preference, tuple):
                return self._demanded(preference, where, arguments)
            if where is CPU:
                return preference.rule(self, arguments)
        return self.default(arguments, where is CPU)

    def default(self, arguments: tuple[Any, ...], on_host: bool) -> Rule:
        """Return the first rule whose implementation can do what is asked, and pays."""
        for rule in self.candidates(on_host):
            implementation, can, pays, _, here = rule
            if not can(*arguments) or (here is not always and not here(*arguments)):
                continue
            if pays(*arguments) and not missing(implementation):
                return rule
        raise LookupError(
            f"{self.name} has no implementation for arrays on {'cpu' if on_host else 'a GPU'}"
        )

    def _demanded(
        self, preference: tuple[str, ...], where: str, arguments: tuple[Any, ...]
    ) -> Rule:
        """Return the first preferred implementation that can run; nothing that was not named."""
        if not all(name in self.implementations for name in preference):
            add_plugged_in()
        refusal: Exception | None = None
        for name in preference:
            found = self._named(name, where, arguments)
            if isinstance(found, Rule):
                return found
            refusal = refusal or found
        raise refusal or LookupError(
            f"{self.name} has no {' or '.join(map(repr, preference))} implementation; "
            f"it has {', '.join(self.implementations)}"
        )

    def _named(self, name: str, where: str, arguments: tuple[Any, ...]) -> Rule | Exception | None:
        """Return the rule that a name stands for, why it cannot run, or None where it has none.

        The name of a backend stands for its variants: the first that pays, else the first that can.
        """
        own = [one for one in self.implementations if name in (one, one.partition(":")[0])]
        if not own:
            return None
        backend = name.partition(":")[0]
        if backend in HOST + DEVICE and backend not in (HOST if where == "cpu" else DEVICE):
            return LookupError(f"{self.name} on {name!r} does not take arrays on {where}")
        if lacks := missing(name):
            return ImportError(f"{self.name} on {name!r} {needed(name, lacks)}")
        rules = [rule for rule in self.candidates(where is CPU) if rule.implementation in own]
        if not rules:  # one that was plugged in
            return Rule(own[0], always, always, IN_ORDER)
        able = [rule for rule in rules if rule.can(*arguments) and rule.here(*arguments)]
        paying = (rule for rule in able if rule.pays(*arguments))
        if able:
            return next(paying, able[0])
        given = ", ".join(
            f"{a.dtype}{list(a.shape)}" if is_array(a) else repr(a) for a in arguments
        )
        on = " on this GPU" if any(rule.can(*arguments) for rule in rules) else ""
        return LookupError(f"{self.name} on {name!r} cannot do ({given}){on}")

    def load(self, implementation: str) -> Callable[..., Any]:
        """Import an implementation, once."""
        if implementation not in self.loaded:
            module, _, function = self.implementations[implementation].partition(":")
            self.loaded[implementation] = getattr(importlib.import_module(module), function)
        return self.loaded[implementation]


def kernel(
    operation: str,
    name: str,
    *backends: str,
    writes: tuple[int, ...] = (),
    moves: bool = False,
    narrow: tuple[int, ...] | None = None,
) -> Kernel:
    """Declare a kernel of the package ``operation`` and the backends that implement it.

    ``writes``: the positions of what it changes in place; ``moves``: it computes nothing;
    ``narrow``: the positions of the results that have 16 bits where its first array has, when the
    others, such as sums, then are float32.
    """
    implementations = {}
    for backend in backends:
        implementations[backend] = f"{operation}.{backend.replace(':', '_')}:{name}"
    full = f"{operation.rpartition('.')[2]}.{name}"
    declared = Kernel(full, implementations, writes, moves, narrow)
    return KERNELS.setdefault(declared.name, declared)


@functools.cache  # asked before every call of a kernel
def missing(implementation: str) -> str | None:
    """Return the package that an implementation needs and that is not installed, if any."""
    package = NEEDS.get(implementation.partition(":")[0])
    return package if package is not None and importlib.util.find_spec(package) is None else None


def needed(implementation: str, lacks: str) -> str:
    """Say what an implementation needs, and how to install it."""
    return f"needs {lacks}: pip install tinymed[{EXTRA[implementation.partition(':')[0]]}]"


def first_array(arguments: tuple[Any, ...]) -> Any:
    """Return the first array, or NumPy's scalar in place of one; in a list the first of these."""
    for argument in arguments:
        one = argument[0] if argument.__class__ is list and argument else argument
        if is_array(one) or isinstance(one, np.generic):
            return one
    raise TypeError("a kernel is called with arrays, but there is none")


def from_environment() -> tuple[str, ...] | None:
    """Return the preference in ``TINYMED_BACKEND`` (names separated by commas), for scripts.

    It is read when tinymed is imported: asking the environment at each call takes as long as many.
    """
    named = os.environ.get("TINYMED_BACKEND")
    return tuple(part.strip() for part in named.split(",")) if named else None


ENVIRONMENT = from_environment()


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
            KERNELS[name].add(backend, point.value)


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


def explain(name: str, *arguments: Any) -> str:
    """Say which implementation of the kernel ``name`` would run, and why.

    Parameters
    ----------
    name : str
        A kernel of `KERNELS`, such as "conv.forward".
    *arguments
        What it is called with. With arrays alone, or nothing, all rules are listed as they are
        tried, since what pays may depend on the other arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from tinymed.kernels import explain
    >>> print(explain("embedding.forward", np.ones((2, 2)), np.array([0])))
    embedding.forward runs 'reference': the first there is, in the order of its place
    """
    import inspect  # 10 ms, for those who ask

    if name not in KERNELS:
        raise LookupError(f"explain: no kernel {name!r}; there are {', '.join(sorted(KERNELS))}")
    kernel, named = KERNELS[name], PREFERENCE.get()
    preference = named or ENVIRONMENT
    asks = "autotune found it the fastest"
    if isinstance(preference, tuple):
        asker = "use_backend" if named else "TINYMED_BACKEND"
        asks = f"{asker} asks for {', '.join(preference)}"
    if _complete(inspect.signature(kernel.load("reference")), arguments):
        how = ""
        if kernel.chosen(*arguments) == kernel.in_float32:
            arguments, how = tuple(widened(list(arguments))), f", {IN_FLOAT32}"
        chosen = kernel.choose(arguments, preference)
        return f"{name} runs {chosen.implementation!r}{how}: {asks if preference else chosen.why}"
    lines = [
        f"  {rule.implementation}: {rule.why}" + (f" (needs {lacks})" if lacks else "")
        for rule in kernel.candidates(on_host=True)
        for lacks in (missing(rule.implementation),)
    ]
    head = f"{name} runs the first of these that can and pays" + (f"; {asks}" if preference else "")
    return "\n".join([head + ":", *lines])


def _complete(signature: Any, arguments: tuple[Any, ...]) -> bool:
    """Return whether a kernel can be called with these arguments."""
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def table() -> list[tuple[str, str, str]]:
    """Return (kernel, backend, 'available' or why not) for every implementation."""
    add_plugged_in()
    return [
        (name, backend, f"needs {lacks}" if (lacks := missing(backend)) else "available")
        for name, declared in sorted(KERNELS.items())
        for backend in declared.implementations
    ]
