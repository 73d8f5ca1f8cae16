"""Tensor: what it is made from, what it is, how it turns into other things."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.autograd import Variable, no_grad
from tinymed.tensor import (
    DTYPES,
    Tensor,
    arange,
    as_tensor,
    empty,
    eye,
    from_numpy,
    full,
    linspace,
    ones,
    ones_like,
    rand,
    randn,
    tensor,
    zeros,
    zeros_like,
)


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


@pytest.mark.parametrize("dtype", DTYPES)
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
        (lambda: zeros(2, -1), ValueError, r"shape: \(2, -1\) holds a negative size"),
        (lambda: full(-1, 0.0), ValueError, "holds a negative size"),
        (lambda: rand(-1), ValueError, "negative size"),
        (lambda: zeros(2.5), TypeError, "cannot be interpreted as an integer"),
        (lambda: zeros("2"), TypeError, "cannot be interpreted as an integer"),
        (lambda: arange(0, 1, 0), ValueError, "arange: step is 0"),
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


# ---------------------------------------------------------------------------------- what it is


def test_its_size() -> None:
    x = zeros(2, 3, 4)
    assert x.shape == x.size() == (2, 3, 4)
    assert x.size(-1) == 4
    assert (x.ndim, x.dim(), x.numel(), len(x)) == (3, 3, 24, 2)
    assert zeros(0, 3).numel() == 0
    assert zeros(()).numel() == 1
    with pytest.raises(IndexError, match="size: dim 3 is out of range for 3 axes"):
        x.size(3)
    with pytest.raises(TypeError, match="len: a tensor without axes has no length"):
        len(zeros(()))


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (tensor(np.ones(1)), "tensor([1.], float64)"),
        (tensor([1, 2]), "tensor([1, 2], int64)"),
        (tensor(1.0), "tensor(1.)"),
        (tensor([[1.0], [2.0]]), "tensor([[1.],\n        [2.]])"),
        (tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=Multiply)"),
        (tensor([]), "tensor([])"),
        (tensor([True]), "tensor([ True], bool)"),
    ],
)
def test_repr(x: Tensor, words: str) -> None:
    assert repr(x) == words


def test_long_tensors_are_shortened() -> None:
    assert "..." in repr(zeros(5000))
    assert len(repr(zeros(300, 300))) < 600


def test_format() -> None:
    assert f"{tensor(1.23456):.2f}" == "1.23"
    assert f"{tensor(7):>4d}" == "   7"
    assert f"{tensor([1.0])}" == "tensor([1.])"
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{tensor([1.0, 2.0]):.2f}"


def test_item_and_numbers() -> None:
    assert tensor([[2.5]]).item() == 2.5
    assert type(tensor(2).item()) is int
    assert (int(tensor(2.7)), float(tensor([3])), bool(tensor([0.0]))) == (2, 3.0, False)
    assert [10, 20, 30][tensor(1)] == 20
    assert list(range(5))[tensor(1) : tensor(3)] == [1, 2]
    with pytest.raises(TypeError, match="only an integer tensor can be an index, this is float32"):
        [10][tensor(0.0)]
    for count in (0, 2):
        with pytest.raises(ValueError, match=rf"item: a tensor \({count},\) has {count} elements"):
            zeros(count).item()
        with pytest.raises(
            ValueError, match=rf"bool: the truth of a tensor \({count},\) is ambiguous"
        ):
            bool(zeros(count))


def test_iteration() -> None:
    x = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x
    assert second.tolist() == [3, 4]
    first.sum().backward()
    assert x.grad.tolist() == [[1, 1], [0, 0]]
    assert list(zeros(0, 2)) == []
    assert 2 in tensor([1, 2])
    assert 3 not in tensor([1, 2])
    with pytest.raises(TypeError, match="a tensor without axes cannot be iterated"):
        iter(tensor(1.0))


def test_hash_and_equality() -> None:
    a, b = tensor([1.0]), tensor([1.0])
    assert hash(a) == hash(a) != hash(b)
    assert {a: 1}[a] == 1
    assert len({a, b, a}) == 2
    assert (a == b).tolist() == [True]
    assert (a != b).tolist() == [False]
    for other in (None, "a", [1.0], {}):
        assert (a == other) is False
        assert (a != other) is True
    assert None not in [a]


def test_copies_and_pickles() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert made.requires_grad
        assert made.tolist() == [1, 2]
        assert made.grad.tolist() == [2, 4]
        assert not np.shares_memory(made.data, x.data)
    shared = copy.deepcopy([x, x])
    assert shared[0] is shared[1]
    with pytest.raises(
        RuntimeError, match=r"copy: a tensor \(2,\) made by Multiply cannot be copied"
    ):
        copy.deepcopy(x * 2)


# ------------------------------------------------------------------------------ to other things


def test_numpy_shares_memory_and_is_refused_while_recorded() -> None:
    x = tensor([1.0, 2.0])
    x.numpy()[0] = 7
    assert x.tolist() == [7, 2]
    leaf = tensor([1.0], requires_grad=True)
    for recorded in (leaf, leaf * 2):
        with pytest.raises(RuntimeError, match=r"numpy: .* use detach\(\)\.numpy\(\)"):
            recorded.numpy()
        with pytest.raises(RuntimeError, match=r"use detach\(\)\.numpy\(\)"):
            np.asarray(recorded)
        assert recorded.detach().numpy().shape == (1,)


def test_array_protocol() -> None:
    x = tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(x), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    assert np.asarray(x, dtype=np.int64).tolist() == [1, 2]
    assert np.asarray(x, copy=False) is x.data
    with pytest.raises(ValueError, match="cannot become int64 without a copy"):
        np.asarray(x, dtype=np.int64, copy=False)
    assert np.stack([x, x]).shape == (2, 2)


def test_arrays_on_the_left_give_tensors() -> None:
    x = tensor(np.array([1.0, 2.0]), requires_grad=True)
    array = np.array([3.0, 4.0])
    for found, values in (
        (array + x, [4, 6]),
        (array - x, [2, 2]),
        (array * x, [3, 8]),
        (array / x, [3, 2]),
        (array**x, [3, 16]),
        (array @ x, 11),
        (np.float64(2) * x, [2, 4]),
        (2 - x, [1, 0]),
        (6 / x, [6, 3]),
        (2**x, [2, 4]),
    ):
        assert isinstance(found, Tensor)
        assert found.requires_grad
        assert found.tolist() == values
    assert (array > x).tolist() == [True, True]
    assert (array == x).tolist() == [False, False]
    with pytest.raises(TypeError, match="does not support ufuncs"):
        np.add(array, x)


def test_operators() -> None:
    x, y = tensor([1, 2]), tensor([2, 2])
    assert (x + y).tolist() == [3, 4]
    assert (x @ y).tolist() == 6
    assert (-x).tolist() == [-1, -2]
    assert (+x) is x
    assert abs(-x).tolist() == [1, 2]
    assert (~(x == y)).tolist() == [True, False]
    assert ((x == 1) & (y == 2) | False).tolist() == [True, False]
    assert (True & (x == 1)).tolist() == (True & (x == 1)).tolist() == [True, False]
    assert [(x < y).tolist(), (x <= y).tolist(), (x > 1).tolist(), (x >= 1).tolist()] == [
        [True, False], [True, True], [False, True], [True, True]
    ]  # fmt: skip


METHODS = {
    "add": (2,), "sub": (2,), "mul": (2,), "div": (2,), "pow": (2,), "exp": (), "log": (),
    "sqrt": (), "abs": (), "sign": (), "tanh": (), "sigmoid": (), "relu": (), "softmax": (1,),
    "log_softmax": (1,), "clamp": (0, 1), "isnan": (), "isfinite": (), "sum": (1, True),
    "mean": (0,), "var": (1,), "std": (1,), "max": (1,), "min": (), "argmax": (1,), "argmin": (),
    "logsumexp": (1,), "reshape": (3, 2), "view": (6,), "flatten": (), "permute": (1, 0),
    "transpose": (0, 1), "squeeze": (), "unsqueeze": (0,), "expand": ((4, 2, 3),), "split": (2, 1),
    "clone": (), "matmul": (np.ones((3, 1), np.float32),),
}  # fmt: skip
NAMES = {"sub": "subtract", "mul": "multiply", "div": "divide", "pow": "power"}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_the_ops(name: str) -> None:
    array = np.array([[0.5, 2.0, 3.0], [1.0, 0.25, 9.0]], np.float32)
    given = METHODS[name]
    found = getattr(Tensor(array), name)(*given)
    expected = getattr(ops, NAMES.get(name, name))(array, *given)
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        assert type(a) is Tensor
        np.testing.assert_array_equal(a.data, b, strict=True)


def test_casts_and_places() -> None:
    x = tensor([1.5])
    assert x.double().dtype == np.float64
    assert x.long().tolist() == [1]
    assert x.bool().tolist() == [True]
    assert x.float() is x
    assert x.cpu() is x
    assert x.to("cpu", np.float64).dtype == np.float64
    assert x.to("float16").dtype == np.float16
    assert x.device == "cpu"
    assert x.T is not None
    assert zeros(2, 3, 4).T.shape == (4, 3, 2)
    assert x.contiguous() is x
    turned = zeros(2, 3).T
    assert turned.contiguous().data.flags.c_contiguous
    assert not turned.data.flags.c_contiguous


def test_a_name_that_does_not_exist() -> None:
    x = tensor([1.0])
    with pytest.raises(AttributeError):
        x.no_such_method()
    with pytest.raises(AttributeError):
        x.note = 1


def test_results_are_tensors() -> None:
    assert Variable.result_type is Tensor
    x = tensor([1.0], requires_grad=True)
    with no_grad():
        assert type(x * 2) is Tensor
    assert type(x * 2) is Tensor
    (x * 2).backward()
    assert type(x.grad) is Tensor
