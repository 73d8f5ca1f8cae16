"""What a case is, and how its inputs are drawn.

Values keep away from kinks (|x| >= 0.1) and from ties, where finite differences mean nothing;
`test_semantics` and `calls` have those. Inputs are float64; integers and bools stay constants.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinymed.autograd import Function


@dataclass(frozen=True)
class Case:
    """One way to call an op: the arguments of its constructor, then its inputs."""

    op: str
    name: str
    inputs: tuple[Any, ...]
    settings: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    constant: tuple[int, ...] = ()  # positions of inputs of floats that want no gradient

    def node(self) -> Function:
        """Return a node that has not been called yet."""
        return Function.registry[self.op](*self.settings, **self.named)

    def __str__(self) -> str:
        return f"{self.op}-{self.name}"


CASES: list[Case] = []


def case(
    op: str,
    name: str,
    *inputs: Any,
    settings: tuple[Any, ...] = (),
    constant: tuple[int, ...] = (),
    **named: Any,
) -> None:
    arrays = tuple(np.asarray(x) if isinstance(x, np.generic) else x for x in inputs)
    CASES.append(Case(op, name, arrays, settings, named, constant))


RANDOM = np.random.default_rng(20240521)


def any_(*shape: int) -> np.ndarray:
    """Numbers of both signs, none near 0, none twice."""
    size = int(np.prod(shape))
    values = np.concatenate(
        [np.linspace(-2, -0.15, size - size // 2), np.linspace(0.1, 2.1, size // 2)]
    )
    return RANDOM.permutation(values).reshape(shape)


def positive(*shape: int) -> np.ndarray:
    return RANDOM.permutation(np.linspace(0.3, 2.5, int(np.prod(shape)))).reshape(shape)


def strided(*shape: int) -> np.ndarray:
    """The same, but every second element of a transposed array: neither contiguous nor owning."""
    wide = any_(*(2 * n for n in reversed(shape)))
    return wide[(slice(None, None, 2),) * wide.ndim].transpose()


def backwards(*shape: int) -> np.ndarray:
    """Strides below 0."""
    return any_(*shape)[(slice(None, None, -1),) * len(shape)]


def booleans(*shape: int) -> np.ndarray:
    return RANDOM.random(shape) < 0.5


def spatial(value: int, axes: int) -> tuple[int, ...]:
    return (value,) * axes
