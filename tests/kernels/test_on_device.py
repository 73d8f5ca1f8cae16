"""The reference of every kernel on the arrays of a GPU, and the page that says how to call them."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.fake_cupy import FakeCuPy, ndarray
from tests.kernels.fake_gpu import Fake
from tests.test_precision import needs_ml_dtypes
from tinymed import kernels, nn, ops
from tinymed.kernels import KERNELS, Kernel, use_backend
from tinymed.kernels.case import Case, proofs

PAGE = (Path(__file__).parents[2] / "kernels/README.md").read_text()
ROWS = [line.split("|")[1:4] for line in PAGE.splitlines() if line.startswith("| `")]
# These learn from text in host memory, row after row: no work for a GPU in their reference.
LEFT_OUT = ("word2vec", "glove")


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def test_every_gradient_has_a_row_with_its_layer() -> None:
    forward = [name for row in ROWS for name in names(row[0])]
    gradients = [name for row in ROWS for name in names(row[1])]
    wanted = {name for name in KERNELS if re.search(r"_grad|grad_|\.grad|backward", name)}
    assert wanted <= set(gradients)
    assert set(forward) | set(gradients) <= set(KERNELS)
    assert len(set(forward)) == len(forward) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip(" `"))
def test_what_a_row_names_is_public_and_documented(row: list[str]) -> None:
    for name in names(row[0]) + names(row[1]):
        package, _, function = name.partition(".")
        assert getattr(getattr(kernels, package), function) is KERNELS[name]
        assert getattr(kernels, package).__doc__
        assert KERNELS[name].load("reference").__doc__
    for name in names(row[2]):
        assert name in ops.__all__


def test_its_example_runs() -> None:
    example = doctest.DocTestParser().get_doctest(PAGE, {}, "README", None, 0)
    assert len(example.examples) > 5
    assert doctest.DocTestRunner().run(example).failed == 0


def moved(cupy: FakeCuPy, x: Any) -> Any:
    if isinstance(x, (np.ndarray, np.floating)):
        return cupy.asarray(x)
    if isinstance(x, (tuple, list)):
        inner = [moved(cupy, each) for each in x]
        return type(x)(*inner) if hasattr(x, "_fields") else type(x)(inner)
    return x


def arrays(x: Any) -> list[np.ndarray]:
    """All arrays of arguments or results, those of the device as those of the host."""
    if isinstance(x, (tuple, list)):
        return [array for each in x for array in arrays(each)]
    if isinstance(x, ndarray):
        return [x.host]
    return [np.asarray(x)] if isinstance(x, (np.ndarray, np.generic)) else []


CASES = [case for name in sorted(KERNELS) if not name.startswith(LEFT_OUT) for case in proofs(name)]


@pytest.mark.parametrize("case", CASES[::3], ids=str)
def test_the_reference(case: Case, cupy: FakeCuPy) -> None:
    """Results, and what it writes, are those of the host, and are where the arguments are."""
    reference = KERNELS[case.kernel].load("reference")
    here = case.make(np.random.default_rng(0), np.dtype(np.float64))
    there = moved(cupy, case.make(np.random.default_rng(0), np.dtype(np.float64)))
    with np.errstate(all="ignore"):  # some hold infinities
        expected, found = reference(*here), reference(*there)
    assert not any(
        isinstance(x, np.ndarray) for x in (found if isinstance(found, tuple) else [found])
    )
    for y, z in zip(arrays([expected, *here]), arrays([found, *there]), strict=True):
        np.testing.assert_allclose(z, y, rtol=1e-9, atol=1e-12)


@needs_ml_dtypes
def test_tensor_cores_are_reached(cupy: FakeCuPy, gpu: Fake) -> None:
    """By products and convolutions of 16 bits; on a GPU that has none for them, float32 runs."""
    x, w = (tm.ones(*shape).cuda() for shape in ((4, 32, 8, 8), (32, 32, 3, 3)))
    a, b = x.reshape(64, 128), x.reshape(128, 64)
    settings = (1, 1), (1, 1), (1, 1), 1
    calls = (
        ("matmul.product", (a, b)),
        ("matmul.linear", (a, a, tm.ones(64).cuda(), "relu")),
        ("conv.forward", (x, w, tm.ones(32).cuda(), *settings, "relu")),
        ("conv.grad_input", (x, w, (8, 8), *settings)),
        ("conv.grad_weight", (x, x, (3, 3), *settings)),
    )
    for dtype in (tm.bfloat16, tm.float16, tm.float32):
        for name, given in calls:
            cast = [one.to(dtype).data if isinstance(one, tm.Tensor) else one for one in given]
            for gpu.compute, halves in (
                ((9, 0), "cuda:wgmma"),
                ((8, 0), "cuda:tensor"),
                ((7, 5), "reference"),
            ):
                chosen = KERNELS[name].choose(tuple(cast), None).implementation
                assert chosen == ("cuda" if dtype == tm.float32 else halves), name


def test_a_demand_for_cuda_on_a_gpu_without_tensor_cores_is_met_in_float32(
    cupy: FakeCuPy, gpu: Fake
) -> None:
    """Not by what is not compiled for it; where that is named itself, the GPU is the reason."""
    x, w = (tm.ones(*shape).half().cuda().data for shape in ((2, 8, 5, 5), (8, 8, 3, 3)))
    a, b, settings = w.reshape(8, 72), w.reshape(72, 8), ((1, 1), (1, 1), (1, 1), 1)
    for name, given in (
        ("matmul.product", (a, b)),
        ("matmul.linear", (a, a, None, "relu")),
        ("conv.forward", (x, w, None, *settings, None)),
        ("conv.grad_input", (x, w, (5, 5), *settings)),
        ("conv.grad_weight", (x, x, (3, 3), *settings)),
    ):
        kernel = KERNELS[name]
        with use_backend("cuda"):
            gpu.compute = (8, 0)
            assert kernel.choose(given, ("cuda",)).implementation == "cuda:tensor", name
            gpu.compute = (7, 5)
            assert kernel.chosen(*given) == kernel.in_float32, name
        with (
            use_backend("cuda:tensor"),
            pytest.raises(LookupError, match=rf"{name} on 'cuda:tensor' cannot do .* this GPU"),
        ):
            kernel(*given)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_autocast_leaves_recurrent_layers_in_16_bits(
    cupy: FakeCuPy, gpu: Fake, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and back, what their kernels are given is: and for that there is one in CUDA."""
    seen: list[tuple[Kernel, tuple[Any, ...]]] = []
    called = Kernel.__call__

    def call(kernel: Kernel, *given: Any) -> Any:
        if all(getattr(one, "dtype", None) != np.float32 for one in given):
            seen.append((kernel, given))
        return called(kernel, *given)

    layer, x = kind(3, 4).to("cuda"), tm.ones(5, 2, 3).cuda()
    monkeypatch.setattr(Kernel, "__call__", call)
    with tm.autocast("cuda", tm.float16):
        y = layer(x)[0]
    y.float().sum().backward()
    name = kind.__name__.lower()
    expected = {f"recurrent.{name}_forward", f"recurrent.{name}_backward", "recurrent.before"}
    given_halves = {kernel.name: given for kernel, given in seen}
    assert given_halves.keys() >= expected | {"matmul.product"}
    for kernel in (KERNELS[one] for one in expected):
        given, steps = given_halves[kernel.name], "before" not in kernel.name
        assert {one.dtype.name for one in given if hasattr(one, "dtype")} == {"float16"}
        for gpu.compute, runs in (((8, 0), "cuda"), ((7, 5), "reference" if steps else "cuda")):
            assert kernel.choose(given, None).implementation.partition(":")[0] == runs
        with use_backend("cuda"):
            assert (kernel.chosen(*given) == kernel.in_float32) == steps
