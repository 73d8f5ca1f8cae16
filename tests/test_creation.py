"""New tensors: what they are made from, filled with, shaped like, and drawn from."""

from typing import Any

import numpy as np
import pytest

from tinymed import creation, nn, ops, sampling
from tinymed.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from tinymed.random import manual_seed
from tinymed.sampling import (
    bernoulli,
    multinomial,
    normal,
    poisson,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)
from tinymed.tensor import NUMPYS, Tensor


class Own(np.ndarray):
    """A subclass, as np.matrix is, whose operators may mean something else."""


# ---------------------------------------------------------------------------------- creation


@pytest.mark.parametrize(
    ("data", "dtype", "values"),
    [
        (1.5, "float32", 1.5),
        (2, "int64", 2),
        (True, "bool", True),
        ([1.0, 2], "float32", [1, 2]),
        ([[1], [2]], "int64", [[1], [2]]),
        ([True, False], "bool", [True, False]),
        ([], "float32", []),
        ((1, 2.5), "float32", [1, 2.5]),
        (range(3), "int64", [0, 1, 2]),
        (np.float64(2), "float64", 2),
        (np.ones(2), "float64", [1, 1]),
        (np.ones(2, np.uint8), "uint8", [1, 1]),
        ([np.float64(1), np.float64(2)], "float64", [1, 2]),
        ([np.ones(2), np.zeros(2)], "float64", [[1, 1], [0, 0]]),
        ([tensor(1.0), tensor(2.0)], "float32", [1, 2]),
        (tensor([1, 2]), "int64", [1, 2]),
    ],
)
def test_what_tensor_makes(data: Any, dtype: str, values: Any) -> None:
    x = tensor(data)
    assert x.dtype == dtype
    assert x.tolist() == values
    assert x.device == "cpu"
    assert not x.requires_grad


@pytest.mark.parametrize("dtype", NUMPYS)
def test_every_dtype(dtype: str) -> None:
    for given in (dtype, np.dtype(dtype), np.dtype(dtype).type):
        assert tensor([1, 0], dtype=given).dtype == dtype
        assert zeros(2, dtype=given).to(given).dtype == dtype
    assert Tensor(np.ones(2, dtype)).dtype == dtype


def test_tensor_copies_and_the_constructor_does_not() -> None:
    array = np.ones(2)
    for made, shares in (
        (tensor(array), False),
        (tensor(Tensor(array)), False),
        (Tensor(array), True),
        (as_tensor(array), True),
        (from_numpy(array), True),
    ):
        assert np.shares_memory(made.data, array) is shares
    x = tensor([1.0])
    assert as_tensor(x) is x
    assert as_tensor([1.0, 2.0]).dtype == np.float32


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ([[1, 2], [3]], ValueError, "tensor: the nested lists are ragged; rows differ in length"),
        ([np.ones(2), np.ones(3)], ValueError, "ragged"),
        (1j, TypeError, "tensor: complex numbers are not supported; dtypes are float16, float32"),
        (np.ones(2, complex), TypeError, "complex numbers are not supported"),
        ("text", TypeError, "tensor: <U4 is not supported"),
        ([1, "a"], TypeError, "is not supported"),
        (None, TypeError, "tensor: object is not supported"),
        ([None, 1.0], TypeError, "object is not supported"),
        ({1, 2}, TypeError, "object is not supported"),
        (2**63, TypeError, "uint64 is not supported"),
        (np.array([1], np.uint16), TypeError, "uint16 is not supported"),
        (np.array([0], "M8[s]"), TypeError, "not supported"),
        (np.zeros(1, [("a", "f4")]), TypeError, "not supported"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, r"masked array .*use x\.filled"),
    ],
)
def test_what_is_no_tensor(data: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        tensor(data)


def test_the_constructor_wants_an_array() -> None:
    with pytest.raises(TypeError, match=r"tensor: list is not an array; tensor\(x\) makes one"):
        Tensor([1.0])
    with pytest.raises(TypeError, match="complex"):
        Tensor(np.ones(1, complex))
    assert Tensor(np.float32(2)).shape == ()


@pytest.mark.parametrize("dtype", ["complex64", "object", "U3", "float128x", None, 3, "M8[s]"])
def test_what_is_no_dtype(dtype: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"is not one of float16|neither a device"):
        tensor([1.0]).to(dtype)
    if dtype is not None:
        with pytest.raises(TypeError, match=r"dtype: .* is not one of float16"):
            zeros(2, dtype=dtype)


def test_foreign_kinds_of_arrays_become_plain_ones(tmp_path: Any) -> None:
    swapped = tensor(np.array([1.5, 2.5], ">f4"))  # as NIfTI and DICOM files may have it
    assert swapped.dtype == np.float32
    assert swapped.dtype.isnative
    assert swapped.tolist() == [1.5, 2.5]
    x = Tensor(np.array([1.0, 2.0], ">f8"), requires_grad=True)
    (x * x).sum().backward()
    assert x.grad.tolist() == [2, 4]
    assert type(Tensor(np.ones(2).view(Own)).data) is np.ndarray
    np.arange(4.0).tofile(tmp_path / "file")
    mapped = np.memmap(tmp_path / "file", float)
    assert np.shares_memory(Tensor(mapped).data, mapped)


def test_requires_grad() -> None:
    assert tensor([1.0], requires_grad=True).requires_grad
    assert zeros(2, requires_grad=True).requires_grad
    for make in (
        lambda: tensor([1], requires_grad=True),
        lambda: Tensor(np.ones(1, bool), True),
        lambda: tensor([1]).requires_grad_(),
    ):
        with pytest.raises(TypeError, match="only floating dtypes have gradients"):
            make()
    x = tensor([1.0])
    assert x.requires_grad_() is x
    assert x.requires_grad
    y = x * 2
    with pytest.raises(RuntimeError, match="requires_grad_: only leaves can stop"):
        y.requires_grad_(False)
    assert not x.requires_grad_(False).requires_grad


def test_creation_functions() -> None:
    assert zeros(2, 3).tolist() == zeros((2, 3)).tolist() == [[0] * 3] * 2
    assert ones([2]).tolist() == [1, 1]
    assert zeros(()).shape == zeros().shape == ()
    assert empty(2, 0).shape == (2, 0)
    assert full((2,), 7).dtype == np.int64
    assert full(2, 0.5).tolist() == [0.5, 0.5]
    assert full((1,), True).dtype == bool
    assert full((1,), 1, dtype="float16").dtype == np.float16
    assert arange(3).tolist() == [0, 1, 2]
    assert arange(3).dtype == np.int64
    assert arange(1, 2, 0.5).tolist() == [1, 1.5]
    assert arange(3, 0, -1).tolist() == [3, 2, 1]
    assert arange(2, dtype="float64").dtype == np.float64
    assert linspace(0, 1, 3).tolist() == [0, 0.5, 1]
    assert eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert eye(2, dtype="int64").dtype == np.int64
    x = tensor([[1, 2]])
    assert zeros_like(x).dtype == ones_like(x).dtype == np.int64
    assert ones_like(np.ones((2, 1), np.float16)).dtype == np.float16
    assert zeros_like(x, dtype="float32").dtype == np.float32
    for made in (zeros(1), ones(1), empty(1), linspace(0, 1, 2), eye(1), rand(1), randn(1)):
        assert made.dtype == np.float32


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: zeros(2, -1), ValueError, r"zeros: the shape \(2, -1\) holds a negative size"),
        (lambda: full(-1, 0.0), ValueError, "holds a negative size"),
        (lambda: rand(-1), ValueError, "negative size"),
        (lambda: zeros(2.5), TypeError, "cannot be interpreted as an integer"),
        (lambda: zeros("2"), TypeError, "cannot be interpreted as an integer"),
        (lambda: arange(0, 1, 0), ValueError, "arange: from 0 to 1 by 0 never ends"),
        (
            lambda: zeros(1, device="gpu"),
            ValueError,
            "device: 'gpu' is not 'cpu', 'cuda' or 'cuda:N'",
        ),
        (lambda: tensor([1.0], device="cpu:0"), ValueError, "device: 'cpu:0'"),
        (
            lambda: zeros(1).to("gpu"),
            ValueError,
            "to: 'gpu' is neither a device .* nor one of the dtypes",
        ),
    ],
)
def test_creation_refuses(call: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize("draw", [rand, randn])
def test_random_tensors(draw: Any) -> None:
    first, second = (draw(50, 20, generator=np.random.default_rng(3)) for _ in range(2))
    assert first.tolist() == second.tolist()
    assert draw(2).tolist() != draw(2).tolist()
    mean, spread = (0.5, 12**-0.5) if draw is rand else (0, 1)
    assert abs(first.data.mean() - mean) < 0.1
    assert abs(first.data.std() - spread) < 0.1
    assert draw((2, 3), dtype="float64", requires_grad=True).requires_grad
    with pytest.raises(AttributeError):
        draw(2, generator=0)  # a seed is no generator, and is not quietly passed over


# ------------------------------------------------------------------ values, like PyTorch's


@pytest.mark.parametrize(
    ("made", "values", "dtype"),
    [
        (lambda: arange(0, 1, 0.1), np.arange(10) / 10, "float32"),
        (lambda: arange(1, 0.0, -0.25, dtype="float16"), [1, 0.75, 0.5, 0.25], "float16"),
        (lambda: arange(end=3), [0, 1, 2], "int64"),
        (lambda: arange(2, 2), [], "int64"),
        (lambda: arange(5, -1, -2), [5, 3, 1], "int64"),
        (lambda: arange(2**40, 2**40 + 2), [2**40, 2**40 + 1], "int64"),
        (lambda: linspace(-3, 10, 7, dtype="int64"), [-3, 0, 1, 3, 5, 7, 10], "int64"),
        (lambda: linspace(2, 10, 1), [2], "float32"),
        (lambda: linspace(2, 10, 0), [], "float32"),
        (lambda: logspace(0, 2, 3), [1, 10, 100], "float32"),
        (lambda: logspace(0, 2, 3, base=-2, dtype="float64"), [1, -2, 4], "float64"),
        (lambda: logspace(0, 2, 3, 2, dtype="int64"), [1, 2, 4], "int64"),
        (lambda: eye(0, 3), np.zeros((0, 3)), "float32"),
        (lambda: eye(2, dtype=bool), [[True, False], [False, True]], "bool"),
        (lambda: tril_indices(3, 4, -1), [[1, 2, 2], [0, 0, 1]], "int64"),
        (lambda: triu_indices(3, 2, 1, dtype="int32"), [[0], [1]], "int32"),
        (lambda: tril_indices(0, 4), np.zeros((2, 0)), "int64"),
        (lambda: full((2,), 3, dtype=bool), [True, True], "bool"),
        (lambda: full((1, 2), tensor(3.0)), [[3, 3]], "float32"),
        (lambda: full_like(np.ones((1, 2), np.int8), 7), [[7, 7]], "int8"),
        (lambda: full_like(tensor([1]), 0.5, dtype="float64"), [0.5], "float64"),
    ],
)
def test_values(made: Any, values: Any, dtype: str) -> None:
    x = made()
    assert x.dtype == dtype
    np.testing.assert_array_equal(x.data, np.asarray(values, dtype))


def test_each_number_of_arange_is_rounded_once() -> None:
    found = arange(0, 1000, 0.1, dtype="float32").data
    np.testing.assert_array_equal(found, (np.arange(10000) * 0.1).astype(np.float32))


@pytest.mark.parametrize("like", [zeros_like, ones_like, empty_like, rand_like, randn_like])
def test_like_another(like: Any) -> None:
    x = tensor(np.ones((2, 3), np.float16))
    made = like(x, requires_grad=True)
    assert (made.shape, made.dtype, made.device) == ((2, 3), np.float16, "cpu")
    assert made.requires_grad
    assert not like(x).requires_grad
    assert like(np.ones(2), dtype="float32", device="cpu").dtype == np.float32


HUGE = 2**40


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: zeros(HUGE), ValueError, r"zeros: a result \(1099511627776,\) of 1099511627776"),
        (lambda: ones(2**32, 2**32), ValueError, "ones: a result .* is too large"),
        (lambda: empty(2**63), ValueError, "empty: a result .* is too large"),
        (lambda: zeros(0, 2**63), ValueError, "zeros: a result .* is too large"),
        (lambda: full((HUGE, 3), 1), ValueError, "full: a result .* is too large"),
        (lambda: eye(2**21), ValueError, "eye: a result .* is too large"),
        (lambda: arange(2**62), ValueError, "arange: a result .* is too large"),
        (lambda: arange(0, 1, 1e-300), ValueError, "arange: a result .* is too large"),
        (lambda: linspace(0, 1, HUGE), ValueError, "linspace: a result .* is too large"),
        (lambda: rand(HUGE), ValueError, "rand: a result .* is too large"),
        (lambda: randperm(HUGE), ValueError, "randperm: a result .* is too large"),
        (lambda: randint(3, (HUGE,)), ValueError, "randint: a result .* is too large"),
        (
            lambda: multinomial(np.ones(2), HUGE, True),
            ValueError,
            "multinomial: a result .* is too large",
        ),
        (lambda: tril_indices(2**30, 2**30), ValueError, "tril_indices: a result .* is too large"),
        (lambda: arange(), TypeError, "arange: no end given"),
        (lambda: arange(3, 0), ValueError, "arange: from 3 to 0 by 1 leads away from the end"),
        (lambda: arange(0, np.inf), ValueError, "arange: from 0 to inf by 1 never ends"),
        (lambda: arange(0, np.nan), ValueError, "never ends"),
        (lambda: arange(0.5, 3, dtype=int), ValueError, "is not of integers, which int64 holds"),
        (lambda: arange(2, dtype=bool), TypeError, "arange: bool cannot count"),
        (lambda: linspace(0, 1, -1), ValueError, r"linspace: the shape \(-1,\) holds a negative"),
        (lambda: eye(-1), ValueError, "eye: the shape .* holds a negative size"),
        (lambda: full((2,), 0.5, dtype=int), ValueError, "full: the value 0.5 does not fit int64"),
        (
            lambda: full(2, 300, dtype=np.uint8),
            ValueError,
            "full: the value 300 does not fit uint8",
        ),
        (lambda: tril_indices(2, 2, dtype="float32"), TypeError, "an integer dtype is expected"),
        (lambda: zeros(1, dtype=complex), TypeError, "dtype: <class 'complex'> is not one of"),
        (lambda: from_numpy([1.0]), TypeError, "tensor: list is not an array"),  # type: ignore[arg-type]
        (lambda: zeros(2, 3.0), TypeError, "cannot be interpreted as an integer"),
        (lambda: zeros(2, "float32"), TypeError, "cannot be interpreted as an integer"),
        (lambda: randn(2, dtype=int), TypeError, "randn: dtype int64 has no fractions"),
        (lambda: rand_like(tensor([1])), TypeError, "rand_like: dtype int64 has no fractions"),
        (lambda: randint(5, 5, (2,)), ValueError, "randint: low 5 is not below high 5"),
        (lambda: randint(1, 300, (2,), dtype=np.uint8), ValueError, "1 to 299 do not fit uint8"),
        (lambda: randint(5), TypeError, "randint: no size given"),
        (lambda: randint(3, (2,), dtype=bool), ValueError, "0 to 2 do not fit bool"),
        (lambda: randperm(-1), ValueError, "holds a negative size"),
        (lambda: randperm(300, dtype=np.uint8), ValueError, "0 to 299 do not fit uint8"),
        (lambda: bernoulli(tensor([1])), TypeError, "bernoulli: x is int64, a floating dtype"),
        (lambda: bernoulli(tensor([1.5])), ValueError, "bernoulli: a probability is 1.5"),
        (lambda: bernoulli(tensor([np.nan])), ValueError, "holds negative, infinite or NaN"),
        (lambda: poisson(tensor([-1.0])), ValueError, "poisson: x holds negative"),
        (lambda: normal(0.0, 1.0), ValueError, "give tensors, whose shape it has, or two numbers"),
        (lambda: normal(zeros(2), 1.0, (2,)), ValueError, "give tensors, whose shape"),
        (lambda: normal(0.0, -1.0, (2,)), ValueError, "normal: std holds -1.0, expected 0 or more"),
        (lambda: normal(tensor([1, 2])), TypeError, "normal: dtype int64 has no fractions"),
        (lambda: normal(zeros(2), ones(3)), ValueError, "shape mismatch"),
        (lambda: multinomial(zeros(2), 1), ValueError, "has 0 classes of positive weight, 1 are"),
        (
            lambda: multinomial(ones(2), 3),
            ValueError,
            "2 classes .* 3 are needed; replacement=True",
        ),
        (lambda: multinomial(ones(2), 0), ValueError, "num_samples 0 is not positive"),
        (lambda: multinomial(ones(2, 2, 2), 1), ValueError, r"expected \(K,\) or \(N, K\)"),
        (lambda: multinomial(tensor([1, 1]), 1), TypeError, "a floating dtype is expected"),
    ],
)
def test_refuses(call: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


# ------------------------------------------------------------------------------ random numbers

DRAWS: dict[str, Any] = {
    "rand": lambda g: rand(5, 4, generator=g),
    "rand_like": lambda g: rand_like(zeros(5, 4), generator=g),
    "randn": lambda g: randn(5, 4, generator=g),
    "randn_like": lambda g: randn_like(zeros(5, 4), generator=g),
    "randint": lambda g: randint(0, 100, (5, 4), generator=g),
    "randint_like": lambda g: randint_like(zeros(5, 4), 100, generator=g),
    "randperm": lambda g: randperm(20, generator=g),
    "normal": lambda g: normal(zeros(5, 4), 2.0, generator=g),
    "bernoulli": lambda g: bernoulli(full((5, 40), 0.5), generator=g),
    "poisson": lambda g: poisson(full((5, 4), 9.5), g),
    "multinomial": lambda g: multinomial(ones(30), 20, generator=g),
}


def test_every_function_that_draws_is_tested_here() -> None:
    assert set(DRAWS) == set(sampling.__all__)


@pytest.mark.parametrize("name", DRAWS)
def test_the_generator_decides(name: str) -> None:
    def numbers(generator: Any) -> list[Any]:
        drawn = DRAWS[name](generator)
        assert type(drawn) is Tensor
        return drawn.tolist()

    first = numbers(np.random.default_rng(5))
    assert first == numbers(np.random.default_rng(5))
    assert first != numbers(np.random.default_rng(6))
    manual_seed(7)
    second = numbers(None)
    manual_seed(7)
    assert second == numbers(None) != numbers(None)


def assert_frequencies(counts: np.ndarray, expected: np.ndarray) -> None:
    """Compare by chi^2 with its mean plus six standard deviations."""
    assert (counts[expected == 0] == 0).all()
    counts, expected = counts[expected > 0], expected[expected > 0]
    freedom = len(counts) - 1
    assert ((counts - expected) ** 2 / expected).sum() < freedom + 6 * np.sqrt(2 * freedom)


def seeded() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_rand_stays_below_one(dtype: str) -> None:
    """Rounding 1 - 2^-12 to float16 would give 1, once in a few thousand draws."""
    x = rand(200_000, dtype=dtype, generator=seeded()).data
    assert x.dtype == dtype
    assert 0 <= x.min() < x.max() < 1
    counts, _ = np.histogram(x.astype(float), 16, (0, 1))
    assert_frequencies(counts, np.full(16, x.size / 16))


def test_whole_numbers() -> None:
    counts = np.bincount(randint(2, 7, (5000,), generator=seeded()).data, minlength=8)
    assert_frequencies(counts, np.array([0, 0, 1, 1, 1, 1, 1, 0]) * 1000.0)
    assert randint(7, (3,), dtype="float32").dtype == np.float32
    assert randint(high=2, size=(2, 0)).shape == (2, 0)
    assert set(randint_like(zeros(200), -2, 0).tolist()) == {-2.0, -1.0}
    assert randint_like(tensor([1, 2]), 5, dtype="int8").dtype == np.int8
    order = randperm(50, generator=seeded())
    assert sorted(order.tolist()) == list(range(50))
    assert order.tolist() != list(range(50))
    assert randperm(0).tolist() == []


def test_normal_numbers() -> None:
    mean, std = tensor([[-5.0], [5.0]]), tensor(np.array([0.5] * 4000))
    x = normal(mean, std, generator=seeded())
    assert (x.shape, x.dtype) == ((2, 4000), np.float32)
    np.testing.assert_allclose(x.data.mean(axis=1), [-5, 5], atol=5 * 0.5 / np.sqrt(4000))
    np.testing.assert_allclose(x.data.std(axis=1), 0.5, rtol=5 / np.sqrt(8000))
    assert normal(1.0, 0.0, (2, 2)).tolist() == [[1, 1], [1, 1]]
    assert normal(1.0, 2.0, 3, dtype="float16").dtype == np.float16
    assert normal(2.0, zeros(3, dtype="float64")).tolist() == [2, 2, 2]


def test_coins_and_counts() -> None:
    p = tensor([0.0, 0.3, 1.0]).to(np.float16)
    coins = bernoulli(ops.expand(p, (5000, 3)), generator=seeded())
    assert coins.dtype == np.float16
    sums = coins.data.sum(axis=0, dtype=float)
    assert (sums[0], sums[2]) == (0, 5000)
    assert abs(sums[1] - 1500) < 5 * np.sqrt(5000 * 0.21)
    counts = poisson(full((5000,), 4.0), seeded())
    assert counts.dtype == np.float32
    assert abs(counts.data.mean() - 4) < 5 * np.sqrt(4 / 5000)
    assert abs(counts.data.var() - 4) < 5 * np.sqrt((4 + 2 * 16) / 5000)
    assert poisson(zeros(3)).tolist() == [0, 0, 0]


def test_classes_in_proportion_to_their_weights() -> None:
    weights = np.array([[0.0, 1, 3, 0], [5, 0, 0, 5]])
    drawn = multinomial(weights, 8000, replacement=True, generator=seeded())
    assert (drawn.shape, drawn.dtype) == ((2, 8000), np.int64)
    for row, weight in zip(drawn.data, weights, strict=True):
        assert_frequencies(np.bincount(row, minlength=4), 8000 * weight / weight.sum())
    assert multinomial(weights[0], 3, True).shape == (3,)
    assert multinomial(np.zeros((0, 2)), 3, True).shape == (0, 3)


def test_classes_without_replacement() -> None:
    """Each pair comes as often as by drawing one, and then another from what is left."""
    weights = np.array([1.0, 2, 0, 3])
    pairs = multinomial(np.tile(weights, (12000, 1)), 2, generator=seeded()).data
    counts, expected = np.zeros((4, 4)), np.zeros((4, 4))
    np.add.at(counts, tuple(pairs.T), 1)
    for first, second in np.ndindex(4, 4):
        if first != second:
            rest = weights.sum() - weights[first]
            expected[first, second] = weights[first] / weights.sum() * weights[second] / rest
    assert_frequencies(counts.ravel(), 12000 * expected.ravel())
    assert sorted(multinomial(np.ones(30), 30).tolist()) == list(range(30))


def test_all_that_is_made_is_exported() -> None:
    import tinymed

    for module in (creation, sampling):
        for name in module.__all__:
            assert getattr(tinymed, name) is getattr(module, name)
            assert name in tinymed.__all__


def test_no_device_is_the_cpu() -> None:
    """As layers that hand ``device=None, dtype=None`` on to others have it."""
    assert zeros(2, device=None).device == "cpu"
    assert nn.Linear(2, 3, device=None, dtype=None).weight.device == "cpu"
