"""The same calls in tinymed and in PyTorch: values, gradients, shapes, dtypes, and what is refused.

Ordinary, special (NaN, infinity, zero, empty) and integer inputs go through one table, `calls`;
what PyTorch answers is stored. Where tinymed differs on purpose, the table says so with `deviates`,
and the test fails if the difference goes away.
"""

import warnings
from fnmatch import fnmatch

import numpy as np
import pytest

from tests.ops.calls import CALLS, DEVIATIONS, FAMILIES, ROUNDED, Call, Constant
from tests.torch_results.stored import Arrays, fingerprint, read
from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.tensor import Tensor

STORED = {family: read(f"calls.{family}") for family in FAMILIES}
TOLERANCE = {2: 4e-3, 4: 2e-6, 8: 1e-10}  # by bytes of an element


def with_tinymed(call: Call) -> Arrays:
    """Return the outputs and the gradients of the inputs."""
    inputs = [
        Tensor(np.array(x), requires_grad=x.dtype.kind == "f" and not isinstance(x, Constant))
        for x in call.inputs
    ]
    result = call.call(ops, *inputs)
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    found = {
        f"output{i}": y.data if isinstance(y, Tensor) else np.asarray(y)
        for i, y in enumerate(outputs)
    }
    recorded = [y for y in outputs if isinstance(y, Tensor) and y.requires_grad]
    leaves = {i: x for i, x in enumerate(inputs) if x.requires_grad}
    if recorded and leaves:
        gradients = grad(
            recorded, list(leaves.values()), [weights(y.data) for y in recorded], allow_unused=True
        )
        named = zip(leaves, gradients, strict=True)
        found |= {f"grad{i}": g.data for i, g in named if g is not None}
    return found


def weights(y: np.ndarray) -> np.ndarray:
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)


def outcome(call: Call) -> Arrays | Exception:
    """Return tinymed's result, or its exception."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return with_tinymed(call)
    except Exception as error:
        return error


def assert_same(ours: Arrays | Exception, theirs: Arrays | str, rounded: bool) -> None:
    """Compare with what PyTorch found, or with the words in which it refused."""
    if isinstance(ours, Exception) or isinstance(theirs, str):
        assert isinstance(ours, Exception), f"PyTorch refuses: {theirs}"
        assert isinstance(theirs, str), f"PyTorch takes it: {ours}"
        assert len(str(ours)) > 10
        return
    assert {k for k in ours if k.startswith("output")} == {
        k for k in theirs if k.startswith("output")
    }
    precision = min((a.dtype.itemsize for a in theirs.values() if a.dtype.kind == "f"), default=8)
    for name in {**ours, **theirs}:
        if name not in ours or name not in theirs:  # a gradient of nothing is one of zeros
            assert not (ours | theirs)[name].any(), name
            continue
        a, b = ours[name], theirs[name]
        if b.dtype.kind != "f":
            np.testing.assert_array_equal(a, b, name, strict=True)
        else:
            eps = float(np.finfo(b.dtype).eps)
            finite = b[np.isfinite(b)]
            smallest = 32 * eps * abs(finite).max(initial=0) if rounded else eps / 10
            tolerance = TOLERANCE[precision]  # of the least precise dtype that took part
            np.testing.assert_allclose(a, b, tolerance, smallest, err_msg=name, strict=True)


@pytest.mark.parametrize("call", CALLS.values(), ids=str)
def test_same_as_torch(call: Call) -> None:
    results, facts = STORED[call.family]
    assert facts["entries"].get(call.name) == fingerprint([x.tolist() for x in call.inputs]), (
        f"the table has changed; run python -m tests.torch_results.make calls.{call.family}"
    )
    theirs = facts["refused"].get(call.name) or results[call.name]
    ours = outcome(call)
    rounded = any(fnmatch(call.name, pattern) for pattern in ROUNDED)
    if not any(fnmatch(call.name, pattern) for pattern in DEVIATIONS):
        assert_same(ours, theirs, rounded)
    else:
        with pytest.raises(AssertionError):
            assert_same(ours, theirs, rounded)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_else_is_stored(family: str) -> None:
    names = {name for name, call in CALLS.items() if call.family == family}
    assert set(STORED[family][1]["entries"]) == names


@pytest.mark.parametrize("pattern", DEVIATIONS)
def test_deviation_is_met(pattern: str) -> None:
    assert any(fnmatch(name, pattern) for name in CALLS)
