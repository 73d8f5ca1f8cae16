"""What activations are proved and timed on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.activation import reference
from tinymed.kernels.case import Case

SETTINGS: dict[str, tuple[tuple[float, ...], ...]] = {
    "relu": ((),),
    "leaky_relu": ((0.01,), (0.0,), (-2.0,)),
    "elu": ((1.0, 1.0, 1.0), (1.7, 1.05, 1.0), (0.5, 1.0, 2.0), (-2.0, 1.0, -0.5)),
    "hardtanh": ((-1.0, 1.0), (0.0, 6.0)),
    "hardsigmoid": ((),),
    "hardswish": ((),),
    "sigmoid": ((),),
    "tanh": ((),),
    "softplus": ((1.0, 20.0), (1.0, math.inf), (-1.5, 2.0), (0.1, 5.0)),
    "logsigmoid": ((),),
    "silu": ((),),
    "mish": ((),),
    "gelu": ((),),
    "gelu_tanh": ((),),
}
KNOWS_Y = ("relu", "sigmoid", "tanh")


def _elements(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    return np.asarray(4 * rng.standard_normal(shape), dtype)  # also of shape (): an array


def _forward(name: str, shape: tuple[int, ...], settings: tuple[float, ...]) -> Any:
    return lambda rng, dtype: (_elements(rng, shape, dtype), name, *settings)


def _grad(name: str, shape: tuple[int, ...], settings: tuple[float, ...]) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        g, known = (_elements(rng, shape, dtype) for _ in range(2))
        if name in KNOWS_Y:
            known = np.asarray(reference.forward(known, name), dtype)
        return g, known, name, *settings

    return make


def _proofs() -> list[Case]:
    cases = []
    for name, several in SETTINGS.items():
        for settings in several:
            what = f"{name} {settings}" if settings else name
            for kernel, make in (("forward", _forward), ("grad", _grad)):
                cases += [
                    Case(f"activation.{kernel}", f"{what} {shape}", make(name, shape, settings))
                    for shape in ((3, 70, 5), (1,), (), (0, 4))
                ]
    return cases


def _benches() -> list[Case]:
    cases = []
    for shape in ((32, 128), (32, 16, 64, 64)):
        size = math.prod(shape)
        for name, (settings, *_) in SETTINGS.items():
            for kernel, make, arrays in (("forward", _forward, 2), ("grad", _grad, 3)):
                made, moved = make(name, shape, settings), 4 * arrays * size
                cases.append(Case(f"activation.{kernel}", f"{name} {shape}", made, bytes=moved))
    return cases


PROOFS = _proofs()
BENCHES = _benches()
