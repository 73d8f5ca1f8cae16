"""PyTorch's type promotion, as a table: what combines to what."""

from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.creation import tensor
from tinymed.tensor import Tensor

NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
# The published table of torch.promote_types, row by column, in the order of NAMES.
TABLE = """
bool    uint8   int8    int16   int32   int64   float16 float32 float64
uint8   uint8   int16   int16   int32   int64   float16 float32 float64
int8    int16   int8    int16   int32   int64   float16 float32 float64
int16   int16   int16   int16   int32   int64   float16 float32 float64
int32   int32   int32   int32   int32   int64   float16 float32 float64
int64   int64   int64   int64   int64   int64   float16 float32 float64
float16 float16 float16 float16 float16 float16 float16 float32 float64
float32 float32 float32 float32 float32 float32 float32 float32 float64
float64 float64 float64 float64 float64 float64 float64 float64 float64
"""
PAIRS = [
    (row, column, result)
    for row, line in zip(NAMES, TABLE.split("\n")[1:-1], strict=True)
    for column, result in zip(NAMES, line.split(), strict=True)
]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_two_tensors_with_axes(a: str, b: str, expected: str) -> None:
    assert ops.result_type(np.ones(2, a), np.ones(2, b)) == expected
    assert ops.add(Tensor(np.ones(2, a)), np.ones(2, b)).dtype == expected
    assert ops.maximum(np.ones((2, 1), a), np.ones(2, b)).dtype == expected
    assert ops.where(np.array([True, False]), np.ones(2, a), np.ones(2, b)).dtype == expected
    assert ops.cat([np.ones(2, a), np.ones(2, b)]).dtype == expected


KIND = {"bool": 0, "uint8": 1, "int8": 1, "int16": 1, "int32": 1, "int64": 1}


@pytest.mark.parametrize(("a", "b", "combined"), PAIRS)
def test_no_axes_widens_only_across_kinds(a: str, b: str, combined: str) -> None:
    """A tensor without axes changes the result only if it is of a higher kind."""
    higher = KIND.get(b, 2) > KIND.get(a, 2)
    found = ops.multiply(tensor(np.ones(3, a)), tensor(np.array(1, b)))
    assert found.dtype == (b if higher else a)
    assert ops.multiply(np.array(1, b), np.ones(3, a)).dtype == (b if higher else a)
    assert ops.multiply(np.array(1, b), np.array(1, a)).dtype == combined


@pytest.mark.parametrize("name", NAMES)
def test_a_number_changes_the_dtype_only_across_kinds(name: str) -> None:
    x = tensor(np.ones(3, name))
    kind = KIND.get(name, 2)
    assert (x + True).dtype == (True + x).dtype == name
    assert (x + 2).dtype == (2 + x).dtype == ("int64" if kind == 0 else name)
    assert (x * 2.5).dtype == (2.5 * x).dtype == (name if kind == 2 else "float32")
    assert (x / 2).dtype == (2 / x).dtype == (name if kind == 2 else "float32")
    assert (x == 2.5).dtype == bool


def test_the_default_dtype_is_what_numbers_become() -> None:
    before = ops.default_dtype()
    try:
        ops.set_default_dtype("float64")
        assert (tensor([1, 2]) * 2.5).dtype == np.float64
        assert tensor([1.0]).dtype == np.float64
        assert ops.exp(np.ones(2, np.int64)).dtype == np.float64
        assert (tensor(np.ones(2, np.float32)) * 2.5).dtype == np.float32
    finally:
        ops.set_default_dtype(before)
    assert (tensor([1, 2]) * 2.5).dtype == np.float32


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
def test_the_default_dtype_is_a_float(dtype: str) -> None:
    with pytest.raises(TypeError, match=f"set_default_dtype: {dtype} is not a floating dtype"):
        ops.set_default_dtype(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_keep_their_digits(dtype: str) -> None:
    """A Python float is rounded to the tensor's dtype, never to the default one before.

    float16 is computed in float32, to which the number is rounded then; see `precision`.
    """
    x, computed = np.array([1.0, 3.0], dtype), "float32" if dtype == "float16" else dtype
    for op, function in {
        ops.add: np.add,
        ops.subtract: np.subtract,
        ops.multiply: np.multiply,
        ops.divide: np.divide,
        ops.power: np.power,
    }.items():
        for number in (0.1, 1 / 3, 16777217):
            with np.errstate(over="ignore"):
                wide, exact = x.astype(computed), np.dtype(computed).type(number)
                expected = [
                    function(*pair).astype(dtype) for pair in ((wide, exact), (exact, wide))
                ]
                np.testing.assert_array_equal(op(x, number), expected[0], strict=True)
                np.testing.assert_array_equal(op(number, x), expected[1], strict=True)


def test_comparisons_promote_like_arithmetic() -> None:
    """0.1 in float32 equals a 0-d 0.1 in float64, which does not widen the comparison."""
    x = tensor([0.1])
    assert (x == tensor(np.array(0.1))).item()
    assert not (x < np.array(0.1)).item()
    assert not (x == np.array([0.1])).item()  # with axes it does widen
    assert (x == 0.1).item()


def test_gradients_come_back_in_the_dtype_of_each_input() -> None:
    a = tensor(np.ones(2, np.float16), requires_grad=True)
    b = tensor(np.ones(2, np.float64), requires_grad=True)
    c = tensor(np.array(2.0), requires_grad=True)  # no axes: does not widen
    (a * 2 + b * c).sum().backward()
    assert [x.grad.dtype for x in (a, b, c)] == [np.float16, np.float64, np.float64]
    d = tensor([1.0, 2.0], requires_grad=True)
    (d * c).sum().backward()
    assert (d * c).dtype == np.float32
    assert d.grad.dtype == np.float32
    assert c.grad.item() == 2 + 3


def test_a_cast_to_integers_ends_the_gradient() -> None:
    x = tensor([1.5, 2.5], requires_grad=True)
    assert not x.long().requires_grad
    assert not x.to("bool").requires_grad
    assert not (x.long() * 2.0).requires_grad
    y = x.double()
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_cast_to_the_same_dtype_is_nothing() -> None:
    x = tensor([1.0])
    assert ops.cast(x, "float32") is x
    assert x.float() is x


@pytest.mark.parametrize(("name", "bad"), [("str", "a"), ("NoneType", None), ("list", [1.0])])
@pytest.mark.parametrize("op", [ops.add, ops.multiply, ops.divide, ops.maximum, ops.power, ops.eq])
def test_what_is_neither_tensor_nor_number_is_refused(op: Any, name: str, bad: Any) -> None:
    for pair in ((tensor([1.0]), bad), (bad, tensor([1.0]))):
        with pytest.raises(TypeError, match=f"{name} is not a Tensor, an array or a number"):
            op(*pair)


def test_complex_is_refused() -> None:
    with pytest.raises(TypeError, match="dtype complex128 is not supported"):
        ops.add(np.ones(2), np.ones(2, complex))


@pytest.mark.parametrize("op", [ops.matmul, ops.linear, ops.conv2d])
def test_products_and_layers_do_not_promote(op: Any) -> None:
    axes = 4 if op is ops.conv2d else 2
    a, b = tensor(np.ones((1,) * axes)), tensor(np.ones((1,) * axes, np.float32))
    with pytest.raises(TypeError, match=r"is float32 but (\w+) is float64; cast \1 to float32"):
        op(a, b)
    with pytest.raises(TypeError, match="is int, expected a Tensor or array"):
        op(a, 1)
