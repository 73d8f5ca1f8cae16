"""conv_pool2d is conv2d, relu and max_pool2d in one."""

import numpy as np
import pytest

from tinymed import ops
from tinymed.tensor import Tensor


def three_ops(x, weight, bias, padding):
    return ops.max_pool2d(ops.relu(ops.conv2d(x, weight, bias, padding=padding)), 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("padding", [0, 1, (2, 0)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_three_ops(dtype, padding, bias):
    rng = np.random.default_rng(2)
    shapes = [(3, 2, 9, 39), (5, 2, 3, 3), (5,)]
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    gradients = []
    for op in (ops.conv_pool2d, three_ops):
        inputs = [Tensor(a, requires_grad=True) for a in arrays]
        y = op(inputs[0], inputs[1], inputs[2] if bias else None, padding)
        (y * Tensor(np.cos(np.arange(y.numel())).astype(dtype).reshape(y.shape))).sum().backward()
        gradients.append([y.data, *(t.grad.numpy() for t in inputs[: 2 + bias])])
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    for found, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_where_relu_is_dead_there_is_no_gradient():
    x, weight = Tensor(-np.ones((1, 1, 4, 4)), True), Tensor(np.ones((1, 1, 3, 3)), True)
    y = ops.conv_pool2d(x, weight)
    y.sum().backward()
    assert y.item() == 0
    assert not x.grad.numpy().any()
    assert not weight.grad.numpy().any()


def test_a_single_image():
    rng = np.random.default_rng(3)
    x, weight = rng.standard_normal((2, 6, 6)), rng.standard_normal((3, 2, 3, 3))
    np.testing.assert_array_equal(
        ops.conv_pool2d(x, weight, None, 1), ops.conv_pool2d(x[None], weight, None, 1)[0]
    )


@pytest.mark.parametrize(
    ("x", "weight", "bias", "padding", "words"),
    [
        ((1, 1, 8, 8), (2, 1, 5, 5), None, 0, r"windows other than \(3, 3\); use conv2d"),
        ((1, 3, 8, 8), (2, 1, 3, 3), None, 0, "3 channels"),
        ((1, 1, 3, 8), (2, 1, 3, 3), None, 0, r"leaves \(1, 6\) positions"),
        ((1, 1, 8, 8), (2, 1, 3, 3), (3,), 0, r"bias \(3,\)"),
        ((8, 8), (2, 1, 3, 3), None, 0, "4 axes"),
        ((1, 1, 8, 8), (2, 1, 3, 3), None, -1, "padding=-1"),
    ],
)
def test_bad_shapes_are_refused_by_name(x, weight, bias, padding, words):
    with pytest.raises(ValueError, match=words):
        ops.conv_pool2d(
            np.ones(x), np.ones(weight), None if bias is None else np.ones(bias), padding
        )


def test_integers_are_refused():
    with pytest.raises(TypeError, match="conv_pool2d"):
        ops.conv_pool2d(np.ones((1, 1, 4, 4), int), np.ones((1, 1, 3, 3), int))
