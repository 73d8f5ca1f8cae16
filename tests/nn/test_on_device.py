"""Every layer on the arrays of a GPU, which a stand-in for CuPy holds: the same numbers, there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy, ndarray
from tests.nn.test_against_torch import STORED
from tests.torch_results.layers import CASES, Drawn, build, flat, nested
from tinymed import backpropagation, nn
from tinymed.tensor import Tensor

# The first and the last case of each layer, in training and not: all of them take 15 seconds.
ENDS = [
    {(CASES[name].layer, CASES[name].training): name for name in way}
    for way in (list(CASES), reversed(CASES))
]
FAST = sorted({name for end in ENDS for name in end.values()})


def run(name: str, device: str) -> dict[str, np.ndarray[Any, Any]]:
    """Build the layer of a case, move it, call it and go back."""
    case, stored = CASES[name], STORED[name]
    settings = {
        key: Tensor(stored[f"state/{key}"]).to(device) if isinstance(value, Drawn) else value
        for key, value in case.settings.items()
    }
    layer = build(nn, case.layer, settings).double().train(case.training)
    layer.load_state_dict(
        {key.removeprefix("state/"): a for key, a in stored.items() if key.startswith("state/")}
    )
    layer.to(device)
    drawn = list(flat(case.inputs))
    inputs = [Tensor(stored[f"x{i}"]).to(device) for i in range(len(drawn))]
    inputs = [x.double() if x.dtype.kind == "f" else x for x in inputs]
    for x, given in zip(inputs, drawn, strict=True):
        x.requires_grad = x.dtype.kind == "f" and not given.constant
    outputs = list(flat(layer(*nested(case.inputs, iter(inputs)), **case.call)))
    wanted = [y for y in outputs if y.requires_grad]
    if wanted:
        weights = [Tensor(np.cos(np.arange(y.numel())).reshape(y.shape)).to(device) for y in wanted]
        backpropagation.backward(wanted, weights)
    leaves = [*inputs, *layer.parameters()]
    results = [*outputs, *(x.grad for x in leaves if x.grad is not None), *layer.buffers()]
    arrays = [x.data if isinstance(x, Tensor) else x.to_dense() for x in results]
    kind = np.ndarray if device == "cpu" else ndarray
    assert {type(array) for array in arrays} == {kind}
    return {str(n): getattr(a, "host", a) for n, a in enumerate(arrays)}


@pytest.mark.parametrize("name", FAST)
def test_layer(name: str, cupy: FakeCuPy) -> None:
    here, there = run(name, "cpu"), run(name, "cuda")
    assert here.keys() == there.keys()
    for key, array in here.items():
        np.testing.assert_allclose(there[key], array, rtol=1e-9, atol=1e-12)
