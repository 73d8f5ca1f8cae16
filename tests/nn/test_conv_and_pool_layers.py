"""Convolution and pooling layers beyond calling their op: settings, starting values, fusion."""

import re
from typing import Any

import numpy as np
import pytest

from tests import loops
from tinymed import nn
from tinymed.backpropagation import grad
from tinymed.creation import ones
from tinymed.tensor import Tensor

ACTIVATIONS = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid()}
FUSED = [
    (nn.ConvTranspose1d, (2, 3, 3, 2, 1), {}, (2, 2, 4)),
    (nn.ConvTranspose2d, (2, 4, 3, 2, 1, 1, 2), {}, (2, 2, 3, 2)),
    (nn.ConvTranspose3d, (1, 2, 2), {"bias": False}, (1, 1, 2, 2, 2)),
    (nn.Conv2d, (2, 2, 2), {"padding": "same"}, (1, 2, 3, 3)),
    (nn.Conv1d, (2, 2, 3), {"padding": 1, "padding_mode": "circular"}, (2, 2, 4)),
]


def everything(model: Any, array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return output, gradients, and the gradients of the size of the gradients."""
    x = Tensor(array, requires_grad=True)
    leaves = [x, *model.parameters()]
    output = model(x)
    weight = np.cos(np.arange(output.numel())).reshape(output.shape)
    first = grad(output, leaves, weight, create_graph=True)
    size = sum((g * g).sum() for g in first)
    second = grad(size, leaves, allow_unused=True)
    return [output.data, *(g.data for g in first), *(s.data for s in second if s is not None)]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("kind", "settings", "named", "shape"), FUSED)
def test_fused_activation(kind: Any, settings: Any, named: Any, shape: Any, name: str) -> None:
    """activation= is the layer followed by the activation, to the second derivative."""
    generator = np.random.default_rng(4)
    fused = kind(*settings, **named, activation=name, generator=generator).double()
    plain = kind(*settings, **named).double()
    plain.load_state_dict(fused.state_dict())
    array = generator.standard_normal(shape)
    found = everything(fused, array)
    expected = everything(nn.Sequential(plain, ACTIVATIONS[name]), array)
    assert len(found) == len(expected) >= 1 + 2 * 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "fan"),
    [
        (nn.ConvTranspose1d(4, 6, 5, groups=2), 3 * 5),
        (nn.ConvTranspose2d(8, 16, (3, 2)), 16 * 6),
        (nn.ConvTranspose3d(2, 4, 2), 4 * 8),
        (nn.Conv2d(8, 16, 3, padding="same", padding_mode="reflect"), 8 * 9),
    ],
)
def test_starting_values(layer: Any, fan: int) -> None:
    """U(-1/sqrt(fan), 1/sqrt(fan)), the fan that of PyTorch: weight.shape[1] times the taps."""
    bound = 1 / np.sqrt(fan)
    for parameter in (layer.weight, layer.bias):
        values = parameter.data
        assert abs(values).max() <= bound * (1 + 1e-6)
        assert len(values.ravel()) < 16 or abs(values).max() > 0.5 * bound
    variance = layer.weight.data.var() / (bound**2 / 3)
    assert abs(variance - 1) < 6 / np.sqrt(layer.weight.numel())


def test_the_generator_draws_the_starting_values() -> None:
    first, again = (
        nn.ConvTranspose2d(2, 3, 3, generator=np.random.default_rng(1)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.weight.data, again.weight.data)
    assert nn.ConvTranspose2d(2, 3, 3, bias=False).bias is None
    assert list(first.state_dict()) == ["weight", "bias"]


def test_output_size_goes_back_to_what_was_before() -> None:
    """Any even or odd shape, through a convolution of stride 2 and back."""
    down, up = nn.Conv2d(1, 2, 3, 2, 1), nn.ConvTranspose2d(2, 1, 3, 2, 1)
    for shape in ((1, 1, 8, 7), (2, 1, 5, 6), (0, 1, 4, 4), (1, 9, 8)):
        x = ones(*shape)
        assert up(down(x), output_size=x.shape).shape == shape
        assert up(down(x), output_size=shape[-2:]).shape == shape


def test_multiply_adds_of_transposed_convolution() -> None:
    """All products of the plain loops, those that fall on the padding included."""
    layer = nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), groups=2)
    x = (2, 4, 3, 5)
    y = layer(ones(*x)).shape
    weight = layer.weight.shape
    products = sum(1 for _ in loops.places((*x[:2], weight[1], *x[2:], *weight[2:])))
    assert layer.multiply_adds(y) == products
    assert nn.summary(layer, x).multiply_adds == products


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.ConvTranspose1d(1, 1, 2, padding_mode="reflect"), "padding_mode='reflect' is"),
        (lambda: nn.ConvTranspose1d(1, 1, 2, padding="same"), "padding='same' is not an integer"),
        (lambda: nn.ConvTranspose2d(3, 2, 2, groups=2), "groups=2 does not divide"),
        (lambda: nn.ConvTranspose1d(1, 1, 2, output_padding=-1), "output_padding=-1 is not"),
        (
            lambda: nn.ConvTranspose1d(1, 1, 2, 3)(ones(1, 1, 8), output_size=(99,)),
            r"output_size=\(99,\) must lie from \(23,\) to \(25,\)",
        ),
        (
            lambda: nn.ConvTranspose1d(1, 1, 2, 3)(ones(1, 1, 8), output_size=(1, 24)),
            r"output_size=\(1, 24\) must hold 1 sizes, or 3 like x",
        ),
        (
            lambda: nn.ConvTranspose1d(1, 1, 2, 2**39)(ones(1, 1, 8), output_size=(2**40,)),
            "output_size=.1099511627776,. is too large",
        ),
        (lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"), "padding_mode='mirror' is not one of"),
        (lambda: nn.Conv2d(1, 1, 3, 2, padding="same"), "padding='same' needs stride 1"),
        (lambda: nn.Conv2d(1, 1, 3, padding="full"), "padding='full' is not 'same'"),
        (lambda: nn.FractionalMaxPool2d(2), "one of output_size and output_ratio is needed"),
        (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), "one of output_size and output_ratio"),
        (lambda: nn.FractionalMaxPool3d(2, output_ratio=1.0), "output_ratio=1.0 is not between"),
    ],
)
def test_refuses(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_reflection_wider_than_the_input() -> None:
    layer = nn.Conv1d(1, 1, 3, padding=4, padding_mode="reflect")
    with pytest.raises(ValueError, match="pad: "):
        layer(ones(1, 1, 4))


@pytest.mark.parametrize(
    ("layer", "shown"),
    [
        (
            nn.Conv2d(1, 2, 3, padding="same", padding_mode="reflect"),
            "1, 2, kernel_size=(3, 3), padding=same, padding_mode='reflect'",
        ),
        (
            nn.ConvTranspose2d(1, 2, 3, 2, output_padding=1),
            "1, 2, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 1)",
        ),
        (nn.LPPool1d(2, 3), "norm_type=2, kernel_size=3, stride=None, ceil_mode=False"),
        (nn.MaxUnpool2d(2), "kernel_size=2, stride=2, padding=0"),
    ],
)
def test_shows_its_settings(layer: Any, shown: str) -> None:
    assert repr(layer) == f"{type(layer).__name__}({shown})"


def test_pool_and_unpool() -> None:
    """An encoder's indices lead the decoder, also through odd lengths."""
    pool, unpool = nn.MaxPool2d(2, 2, 1, return_indices=True), nn.MaxUnpool2d(2, 2, 1)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 7, 8)), requires_grad=True)
    y, places = pool(x)
    back = unpool(y, places, x.shape)
    kept = back.data != 0
    np.testing.assert_array_equal(back.data[kept], x.data[kept])
    assert kept.sum() == y.numel()
    back.sum().backward()
    np.testing.assert_array_equal(x.grad.data, kept)


def test_fractional_windows_of_a_layer() -> None:
    """Drawn anew at each call, from the layer's generator, or fixed by its samples."""
    x = ones(2, 1, 30, 30) * np.arange(30, dtype=np.float32)
    drawing = nn.FractionalMaxPool2d(2, 12, generator=np.random.default_rng(0))
    assert not np.array_equal(drawing(x).data, drawing(x).data)
    fixed = nn.FractionalMaxPool2d(2, 12, _random_samples=ones(4, 1, 2) * 0.3)
    np.testing.assert_array_equal(fixed(x).data, fixed(x).data)
    assert list(fixed.state_dict()) == ["_random_samples"]
    assert list(drawing.state_dict()) == []
    assert re.match(r"FractionalMaxPool2d\(kernel_size=\(2, 2\), output_size=12", repr(fixed))
