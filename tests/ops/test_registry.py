"""Every op of the registry, with every case of `cases`: an op without a case fails here by name."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.ops.cases import CASES, Case
from tinymed import ops
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor

SHIPPED = {
    name: op for name, op in Function.registry.items() if op.__module__.startswith(ops.__name__)
}


def wanted(case: Case) -> list[int]:
    """Positions of the inputs that want a gradient."""
    floats = [
        i for i, x in enumerate(case.inputs) if getattr(x, "dtype", np.dtype(bool)).kind == "f"
    ]
    return [i for i in floats if i not in case.constant] if SHIPPED[case.op].differentiable else []


def twice(case: Case) -> bool:
    """Whether the op declares a second derivative."""
    return SHIPPED[case.op].twice_differentiable


DIFFERENTIABLE = [case for case in CASES if wanted(case)]


def tensors(case: Case, dtype: Any = np.float64) -> list[Any]:
    """The inputs as Tensors: those of floats in ``dtype``, and wanting a gradient if they may."""
    found = []
    for i, x in enumerate(case.inputs):
        if isinstance(x, np.ndarray):
            x = x.astype(dtype, copy=False) if x.dtype.kind == "f" else x
            x = Tensor(x, requires_grad=i in wanted(case))
        found.append(x)
    return found


def differentiable(results: Any) -> list[Tensor]:
    several = results if isinstance(results, tuple) else (results,)
    return [y for y in several if y.requires_grad]


def subsets(items: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Yield every subset but the empty one."""
    given = tuple(items)
    for size in range(1, len(given) + 1):
        yield from itertools.combinations(given, size)


def arrays(results: Any) -> list[np.ndarray]:
    several = results if isinstance(results, tuple) else (results,)
    return [y.data if isinstance(y, Tensor) else y for y in several]


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_has_cases(name: str) -> None:
    assert sum(case.op == name for case in CASES) >= 2, f"tests/ops/cases lacks cases of {name}"


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_documents_its_formula(name: str) -> None:
    first = (SHIPPED[name].__doc__ or "").splitlines()[0]
    assert "=" in first, f"{name}: the docstring begins with the formula"


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=str)
def test_gradient(case: Case) -> None:
    """Also where only some of several outputs are used."""
    for subset in subsets(range(len(differentiable(case.node()(*tensors(case)))))):

        def outputs(*inputs: Any, chosen: tuple[int, ...] = subset) -> tuple[Any, ...]:
            found = differentiable(case.node()(*inputs))
            return tuple(found[i] for i in chosen)

        assert gradcheck(outputs, tensors(case), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if twice(c)], ids=str)
def test_second_derivative(case: Case) -> None:
    assert gradgradcheck(lambda *inputs: case.node()(*inputs), tensors(case), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if not twice(c)], ids=str)
def test_no_second_derivative_is_said_with_the_way_out(case: Case) -> None:
    with pytest.raises(NotImplementedError, match=r"\w+: no second derivative; \w+"):
        gradgradcheck(lambda *inputs: case.node()(*inputs), tensors(case))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_shape(case: Case) -> None:
    outputs = case.node()(*case.inputs)
    shapes = [None if x is None else np.shape(x) for x in case.inputs]
    expected = case.node().output_shape(*shapes)
    real = tuple(y.shape for y in outputs) if isinstance(outputs, tuple) else outputs.shape
    assert real == expected


@pytest.mark.parametrize("case", CASES, ids=str)
def test_arrays_in_arrays_out(case: Case) -> None:
    plain = case.node()(*case.inputs)
    recorded = case.node()(*tensors(case))
    assert isinstance(plain, tuple) == isinstance(recorded, tuple)
    several = plain if isinstance(plain, tuple) else (plain,)
    assert all(type(y) is np.ndarray for y in several)
    for y, z in zip(several, arrays(recorded), strict=True):
        np.testing.assert_array_equal(y, z, strict=True)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inputs_are_left_alone(case: Case) -> None:
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in case.inputs]
    inputs = tensors(case)
    outputs = differentiable(case.node()(*inputs))
    weights = [np.ones_like(y.data) for y in outputs]
    if outputs:
        grad(outputs, [inputs[i] for i in wanted(case)], weights)
    assert all((w == 1).all() for w in weights)
    for x, y in zip(case.inputs, before, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if c.op != "Cast"], ids=str)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_dtype_is_kept(case: Case, dtype: Any) -> None:
    if dtype == np.float16 and "large" in case.name:
        pytest.skip("beyond the range of float16")
    inputs = tensors(case, dtype)
    outputs = differentiable(case.node()(*inputs))
    assert outputs
    assert all(y.dtype == dtype for y in outputs)
    leaves = [inputs[i] for i in wanted(case)]
    gradients = grad(outputs, leaves, [np.ones_like(y.data) for y in outputs])
    assert [g.dtype for g in gradients] == [dtype] * len(leaves)
    assert [g.shape for g in gradients] == [x.shape for x in leaves]


@pytest.mark.parametrize("case", [c for c in DIFFERENTIABLE if len(wanted(c)) > 1], ids=str)
def test_every_subset_of_inputs(case: Case) -> None:
    """A constant among the inputs changes nothing for the others, and gets no gradient."""
    inputs = tensors(case)
    outputs = differentiable(case.node()(*inputs))
    weight = [np.cos(np.arange(y.numel())).reshape(y.shape) for y in outputs]
    full = grad(outputs, [inputs[i] for i in wanted(case)], weight)
    expected = dict(zip(wanted(case), full, strict=True))
    for chosen in subsets(wanted(case)):
        some = [
            x.detach() if i not in chosen and isinstance(x, Tensor) else x
            for i, x in enumerate(inputs)
        ]
        found = grad(differentiable(case.node()(*some)), [some[i] for i in chosen], weight)
        for i, gradient in zip(chosen, found, strict=True):
            np.testing.assert_array_equal(gradient.numpy(), expected[i].numpy())
