"""Dropout: what is drawn, how often, and in which groups."""

import sys
from typing import Any

import numpy as np
import pytest

from tinymed import nn, ops
from tinymed.backpropagation import grad
from tinymed.kernels.arrays import Device
from tinymed.random import manual_seed
from tinymed.tensor import Tensor

LIMIT = -1.0507009873554805 * 1.6732632423543772  # selu for x -> -infinity
CHANNELS = {  # op -> shape, how many of its axes are drawn
    ops.dropout1d: ((60, 50, 4), 2),
    ops.dropout2d: ((60, 50, 2, 3), 2),
    ops.dropout3d: ((60, 50, 2, 1, 2), 2),
    ops.feature_alpha_dropout: ((60, 50, 2, 2), 2),
    ops.dropout: ((60, 50), 2),
    ops.alpha_dropout: ((60, 50), 2),
}
LAYERS = {
    nn.Dropout: ops.dropout,
    nn.Dropout1d: ops.dropout1d,
    nn.Dropout2d: ops.dropout2d,
    nn.Dropout3d: ops.dropout3d,
    nn.AlphaDropout: ops.alpha_dropout,
    nn.FeatureAlphaDropout: ops.feature_alpha_dropout,
}


@pytest.fixture(autouse=True, params=["cpu", "cuda:0"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where arrays are said to live: on a GPU masks come from a counter, in NumPy as well."""
    module = sys.modules["tinymed.ops.dropout"]  # ops.dropout is the function
    monkeypatch.setattr(module, "place", lambda array: Device(request.param))
    return str(request.param)


def both(p: float) -> tuple[float, float]:
    """Return a and b of Klambauer et al. (2017), eq. 12, from their conditions on the moments."""
    a = (1 - p + p * (1 - p) * LIMIT**2) ** -0.5
    return a, -a * p * LIMIT


@pytest.mark.parametrize("op", CHANNELS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_whole_channels_and_how_many(op: Any, p: float) -> None:
    """Each channel is dropped as one, with probability p, the others become one multiple."""
    shape, drawn = CHANNELS[op]
    x = np.random.default_rng(0).standard_normal(shape) + 3
    y = op(x, p, True, generator=np.random.default_rng(1))
    a, b = both(p) if "alpha" in op.__name__ else (1 / (1 - p), 0)
    floor = LIMIT if "alpha" in op.__name__ else 0
    inner = tuple(range(drawn, x.ndim))
    dropped = np.isclose(y, a * floor + b, 1e-6, 1e-6)
    np.testing.assert_allclose(y[~dropped], a * x[~dropped] + b, 1e-6)
    np.testing.assert_array_equal(dropped.all(axis=inner), dropped.any(axis=inner))
    channels = dropped.reshape(*shape[:drawn], -1)[..., 0]
    assert abs(channels.mean() - p) < 5 * np.sqrt(p * (1 - p) / channels.size)
    for axis in (0, 1):  # neither images nor channels are dropped together
        assert channels.mean(axis=axis).std() < 5 * np.sqrt(p * (1 - p) / channels.shape[axis])


@pytest.mark.parametrize("op", [ops.dropout1d, ops.dropout3d])
def test_unbatched_channels(op: Any) -> None:
    spatial = (4,) if op is ops.dropout1d else (2, 2, 1)
    y = op(np.ones((1000, *spatial)), 0.5, generator=np.random.default_rng(0))
    channels = y.reshape(1000, 4)
    assert set(channels.mean(axis=1)) == {0.0, 2.0}
    assert abs(channels.mean() - 1) < 0.2


@pytest.mark.parametrize("op", [ops.alpha_dropout, ops.feature_alpha_dropout])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_mean_and_variance_stay(op: Any, p: float) -> None:
    random = np.random.default_rng(2)
    x = random.standard_normal((400, 500))
    y = op(x, p, True, generator=random)
    assert abs(y.mean()) < 0.02
    assert abs(y.var() - 1) < 0.03


@pytest.mark.parametrize("op", CHANNELS)
def test_gradients_follow_the_mask(op: Any) -> None:
    """y is linear in x: dL/dx is the factor of each element, and the second derivative nothing."""
    shape, _ = CHANNELS[op]
    x = Tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)
    y = op(x, 0.4, True, generator=np.random.default_rng(1))
    more = op(x.data + 1, 0.4, True, generator=np.random.default_rng(1))
    np.testing.assert_allclose(grad(y.sum(), x)[0].data, more - y.data, 1e-9, 1e-9)


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_draw_from_their_generator(kind: Any) -> None:
    shape, _ = CHANNELS[LAYERS[kind]]
    x = np.ones(shape, np.float32)
    first, again = (kind(0.4, generator=np.random.default_rng(3)) for _ in range(2))
    masks = [layer(x) for layer in (first, again, first)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    assert masks[0].dtype == np.float32
    manual_seed(5)
    third = kind(0.4)(x)
    manual_seed(5)
    np.testing.assert_array_equal(kind(0.4)(x), third)
    assert first.eval()(x) is x
    assert repr(first) == f"{kind.__name__}(p=0.4)"


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_no_probability(kind: Any, p: float) -> None:
    words = f"p={p} is not a probability"
    with pytest.raises(ValueError, match=f"{kind.__name__}: {words}"):
        kind(p)
    with pytest.raises(ValueError, match=f"{LAYERS[kind].__name__}: {words}"):
        LAYERS[kind](np.ones((1, 1, 1)), p)


@pytest.mark.parametrize("kind", LAYERS)
def test_in_place(kind: Any) -> None:
    layer = kind(0.5, True)
    assert repr(layer) == f"{kind.__name__}(p=0.5, inplace=True)"
    x = Tensor(np.ones((2, 3, 4, 4)[: 3 if kind is nn.Dropout1d else 4]))
    assert layer(x) is x
    assert (x.data != 1).any()


@pytest.mark.parametrize(
    ("op", "shape", "words"),
    [
        (ops.dropout1d, (2, 3, 4, 5), "must have 2 or 3 axes"),
        (ops.dropout2d, (2, 3), "must have 3 or 4 axes"),
        (ops.dropout3d, (2, 3, 4), "must have 4 or 5 axes"),
        (ops.feature_alpha_dropout, (3,), r"must have 2 axes or more: \(N, C\)"),
    ],
)
def test_other_axes(op: Any, shape: Any, words: str) -> None:
    with pytest.raises(ValueError, match=rf"^{op.__name__}: x \(.*\) {words}"):
        op(np.ones(shape), 0.5, True)
    with pytest.raises(ValueError, match=words):
        op(np.ones(shape), 0.5, False)


@pytest.mark.parametrize("op", CHANNELS)
def test_integers(op: Any) -> None:
    with pytest.raises(TypeError, match=f"^{op.__name__}: x is int64, expected a floating dtype"):
        op(np.ones((1, 1, 1), np.int64), 0.5, True)


def test_a_mask_on_a_gpu_is_not_stored(where: str) -> None:
    x = Tensor(np.ones((3, 4)), requires_grad=True)
    node = ops.dropout(x, 0.5, generator=np.random.default_rng(0)).grad_fn
    assert node is not None
    saved = [a for a in node.saved if a is not None]
    assert (type(node).__name__, len(saved)) == (
        ("Multiply", 2) if where == "cpu" else ("Dropout", 0)
    )
