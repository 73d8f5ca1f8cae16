"""Networks of odd parameters for proof, and those that models are made of for the clock."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make

ODD = [(3, 5), (), (33,), (0, 4), (2, 3, 1, 7), (1,), (128,), (3, 23001)]  # the last: in pieces
RESNET18 = [
    (64, 3, 7, 7),
    *[(64, 64, 3, 3)] * 4,
    *[(128, 64, 3, 3), *[(128, 128, 3, 3)] * 3],
    *[(256, 128, 3, 3), *[(256, 256, 3, 3)] * 3],
    *[(512, 256, 3, 3), *[(512, 512, 3, 3)] * 3],
    *[(256,)] * 40,
    (1000, 512),
]
MLP = [(64, 30), (64,), (32, 64), (32,), (2, 32), (2,)]

STATE = object()  # in the arguments of a rule: here stand arrays of numbers above 0.1
MEAN = object()  # and here of small ones: the square of a mean is below the mean of squares


def network(shapes: Any, *arguments: Any, harsh: bool = False) -> Make:
    """Return what makes parameters, gradients and the ``arguments``, `STATE` and `MEAN` replaced.

    ``harsh``: some parameters and gradients are NaN or 0.
    """

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        def arrays() -> list[Any]:
            return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]

        param, grad = arrays(), arrays()
        if harsh:
            param[2][:2] = math.nan, 0
            grad[2][2:4] = math.nan, 0
        state = ([np.asarray(abs(a) + 0.1, dtype) for a in arrays()] for _ in arguments)
        means = ([np.asarray(a / 100, dtype) for a in arrays()] for _ in arguments)
        chosen = {id(STATE): state, id(MEAN): means}
        return param, grad, *(next(chosen[id(a)]) if id(a) in chosen else a for a in arguments)

    return make


def whole_numbers(shapes: Any) -> Make:
    """Return what makes arrays whose sum of squares is the same in any order."""
    return lambda rng, dtype: ([np.asarray(rng.integers(-9, 10, s), dtype) for s in shapes],)


ADAM = (1e-2, 0.9, 0.99, 1e-8)  # lr, beta1, beta2, eps

RULES: list[tuple[str, str, tuple[Any, ...]]] = [
    ("sgd", "plain", (None, 0.1, 0.0, 0.0, False, True, 0.0)),
    ("sgd", "with decay", (None, 0.1, 0.0, 0.0, False, True, 0.3)),
    ("sgd", "momentum, first", (STATE, 0.1, 0.9, 0.5, False, True, 0.0)),
    ("sgd", "momentum, dampening", (STATE, 0.1, 0.9, 0.5, False, False, 0.3)),
    ("sgd", "nesterov, first", (STATE, 0.1, 0.9, 0.0, True, True, 0.0)),
    ("sgd", "nesterov", (STATE, 0.1, 0.9, 0.0, True, False, 0.0)),
    ("adam", "first", (STATE, STATE, 1, *ADAM, None, 0.0, False)),
    ("adam", "late, with decay", (STATE, STATE, 5000, *ADAM, None, 0.3, False)),
    ("adam", "decoupled decay", (STATE, STATE, 7, *ADAM, None, 0.3, True)),
    ("adam", "amsgrad", (STATE, STATE, 7, *ADAM, STATE, 0.0, False)),
    ("adamax", "plain", (STATE, STATE, 3, *ADAM, 0.0)),
    ("adamax", "with decay", (STATE, STATE, 3, *ADAM, 0.3)),
    ("nadam", "plain", (STATE, STATE, 3, *ADAM, 0.5, 0.6, 0.2, 0.0, False)),
    ("nadam", "decoupled decay", (STATE, STATE, 3, *ADAM, 0.5, 0.6, 0.2, 0.3, True)),
    ("radam", "not trusted", (STATE, STATE, 3, *ADAM, 0.3, False)),
    ("radam", "trusted", (STATE, STATE, 30, *ADAM, 0.3, True)),
    ("sparse_adam", "plain", (STATE, STATE, 3, *ADAM)),
    ("rmsprop", "plain", (STATE, None, None, 1e-2, 0.9, 1e-8, 0.0, 0.0)),
    ("rmsprop", "momentum", (STATE, STATE, None, 1e-2, 0.9, 1e-8, 0.9, 0.3)),
    ("rmsprop", "centered", (STATE, None, MEAN, 1e-2, 0.9, 0.1, 0.0, 0.0)),
    ("rmsprop", "both", (STATE, STATE, MEAN, 1e-2, 0.9, 0.1, 0.9, 0.3)),
    ("adagrad", "plain", (STATE, 0.1, 1e-10, 0.0)),
    ("adagrad", "with decay", (STATE, 0.1, 1e-10, 0.3)),
    ("adadelta", "plain", (STATE, STATE, 1.0, 0.9, 1e-6, 0.0)),
    ("adadelta", "with decay", (STATE, STATE, 1.0, 0.9, 1e-6, 0.3)),
]

PROOFS = [
    Case(f"optimizer.{rule}", f"{name}{kind}", network(ODD, *arguments, harsh=harsh), terms=4)
    for rule, name, arguments in RULES
    for kind, harsh in (("", False), (", NaN", True))
]
PROOFS += [
    Case(f"optimizer.{rule}", "70 arrays", network([(9,)] * 70, *arguments), terms=4)
    for rule, name, arguments in RULES
    if (rule, name) in (("sgd", "nesterov"), ("adam", "amsgrad"))
]
PROOFS += [
    Case("optimizer.squares", "odd shapes", whole_numbers(ODD)),
    Case("optimizer.squares", "no elements", whole_numbers([(0, 3)])),
]


def bench(name: str, rule: str, arguments: tuple[Any, ...], flops: int) -> Case:
    """Return a case of `RESNET18` or `MLP`: every array read once, all but the gradient written."""
    shapes = {"ResNet-18": RESNET18, "MLP 30-64-32-2": MLP}[name]
    elements, arrays = sum(map(math.prod, shapes)), 2 + sum(a is STATE for a in arguments)
    moved = 4 * (2 * arrays - 1)  # bytes of an element
    make = network(shapes, *arguments)
    return Case(f"optimizer.{rule}", name, make, flops=flops * elements, bytes=moved * elements)


BENCHES = [
    bench(name, rule, arguments, flops)
    for name in ("MLP 30-64-32-2", "ResNet-18")
    for rule, arguments, flops in (
        ("sgd", (STATE, 0.1, 0.9, 0.0, False, False, 0.0), 5),
        ("adam", (STATE, STATE, 7, *ADAM, None, 0.0, False), 12),
        ("rmsprop", (STATE, None, None, 1e-2, 0.9, 1e-8, 0.0, 0.0), 9),
    )
]
BENCHES += [
    Case("optimizer.squares", name, whole_numbers(shapes), flops=2 * n, bytes=4 * n)
    for name, shapes in (("MLP 30-64-32-2", MLP), ("ResNet-18", RESNET18))
    for n in (sum(map(math.prod, shapes)),)
]
