"""Is anything recorded in this thread: the state that the engine asks, and its switches."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

__all__ = ["enable_grad", "inference_mode", "is_grad_enabled", "no_grad", "set_grad_enabled"]

Switch: TypeAlias = "contextlib._GeneratorContextManager[None]"  # for with, or as a decorator


class Mode(threading.local):
    """What holds in this thread: is anything recorded, is anything cast."""

    enabled = True
    casts: tuple[str, Any] | None = None  # where `amp.autocast` holds, a kind of device; its dtype


MODE = Mode()


def is_grad_enabled() -> bool:
    """Return whether calls are recorded in this thread."""
    return MODE.enabled


@contextlib.contextmanager
def switched(enabled: bool) -> Iterator[None]:
    """Record calls, or not, inside."""
    before, MODE.enabled = MODE.enabled, enabled
    try:
        yield
    finally:
        MODE.enabled = before


def no_grad() -> Switch:
    """Record nothing inside: ``with no_grad():`` or ``@no_grad()``."""
    return switched(False)


def enable_grad() -> Switch:
    """Record again inside a `no_grad` block."""
    return switched(True)


def inference_mode(mode: bool = True) -> Switch:
    """Record nothing inside, or again for False.

    The same as `no_grad`: there is no more to be saved, and results may be trained with later.
    """
    return switched(not mode)


class set_grad_enabled:  # noqa: N801 - it reads as the call that it is, as in PyTorch
    """Record calls, or not, in this thread, from this call on.

    After ``with`` what held before it holds again; as a decorator it is about the function alone.
    """

    def __init__(self, mode: bool) -> None:
        self.mode, self.before = bool(mode), MODE.enabled
        MODE.enabled = self.mode

    def __enter__(self) -> None:
        MODE.enabled = self.mode

    def __exit__(self, *_: object) -> None:
        MODE.enabled = self.before

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` as one that switches for itself alone."""
        MODE.enabled = self.before
        return switched(self.mode)(function)
