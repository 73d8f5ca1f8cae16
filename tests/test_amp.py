"""Mixed precision: which ops compute in what, what the scaler does, and that a training arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.fake_cupy import FakeCuPy
from tests.ops.cases import CASES, Case
from tests.ops.test_registry import tensors
from tests.test_precision import NARROW, dtype_of, needs_ml_dtypes
from tinymed import nn, ops, optim
from tinymed.amp import FLOAT32, LOW, GradScaler, autocast
from tinymed.autograd import CASTING, Function
from tinymed.grad_mode import MODE
from tinymed.kernels.registry import Kernel

HALF, SINGLE = np.dtype(np.float16), np.dtype(np.float32)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    yield
    CASTING.hook = None


def first(name: str) -> Case:
    return next(case for case in CASES if case.op == name and case.inputs[0].size)


def test_the_lists_name_ops_that_there_are_once() -> None:
    assert set(Function.registry) >= LOW | FLOAT32
    assert not LOW & FLOAT32


@pytest.mark.parametrize("low", NARROW)
@pytest.mark.parametrize("name", sorted(LOW | FLOAT32))
@pytest.mark.parametrize("given", [np.float16, np.float32])
def test_precision(name: str, given: Any, low: str) -> None:
    case = first(name)
    inputs = tensors(case, given)
    with autocast("cpu", low):
        results = case.node()(*inputs)
    several = results if isinstance(results, tuple) else (results,)
    expected = low if name in LOW else "float32"
    assert {y.dtype.name for y in several if y.is_floating_point()} == {expected}
    assert case.node()(*inputs) is not None  # outside, nothing is cast
    wanted = [y for y in several if y.requires_grad]
    if wanted:
        tm.grad(wanted, [x for x in inputs if isinstance(x, tm.Tensor) and x.requires_grad],
                [np.ones(y.shape, y.dtype) for y in wanted])  # fmt: skip


def test_what_is_left_alone() -> None:
    weight = tm.ones(2, 3)
    with autocast("cpu"):
        assert ops.linear(np.ones((1, 3), np.float32), np.ones((2, 3), np.float32)).dtype == SINGLE
        assert ops.linear(tm.ones(1, 3).double(), weight.double()).dtype == np.float64
        assert (weight * 2).dtype == SINGLE
        assert (weight.half() + weight).dtype == SINGLE
        with autocast("cpu", enabled=False):
            assert ops.linear(tm.ones(1, 3), weight).dtype == SINGLE
        assert ops.linear(tm.ones(1, 3), weight).dtype == HALF
    with autocast("cuda"):
        assert ops.linear(tm.ones(1, 3), weight).dtype == SINGLE
    assert MODE.casts is None
    with pytest.raises(TypeError, match=r"linear: weight is float32 but x is float16"):
        ops.linear(tm.ones(1, 3).half(), weight)


def test_a_captured_step_knows_whether_it_is_inside(cupy: FakeCuPy) -> None:
    weight, x = tm.ones(2, 2, device="cuda"), tm.ones(1, 2, device="cuda")
    fast = tm.cuda.capture(lambda x: ops.linear(x, weight))
    for _ in range(4):
        assert fast(x).dtype == SINGLE
        with autocast("cuda"):
            assert fast(x).dtype == HALF


def test_as_a_decorator_and_after_an_error() -> None:
    @autocast("cpu")
    def product(x: Any) -> Any:
        return x @ x

    assert product(tm.ones(2, 2)).dtype == HALF
    with pytest.raises(ValueError, match="matmul"):
        product(tm.ones(2, 3))
    assert MODE.casts is None


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: autocast("tpu"), ValueError, "autocast: device_type='tpu' is not 'cuda' or 'cpu'"),
        (lambda: autocast("cpu", tm.float64), NotImplementedError, "dtype=float64 .* use bfloat"),
        (lambda: GradScaler("gpu"), ValueError, "GradScaler: device='gpu'"),
        (lambda: GradScaler(growth_factor=1.0), ValueError, "growth_factor=1.0"),
        (lambda: GradScaler(growth_interval=0), ValueError, "growth_interval=0 is not >= 1"),
        (lambda: GradScaler("cpu").update(), RuntimeError, r"update\(\) before step\(\)"),
        (lambda: GradScaler("cuda").scale(tm.ones(())), ValueError, r"on cpu, .* GradScaler\('cp"),
        (lambda: GradScaler("cpu").load_state_dict({}), ValueError, r"the state has \[\], expect"),
    ],
)
def test_refusals(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def stepped(scaler: GradScaler, gradient: float) -> float:
    """One step of SGD on a parameter that is 1, with a gradient; where it went."""
    weight = tm.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([weight], lr=1.0)
    scaler.scale((weight * gradient).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    return weight.item()


def test_the_scale_halves_at_infinity_and_doubles_after_a_while() -> None:
    scaler = GradScaler("cpu", init_scale=8.0, growth_interval=2)
    assert stepped(scaler, 0.5) == 0.5
    assert stepped(scaler, np.inf) == 1.0
    assert scaler.get_scale() == 4.0
    assert stepped(scaler, np.nan) == 1.0
    assert scaler.get_scale() == 2.0
    assert [stepped(scaler, 0.25) for _ in range(2)] == [0.75] * 2
    assert scaler.get_scale() == 4.0
    again = GradScaler("cpu", growth_interval=7)
    again.load_state_dict(scaler.state_dict())
    assert again.state_dict() == scaler.state_dict()
    assert again.get_scale() == 4.0
    off = GradScaler("cpu", enabled=False)
    assert (off.get_scale(), stepped(off, 0.5)) == (1.0, 0.5)


def test_unscaling_before_clipping_and_the_order_of_calls() -> None:
    scaler, weight = GradScaler("cpu", init_scale=1024.0), tm.tensor([3.0], requires_grad=True)
    optimizer = optim.SGD([weight], lr=1.0)
    scaler.scale((weight * 4).sum()).backward()
    assert weight.grad.item() == 4096
    scaler.unscale_(optimizer)
    assert weight.grad.item() == 4
    with pytest.raises(RuntimeError, match="called twice"):
        scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_([weight], 1.0)
    scaler.step(optimizer)
    assert weight.item() == pytest.approx(2.0)
    with pytest.raises(RuntimeError, match=r"step\(\) was called twice"):
        scaler.step(optimizer)
    half = tm.ones(1).half().requires_grad_()
    half.sum().backward()
    with pytest.raises(
        TypeError, match=r"a gradient is float16, .* autocast instead of a model in 16"
    ):
        GradScaler("cpu").unscale_(optim.SGD([half], lr=1.0))


def network() -> nn.Module:
    tm.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, activation="relu"), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(),
        nn.LayerNorm(36), nn.Linear(36, 2),
    )  # fmt: skip


def losses(device: str, mixed: bool, capture: bool = False, dtype: str = "float16") -> list[float]:
    model, generator = network().to(device), np.random.default_rng(0)
    images = generator.standard_normal((16, 1, 8, 8)).astype(np.float32)
    x, y = tm.tensor(images, device=device), tm.tensor(images.sum((1, 2, 3)) > 0, device=device)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    scales = mixed and dtype == "float16"
    scaler = GradScaler(device, init_scale=256.0, growth_interval=3, enabled=scales)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        with autocast(device, dtype, enabled=mixed):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    run = tm.cuda.capture(step) if capture else step
    found = [run(x, y.long()).item() for _ in range(12)]
    assert scaler.get_scale() == (256.0 * 2**4 if scales else 1.0)
    assert {p.dtype for p in model.parameters()} == {SINGLE}
    return found


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float16", pytest.param("bfloat16", marks=needs_ml_dtypes)])
def test_batch_norm_keeps_16_bits_beside_parameters_in_float32(dtype: str, training: bool) -> None:
    """As PyTorch does on a GPU; a model that has 16 bits itself gives the same, rounded."""
    values = np.random.default_rng(0).standard_normal((4, 3, 5)).astype(np.float32)
    ones = [tm.ones(3), tm.ones(3) * 0.5, tm.zeros(3), tm.ones(3)]

    def run(kind: Any, of_numbers: Any, cast: bool) -> tuple[Any, ...]:
        x = tm.tensor(values).to(dtype).to(kind).requires_grad_()
        weight, bias, mean, var = (one.to(of_numbers).clone() for one in ones)
        with autocast("cpu", dtype, enabled=cast):
            y = nn.functional.batch_norm(
                x, mean, var, weight.requires_grad_(), bias.requires_grad_(), training
            )
        g = tm.tensor(np.cos(values)).to(dtype).to(kind)
        first = tm.grad([y], [x, weight, bias], [g], create_graph=True)
        (second,) = tm.grad([first[0].float().square().sum()], [weight])
        return y, *first, second

    exact, mixed, half = run(SINGLE, SINGLE, False), run(dtype, SINGLE, True), run(dtype, dtype, 0)
    narrow, eps = dtype_of(dtype), {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    assert [one.dtype for one in mixed] == [narrow, narrow, SINGLE, SINGLE, SINGLE]
    assert {one.dtype for one in half} == {narrow}
    for results in (mixed, half):
        for found, wanted in zip(results, exact, strict=True):
            least = 4 * eps * abs(wanted.data).max()
            np.testing.assert_allclose(found.float().data, wanted.data, eps, least)
    np.testing.assert_allclose(mixed[2].data, exact[2].data, 1e-5, 1e-6)


@pytest.mark.parametrize("dtype", NARROW)
def test_kernels_are_given_sums_products_and_dropout_of_16_bits(
    dtype: str, cupy: FakeCuPy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU they are for them; on the CPU they compute what they did: the bits are the same."""
    values = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)
    called, call = set(), Kernel.__call__

    def spy(kernel: Kernel, *given: Any) -> Any:
        called.add((kernel.name, given[0].dtype))
        return call(kernel, *given)

    monkeypatch.setattr(Kernel, "__call__", spy)
    found = []
    for device in ("cpu", "cuda"):
        x, z = (tm.tensor(v, device=device).to(dtype).requires_grad_() for v in values)
        y = x * z + x
        grads = tm.grad([y], [x, z], [y.detach()], create_graph=True)
        second = tm.grad([grads[0]], [z], [y.detach()])
        assert {one.dtype for one in (y, *grads, *second)} == {dtype_of(dtype)}
        found.append([one.detach().float().cpu().numpy() for one in (y, *grads, *second)])
    np.testing.assert_array_equal(*map(np.stack, found))
    dropped, x = ops.dropout(x, 0.25).detach().cpu(), x.detach().cpu()
    kernels = ("arithmetic.add", "arithmetic.multiply", "dropout.forward")
    assert {(name, dtype_of(dtype)) for name in kernels} <= called
    assert dropped.dtype == dtype_of(dtype)
    kept = dropped.data != 0
    assert 0 < kept.sum() < kept.size
    exact = (x.float().data[kept] / np.float32(0.75)).astype(dtype_of(dtype))
    np.testing.assert_array_equal(dropped.data[kept], exact)


def test_a_training_arrives_where_float32_does() -> None:
    full, mixed = losses("cpu", mixed=False), losses("cpu", mixed=True)
    assert mixed != full
    assert full[-1] < full[0] / 2
    np.testing.assert_allclose(mixed, full, rtol=0.02, atol=0.01)


def test_on_a_gpu_and_captured(cupy: FakeCuPy) -> None:
    """The scale changes in between: graphs read it anew."""
    expected = losses("cpu", mixed=True)
    np.testing.assert_allclose(losses("cuda", mixed=True), expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(losses("cuda", True, capture=True), expected, rtol=1e-3, atol=1e-4)


@needs_ml_dtypes
def test_bfloat16_arrives_without_a_scaler(cupy: FakeCuPy) -> None:
    """On the CPU, on a GPU, and captured there."""
    full, mixed = losses("cpu", mixed=False), losses("cpu", mixed=True, dtype="bfloat16")
    assert mixed != full
    np.testing.assert_allclose(mixed, full, rtol=0.05, atol=0.02)
    for capture in (False, True):
        on_gpu = losses("cuda", True, capture, "bfloat16")
        np.testing.assert_allclose(on_gpu, mixed, rtol=1e-3, atol=1e-4)


@needs_ml_dtypes
def test_a_model_in_bfloat16_on_a_gpu(cupy: FakeCuPy) -> None:
    model = network().bfloat16().to("cuda")
    x, y = tm.randn(16, 1, 8, 8).bfloat16().to("cuda"), tm.tensor([0, 1] * 8, device="cuda")
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    found = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    assert found[-1] < found[0] / 2
    assert {p.dtype for p in model.parameters()} == {tm.bfloat16}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(kind: Any) -> None:
    layer, x = kind(3, 4), tm.randn(5, 2, 3)
    with autocast("cpu"):
        output = layer(x)[0]
    output.float().sum().backward()
    assert output.dtype == HALF
    np.testing.assert_allclose(output.data, layer(x)[0].data, atol=5e-3)
    assert {p.grad.dtype for p in layer.parameters()} == {SINGLE}
