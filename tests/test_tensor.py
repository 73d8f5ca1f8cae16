"""Tensor: what it is made from, what it is, how it turns into other things."""

import copy
import pickle

import numpy as np
import pytest

from tinymed import ops
from tinymed.autograd import Variable
from tinymed.creation import (
    tensor,
    zeros,
)
from tinymed.grad_mode import no_grad
from tinymed.tensor import Tensor, is_tensor

# ---------------------------------------------------------------------------------- what it is


def test_its_size() -> None:
    x = zeros(2, 3, 4)
    assert x.shape == x.size() == (2, 3, 4)
    assert x.size(-1) == 4
    assert (x.ndim, x.dim(), x.numel(), len(x)) == (3, 3, 24, 2)
    assert (x.nelement(), x.ndimension(), x.element_size(), x.nbytes) == (24, 3, 4, 96)
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


# ------------------------------------------------------------------- as code for PyTorch calls it


def test_to_takes_keywords_and_tensors() -> None:
    x, like = zeros(2), zeros(1, dtype="float16")
    assert x.to(device="cpu", dtype="float64").dtype == np.float64
    assert x.to("cpu", dtype=np.int64).dtype == np.int64
    assert x.to(like).dtype == np.float16
    assert x.to() is x
    assert x.int().dtype == np.int32
    with pytest.raises(ValueError, match="to: 'gpu' is neither a device"):
        x.to(device="gpu")


def test_what_it_tells_of_itself() -> None:
    x = zeros(2, 3)
    assert (x.is_floating_point(), x.long().is_floating_point()) == (True, False)
    assert (x.is_contiguous(), x.T.is_contiguous()) == (True, False)
    assert (is_tensor(x), is_tensor(x.data)) == (True, False)
