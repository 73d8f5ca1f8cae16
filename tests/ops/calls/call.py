"""What a call is, how its inputs are drawn, and where tinymed differs from PyTorch on purpose."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(0)


@dataclass(frozen=True)
class Call:
    """A call written once, for both libraries, and its inputs."""

    name: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    family: str

    def __str__(self) -> str:
        return self.name


class Constant(np.ndarray):
    """An input of floats that wants no gradient."""

    def __new__(cls, values: np.ndarray) -> "Constant":
        return np.asarray(values).view(cls)


CALLS: dict[str, Call] = {}
DEVIATIONS: dict[str, str] = {}  # pattern of names -> what tinymed does instead, and why
ROUNDED: list[str] = []  # patterns of names whose results are sums of terms that cancel
_family = [""]


def begin(family: str) -> None:
    """Draw what follows from numbers of its own, so that no family changes another's inputs."""
    _family[0] = family
    RANDOM.bit_generator.state = np.random.default_rng(
        zlib.crc32(family.encode())
    ).bit_generator.state


def compare(name: str, call: Callable[..., Any], *inputs: Any) -> None:
    """Add ``call(module, *inputs)``, made with `tinymed.ops` and with `torch`."""
    assert name not in CALLS, name
    CALLS[name] = Call(name, call, inputs, _family[0])


def deviates(pattern: str, how: str) -> None:
    """Say that calls with such names (as in `fnmatch`) give another result, and why."""
    DEVIATIONS[pattern] = how


def rounded(pattern: str) -> None:
    """Compare calls with such names to within rounding of the largest element of each result."""
    ROUNDED.append(pattern)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape)


def whole(*shape: int) -> np.ndarray:
    return RANDOM.integers(-3, 4, shape)


nan, inf = math.nan, math.inf
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.0, inf, -inf, nan, 90.0, -90.0, 1e-300, 3.0])
EMPTY = np.zeros((0, 3))
