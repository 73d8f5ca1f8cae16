"""Shapes and indices against NumPy: values, gradients, views, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.tensor import Tensor

X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ops.reshape(X, (4, 6)), X.reshape(4, 6)),
        (ops.reshape(X, 3, -1), X.reshape(3, 8)),
        (ops.reshape(X, [2, 12]), X.reshape(2, 12)),
        (ops.reshape(np.zeros((0, 3)), (-1, 3)), np.zeros((0, 3))),
        (ops.flatten(X), X.reshape(24)),
        (ops.flatten(X, 1), X.reshape(2, 12)),
        (ops.flatten(X, -3, -2), X.reshape(6, 4)),
        (ops.flatten(np.array(1.0)), np.array([1.0])),
        (ops.permute(X, 2, 0, 1), X.transpose(2, 0, 1)),
        (ops.permute(X, (-1, 0, 1)), X.transpose(2, 0, 1)),
        (ops.transpose(X, 0, -1), X.swapaxes(0, 2)),
        (ops.unsqueeze(X, -1), X[..., None]),
        (ops.unsqueeze(X, 1), X[:, None]),
        (ops.squeeze(X[:1, :, :1]), X[0, :, 0]),
        (ops.squeeze(X[:1, :, :1], -1), X[:1, :, 0]),
        (ops.squeeze(X, 0), X),
        (ops.squeeze(X[:1, :, :1], (0, 1)), X[0, :, :1]),
        (ops.expand(X[:, :1], (2, 3, 4)), np.broadcast_to(X[:, :1], (2, 3, 4))),
        (ops.expand(X[0, 0], (5, -1)), np.broadcast_to(X[0, 0], (5, 4))),
        (ops.cat([X, X[:, :1]], 1), np.concatenate([X, X[:, :1]], 1)),
        (ops.cat([X, X], -1), np.concatenate([X, X], -1)),
        (ops.stack([X, X], 1), np.stack([X, X], 1)),
        (ops.stack([X[0, 0, 0], X[0, 0, 1]], -1), np.array([0.0, 1.0])),
        (ops.pad(X, (1, 2)), np.pad(X, [(0, 0), (0, 0), (1, 2)])),
        (ops.pad(X, (0, 1, 2, 0), value=5), np.pad(X, [(0, 0), (2, 0), (0, 1)], constant_values=5)),
        (ops.pad(X, (-1, -1, 0, -2)), X[:, :1, 1:3]),
    ],
)
def test_equals_numpy(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(found, expected, strict=True)


def test_split() -> None:
    assert [p.shape for p in ops.split(X, 3, 2)] == [(2, 3, 3), (2, 3, 1)]
    assert [p.shape for p in ops.split(X, [1, 0, 2], dim=1)] == [(2, 1, 4), (2, 0, 4), (2, 2, 4)]
    np.testing.assert_array_equal(ops.cat(ops.split(tensor(X), 3, 2), 2).data, X)
    assert [p.shape for p in ops.split(np.zeros((0, 2)), 3)] == [(0, 2)]


@pytest.mark.parametrize(
    ("kind", "words", "call"),
    [
        (
            ValueError,
            r"reshape: x \(2, 3, 4\) has 24 elements, which do not fit \(5, 5\)",
            lambda: ops.reshape(X, 5, 5),
        ),
        (ValueError, r"reshape: \(-1, -1\) may hold one -1", lambda: ops.reshape(X, -1, -1)),
        (
            ValueError,
            r"reshape: \(-2, 12\) may hold one -1 and no other negative size",
            lambda: ops.reshape(X, -2, 12),
        ),
        (ValueError, r"do not fit \(0, -1\)", lambda: ops.reshape(np.zeros((0, 2)), 0, -1)),
        (
            TypeError,
            "'float' object cannot be interpreted as an integer",
            lambda: ops.reshape(X, 2.5, 4),
        ),
        (
            ValueError,
            r"view: x \(4, 3, 2\) with strides .* cannot be seen as \(24,\) without a copy",
            lambda: ops.view(X.T, 24),
        ),
        (
            ValueError,
            r"permute: dims \(0, 0, 1\) are not each of the 3 axes once",
            lambda: ops.permute(X, 0, 0, 1),
        ),
        (IndexError, "permute: dim 3 is out of range", lambda: ops.permute(X, 0, 1, 3)),
        (IndexError, "transpose: dim -4", lambda: ops.transpose(X, 0, -4)),
        (IndexError, "unsqueeze: dim 4 is out of range for 4 axes", lambda: ops.unsqueeze(X, 4)),
        (IndexError, "squeeze: dim 3", lambda: ops.squeeze(X, 3)),
        (ValueError, "flatten: start_dim 2 lies behind end_dim 1", lambda: ops.flatten(X, 2, 1)),
        (
            ValueError,
            r"expand: x \(2, 3, 4\) cannot be repeated to \(2, 3, 5\); only axes of 1 can",
            lambda: ops.expand(X, (2, 3, 5)),
        ),
        (
            ValueError,
            r"expand: x \(2, 3, 4\) cannot be repeated to \(3, 4\)",
            lambda: ops.expand(X, (3, 4)),
        ),
        (
            ValueError,
            r"expand: x \(2, 3, 4\) has no axis to keep for a -1",
            lambda: ops.expand(X, (-1, 2, 3, 4)),
        ),
        (
            ValueError,
            r"cat: tensor 1 is \(2, 2, 4\), tensor 0 is \(2, 3, 4\); all axes but dim=0",
            lambda: ops.cat([X, X[:, :2]]),
        ),
        (ValueError, r"cat: tensor 1 is \(3, 4\)", lambda: ops.cat([X, X[0]])),
        (ValueError, "cat: no tensors given", lambda: ops.cat([])),
        (
            ValueError,
            "cat: tensors without axes cannot be joined; use stack",
            lambda: ops.cat([tensor(1.0)]),
        ),
        (IndexError, "cat: dim 3", lambda: ops.cat([X], 3)),
        (
            ValueError,
            "stack: tensors of one shape are expected, these are",
            lambda: ops.stack([X, X[0]]),
        ),
        (ValueError, "stack: tensors of one shape are expected", lambda: ops.stack([])),
        (ValueError, "split: split_size 0 is not positive", lambda: ops.split(X, 0)),
        (
            ValueError,
            r"split: sizes \[1, 1\] do not add up to 3, dim 1 of x",
            lambda: ops.split(X, [1, 1], 1),
        ),
        (
            ValueError,
            "split: a tensor without axes cannot be split",
            lambda: ops.split(tensor(1.0), 1),
        ),
        (
            ValueError,
            "pad: 3 amounts for 3 axes; give .low, high. per axis",
            lambda: ops.pad(X, (1, 1, 1)),
        ),
        (
            ValueError,
            r"pad: amounts .* cut off more than there is of x \(2, 3, 4\)",
            lambda: ops.pad(X, (-5, 6)),
        ),
        (
            ValueError,
            r"pad: amounts \(4, 0\) in mode 'reflect' for dim 2 of x .*, at most 3 are expected",
            lambda: ops.pad(X, (4, 0), "reflect"),
        ),
        (
            ValueError,
            r"pad: amounts \(0, 5\) in mode 'circular' for dim 2 .*, at most 4 are",
            lambda: ops.pad(X, (0, 5), "circular"),
        ),
        (
            ValueError,
            "pad: mode='wrap' is not one of 'constant', 'reflect', 'replicate', 'circular'",
            lambda: ops.pad(X, (1, 1), "wrap"),
        ),
        (
            ValueError,
            "pad: value=2 has no meaning where mode='reflect'",
            lambda: ops.pad(X, (1, 1), "reflect", 2),
        ),
        (TypeError, "cannot be interpreted as an integer", lambda: ops.pad(X, (1.5, 0))),
        (ValueError, "flip: dim .* names an axis twice", lambda: ops.flip(X, (0, -3))),
        (
            ValueError,
            "roll: 2 shifts for 1 dims; give one for each",
            lambda: ops.roll(X, (1, 2), 0),
        ),
        (
            ValueError,
            r"unflatten: x \(4,\) has 4 elements, which do not fit \(3, 2\)",
            lambda: ops.unflatten(X, 2, (3, 2)),
        ),
        (
            ValueError,
            r"repeat: repeats \(2,\) for x \(2, 3, 4\); give a number >= 0 for each axis",
            lambda: ops.repeat(X, 2),
        ),
        (
            ValueError,
            r"meshgrid: .*\(2, 3, 4\).*; tensors of one axis are expected",
            lambda: ops.meshgrid(X),
        ),
        (
            ValueError,
            r"hsplit: dim 1 of x \(2, 3, 4\) is not divisible by 2",
            lambda: ops.hsplit(X, 2),
        ),
        (
            ValueError,
            "pixel_shuffle: 2 channels of x .* are not divisible by 2.2",
            lambda: ops.pixel_shuffle(X, 2),
        ),
        (ValueError, r"tril: x \(4,\) is not a matrix", lambda: ops.tril(X[0, 0])),
        (
            ValueError,
            r"unfold: the window \(9, 9\) .* is larger than the padded input \(3, 4\)",
            lambda: ops.unfold(X, 9),
        ),
        (
            ValueError,
            r"fold: x \(2, 3, 4\) for windows \(2, 2\) .*; \(N, a multiple of 4, 9\) is expected",
            lambda: ops.fold(X, 4, 2),
        ),
    ],
)
def test_refuses(kind: type[Exception], words: str, call: Any) -> None:
    with pytest.raises(kind, match=words):
        call()


HUGE = 2**40


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("repeat", lambda: ops.repeat(X, HUGE, 1, 1)),
        ("repeat", lambda: ops.repeat(X[0, 0], 2**62, 2**62)),
        ("repeat", lambda: ops.tile(X, HUGE)),
        ("repeat_interleave", lambda: ops.repeat_interleave(X, HUGE)),
        ("repeat_interleave", lambda: ops.repeat_interleave(X, np.array([HUGE, 1]), 0)),
        ("expand", lambda: ops.expand(X[:, :1], (2, HUGE, 4))),
        ("expand", lambda: ops.broadcast_to(X, (2**62, 2, 3, 4))),
        ("pad", lambda: ops.pad(X, (HUGE, 1))),
        ("pad", lambda: ops.pad(X, (HUGE, 1), "replicate")),
        ("one_hot", lambda: ops.one_hot(np.array([1, 2]), HUGE)),
        ("one_hot", lambda: ops.one_hot(np.array([2**39, 0]))),
        ("diag_embed", lambda: ops.diag(X[0, 0], HUGE)),
        ("diag_embed", lambda: ops.diag_embed(X, -(2**62))),
        ("meshgrid", lambda: ops.meshgrid(*[ops.expand(X[0, 0, 0], (2**20,))] * 2)),
        ("fold", lambda: ops.fold(X, (2**31, 2**31), 1)),
        ("combinations", lambda: ops.combinations(np.arange(10**6), 4)),
    ],
)
def test_sizes_that_nothing_can_hold(name: str, call: Any) -> None:
    with pytest.raises(ValueError, match=rf"{name}: (a result|x) "):
        call()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_padding_equals_numpy(data: st.DataObject) -> None:
    names = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    mode = data.draw(st.sampled_from([*names]))
    x = np.arange(24.0).reshape(data.draw(st.permutations([2, 3, 4])))
    limit = {"reflect": -1, "replicate": 3, "circular": 0}[mode]
    pairs = [
        (data.draw(st.integers(0, n + limit)), data.draw(st.integers(0, n + limit)))
        for n in x.shape
    ]
    flat = [n for pair in reversed(pairs) for n in pair]
    leaf = Tensor(x.copy(), requires_grad=True)
    y = ops.pad(leaf, flat, mode)
    np.testing.assert_array_equal(y.data, np.pad(x, pairs, names[mode]))
    counted = grad(y, leaf, np.ones(y.shape))[0].data.ravel()
    np.testing.assert_array_equal(counted, np.bincount(y.data.ravel().astype(int), minlength=24))


def test_views_share_memory_and_copies_do_not() -> None:
    x = Tensor(X.copy())
    views = [
        x.view(6, 4),
        x.reshape(24),
        x.permute(2, 0, 1),
        x.transpose(0, 1),
        x.unsqueeze(0),
        x[0],
        x[:, ::2],
        x[..., None, 1],
        x.expand(3, 2, 3, 4),
        *ops.chunk(x, 2, -1),
        *ops.tensor_split(x, (1,)),
        *ops.unbind(x, 1),
        ops.movedim(x, 0, 2),
        ops.unflatten(x, 2, (2, 2)),
        ops.select(x, 1, 0),
        ops.narrow(x, 2, 1, 2),
        ops.diagonal(x),
        *ops.broadcast_tensors(x, x[0]),
        *ops.meshgrid(x[0, 0], x[0, 1]),
    ]
    copies = [x.clone(), x[[0, 1]], x[x > -1], x.T.reshape(24), ops.cat([x]), ops.pad(x, (0, 0))]
    copies += [
        ops.flip(x, (0,)),
        ops.flip(x, ()),
        ops.roll(x, 0),
        ops.roll(x, 1, 0),
        ops.rot90(x, 0),
    ]
    copies += [
        ops.tril(x),
        ops.repeat(x, 2, 1, 1),
        ops.unfold_dim(x, 0, 1, 1),
        ops.index_select(x, 0, np.array([0])),
    ]
    copies += [ops.masked_fill(x, x.data > 99, 0), ops.scatter(x, 0, np.zeros((0, 1, 1), int), 5)]
    assert all(np.shares_memory(v.data, x.data) for v in views)
    assert not any(np.shares_memory(c.data, x.data) for c in copies)


# ------------------------------------------------------------------------------------ indexing


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_basic_index_and_its_gradient(data: st.DataObject) -> None:
    index = data.draw(npst.basic_indices(X.shape, allow_newaxis=True))
    check_index(X, index)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_integer_array_index_and_its_gradient(data: st.DataObject) -> None:
    index = data.draw(npst.integer_array_indices(X.shape))
    check_index(X, index)


@settings(max_examples=40, deadline=None)
@given(npst.arrays(bool, st.sampled_from([(2,), (2, 3), (2, 3, 4)])))
def test_bool_index_and_its_gradient(mask: np.ndarray) -> None:
    check_index(X, mask)
    check_index(X, Tensor(mask))


def check_index(x: np.ndarray, index: Any) -> None:
    """Values as NumPy's; the gradient counts how often each element was taken."""
    leaf = Tensor(x.copy(), requires_grad=True)
    plain = index.data if isinstance(index, Tensor) else index
    y = leaf[index]
    np.testing.assert_array_equal(y.data, x[plain])
    g = np.arange(1.0, y.numel() + 1).reshape(y.shape)
    expected = np.zeros(x.shape)
    places = np.arange(x.size).reshape(x.shape)[plain]
    for place, weight in zip(np.ravel(places), np.ravel(g), strict=True):
        expected.reshape(-1)[place] += weight
    np.testing.assert_array_equal(grad(y, leaf, g)[0].data, expected)


def test_an_index_that_is_a_list_or_a_tensor() -> None:
    x = tensor(X)
    np.testing.assert_array_equal(x[[0, 1, 0]].data, X[[0, 1, 0]])
    np.testing.assert_array_equal(x[tensor([1, 0])].data, X[[1, 0]])
    np.testing.assert_array_equal(x[tensor(1)].data, X[1])
    np.testing.assert_array_equal(x[:, tensor([0, 2]), 1].data, X[:, [0, 2], 1])
    np.testing.assert_array_equal(x[[]].data, X[:0])
    np.testing.assert_array_equal(x[np.int32(1), np.bool_(True)].data, X[1, True])


@pytest.mark.parametrize(
    ("kind", "words", "index"),
    [
        (IndexError, "out of bounds", 2),
        (IndexError, "out of bounds", (0, -4)),
        (IndexError, "out of bounds", [0, 2]),
        (IndexError, "too many indices", (0, 0, 0, 0)),
        (IndexError, "boolean index did not match", np.array([True, False, True])),
        (TypeError, "index: float float cannot select|index: float  cannot select", 1.0),
        (TypeError, "index: str", "a"),
        (TypeError, "index: ndarray float64 cannot select", np.array([0.0])),
        (TypeError, r"index: \(2,\) uint8 may be a mask or places; use", np.ones(2, np.uint8)),
        (TypeError, "uint8 may be a mask or places", (0, tensor(np.ones(3, np.uint8)))),
        (TypeError, "cannot select; use integers, slices, None, ... or tensors", {"a": 1}),
    ],
)
def test_an_index_that_selects_nothing(kind: type[Exception], words: str, index: Any) -> None:
    with pytest.raises(kind, match=words):
        tensor(X)[index]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.integers(0, 5), st.integers(0, 2**16))
def test_take_along_dim_equals_numpy(dim: int, length: int, seed: int) -> None:
    shape = list(X.shape)
    shape[dim] = length
    index = np.random.default_rng(seed).integers(0, X.shape[dim], shape)
    x = Tensor(X.copy(), requires_grad=True)
    y = ops.take_along_dim(x, index, dim - 3)
    np.testing.assert_array_equal(y.data, np.take_along_axis(X, index, dim))
    counted = grad(y, x, np.ones(y.shape))[0].data
    for place in range(X.shape[dim]):
        np.testing.assert_array_equal(counted.take(place, dim), (index == place).sum(axis=dim))


def test_take_along_dim_broadcasts_the_other_axes() -> None:
    index = np.array([[3, 0]])
    x = Tensor(X[0].copy(), requires_grad=True)
    y = ops.take_along_dim(x, index, 1)
    np.testing.assert_array_equal(y.data, X[0][:, [3, 0]])
    np.testing.assert_array_equal(grad(y, x, np.ones((3, 2)))[0].data, [[1, 0, 0, 1]] * 3)
    np.testing.assert_array_equal(
        ops.take_along_dim(X[0][:1], np.array([[0], [2], [3]]), 1), [[0.0], [2.0], [3.0]]
    )
    with pytest.raises(IndexError, match="take_along_dim: index 4 is out of range for 4 elements"):
        ops.take_along_dim(X[0], np.array([[4]]), 1)
    with pytest.raises(ValueError, match=r"x \(3, 4\) and indices \(2,\) differ in number of axes"):
        ops.take_along_dim(X[0], np.array([0, 1]), 1)


# -------------------------------------------------------------------------------------- matmul


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 1)),
        ((2,), (5, 2, 3)),
        ((5, 2, 3), (3,)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
    ],
)
def test_matmul_equals_sums_of_products(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(-3, 4, a) * 1.0, random.integers(-3, 4, b) * 1.0
    left = x[None] if x.ndim == 1 else x
    right = y[:, None] if y.ndim == 1 else y
    expected = (left[..., :, :, None] * right[..., None, :, :]).sum(axis=-2)
    if y.ndim == 1:
        expected = expected[..., 0]
    if x.ndim == 1:
        expected = expected[..., 0] if y.ndim == 1 else expected[..., 0, :]
    np.testing.assert_array_equal(ops.matmul(x, y), expected, strict=True)
    np.testing.assert_array_equal((Tensor(x) @ Tensor(y)).data, expected)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            r"matmul: a \(2, 3\) and b \(2, 3\) do not fit; the last axis of a must equal",
            lambda: ops.matmul(X[0][:2, :3], X[0][:2, :3]),
        ),
        (
            r"matmul: the batch axes of a \(2, 3, 4\) and b \(3, 4, 2\) do not broadcast",
            lambda: ops.matmul(X, np.ones((3, 4, 2))),
        ),
        (
            r"matmul: a \(\) and b \(3,\) need at least one axis; use \*",
            lambda: ops.matmul(np.ones(()), np.ones(3)),
        ),
        (
            r"linear: x \(2, 3, 4\) has 4 features but weight \(2, 5\) expects 5",
            lambda: ops.linear(X, np.ones((2, 5))),
        ),
        (
            r"linear: bias \(3,\) does not fit weight \(2, 4\)",
            lambda: ops.linear(X, np.ones((2, 4)), np.ones(3)),
        ),
        (
            r"linear: bias \(\) does not fit weight",
            lambda: ops.linear(X, np.ones((2, 4)), np.ones(())),
        ),
        (r"linear: x \(2, 3, 4\) .* weight \(4,\)", lambda: ops.linear(X, np.ones(4))),
        (r"linear: x \(\) has no features", lambda: ops.linear(np.ones(()), np.ones((2, 4)))),
        (
            "linear: activation='swish' is not one of None, 'relu', 'tanh', 'sigmoid'",
            lambda: ops.linear(X, np.ones((2, 4)), activation="swish"),
        ),
    ],
)
def test_products_refuse(words: str, call: Any) -> None:
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    "copied",
    [
        lambda x: ops.repeat(x, 1, 1),
        lambda x: ops.repeat(x, 2, 1, 1),
        lambda x: ops.tile(x, (1,)),
        lambda x: ops.diag(x, 1),
    ],
)
def test_what_pytorch_copies_is_no_view(copied: Callable[[Any], Any]) -> None:
    x = np.ones((1, 3))
    y = copied(x)
    y[...] = 7.0  # nor read-only, nor one element seen several times
    assert not np.shares_memory(x, y)
