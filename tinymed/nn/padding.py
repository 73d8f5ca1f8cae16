"""Layers that put elements around a sequence, an image or a volume."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

from tinymed import ops
from tinymed.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """The family: ``axes`` spatial axes, padded in one ``mode``.

    Parameters
    ----------
    padding : int or sequence of int
        One amount for all sides, or (low, high) for the last axis, then for the one before it ...
        A negative amount cuts off.
    """

    axes: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = 2 * self.axes
        amounts = tuple(padding) if isinstance(padding, Sequence) else (padding,) * sides
        if len(amounts) != sides or not all(isinstance(n, Integral) for n in amounts):
            raise ValueError(
                f"{type(self).__name__}: padding={padding!r} is not an integer, or {sides} of them"
            )
        self.padding = amounts

    def forward(self, x: Any) -> Any:
        """Return the padded (N, C, ...) or (C, ...)."""
        if x.ndim not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"{type(self).__name__}: x {x.shape} has {x.ndim} axes, expected (N, C, ...) or "
                f"(C, ...) with {self.axes} behind C"
            )
        return self.padded(x)

    def padded(self, x: Any) -> Any:
        """Return the padded input."""
        return ops.pad(x, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """y = ``value`` around x."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, x: Any) -> Any:
        """Return the padded (..., the axes); any axes may stand before them."""
        return ops.pad(x, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """y = ``value`` around a sequence (..., T)."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """y = ``value`` around an image (..., H, W)."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """y = ``value`` around a volume (..., D, H, W)."""

    axes = 3


class _ZeroPad(_ConstantPad):
    """y = 0 around x."""

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """y = 0 around a sequence (..., T)."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """y = 0 around an image (..., H, W)."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """y = 0 around a volume (..., D, H, W)."""

    axes = 3


class ReflectionPad1d(_Pad):
    """y = x with its mirror image at both ends of (N, C, T), the end itself not repeated."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """y = x with its mirror image around (N, C, H, W), the edge itself not repeated."""

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """y = x with its mirror image around (N, C, D, H, W), the edge itself not repeated."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """y = x with its ends continued: (N, C, T)."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """y = x with its edges continued: (N, C, H, W)."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """y = x with its edges continued: (N, C, D, H, W)."""

    axes, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """y = x going round at both ends of (N, C, T)."""

    axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """y = x going round at all edges of (N, C, H, W)."""

    axes, mode = 2, "circular"


class CircularPad3d(_Pad):
    """y = x going round at all faces of (N, C, D, H, W)."""

    axes, mode = 3, "circular"
