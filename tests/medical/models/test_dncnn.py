"""The denoising network: sides of any length, and an image less what it takes for noise."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed import Tensor, nn, no_grad
from tinymed.medical.models import DnCNN


@pytest.mark.parametrize("size", [(8, 8), (9, 14), (1, 7)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_sides_stay(size, stride):
    network = DnCNN(width=4, depth=3, stride=stride)
    assert network(Tensor(np.ones((2, 1, *size), np.float32))).shape == (2, 1, *size)


def test_it_takes_off_what_its_convolutions_say():
    """Without noise predicted, the image itself; with a constant one, the image less that."""
    network = DnCNN(width=4, depth=3).eval()
    x = np.random.default_rng(0).standard_normal((2, 1, 7, 10)).astype(np.float32)
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d)][-1]
    with no_grad():
        last.weight.zero_()
        last.bias.zero_()
        assert np.array_equal(network(Tensor(x)).numpy(), x)
        last.bias.add_(0.25)
        assert network(Tensor(x)).numpy() == pytest.approx(x - 0.25, abs=1e-6)


def test_blocks_of_pixels_go_back_to_their_places():
    """Convolutions that change nothing call the whole image noise, each pixel at its own place."""
    network = DnCNN(width=4, depth=2).eval()
    first, last = (m for m in network.modules() if isinstance(m, nn.Conv2d))
    with no_grad():
        for layer in (first, last):
            layer.weight.zero_()
            layer.bias.zero_()
            for channel in range(4):
                layer.weight.data[channel, channel, 1, 1] = 1
        x = np.random.default_rng(0).random((1, 1, 6, 6)).astype(np.float32)
        assert network(Tensor(x)).numpy() == pytest.approx(0 * x, abs=1e-6)


def test_bad_sizes():
    with pytest.raises(ValueError, match="depth=1, stride=2; >= 2 and >= 1 expected"):
        DnCNN(depth=1)
