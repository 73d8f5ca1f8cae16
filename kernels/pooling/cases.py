"""What pooling is proved and timed on."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.case import Case
from tinymed.kernels.conv.reference import Ints
from tinymed.kernels.pooling.reference import first_inside


class Window(NamedTuple):
    """Sizes of an input and the settings of the windows over it."""

    shape: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    ceil: bool = False

    @property
    def out(self) -> Ints:
        """Return how many windows there are along each axis."""
        settings = zip(
            self.shape[2:], self.kernel, self.stride, self.padding, self.dilation, strict=True
        )
        return tuple(_windows(*setting, self.ceil) for setting in settings)

    def __str__(self) -> str:
        """Return the sizes as the field writes them."""
        sizes = ("x".join(map(str, each)) for each in self[:5])
        name = "{}, windows {} stride {} padding {} dilation {}".format(*sizes)
        return name + ", ceil" * self.ceil


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _square(shape: Ints, kernel: int, stride: int, padding: int = 0, dilation: int = 1) -> Window:
    axes = len(shape) - 2
    kernels, strides = (kernel,) * axes, (stride,) * axes
    return Window(shape, kernels, strides, (padding,) * axes, (dilation,) * axes)


def _values(rng: np.random.Generator, shape: Ints, dtype: np.dtype[Any], special: str) -> Array:
    """Return normal numbers, or such that are hard to compare."""
    if special == "ties":
        return rng.integers(-1, 2, shape).astype(dtype)
    x = rng.standard_normal(shape).astype(dtype)
    if special == "nan and inf":
        x = rng.choice(np.array([np.nan, np.inf, -np.inf, 0, 1], dtype), shape)
    return np.full_like(x, -np.inf) if special == "all -inf" else x


def _won(rng: np.random.Generator, w: Window) -> Array:
    """Return winning taps; where padding makes it matter, those that it makes win."""
    taps = math.prod(w.kernel)
    shape = (*w.shape[:2], *w.out)
    if any(w.padding) or w.ceil:
        first = first_inside(w.kernel, w.stride, w.padding, w.dilation, w.out)
        won = np.broadcast_to(first, shape)
    else:
        won = rng.integers(0, taps, shape)
    return won.astype(np.uint8 if taps <= 256 else np.int32)


def _forward(w: Window, special: str = "") -> Any:
    return lambda rng, dtype: (_values(rng, w.shape, dtype, special), *w[1:5], w.out)


def _grad_input(w: Window) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        g = rng.standard_normal((*w.shape[:2], *w.out)).astype(dtype)
        return g, _won(rng, w), w.shape[2:], *w[1:5]

    return make


def _gather(w: Window) -> Any:
    return lambda rng, dtype: (_values(rng, w.shape, dtype, ""), _won(rng, w), *w[1:5])


def _divisor(rng: np.random.Generator, w: Window, dtype: np.dtype[Any], varies: bool) -> Any:
    return rng.integers(1, 9, w.out).astype(dtype) if varies else math.prod(w.kernel)


def _average(w: Window, varies: bool = False) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x = _values(rng, w.shape, dtype, "")
        return x, *w[1:4], w.out, _divisor(rng, w, dtype, varies)

    return make


def _average_grad(w: Window, varies: bool = False) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        g = rng.standard_normal((*w.shape[:2], *w.out)).astype(dtype)
        return g, w.shape[2:], *w[1:4], _divisor(rng, w, dtype, varies)

    return make


SQUARES = [
    _square((2, 3, 12, 64), 2, 2),
    _square((3, 2, 13, 37), 2, 2),
    _square((1, 1, 5, 4), 2, 2, 1),
    _square((2, 3, 9, 70), 3, 2, 1),
    _square((3, 1, 10, 35), 3, 2, 1),
    _square((1, 2, 7, 39), 3, 2),
    _square((2, 2, 6, 41), 3, 1, 1),
    _square((2, 1, 7, 40), 5, 3, 2),
    _square((1, 1, 4, 4), 4, 4),
    _square((0, 3, 8, 8), 2, 2),
    _square((2, 3, 71), 2, 2),
    _square((2, 3, 19), 4, 1, 2),
    _square((2, 2, 6, 5, 36), 2, 2),
    _square((1, 2, 5, 6, 7), 3, 2, 1),
]
UNEVEN = [
    Window((2, 2, 9, 38), (2, 3), (1, 2), (0, 1), (1, 1)),
    Window((2, 2, 38, 9), (3, 2), (2, 2), (1, 0), (1, 1), True),
    Window((1, 2, 8, 35), (2, 2), (2, 2), (0, 0), (1, 1), True),
    Window((1, 2, 8, 36), (3, 3), (2, 2), (1, 1), (1, 1), True),
]
DILATED = [
    _square((2, 2, 11, 40), 3, 1, 1, 2),
    _square((2, 2, 11, 40), 3, 2, 1, 3),
    Window((1, 1, 9), (2,), (1,), (1,), (10,)),  # both taps are padding
    Window((1, 2, 5, 4), (2, 1), (1, 1), (1, 0), (6, 1)),
    Window((2, 1, 5, 2, 3), (2, 1, 1), (1, 1, 1), (1, 0, 0), (6, 1, 1)),
    _square((1, 2, 20, 36), 17, 1, 8),  # more taps than a byte can number
]
GEOMETRIES = SQUARES + UNEVEN
WHOLE = [  # one window a plane
    Window((3, 5, 4, 9), (4, 9), (4, 9), (0, 0), (1, 1)),
    Window((2, 3, 67), (67,), (1,), (0,), (1,)),
    Window((1, 2, 3, 4, 5), (3, 4, 5), (3, 4, 5), (0, 0, 0), (1, 1, 1)),
    Window((1, 70, 1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
]


def _proofs() -> list[Case]:
    cases = []
    for w in GEOMETRIES + DILATED:
        taps = math.prod(w.kernel)
        cases.append(Case("pooling.max_forward", str(w), _forward(w)))
        cases.append(Case("pooling.max_grad_input", str(w), _grad_input(w), taps))
        cases.append(Case("pooling.max_gather", str(w), _gather(w)))
    for w in GEOMETRIES + WHOLE:
        taps = math.prod(w.kernel)
        for varies in (False, True):
            name = f"{w}, {'one divisor each' if varies else 'one divisor'}"
            cases.append(Case("pooling.avg_forward", name, _average(w, varies), taps))
            cases.append(Case("pooling.avg_grad_input", name, _average_grad(w, varies), taps))
    cases += [
        Case("pooling.max_forward", f"{special}: {w}", _forward(w, special))
        for special in ("ties", "nan and inf", "all -inf")
        for w in (*GEOMETRIES, *DILATED)
    ]
    return cases


def _benches() -> list[Case]:
    cases = []
    for w in (
        _square((32, 64, 56, 56), 2, 2),
        _square((32, 64, 56, 56), 3, 2, 1),
        _square((32, 16, 64, 64), 2, 2),
        _square((2, 16, 32, 64, 64), 2, 2),
        _square((32, 64, 1000), 2, 2),
    ):
        taps, size = math.prod(w.kernel), math.prod(w.shape)
        windows = math.prod((*w.shape[:2], *w.out))
        for kernel, make, moved in (
            ("max_forward", _forward(w), 4 * size + 5 * windows),
            ("max_grad_input", _grad_input(w), 4 * size + 5 * windows),
            ("avg_forward", _average(w), 4 * (size + windows)),
            ("avg_grad_input", _average_grad(w), 4 * (size + windows)),
        ):
            name = f"pooling.{kernel}"
            cases.append(Case(name, str(w), make, taps, flops=taps * windows, bytes=moved))
    return cases


PROOFS = _proofs()
BENCHES = _benches()
