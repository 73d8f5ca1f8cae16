"""Cases for the simulator, where those of ``cases.py`` are of one number or of thousands."""

from __future__ import annotations

import numpy as np

from tinymed.kernels.activation import cases as activation
from tinymed.kernels.activation import reference
from tinymed.kernels.case import Case
from tinymed.kernels.device_rules.numba_cuda import FORMULAS
from tinymed.kernels.embedding.cases import reading
from tinymed.kernels.optimizer.cases import ADAM, STATE, network
from tinymed.kernels.pooling import reference as pooling

__all__ = ["SMALL_CASES"]

WINDOWS = (  # spatial, kernel, stride, padding, dilation, out
    ((5, 4), (2, 2), (2, 2), (1, 1), (1, 1), (3, 3)),
    ((4, 7), (3, 2), (1, 2), (1, 0), (1, 2), (4, 3)),
)
SHAPES = [(3, 5), (), (0, 4), (1, 3)]


def _forward(name, settings):
    return lambda rng, dtype: ((4 * rng.standard_normal((3, 7))).astype(dtype), name, *settings)


def _grad(name, settings):
    def make(rng, dtype):
        g, known = ((4 * rng.standard_normal((3, 7))).astype(dtype) for _ in range(2))
        if name in activation.KNOWS_Y:
            known = reference.forward(known, name)
        return g, known, name, *settings

    return make


def _won(spatial, kernel, stride, padding, dilation, out):
    def make(rng, dtype):
        x = rng.integers(-2, 3, (2, 2, *spatial)).astype(dtype)
        _, winner = pooling.max_forward(x, kernel, stride, padding, dilation, out)
        g = rng.standard_normal(winner.shape).astype(dtype)
        return g, winner, spatial, kernel, stride, padding, dilation

    return make


def _masked(back):
    def make(rng, dtype):
        logits = rng.standard_normal((5, 19)).astype(dtype)
        logits[:, 1:] = np.where(rng.random((5, 18)) < 0.6, -np.inf, logits[:, 1:])
        logits[4] = -np.inf
        target = np.zeros(5, np.int64)
        return (rng.standard_normal(5).astype(dtype), logits, target) if back else (logits, target)

    return make


SMALL_CASES = [
    Case("softmax.cross_entropy", "most logits -inf, once all", _masked(False), 19),
    Case("softmax.cross_entropy_grad", "most logits -inf, once all", _masked(True), 19),
    *(
        Case(f"activation.{kernel}", f"{name} (3, 7)", make(name, activation.SETTINGS[name][0]))
        for name in FORMULAS
        for kernel, make in (("forward", _forward), ("grad", _grad))
    ),
    *(
        Case("optimizer.adam", f"{name}, small", network(SHAPES, STATE, STATE, *given), terms=4)
        for name, given in (
            ("first", (1, *ADAM, None, 0.0, False)),
            ("decay", (5000, *ADAM, None, 0.3, False)),
            ("decoupled decay", (7, *ADAM, None, 0.3, True)),
            ("amsgrad", (7, *ADAM, STATE, 0.0, False)),
        )
    ),
    Case("embedding.forward", "ids (2, 3)", reading(7, 5, (2, 3))),
    *(Case("pooling.max_grad_input", f"{w}", _won(*w), int(np.prod(w[1]))) for w in WINDOWS),
]
