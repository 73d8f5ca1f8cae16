"""`detect_anomaly`: stop at the first NaN or infinity, and say where it came from.

Names the op, its shapes and value ranges, the path of the layer, and the user's own line.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.errors import AnomalyError
from tinymed.precision import kind_of

__all__ = [
    "LAYERS",
    "WATCH",
    "Origin",
    "check_backward",
    "check_forward",
    "detect_anomaly",
    "observe_ops",
]

OURS = tuple(
    os.path.dirname(os.path.realpath(path)) + os.sep
    for path in (__file__, os.path.join(os.path.dirname(__file__), "kernels", "__init__.py"))
)


class Watch(threading.local):
    """Is this thread watched: are values checked, infinities too, are its ops told to anyone?"""

    on = False  # of what follows, is there anything?
    values = False
    infinity = True
    observer: Callable[[Any, Any], None] | None = None  # told of each op and its inputs


class Layers(threading.local):
    """The modules whose forward is running, outermost first. `nn.Module` keeps it."""

    def __init__(self) -> None:
        self.running: list[Any] = []

    def path(self) -> str:
        """Return the innermost module's name as the outermost one knows it: "features.3"."""
        names = []
        for parent, child in itertools.pairwise(self.running):
            names += [name for name, module in parent.named_modules() if module is child][:1]
        return ".".join(names)


WATCH = Watch()
LAYERS = Layers()


@dataclass(frozen=True)
class Origin:
    """Where a recorded call was made; taken down only while watching."""

    layer: str
    line: str
    inputs: str


@contextlib.contextmanager
def detect_anomaly(infinity: bool = True) -> Iterator[None]:
    """Raise `AnomalyError` at the first NaN (and infinity) in a forward or a backward.

    Parameters
    ----------
    infinity : bool
        Also stop at an infinity; False where -inf is meant, as in a mask before softmax.

    Notes
    -----
    Every result is read once more, so calls cost about twice the memory traffic. To learn where a
    backward's op was called, the forward must have run inside the block too.

    Examples
    --------
    >>> import tinymed as tm
    >>> with tm.detect_anomaly():
    ...     tm.tensor([1.0, float("nan")]) * 2
    Traceback (most recent call last):
    tinymed.errors.AnomalyError: Multiply: made nan ...
    """
    before = WATCH.on, WATCH.values, WATCH.infinity
    WATCH.on, WATCH.values, WATCH.infinity = True, True, infinity
    try:
        with np.errstate(all="ignore"):  # NumPy's warnings say less than what is raised here
            yield
    finally:
        WATCH.on, WATCH.values, WATCH.infinity = before


@contextlib.contextmanager
def observe_ops(observer: Callable[[Any, Any], None]) -> Iterator[None]:
    """Call ``observer(node, inputs)`` for each op that this thread runs inside.

    A write in place is told as ``observer(None, array)``, the first gradient of a leaf as
    ``observer(leaf, gradient)``.
    """
    before = WATCH.on, WATCH.observer
    WATCH.on, WATCH.observer = True, observer
    try:
        yield
    finally:
        WATCH.on, WATCH.observer = before


def users_line() -> str:
    """Return ``file:line`` of the nearest caller outside tinymed."""
    frame = sys._getframe(1)
    while frame is not None and os.path.realpath(frame.f_code.co_filename).startswith(OURS):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def offence(array: Any) -> str | None:
    """Return 'nan', 'inf' or '-inf' if ``array`` holds one that counts, else None."""
    if kind_of(getattr(array, "dtype", np.dtype(bool))) != "f" or array.size == 0:
        return None
    if bool((array != array).any()):
        return "nan"
    if not WATCH.infinity:
        return None
    if bool((array == np.inf).any()):
        return "inf"
    return "-inf" if bool((array == -np.inf).any()) else None


def described(values: Sequence[Any]) -> str:
    """Return shape, dtype and range of the finite values of each array."""
    parts = []
    for value in values:
        array = array_of(value)
        if not hasattr(array, "dtype"):
            parts.append(f"{array!r}"[:40])  # a Python number
            continue
        finite = array[(array == array) & (abs(array) != np.inf)] if array.size else array
        extent = f"{finite.min():.4g} to {finite.max():.4g}" if finite.size else "no finite value"
        found = offence(array)
        parts.append(f"{array.shape} {array.dtype} [{extent}{', has ' + found if found else ''}]")
    return ", ".join(parts)


def as_arrays(values: Any) -> list[Any]:
    """Return the arrays in a result: one, several, or some of them None."""
    given = values if isinstance(values, (tuple, list)) else (values,)
    return [array_of(value) for value in given if value is not None]


def array_of(value: Any) -> Any:
    """Return the array of a Variable, the rows of a RowGradient, or the array itself.

    An array has a ``data`` too, which is a raw buffer.
    """
    if hasattr(value, "requires_grad"):
        return value.data
    return value.values if hasattr(value, "rows") else value


def check_forward(node: Any, inputs: Sequence[Any], output: Any) -> Origin | None:
    """Raise if ``output`` is not finite; return where the call was made. Tell the observer."""
    if WATCH.observer is not None:
        WATCH.observer(node, inputs)
    if not WATCH.values:
        return None
    origin = Origin(LAYERS.path(), users_line(), described(inputs))
    for array in as_arrays(output):
        found = offence(array)
        if found:
            raise AnomalyError(
                f"{type(node).__name__}: made {found} {described([array])} from {origin.inputs}"
                + placed(origin)
            )
    return origin


def check_backward(node: Any, incoming: Any, outgoing: Any) -> None:
    """Raise if a gradient that ``node`` returned is not finite."""
    if not WATCH.values:
        return
    for array in as_arrays(outgoing):
        found = offence(array)
        if found:
            origin = node.origin or Origin("", "unknown: forward ran outside detect_anomaly", "?")
            raise AnomalyError(
                f"{type(node).__name__}.backward: made {found} {described([array])} from the "
                f"gradient {described(as_arrays(incoming))}; its inputs were {origin.inputs}"
                + placed(origin)
            )


def placed(origin: Origin) -> str:
    """Word where a call was made."""
    layer = f", in layer {origin.layer}" if origin.layer else ""
    return f"{layer}; called at {origin.line}"
