"""Every layer, run on the numbers with which PyTorch was run, gives PyTorch's results."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rounding import assert_rounded
from tests.torch_results.layers import (
    CASES,
    FAMILIES,
    ONLY_HERE,
    Drawn,
    build,
    flat,
    nested,
)
from tests.torch_results.stored import fingerprint, read
from tinymed import backpropagation, nn
from tinymed.tensor import Tensor

FILES = {family: read(f"layers.{family}") for family in FAMILIES}
STORED = {name: arrays for results, _ in FILES.values() for name, arrays in results.items()}
ENTRIES = {name: e for _, facts in FILES.values() for name, e in facts["entries"].items()}
EXACT: dict[str, Any] = {"rtol": 1e-8, "atol": 1e-8}
RUNNABLE = [
    name
    for name in nn.__all__
    if inspect.isclass(kind := getattr(nn, name))
    and issubclass(kind, nn.Module)
    and kind.forward is not nn.Module.forward
    and name not in ONLY_HERE
]


def run(name: str, dtype: str) -> dict[str, np.ndarray[Any, Any]]:
    """Build the layer of a case, load PyTorch's state, call it, go back, and return all results."""
    case, stored = CASES[name], STORED[name]
    settings = {
        key: Tensor(stored[f"state/{key}"]) if isinstance(value, Drawn) else value
        for key, value in case.settings.items()
    }
    layer = build(nn, case.layer, settings).to(dtype).train(case.training)
    layer.load_state_dict(
        {key.removeprefix("state/"): a for key, a in stored.items() if key.startswith("state/")}
    )
    drawn = list(flat(case.inputs))
    inputs = [as_dtype(stored[f"x{i}"], dtype, wanted=not d.constant) for i, d in enumerate(drawn)]
    outputs = list(flat(layer(*nested(case.inputs, iter(inputs)), **case.call)))
    seeds = {
        i: as_dtype(stored[f"seed{i}"], dtype, wanted=False)
        for i in range(len(outputs))
        if f"seed{i}" in stored
    }
    if seeds:
        backpropagation.backward([outputs[i] for i in seeds], list(seeds.values()))
    results = {f"output{i}": y.detach().numpy() for i, y in enumerate(outputs)}
    named = {f"x{i}": x for i, x in enumerate(inputs)} | dict(layer.named_parameters())
    results |= {f"grad/{key}": x.grad.numpy() for key, x in named.items() if x.grad is not None}
    if case.training:
        results |= {f"after/{key}": b.numpy() for key, b in layer.named_buffers()}
    return results


def as_dtype(array: np.ndarray[Any, Any], dtype: str, wanted: bool) -> Tensor:
    """Return numbers in ``dtype``, with a gradient if it is wanted; indices as they are."""
    if array.dtype.kind != "f":
        return Tensor(array)
    return Tensor(array.astype(dtype), requires_grad=wanted)


def expected(name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Return what PyTorch found."""
    kinds = ("output", "grad/", "after/")
    return {key: array for key, array in STORED[name].items() if key.startswith(kinds)}


@pytest.mark.parametrize("name", CASES)
def test_the_stored_results_belong_to_the_table(name: str) -> None:
    family = CASES[name].family
    assert ENTRIES.get(name) == fingerprint(CASES[name]), (
        f"{name}: the table has changed; run python -m tests.torch_results.make layers.{family}"
    )


def test_nothing_else_is_stored() -> None:
    assert set(ENTRIES) == set(CASES)


@pytest.mark.parametrize("layer", ONLY_HERE)
def test_what_pytorch_has_not_is_proved_elsewhere(layer: str) -> None:
    proof = Path(__file__).parents[2] / ONLY_HERE[layer]
    assert f"nn.{layer}" in proof.read_text(), ONLY_HERE[layer]


@pytest.mark.parametrize("layer", RUNNABLE)
def test_every_layer_has_cases(layer: str) -> None:
    assert sum(case.layer == layer for case in CASES.values()) >= 3, layer


@pytest.mark.parametrize("name", CASES)
def test_float64(name: str) -> None:
    found, wanted = run(name, "float64"), expected(name)
    assert set(found) == set(wanted)
    for key, array in wanted.items():
        assert found[key].dtype == array.dtype, key
        np.testing.assert_allclose(found[key], array, err_msg=key, **EXACT)
        assert found[key].shape == array.shape, key


@pytest.mark.parametrize("name", CASES)
def test_float32(name: str) -> None:
    """Inputs and weights are exact in float32, so only rounding on the way can differ.

    Rounding is allowed for as if each element were a sum over all the inputs of the layer: sqrt(K)
    eps times the largest element, which stands for the size of what is added up.
    """
    found, wanted = run(name, "float32"), expected(name)
    assert set(found) == set(wanted)
    terms = total_terms(name)
    for key, array in wanted.items():
        if array.dtype.kind != "f":
            np.testing.assert_array_equal(found[key], array)
            continue
        assert found[key].dtype == np.float32, key
        if np.isnan(array).any():
            np.testing.assert_array_equal(found[key], array)
            continue
        scale = max(1.0, np.abs(array).max(initial=0.0))
        assert_rounded(found[key], array, terms=terms, scale=scale)


def total_terms(name: str) -> int:
    """Return the size of all inputs and weights, an upper bound of what any element sums over."""
    given = [a for key, a in STORED[name].items() if key.startswith(("x", "state/"))]
    return sum(a.size for a in given)
