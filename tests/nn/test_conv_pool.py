"""The fused first layer is its three layers, to the gradient."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("channels", "padding", "size"), [(1, 1, (8, 9)), (3, (0, 1), (7, 12))])
def test_it_is_convolution_relu_and_pooling(channels: int, padding: int, size, bias: bool) -> None:
    fused = nn.ConvPool2d(channels, 5, padding=padding, bias=bias, dtype=tm.float64)
    three = nn.Sequential(
        nn.Conv2d(channels, 5, 3, padding=padding, bias=bias, dtype=tm.float64),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )
    three[0].load_state_dict(fused.state_dict())
    x = np.random.default_rng(0).standard_normal((2, channels, *size))
    found = []
    for model in (fused, three):
        given = tm.tensor(x, requires_grad=True)
        y = model(given)
        (y * y).sum().backward()
        found.append([y.data, given.grad.data, *(p.grad.data for p in model.parameters())])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_bad_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="ConvPool2d"):
        nn.ConvPool2d(0, 4)
    with pytest.raises(ValueError, match=r"conv_pool2d: .* positions"):
        nn.ConvPool2d(1, 4)(tm.zeros(1, 1, 3, 3))
