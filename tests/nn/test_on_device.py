"""Every layer on the arrays of a GPU, which a stand-in for CuPy holds: the same numbers, there."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy, ndarray
from tests.nn.test_against_torch import STORED
from tests.torch_results.layers import CASES, Drawn, build, flat, nested
from tinymed import backpropagation, nn
from tinymed.capturing import WARM_UP, capture
from tinymed.errors import CompileError
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


# Layers that a graph cannot hold: the reference of the embedding's gradient sorts and counts ids.
# Nor can it hold a mean over all batches, which counts them.
NOT_CAPTURED = {"Embedding", "EmbeddingBag"}


@pytest.mark.parametrize("name", FAST)
def test_captured(name: str, cupy: FakeCuPy) -> None:
    """Forward and backward as a graph, or refused; on other inputs than those of the capture."""
    case, stored = CASES[name], STORED[name]
    settings = {
        key: Tensor(stored[f"state/{key}"]).to("cuda") if isinstance(value, Drawn) else value
        for key, value in case.settings.items()
    }
    layer = build(nn, case.layer, settings).double().train(case.training).cuda()
    drawn = list(flat(case.inputs))
    given = [stored[f"x{i}"] for i in range(len(drawn))]
    arrays = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in given]
    others = [
        a * 0.9 if d.kind in ("normal", "large") else a for a, d in zip(arrays, drawn, strict=True)
    ]

    def step(*inputs: Tensor) -> tuple[Tensor, ...]:
        layer.zero_grad()
        xs = [x.detach() for x in inputs]
        for x, d in zip(xs, drawn, strict=True):
            x.requires_grad = x.dtype.kind == "f" and not d.constant
        outputs = list(flat(layer(*nested(case.inputs, iter(xs)), **case.call)))
        wanted = [y for y in outputs if y.requires_grad]
        if wanted:
            backpropagation.backward(wanted, [y * 0.5 + 1 for y in wanted])
        grads = [x.grad for x in (*xs, *layer.parameters()) if x.grad is not None]
        return (*outputs, *grads)

    fast = capture(step)
    sent = [[Tensor(cupy.asarray(a)) for a in some] for some in (arrays, others)]
    for _ in range(WARM_UP):
        fast(*sent[0])
    if case.layer in NOT_CAPTURED or "mean of all batches" in name:
        with contextlib.suppress(CompileError):
            fast(*sent[0])
        return
    fast(*sent[0])
    found = [y.data.host for y in fast(*sent[1])]
    expected = [y.data.host for y in step(*sent[1])]
    if not case.training:
        for y, z in zip(found, expected, strict=True):
            np.testing.assert_allclose(y, z, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", FAST)
def test_layer(name: str, cupy: FakeCuPy) -> None:
    here, there = run(name, "cpu"), run(name, "cuda")
    assert here.keys() == there.keys()
    for key, array in here.items():
        np.testing.assert_allclose(there[key], array, rtol=1e-9, atol=1e-12)
