"""Every op on the arrays of a GPU, which a stand-in for CuPy holds: what it computes, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy, ndarray
from tests.ops.cases import CASES, Case
from tests.ops.test_registry import differentiable, tensors, wanted
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor


def moved(cupy: FakeCuPy, x: Any) -> Any:
    """Inputs or settings on the device: arrays, and the arrays of tensors."""
    if isinstance(x, Tensor):
        return Tensor(cupy.asarray(x.data), x.requires_grad)
    if isinstance(x, np.ndarray):
        return cupy.asarray(x)
    return type(x)(moved(cupy, each) for each in x) if type(x) in (tuple, list) else x


def node(cupy: FakeCuPy, case: Case) -> Function:
    """The op, with the arrays among its settings on the device too."""
    if case.op == "Resample":  # finds its taps on the host, and sends them
        return case.node()
    named = {name: moved(cupy, x) for name, x in case.named.items()}
    return Function.registry[case.op](*moved(cupy, case.settings), **named)


def hosts(results: Any) -> list[np.ndarray]:
    several = results if isinstance(results, tuple) else (results,)
    arrays = [y.data if isinstance(y, Tensor) else y for y in several]
    arrays = [y.to_dense() if isinstance(y, RowGradient) else y for y in arrays]
    assert all(type(array) is ndarray for array in arrays)
    return [array.host for array in arrays]


@pytest.mark.parametrize("case", [c for c in CASES if c.op != "ToDevice"], ids=str)
def test_op(case: Case, cupy: FakeCuPy) -> None:
    """Arrays and tensors, forward and back, as on the host."""
    expected = case.node()(*case.inputs)
    several = expected if isinstance(expected, tuple) else (expected,)
    for y, z in zip(several, hosts(node(cupy, case)(*moved(cupy, case.inputs))), strict=True):
        np.testing.assert_allclose(z, y, rtol=1e-6, atol=1e-9, strict=True)
    if not wanted(case):
        return
    here = tensors(case)
    there = moved(cupy, here)
    found = []
    for xp, op, inputs in ((np, case.node(), here), (cupy, node(cupy, case), there)):
        outputs = differentiable(op(*inputs))
        weights = [xp.ones(y.shape) for y in outputs]
        found.append(grad(outputs, [inputs[i] for i in wanted(case)], weights))
    for g, h in zip(*found, strict=True):
        np.testing.assert_allclose(hosts(h)[0], dense(g), rtol=1e-6, atol=1e-9)


def dense(gradient: Any) -> np.ndarray:
    return gradient.to_dense() if isinstance(gradient, RowGradient) else gradient.data
