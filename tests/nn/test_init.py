"""Starting values: their bounds, spread and shape against the formulas they come from."""

import math
from collections.abc import Callable
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.creation import empty, ones, zeros
from tinymed.nn import init
from tinymed.random import manual_seed
from tinymed.tensor import Tensor

SHAPE = (64, 32, 3, 3)  # (out, in, *kernel)
FAN_IN, FAN_OUT = 32 * 9, 64 * 9
ALL = {name: getattr(init, name) for name in init.__all__ if name.endswith("_")}
FIXED = ("constant_", "zeros_", "ones_", "eye_", "dirac_")
DRAWN = {n: f for n, f in ALL.items() if n not in FIXED}
FURTHER = {"constant_": (0.5,), "sparse_": (0.5,)}  # arguments that have no default


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def drawn(function: Callable[..., Tensor], *settings: Any, **named: Any) -> np.ndarray[Any, Any]:
    return function(zeros(*SHAPE), *settings, **named, generator=seeded()).data


def assert_uniform(values: np.ndarray[Any, Any], low: float, high: float) -> None:
    """Inside its bounds, close to both of them, mean and variance within five standard errors."""
    width, size = high - low, values.size
    assert low <= values.min() < low + 20 * width / size
    assert high - 20 * width / size < values.max() <= high
    assert abs(values.mean() - (low + high) / 2) < 5 * width / math.sqrt(12 * size)
    assert abs(values.var() / (width**2 / 12) - 1) < 5 / math.sqrt(size)


def assert_normal(values: np.ndarray[Any, Any], mean: float, std: float) -> None:
    """Moments of the normal distribution within five standard errors."""
    size, z = values.size, (values.astype(np.float64) - mean) / std
    assert abs(z.mean()) < 5 / math.sqrt(size)
    assert abs(z.var() - 1) < 5 * math.sqrt(2 / size)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / size)


def test_uniform_and_normal() -> None:
    assert_uniform(drawn(init.uniform_), 0, 1)
    assert_uniform(drawn(init.uniform_, -3.0, 5.0), -3, 5)
    assert_normal(drawn(init.normal_), 0, 1)
    assert_normal(drawn(init.normal_, 2.0, 0.1), 2, 0.1)


@pytest.mark.parametrize("gain", [1.0, 5 / 3])
def test_xavier(gain: float) -> None:
    """Glorot and Bengio (2010), eq. 12 and 16: the variance is 2 / (fan_in + fan_out)."""
    std = gain * math.sqrt(2 / (FAN_IN + FAN_OUT))
    assert_normal(drawn(init.xavier_normal_, gain), 0, std)
    assert_uniform(drawn(init.xavier_uniform_, gain), -math.sqrt(3) * std, math.sqrt(3) * std)


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", FAN_IN), ("fan_out", FAN_OUT)])
@pytest.mark.parametrize(
    ("a", "nonlinearity", "gain"),
    [
        (0.0, "leaky_relu", math.sqrt(2)),
        (math.sqrt(5), "leaky_relu", math.sqrt(2 / 6)),
        (0.0, "relu", math.sqrt(2)),
        (0.0, "tanh", 5 / 3),
        (0.0, "sigmoid", 1.0),
        (0.0, "linear", 1.0),
    ],
)
def test_kaiming(mode: str, fan: int, a: float, nonlinearity: str, gain: float) -> None:
    """He and others (2015), eq. 10 and 14: the variance is gain^2 / fan."""
    std, named = gain / math.sqrt(fan), {"mode": mode, "nonlinearity": nonlinearity}
    assert_normal(drawn(init.kaiming_normal_, a, **named), 0, std)
    bound = math.sqrt(3) * std
    assert_uniform(drawn(init.kaiming_uniform_, a, **named), -bound, bound)


def test_kaiming_keeps_the_size_of_activations() -> None:
    """Ten layers deep, the second moment is still that of the input, within a factor of two."""
    generator = seeded(3)
    x = generator.standard_normal((400, 300))
    for _ in range(10):
        weight = init.kaiming_normal_(empty(300, 300), 0, "fan_in", "relu", generator).data
        x = np.maximum(x @ weight.T, 0)  # relu halves the second moment, the gain doubled it
    assert 0.5 < (x**2).mean() < 2


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (8, 2, 3), (2, 4, 3, 3)])
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_orthogonal(shape: tuple[int, ...], gain: float) -> None:
    """The rows, or the columns if there are more rows, are orthogonal and of length gain."""
    matrix = init.orthogonal_(zeros(*shape, dtype=np.float64), gain, seeded()).data
    matrix = matrix.reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_is_uniform_over_rotations() -> None:
    """Without the sign of R's diagonal, QR would prefer some: the mean would not be 0."""
    generator = seeded(1)
    drawn = [init.orthogonal_(zeros(2, 2), generator=generator).data for _ in range(2000)]
    assert np.abs(np.mean(drawn, axis=0)).max() < 5 * math.sqrt(0.5 / 2000)
    angles = np.arctan2(*np.array(drawn)[:, :, 0].T)
    counts, _ = np.histogram(angles, bins=8, range=(-math.pi, math.pi))
    assert ((counts - 250) ** 2 / 250).sum() < 30  # chi^2 with 7 degrees: p < 1e-4


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 0.5, 1, 3), (0, 2, -1, 9)])
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    """The histogram follows the density, as by chi^2 over 20 bins of equal probability."""
    values = np.sort(drawn(init.trunc_normal_, mean, std, a, b).ravel())
    assert a <= values[0] < values[-1] <= b
    normal = NormalDist(mean, std)
    low, high = normal.cdf(a), normal.cdf(b)
    edges = [normal.inv_cdf(low + (high - low) * k / 20) for k in range(1, 20)]
    counts = np.diff([0, *np.searchsorted(values, edges), values.size])
    expected = values.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 50  # 19 degrees of freedom: p < 2e-4
    for far in ((50, 60), (2, -2), (1, 1)):
        with pytest.raises(ValueError, match=r"trunc_normal_: N\(0, 1\^2\) has no numbers in"):
            init.trunc_normal_(zeros(2), 0, 1, *far)


def test_sparse() -> None:
    """As many zeros in each column as asked for, at places that differ; the rest is normal."""
    values = init.sparse_(zeros(10, 400), 0.25, 2.0, seeded()).data
    assert ((values == 0).sum(axis=0) == 3).all()
    assert_normal(values[values != 0], 0, 2)
    assert ((values == 0).sum(axis=1) > 80).all()  # 120 of 400 are expected in each row
    assert (init.sparse_(ones(3, 2), 1.0).data == 0).all()
    for bad, words in (((-0.1,), "sparsity -0.1 is not in"), ((1.5,), "sparsity 1.5 is not in")):
        with pytest.raises(ValueError, match=words):
            init.sparse_(zeros(2, 2), *bad)
    with pytest.raises(ValueError, match=r"sparse_: a tensor \(2,\) is not a matrix"):
        init.sparse_(zeros(2), 0.5)


def test_identities() -> None:
    """Layers that start with them hand on their input."""
    assert init.eye_(empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = Tensor(seeded().standard_normal((1, 4, 5, 6)))
    for groups, size in ((1, (3, 3)), (2, (1, 5)), (4, (3, 1))):
        weight = init.dirac_(empty(4, 4 // groups, *size, dtype=np.float64), groups)
        padding = tuple(n // 2 for n in size)
        y = nn.functional.conv2d(x, weight, padding=padding, groups=groups)
        np.testing.assert_array_equal(y.data, x.data)
    wide = init.dirac_(empty(5, 3, 2)).data
    assert [np.argwhere(channel).tolist() for channel in wide] == [[[i, 1]] for i in range(3)] + [
        [],
        [],
    ]
    for shape, groups in (((3, 3), 1), ((3, 3, 1), 2), ((3, 3, 1), 0)):
        with pytest.raises(ValueError, match=r"dirac_: a tensor .* in . groups"):
            init.dirac_(zeros(*shape), groups)
    with pytest.raises(ValueError, match="eye_: a tensor"):
        init.eye_(zeros(2, 2, 2))


def test_constants() -> None:
    for function, value in ((init.zeros_, 0.0), (init.ones_, 1.0)):
        assert (function(empty(3, 2)).data == value).all()
    assert (init.constant_(empty(3, 2), 0.25).data == 0.25).all()


@pytest.mark.parametrize("name", ALL)
def test_writes_into_the_tensor_it_returns(name: str) -> None:
    for dtype in ("float16", "float32", "float64"):
        shape = (4, 5, 3) if name == "dirac_" else (4, 5)
        parameter = nn.Parameter(np.full(shape, np.nan, dtype))
        array = parameter.data
        assert ALL[name](parameter, *FURTHER.get(name, ())) is parameter
        assert parameter.data is array
        assert array.dtype == dtype
        assert np.isfinite(array).all()
        assert parameter.requires_grad
        assert parameter.is_leaf


@pytest.mark.parametrize("name", DRAWN)
def test_generators(name: str) -> None:
    """The same seed draws the same numbers; without a generator the default one does."""
    function = partial(DRAWN[name], **({"sparsity": 0.5} if name == "sparse_" else {}))
    first = function(zeros(4, 4), generator=seeded(5)).data
    np.testing.assert_array_equal(function(zeros(4, 4), generator=seeded(5)).data, first)
    assert not np.array_equal(function(zeros(4, 4), generator=seeded(6)).data, first)
    manual_seed(8)
    second = function(zeros(4, 4)).data
    manual_seed(8)
    np.testing.assert_array_equal(function(zeros(4, 4)).data, second)
    with pytest.raises(TypeError, match="do not fit a tensor of int64"):
        function(Tensor(np.zeros((2, 2), int)))


def test_without_axes() -> None:
    assert 0 <= init.uniform_(zeros(()), generator=seeded()).item() < 1
    for name in ("xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_"):
        for shape in ((), (3,)):
            with pytest.raises(ValueError, match=r"has no fan-in; it needs \(out, in"):
                ALL[name](zeros(shape))
    with pytest.raises(ValueError, match=r"orthogonal_: a tensor \(3,\) is not a matrix"):
        init.orthogonal_(zeros(3))


def test_gains_and_modes() -> None:
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert init.calculate_gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert init.calculate_gain("selu") == 0.75
    assert init.calculate_gain("conv_transpose2d") == 1
    with pytest.raises(ValueError, match="nonlinearity 'gelu' is not one of linear, conv1d"):
        init.calculate_gain("gelu")
    with pytest.raises(ValueError, match="mode='fan' is not"):
        init.kaiming_normal_(ones(2, 2), mode="fan")


# ------------------------------------------------------------------------------ of whole layers

LAYERS: list[tuple[Callable[..., nn.Module], int]] = [
    (lambda **g: nn.Linear(200, 50, **g), 200),
    (lambda **g: nn.Conv1d(20, 100, 5, **g), 100),
    (lambda **g: nn.Conv2d(16, 60, (3, 5), groups=2, **g), 120),
    (lambda **g: nn.Conv3d(8, 40, 3, **g), 216),
]


@pytest.mark.parametrize(("make", "fan_in"), LAYERS)
def test_layers_start_as_in_pytorch(make: Any, fan_in: int) -> None:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weight and bias: kaiming_uniform_(a=sqrt(5))."""
    layer = make(generator=seeded(2))
    bound = 1 / math.sqrt(fan_in)
    assert_uniform(layer.weight.data, -bound, bound)
    bias = layer.bias.data
    assert np.abs(bias).max() <= bound
    assert np.abs(bias).max() > 0.8 * bound
    np.testing.assert_array_equal(make(generator=seeded(2)).weight.data, layer.weight.data)
    np.testing.assert_array_equal(make(generator=seeded(2)).bias.data, bias)
    assert not np.array_equal(make(generator=seeded(3)).weight.data, layer.weight.data)


def test_layers_of_one_generator_differ() -> None:
    generator = seeded()
    one, other = (nn.Linear(3, 3, generator=generator).weight.data for _ in range(2))
    assert not np.array_equal(one, other)


def test_batch_norm_starts_as_the_identity() -> None:
    norm = nn.BatchNorm2d(3)
    assert (norm.weight.data == 1).all()
    assert (norm.bias.data == 0).all()
    assert (norm.running_mean.data == 0).all()
    assert (norm.running_var.data == 1).all()
    assert norm.num_batches_tracked.item() == 0
    assert norm.num_batches_tracked.dtype == np.int64


def test_dtype_and_device() -> None:
    for layer in (nn.Linear(2, 2, dtype="float64"), nn.BatchNorm1d(2, dtype=np.float64)):
        assert {p.dtype.name for p in layer.parameters()} == {"float64"}
        assert {p.device for p in layer.parameters()} == {"cpu"}
    for size in (0, -1, 2.0, "2"):
        with pytest.raises(ValueError, match="is not a positive integer"):
            nn.Linear(3, size)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=f"num_features={size!r} is not a positive integer"):
            nn.BatchNorm1d(size)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="is not a positive integer"):
            nn.Conv2d(1, size, 3)  # type: ignore[arg-type]
    three: Any = np.int64(3)
    assert nn.Linear(three, 2).weight.shape == (2, 3)


@pytest.mark.parametrize("name", ["uniform_", "constant_", "orthogonal_"])
def test_the_array_of_a_parameter_is_filled(name: str) -> None:
    """As ``nn.init.uniform_(layer.weight.data)`` does in code for PyTorch."""
    layer = nn.Linear(3, 2)
    before = layer.weight.data.copy()
    array = layer.weight.data
    assert ALL[name](array, *FURTHER.get(name, ())) is array
    assert (layer.weight.data != before).all()
