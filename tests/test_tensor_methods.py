"""Every method of `Methods` hands all its arguments to the op of its name, in their places."""

import ast
import inspect

import numpy as np
import pytest

from tinymed import ops, tensor
from tinymed import tensor_methods as methods

TREE = ast.parse(inspect.getsource(methods.Methods))
WRITTEN = {n.name: n for n in ast.walk(TREE) if isinstance(n, ast.FunctionDef)}
OTHERWISE = {"where", "unfold"}  # PyTorch's method takes another order, or has another op
OURS = {"b": "other"}  # what a second operand is called as an argument of a method
THREE = {"a": "tensor1", "b": "tensor2"}
NAMED = {"pow": {"b": "exponent"}, "addcmul": THREE, "addcdiv": THREE}


@pytest.mark.parametrize("name", sorted(set(WRITTEN) - OTHERWISE))
def test_hands_on_all_arguments(name: str) -> None:
    arguments = WRITTEN[name].args
    given = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    given += [arguments.vararg.arg] if arguments.vararg else []
    given += [a.arg for a in arguments.kwonlyargs]
    (call,) = (n for n in WRITTEN[name].body[1:] if isinstance(n, ast.Return))
    assert isinstance(call.value, ast.Call)
    assert ast.unparse(call.value.func) == f"ops.{name}"
    handed = [n.id for n in ast.walk(call.value) if isinstance(n, ast.Name)]
    assert [n for n in handed if n not in ("ops", "_sequence")] == given
    renamed = NAMED.get(name, OURS)
    theirs = [renamed.get(p, p) for p in list(inspect.signature(getattr(ops, name)).parameters)[1:]]
    assert given[1:] == theirs
    for keyword in call.value.keywords:
        assert ast.unparse(keyword.value) == keyword.arg
    defaults = {
        renamed.get(p.name, p.name): p.default
        for p in list(inspect.signature(getattr(ops, name)).parameters.values())[1:]
    }
    own = inspect.signature(getattr(methods.Methods, name)).parameters
    for argument, default in defaults.items():
        assert own[argument].default == default or own[argument].default is default, argument


def test_methods_that_differ_from_their_op() -> None:
    x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    mask = np.array([True, False, True])
    assert x.where(mask, 0.0).tolist() == [[1, 0, 3], [4, 0, 6]]
    assert x.unfold(1, 2, 1).tolist() == [[[1, 2], [2, 3]], [[4, 5], [5, 6]]]
    assert x.expand_as(tensor(np.zeros((2, 2, 3)))).shape == (2, 2, 3)
    assert x.reshape_as(tensor(np.zeros((3, 2)))).shape == (3, 2)
    assert x.view_as(tensor(np.zeros((3, 2)))).shape == (3, 2)
    assert x.t().tolist() == x.mT.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert x.half().dtype == np.float16
    assert x.type_as(x.long()).dtype == np.int64
    with pytest.raises(ValueError, match="expected at most 2"):
        tensor(np.zeros((1, 1, 1))).t()


def test_sizes_and_axes_one_by_one_or_together() -> None:
    x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    given = {
        "flip": (0, 1), "tile": (2, 3), "permute": (1, 0), "repeat": (2, 3), "reshape": (3, 2),
        "view": (6, 1),
    }  # fmt: skip
    for call, sizes in given.items():
        apart, together = getattr(x, call)(*sizes), getattr(x, call)(sizes)
        assert apart.tolist() == together.tolist()
        assert apart.shape == together.shape


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("x // 2", [3, -4]), ("x % 3", [1, 2]), ("20 // x", [2, -3]), ("20 % x", [6, -1]),
        ("x ^ 3", [4, -6]), ("3 ^ x", [4, -6]), ("x << 1", [14, -14]), ("1 << abs(x)", [128, 128]),
        ("x >> 1", [3, -4]), ("256 >> abs(x)", [2, 2]),
    ],
)  # fmt: skip
def test_operators(expression: str, expected: list[int]) -> None:
    assert eval(expression, {"x": tensor([7, -7])}).tolist() == expected


def test_gradients_flow_through_methods() -> None:
    x = tensor([1.0, 2.0, 4.0], requires_grad=True)
    x.roll(1).cumsum(0).square().sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [2 * (5 + 7), 2 * 7, 2 * (4 + 5 + 7)])
