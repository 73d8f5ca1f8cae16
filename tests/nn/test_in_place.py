"""Layers with inplace=True: what goes on to use x uses y, as if the code said x = f(x)."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.grad_mode import no_grad
from tinymed.tensor import Tensor

LAYERS = {
    "ReLU": (),
    "ReLU6": (),
    "LeakyReLU": (0.2,),
    "RReLU": (0.3, 0.3),
    "ELU": (),
    "CELU": (),
    "SELU": (),
    "SiLU": (),
    "Mish": (),
    "Hardtanh": (),
    "Hardsigmoid": (),
    "Hardswish": (),
    "Threshold": (0.1, 0.5),
}
VALUES = np.linspace(-4, 7, 6).reshape(2, 3)


def leaf() -> Tensor:
    return tensor(VALUES, requires_grad=True)


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_of_the_family(name: str) -> None:
    apart, here = (getattr(nn, name)(*LAYERS[name], inplace=flag) for flag in (False, True))
    assert repr(here).endswith("inplace=True)")
    assert "inplace" not in repr(apart)
    first, second = leaf(), leaf()
    x = first * 2
    wanted = apart(x)
    (wanted * wanted).sum().backward()
    x = second * 2
    assert here(x) is x
    np.testing.assert_array_equal(x.detach(), wanted.detach())
    (x * x).sum().backward()
    np.testing.assert_array_equal(first.grad, second.grad)


def test_a_skip_connection_adds_what_x_became() -> None:
    """The case where ignoring the argument would give other numbers without a word."""
    w = leaf()
    x = w * 1
    y = nn.ReLU(inplace=True)(x) * 3 + x
    (found,) = grad(y.sum(), w)
    np.testing.assert_array_equal(y.detach(), 4 * np.maximum(VALUES, 0))
    np.testing.assert_array_equal(found, 4.0 * (VALUES > 0))


def test_what_an_earlier_operation_saved_stays() -> None:
    """PyTorch overwrites it and refuses to go back; here sin still finds its input."""
    w = leaf()
    x = w * 1
    y = x.sin()
    nn.ReLU(inplace=True)(x)
    np.testing.assert_allclose(grad(y.sum(), w)[0], np.cos(VALUES), rtol=1e-15)


def test_second_derivative() -> None:
    w = leaf()
    y = nn.SiLU(inplace=True)(w * w)
    (first,) = grad(y.sum(), w, create_graph=True)
    (second,) = grad(first.sum(), w)
    v = leaf()
    (wanted,) = grad(nn.SiLU()(v * v).sum(), v, create_graph=True)
    np.testing.assert_array_equal(second, grad(wanted.sum(), v)[0])


def test_without_a_gradient() -> None:
    x, array = tensor(VALUES), VALUES.copy()
    layer = nn.ReLU(inplace=True)
    assert layer(x) is x
    assert layer(array) is array
    for found in (x, array):
        np.testing.assert_array_equal(found, np.maximum(VALUES, 0))
    assert not x.requires_grad


def test_a_leaf_stays_one() -> None:
    x = leaf()
    with pytest.raises(RuntimeError, match=r"ReLU: inplace=True on a leaf \(2, 3\)"):
        nn.ReLU(inplace=True)(x)
    with no_grad():
        assert nn.ReLU(inplace=True)(x) is x
    assert (x.requires_grad, x.is_leaf) == (True, True)
    np.testing.assert_array_equal(x.detach(), np.maximum(VALUES, 0))


def test_in_a_network_as_in_pytorch() -> None:
    """The blocks of a ResNet as torchvision writes them, against the same without inplace."""

    def block(inplace: bool) -> Any:
        settings = {"generator": np.random.default_rng(0)}
        return nn.Sequential(
            nn.Linear(3, 4, **settings), nn.ReLU(inplace), nn.Dropout(0.0, inplace), nn.Linear(4, 2)
        )

    apart, here = block(False), block(True)
    here.load_state_dict(apart.state_dict())
    for network in (apart, here):
        network(tensor(VALUES.astype(np.float32))).sum().backward()
    for one, other in zip(apart.parameters(), here.parameters(), strict=True):
        np.testing.assert_array_equal(one.grad, other.grad)
