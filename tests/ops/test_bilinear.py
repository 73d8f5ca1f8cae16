"""The bilinear form against its sum."""

import numpy as np
import pytest

from tests import loops
from tinymed import nn, ops
from tinymed.creation import ones
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor


def drawn(*shape: int) -> Tensor:
    return Tensor(np.random.default_rng(len(shape)).standard_normal(shape), requires_grad=True)


def test_equals_its_sum() -> None:
    random = np.random.default_rng(0)
    a, b, w, c = (random.integers(-3, 4, s) * 1.0 for s in ((4, 3), (4, 2), (5, 3, 2), (5,)))
    expected = np.zeros((4, 5)) + c
    for n, k, i, j in loops.places((4, 5, 3, 2)):
        expected[n, k] += a[n, i] * w[k, i, j] * b[n, j]
    np.testing.assert_array_equal(ops.bilinear(a, b, w, c), expected)


def test_derivatives() -> None:
    inputs = drawn(2, 3), drawn(2, 2), drawn(2, 3, 2), drawn(2)
    assert gradcheck(ops.bilinear, inputs)
    assert gradgradcheck(ops.bilinear, inputs)


def test_layer() -> None:
    layer = nn.Bilinear(9, 4, 50, generator=np.random.default_rng(0))
    assert layer.weight.shape == (50, 9, 4)
    assert 0.3 < abs(layer.weight.data).max() <= 1 / 3
    assert 0.2 < abs(layer.bias.data).max() <= 1 / 3
    assert nn.Bilinear(2, 2, 1, bias=False).bias is None
    assert layer.multiply_adds((7, 50)) == 7 * 50 * 4 * (9 + 1)
    shown = "in1_features=9, in2_features=4, out_features=50, bias=True"
    assert repr(layer) == f"Bilinear({shown})"


def test_refuses() -> None:
    layer = nn.Bilinear(3, 2, 4)
    with pytest.raises(ValueError, match=r"^bilinear: input1 \(5, 3\) and input2 \(4, 2\) must be"):
        layer(ones(5, 3), ones(4, 2))
    with pytest.raises(ValueError, match=r"weight \(4, 3, 2\) must be \(K, I, J\) for input1"):
        layer(ones(5, 2), ones(5, 3))
    with pytest.raises(ValueError, match="Bilinear: in1_features=0 is not a positive integer"):
        nn.Bilinear(0, 2, 3)
