"""The same calls in tinymed and in PyTorch: values, gradients, shapes, dtypes, and what is refused.

Ordinary, special (NaN, infinity, zero, empty) and integer inputs go through one table. Where
tinymed differs on purpose, `DEVIATIONS` says so, and the test fails if the difference goes away.
"""

import warnings
from collections.abc import Callable
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pytest

from tests.ops.calls_layers import CALLS, Call, Constant
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.tensor import Tensor

torch = pytest.importorskip("torch", reason="torch is not installed")
RENAMED = {"power": "pow", "expand": "broadcast_to"}
IN_FUNCTIONAL = {"batch_norm", "binary_cross_entropy_with_logits", "dropout", "pad", "softmax"}


class Torch:
    """PyTorch's functions under the names they have in `tinymed.ops`."""

    def __getattr__(self, name: str) -> Any:
        name = RENAMED.get(name, name)
        functional = torch.nn.functional
        inside = name in IN_FUNCTIONAL or not hasattr(torch, name)
        return getattr(functional if inside else torch, name)


DEVIATIONS = {
    "sign special": "sign(NaN) is NaN, as in NumPy; PyTorch says 0",
    "abs special": "so the gradient of abs at NaN is NaN",
    "relu special": "the gradient of relu at NaN is 0; PyTorch lets it through",
    "sqrt of relu": "relu's gradient is a product with 0 or 1, which an infinite one turns to NaN",
    "abs bools": "taken, as 0 and 1",
    "relu bools": "taken, as 0 and 1",
    "softplus integers": "integers become the default dtype",
    "softplus 0-d integer": "integers become the default dtype",
    "softplus uint8": "integers become the default dtype",
    "softplus bools": "integers become the default dtype",
    "*softmax integers 0": "integers become the default dtype",
    "*softmax integers -1": "integers become the default dtype",
    "arg??? bools None *": "taken, as 0 and 1",
    "arg??? bools 0 *": "taken, as 0 and 1",
    "arg??? bools 1 *": "taken, as 0 and 1",
    "arg??? bools -1 *": "taken, as 0 and 1",
    "subtract bool and [!T]*": "1 - mask is an idiom; only bool - bool is refused",
    "number - bool and *": "1 - mask is an idiom; only bool - bool is refused",
    "subtract [!b]* and True": "True is taken as 1",
    "sign bools": "refused",
    "power int32 and int64": "an integer to a negative power is refused; PyTorch makes it 0",
    "power int32 and 0-d int64 turned": "an integer to a negative power is refused",
    "power uint8 and int8": "an integer to a negative power is refused",
    "number [*][*] int64 and 2": "an integer to a negative power is refused",
    "power bool and True": "bool ** bool is refused",
    "add alpha 0.5 integers": "promoted to floats; PyTorch refuses",
    "clamp *-1* uint8": "PyTorch lets -1 wrap around to 255",
    "avg_pool2d integers": "refused; PyTorch divides integers",
    "batch_norm (0, 3) True": "statistics of nothing are refused",
    "cross_entropy ignored rows of nan*": "the gradient of an ignored row is 0 whatever it holds",
}


def weights(y: np.ndarray) -> np.ndarray:
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)


def with_tinymed(call: Call) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Return the outputs and the gradients of the inputs."""
    inputs = [Tensor(np.array(x), requires_grad=differentiable(x)) for x in call.inputs]
    result = call.call(ops, *inputs)
    outputs = list(result) if isinstance(result, tuple) else [result]
    recorded = [y for y in outputs if y.requires_grad]
    leaves = [x for x in inputs if x.requires_grad]
    gradients = grad(recorded, leaves, [weights(y.data) for y in recorded], allow_unused=True)
    return [y.data for y in outputs], [None if g is None else g.data for g in gradients]


def with_torch(call: Call) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Return the same from PyTorch."""
    inputs = [torch.tensor(np.array(x), requires_grad=differentiable(x)) for x in call.inputs]
    result = call.call(Torch(), *inputs)
    outputs = list(result) if isinstance(result, tuple) else [result]
    recorded = [y for y in outputs if y.requires_grad]
    leaves = [x for x in inputs if x.requires_grad]
    gradients = (None,) * len(leaves)
    if recorded:
        weight = [torch.tensor(weights(y.detach().numpy())) for y in recorded]
        gradients = torch.autograd.grad(recorded, leaves, weight, allow_unused=True)
    return (
        [y.detach().numpy() for y in outputs],
        [None if g is None else g.numpy() for g in gradients],
    )


def differentiable(x: np.ndarray) -> bool:
    return x.dtype.kind == "f" and not isinstance(x, Constant)


def outcome(function: Callable[[Call], Any], call: Call) -> Any:
    """Return the result, or the exception."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(call)
    except Exception as error:
        return error


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"PyTorch refuses: {theirs}"
        assert isinstance(theirs, Exception), f"PyTorch takes it: {ours}"
        assert len(str(ours)) > 10
        return
    for found, expected in zip(ours, theirs, strict=True):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            if a is None or b is None:
                assert a is None or not a.any()
                assert b is None or not b.any()
            elif b.dtype.kind != "f":
                np.testing.assert_array_equal(a, b, strict=True)
            else:
                tolerance = {2: 4e-3, 4: 2e-6, 8: 1e-10}[b.dtype.itemsize]
                smallest = np.finfo(b.dtype).eps / 10
                np.testing.assert_allclose(a, b, tolerance, smallest, strict=True)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_same_as_torch(call: Call) -> None:
    deviates = any(fnmatch(call.name, pattern) for pattern in DEVIATIONS)
    ours, theirs = outcome(with_tinymed, call), outcome(with_torch, call)
    if not deviates:
        assert_same(ours, theirs)
    else:
        with pytest.raises(AssertionError):
            assert_same(ours, theirs)


@pytest.mark.parametrize("pattern", DEVIATIONS)
def test_deviation_is_met(pattern: str) -> None:
    assert any(fnmatch(call.name, pattern) for call in CALLS)
