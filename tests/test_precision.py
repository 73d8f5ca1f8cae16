"""Floats of 16 bits are computed in float32 and rounded once: ops, functions, kernels."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.ops.calls import CALLS, FAMILIES, Call
from tests.ops.cases import CASES, Case
from tests.ops.test_registry import differentiable, tensors, wanted
from tinymed import ops, optim, precision
from tinymed.autograd import Function
from tinymed.kernels import KERNELS, explain, use_backend
from tinymed.kernels.case import proofs
from tinymed.ops.activation import Activation

needs_ml_dtypes = pytest.mark.skipif(
    importlib.util.find_spec("ml_dtypes") is None, reason="ml_dtypes is not installed"
)
NARROW = ["float16", pytest.param("bfloat16", marks=needs_ml_dtypes)]


def dtype_of(name: str) -> np.dtype[Any]:
    return precision.bfloat16() if name == "bfloat16" else np.dtype(name)


def to_bits(x: np.ndarray, name: str) -> np.ndarray:
    """Return float32 rounded to 16 bits, in float32: of bfloat16 by its bits, ties to even."""
    if name == "float16":
        return x.astype(np.float16).astype(np.float32)
    bits = x.view(np.uint32).astype(np.uint64)
    nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32)
    return np.where(np.isnan(x), x, nearest.view(np.float32))


def in_float32(x: Any) -> np.ndarray:
    return np.asarray(x.data if isinstance(x, tm.Tensor) else x).astype(np.float32)


# --------------------------------------------------------------- in float32, and rounded once

TWO_STEPS = ("ConvTranspose",)  # with a bias: what a kernel for tensor cores returns has 16 bits


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("op", sorted({case.op for case in CASES} - {"Cast"}))
def test_ops(op: str, name: str) -> None:
    """Results are those of float32, rounded by bits; gradients too, but for a rounded output."""
    for case in (case for case in CASES if case.op == op and "large" not in case.name):
        check_op(case, name)


def check_op(case: Case, name: str) -> None:
    narrow, eps = dtype_of(name), {"float16": 2.0**-10, "bfloat16": 2.0**-7}[name]
    inputs = tensors(case, narrow)
    same = [
        tm.Tensor(in_float32(x), x.requires_grad)
        if isinstance(x, tm.Tensor) and precision.is_narrow(x)
        else x
        for x in inputs
    ]
    with np.errstate(all="ignore"):
        found, exact = case.node()(*inputs), case.node()(*same)
    for y, z in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, exact)), strict=True):
        y, z = y.data, z.data
        if z.dtype != np.float32:
            np.testing.assert_array_equal(y, z, strict=True)
            continue
        assert y.dtype == narrow, case
        least = eps * abs(z[np.isfinite(z)]).max(initial=0) if op_rounds_twice(case) else 0
        np.testing.assert_allclose(in_float32(y), to_bits(z, name), 0, least, err_msg=str(case))
        if z.flags.writeable:  # gradients that are read off it are read off what was rounded
            z[...] = to_bits(z, name)
    outputs, leaves = differentiable(found), [inputs[i] for i in wanted(case)]
    if not leaves:
        return
    with np.errstate(all="ignore"):
        ones = [np.ones(y.shape, y.dtype) for y in outputs]
        gradients = tm.grad(outputs, leaves, ones)
        ones = [np.ones(y.shape, y.dtype) for y in differentiable(exact)]
        expected = tm.grad(differentiable(exact), [same[i] for i in wanted(case)], ones)
    dense = [
        [g.to_dense() if hasattr(g, "to_dense") else g.data for g in one]
        for one in (gradients, expected)
    ]
    for g, h in zip(*dense, strict=True):
        scale = abs(h[np.isfinite(h)]).max(initial=0)
        if name == "float16" and scale > 6e4:
            continue  # beyond its range
        assert g.dtype == narrow
        least = 2 * eps * scale + 1e-7  # the smallest float16 is 6e-8
        np.testing.assert_allclose(in_float32(g), h, 2 * eps, least, err_msg=str(case))


def op_rounds_twice(case: Case) -> bool:
    return case.op.startswith(TWO_STEPS)


# Functions of several products, each of which tensor cores return in 16 bits
CHAINS = ("addbmm*", "addm?*", "addr*", "baddbmm*", "attention*", "conv_transpose*", "einsum*",
          "embedding_bag mean*", "matrix_power*", "tensordot*")  # fmt: skip
# Sums of losses that are rounded each
SUMS = ("cross_entropy*", "nll_loss*", "triplet_margin_with_distance_loss*")
OTHERS = ("* dtype", "* and 0.1", "bincount*")  # of a dtype that is asked for; of another number


@needs_ml_dtypes
@pytest.mark.parametrize("family", FAMILIES)
def test_functions(family: str) -> None:
    """Also functions of several ops round once: in between, all is float32."""
    left = (*CHAINS, *SUMS, *OTHERS)
    count = 0
    for call in CALLS.values():
        floats = [x for x in call.inputs if x.dtype.kind == "f"]
        if call.family != family or not floats or any(fnmatch(call.name, one) for one in left):
            continue
        if all(x.dtype != np.float16 for x in floats):
            count += check_call(call)
    assert count > 3 or family in ("embedding", "dropout", "attention", "layers", "convolution")


def check_call(call: Call) -> bool:
    narrow, results = precision.bfloat16(), []
    for dtype in (np.float32, narrow):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                given = [
                    tm.Tensor(x.astype(narrow).astype(dtype) if x.dtype.kind == "f" else x.copy())
                    for x in call.inputs
                ]
                result = call.call(ops, *given)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            if dtype == np.float32:  # what is refused, is refused for another reason
                return False
            raise
        results.append(list(result) if isinstance(result, (tuple, list)) else [result])
    for y, z in zip(*results, strict=True):
        if isinstance(y, tm.Tensor) and y.dtype == np.float32:
            assert z.dtype == narrow, call.name
            np.testing.assert_array_equal(in_float32(z), to_bits(y.data, "bfloat16"), call.name)
        else:
            np.testing.assert_array_equal(*(getattr(one, "data", one) for one in (z, y)), call.name)
    return True


@needs_ml_dtypes
@pytest.mark.parametrize(
    "call",
    [
        lambda m, x, w: m.relu(x), lambda m, x, w: m.softmax(x, 1), lambda m, x, w: m.exp(x),
        lambda m, x, w: m.matmul(x, w), lambda m, x, w: x.sum(0), lambda m, x, w: x.mean(1),
        lambda m, x, w: x.var(1), lambda m, x, w: m.tanh(x), lambda m, x, w: x * 0.1,
        lambda m, x, w: m.conv1d(x[None], w.T[:, :, None].reshape(5, 8, 1)),
        lambda m, x, w: m.log_softmax(x, 0), lambda m, x, w: x / (w.sum() + 20),
    ],
)  # fmt: skip
def test_as_torch(call: Callable[..., Any]) -> None:
    """To a unit in the last place: PyTorch, too, adds up in float32."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    draws = np.random.default_rng(0)
    x, w = draws.standard_normal((8, 8)), draws.standard_normal((8, 5))
    ours = call(ops, tm.tensor(x).bfloat16(), tm.tensor(w).bfloat16())
    theirs = call(torch, torch.tensor(x).bfloat16(), torch.tensor(w).bfloat16())
    np.testing.assert_allclose(in_float32(ours), theirs.float().numpy(), 2.0**-7, 1e-6)


@pytest.mark.parametrize("name", NARROW)
def test_gradients_that_meet_are_added_in_float32(name: str) -> None:
    x = tm.ones(2, dtype=dtype_of(name), requires_grad=True)
    many = [x * 1.0 for _ in range(3000)]  # 256 + 1 is 256 in bfloat16, 2048 + 1 2048 in float16
    ones = [tm.ones(2, dtype=x.dtype) for _ in many]
    (gradient,) = tm.grad(many, [x], ones)
    assert gradient.dtype == x.dtype
    assert gradient.tolist() == to_bits(np.full(2, 3000, np.float32), name).tolist()
    middle = x * 2.0
    seen: list[Any] = []
    middle.register_hook(seen.append)
    ops.stack([middle.reshape(2, 1) * 1.0 for _ in range(3000)]).sum().backward()
    assert seen[0].dtype == x.grad.dtype == x.dtype
    assert x.grad.tolist() == to_bits(np.full(2, 6000, np.float32), name).tolist()


@needs_ml_dtypes
def test_second_derivative() -> None:
    x = tm.tensor([1.5, -2.0], dtype=tm.bfloat16, requires_grad=True)
    (first,) = tm.grad((x**3).sum(), [x], create_graph=True)
    (second,) = tm.grad(first.sum(), [x])
    assert (first.dtype, second.dtype) == (tm.bfloat16, tm.bfloat16)
    assert (first.tolist(), second.tolist()) == ([6.75, 12], [9, -12])


@needs_ml_dtypes
def test_views_share_memory() -> None:
    x = tm.zeros(2, 3, dtype=tm.bfloat16)
    x.view(6)[1:3].fill_(2)
    x.T[2].add_(1)
    assert x.tolist() == [[0, 2, 3], [0, 0, 1]]


# -------------------------------------------------------------------------------------- kernels


def arrays_in(x: Any) -> list[np.ndarray]:
    return [a for a in precision.flat([x]) if isinstance(a, np.ndarray)]


def changed(kernel: str) -> Iterator[set[int]]:
    """Yield the positions of the arguments that the reference changes, case by case."""
    for case in proofs(kernel):
        given = case.make(np.random.default_rng(0), np.dtype(np.float64))
        before = [[a.copy() for a in arrays_in(x)] for x in given]
        with np.errstate(all="ignore"):
            KERNELS[kernel].load("reference")(*given)
        yield {
            i
            for i, (x, old) in enumerate(zip(given, before, strict=True))
            for a, b in zip(arrays_in(x), old, strict=True)
            if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        }


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize(
    "kernel", [name for name, one in KERNELS.items() if one.narrow is not None]
)
def test_a_kernel_says_which_results_have_16_bits(kernel: str, name: str) -> None:
    """The others are those of float32, not rounded."""
    with use_backend("reference"), np.errstate(all="ignore"):
        for case in proofs(kernel):
            given = case.make(np.random.default_rng(0), dtype_of(name))
            found, exact = (
                (r if isinstance(r, tuple) else (r,))
                for r in (KERNELS[kernel](*given), KERNELS[kernel](*precision.widened(given)))
            )
            for position, (y, z) in enumerate(zip(found, exact, strict=True)):
                if position in KERNELS[kernel].narrow:
                    assert y.dtype == dtype_of(name)
                    z = to_bits(z, name)
                else:
                    assert y.dtype == np.float32
                np.testing.assert_array_equal(in_float32(y), z, str(case))


WITH_CASES = [name for name, kernel in sorted(KERNELS.items()) if len(kernel.implementations) > 1]


@pytest.mark.parametrize("kernel", WITH_CASES)
def test_a_kernel_says_what_it_writes(kernel: str) -> None:
    """Or what it writes in 16 bits would be lost."""
    written = set().union(*changed(kernel))
    assert written <= set(KERNELS[kernel].writes)
    assert written or not KERNELS[kernel].writes


@pytest.mark.parametrize("name", NARROW)
def test_what_is_not_for_16_bits_runs_in_float32(name: str) -> None:
    a, b = (np.full(shape, 0.1, dtype_of(name)) for shape in ((2, 3000), (3000, 2)))
    with use_backend("reference"):
        y = KERNELS["matmul.product"](a, b)
        assert "'reference', in float32, its results rounded" in explain("matmul.product", a, b)
        assert "float32" not in explain("matmul.product", in_float32(a), in_float32(b))
    exact = in_float32(a).astype(np.float64) @ in_float32(b)
    np.testing.assert_array_equal(in_float32(y), to_bits(exact.astype(np.float32), name))
    with pytest.raises(LookupError, match="no 'cuda:winograd'"), use_backend("cuda:winograd"):
        KERNELS["matmul.product"](a, b)


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize(
    "kind", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.NAdam]
)
def test_optimizers_step_in_float32_and_round(kind: Any, name: str) -> None:
    values = np.linspace(-2, 2, 9, dtype=np.float32)
    steps = []
    for dtype in (np.dtype(np.float32), dtype_of(name)):
        weight = tm.tensor(to_bits(values, name), dtype=dtype, requires_grad=True)
        optimizer = kind([weight], lr=0.05)
        weight.grad = tm.tensor(to_bits(np.cos(values), name), dtype=dtype)
        optimizer.step()
        assert weight.dtype == dtype
        assert {a.dtype for a in optimizer.state[0].values() if hasattr(a, "dtype")} <= {dtype}
        steps.append(in_float32(weight))
    np.testing.assert_array_equal(steps[1], to_bits(steps[0], name))
    assert (steps[1] != to_bits(values, name)).any()


def test_every_op_that_takes_16_bits_as_given_is_known() -> None:
    """They only move values, or call kernels: what else is added here has to be looked at."""
    given = {name for name, op in Function.registry.items() if op.as_given}
    moves = {"Cast", "Cat", "Clone", "Diagonal", "Embedding", "Expand", "Flip", "GetItem",
             "Permute", "Reshape", "Roll", "TakeAlongDim", "TakeRows", "ToDevice"}  # fmt: skip
    products = {"Conv", "ConvActivated", "ConvGradInput", "ConvGradWeight", "ConvTranspose",
                "ConvTransposeActivated", "Linear", "LinearActivated", "MatMul"}  # fmt: skip
    pools = {"AvgPool", "AvgPoolGrad", "MaxGather", "MaxPool", "MaxPoolGrad", "MaxPoolWithIndices"}
    activations = {name for name, op in Function.registry.items() if issubclass(op, Activation)}
    others = {"BatchNorm", "ChannelAffine", "Dropout", "GRU", "LSTM", "RNN"}
    assert given == moves | products | pools | activations | others
