"""A step as CUDA graphs, on a stand-in that does nothing while it captures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.fake_cupy import FakeCuPy
from tests.fake_cupy.state import STATE
from tinymed import nn, optim
from tinymed.capturing import WARM_UP
from tinymed.errors import CompileError


class Training:
    """A small network, and all that changes from step to step."""

    def __init__(self, dropout: float = 0.3) -> None:
        tm.manual_seed(4)
        self.model = nn.Sequential(
            nn.Conv2d(1, 3, 3, activation="relu"),
            nn.BatchNorm2d(3),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(12, 3),
        ).cuda()
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.02)
        self.scheduler = optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)

    def step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad()
        logits = self.model(x)
        loss = nn.functional.cross_entropy(logits, y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return loss, logits

    def state(self) -> list[np.ndarray]:
        tensors = [*self.model.state_dict().values(), *(p.grad for p in self.model.parameters())]
        return [tensor.data.host for tensor in tensors]


def batches(count: int, rows: int = 4) -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(1)
    return [
        (
            tm.tensor(generator.standard_normal((rows, 1, 6, 6)), dtype="float32", device="cuda"),
            tm.tensor(generator.integers(0, 3, rows), device="cuda"),
        )
        for _ in range(count)
    ]


def test_a_training_takes_the_same_way(cupy: FakeCuPy) -> None:
    """Dropout, running statistics, clipping, learning rate: all go on after the capture."""
    plain, captured = Training(), Training()
    fast = tm.cuda.capture(captured.step)
    found: list[list[Any]] = []
    for training, step in ((plain, plain.step), (captured, fast)):
        tm.manual_seed(9)
        found.append([[y.data.host.copy() for y in step(*batch)] for batch in batches(8)])
        found[-1].append(training.state())
    for one, two in zip(*found, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)
    launches = [event for event in STATE.events if event[0] == "launch"]
    # the mask, clipping, the optimizer and the scheduler each end a graph; so does, once, the
    # constant that the reference of max pooling sends
    assert len(launches) == 6 * (8 - WARM_UP)


@pytest.mark.parametrize(
    "layer",
    [nn.Dropout, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.RReLU],
    ids=lambda c: c.__name__,
)
def test_what_is_drawn_is_drawn_anew_and_as_without_graphs(layer: Any, cupy: FakeCuPy) -> None:
    x = tm.tensor(np.random.default_rng(2).standard_normal((4, 5, 3)), device="cuda")
    given = (0.2, 0.6) if layer is nn.RReLU else (0.4,)

    def calls(step: Callable[..., Any], count: int = 6) -> list[list[np.ndarray]]:
        return [[y.data.host.copy() for y in step(x)] for _ in range(count)]

    def made() -> Callable[..., Any]:
        own = layer(*given, generator=np.random.default_rng(3)).cuda()

        def step(x: Any) -> Any:
            leaf = x.detach()
            leaf.requires_grad = True
            y = own(leaf)
            y.sum().backward()
            return y, leaf.grad

        return step

    plain, captured = calls(made()), calls(tm.cuda.capture(made()))
    for one, two in zip(plain, captured, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-12)
    assert len({y.tobytes() for y, _ in captured}) == len(captured)


@pytest.mark.parametrize("kind", ["joined", "host", "inputs"])
def test_lengths_of_ctc_are_constants_or_inputs(kind: str, cupy: FakeCuPy) -> None:
    random, known = np.random.default_rng(5), ((6, 4), (3, 1))
    targets = tm.tensor([[1, 2, 1], [3, 2, 3]], device="cuda")
    if kind == "joined":
        targets = tm.tensor([1, 2, 1, 3], device="cuda")

    def step(x: Any, *lengths: Any) -> Any:
        return nn.functional.ctc_loss(x, targets, *(lengths or known))

    fast = tm.cuda.capture(step)
    for lengths in (known, ((5, 6), (2, 3)), ((6, 6), (1, 0)), known):
        logits = tm.tensor(random.standard_normal((6, 2, 4)), device="cuda")
        x = nn.functional.log_softmax(logits, 2)
        more = [tm.tensor(each, device="cuda") for each in lengths] if kind == "inputs" else []
        found, expected = fast(x, *more), step(x, *more)
        np.testing.assert_allclose(found.data.host, expected.data.host, rtol=1e-12)


def test_joined_targets_of_ctc_need_lengths_on_the_host(cupy: FakeCuPy) -> None:
    joined = tm.tensor([1, 2, 1, 3], device="cuda")
    fast = tm.cuda.capture(lambda x, t, n: nn.functional.ctc_loss(x, joined, t, n))
    x = nn.functional.log_softmax(tm.ones(6, 2, 4, device="cuda"), 2)
    lengths = tm.tensor([6, 4], device="cuda"), tm.tensor([3, 1], device="cuda")
    for _ in range(WARM_UP):
        fast(x, *lengths)
    words = r"ctc_loss finds the labels .* in targets \(4,\) by target_lengths, .* pass \(2, S\)"
    with pytest.raises(CompileError, match=words):
        fast(x, *lengths)


def test_the_host_waits_for_nothing_in_a_launch(cupy: FakeCuPy) -> None:
    training = Training(dropout=0.0)
    fast = tm.cuda.capture(lambda x, y: training.model(x).sum())
    for x, y in batches(WARM_UP + 1):
        fast(x, y)
    before = STATE.host_reads
    fast(*batches(1)[0])
    assert STATE.host_reads == before


def test_results_and_inputs_have_memory_of_their_own(cupy: FakeCuPy) -> None:
    fast = tm.cuda.capture(lambda x: x * 2)
    inputs = [tm.full((2,), float(n), device="cuda") for n in range(6)]
    found = [fast(x) for x in inputs]
    assert [y.data.host.tolist() for y in found] == [[2.0 * n] * 2 for n in range(6)]
    assert [x.data.host[0] for x in inputs] == list(range(6))
    assert all(y.grad_fn is None for y in found)


def test_shapes_and_modes_have_graphs_of_their_own(cupy: FakeCuPy) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)).cuda()
    fast = tm.cuda.capture(model)
    x = tm.ones(3, 2, device="cuda")
    for rows in (3, 2, 3, 2, 3, 2, 3):
        assert fast(x[:rows]).shape == (rows, 2)
    assert len(fast.plans) == 2
    model.eval()
    expected = model(x).data.host
    for _ in range(5):
        np.testing.assert_allclose(fast(x).data.host, expected, rtol=1e-6)


def test_a_parameter_that_is_replaced_is_captured_anew(cupy: FakeCuPy) -> None:
    model = nn.Linear(2, 2).cuda().eval()
    fast, x = tm.cuda.capture(model), tm.ones(1, 2, device="cuda")
    for _ in range(4):
        fast(x)
    model.cpu().cuda()
    with tm.no_grad():
        model.weight.zero_()
    np.testing.assert_allclose(fast(x).data.host[0], model.bias.data.host, rtol=1e-6)


@pytest.mark.parametrize("change", ["setting", "layer", "hook"])
def test_a_module_that_changes_is_captured_anew(change: str, cupy: FakeCuPy) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.1)).cuda().eval()
    fast, x = tm.cuda.capture(model), tm.ones(1, 2, device="cuda")
    for _ in range(4):
        fast(x)
    if change == "setting":
        model[1].negative_slope = 0.9
    elif change == "layer":
        model[1] = nn.Tanh()
    else:
        model[1].register_forward_hook(lambda layer, inputs, output: output + output)
    np.testing.assert_array_equal(fast(x).data.host, model(x).data.host)


def waits(y: Any) -> Any:
    """Undo the capture, so that not even its end is possible."""
    sys.modules["cupy"].cuda.get_current_stream().synchronize()
    return y


def adds_up(model: Any, x: Any) -> None:
    model(x).sum().backward()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (lambda m, x: m(x).sum().item(), r"capture: item\(\) reads the values of a tensor \(\) in"),
        (lambda m, x: m(x) * int(x.data.sum()), "capture: the step waits for the GPU, or does"),
        (lambda m, x: waits(m(x)), "capture: the step waits for the GPU, or does .*Unsupported"),
        (lambda m, x: m(x)[x[:, 0] > 0], "capture: the step waits for the GPU, or does what a"),
        (lambda m, x: m(x) + tm.randn(2, device="cuda"), "capture: 8 bytes are copied from host"),
        (adds_up, r"parameter \(2, 2\) has a gradient from before the step; begin .* zero_grad"),
        (lambda m, x: [m(x)], "capture: the step returns a list; return tensors"),
    ],
)
def test_what_a_graph_cannot_hold_is_refused(
    step: Callable[..., Any], words: str, cupy: FakeCuPy
) -> None:
    model, x = nn.Linear(2, 2).cuda(), tm.ones(3, 2, device="cuda")

    def once(x: Any) -> Any:
        result = step(model, x)
        return result if isinstance(result, (tm.Tensor, list)) else None

    fast = tm.cuda.capture(once)
    with contextlib.suppress(CompileError):  # a list is refused by the first call already
        for _ in range(WARM_UP):
            fast(x)
    for _ in range(2):  # and refused again; what comes after it is not captured
        with pytest.raises(CompileError, match=words):
            fast(x)
        assert STATE.capture is None
        assert tm.ones(2, device="cuda").device == "cuda:0"


def test_inputs_that_are_refused(cupy: FakeCuPy) -> None:
    fast = tm.cuda.capture(lambda x: x)
    with pytest.raises(TypeError, match=r"input 0 is on cpu, expected one on a GPU; .* DataLoader"):
        fast(tm.ones(2))
    with pytest.raises(TypeError, match="capture: input 0 is a list, expected a Tensor or an arr"):
        fast([1.0])
    with pytest.raises(CompileError, match="input 0 wants a gradient; detach"):
        fast(tm.ones(2, device="cuda", requires_grad=True))
    with pytest.raises(
        ValueError, match=r"on cuda:1, which is not the current GPU; .*cuda\.device"
    ):
        fast(tm.ones(2, device="cuda:1"))
    with pytest.raises(TypeError, match="capture: a int is not a function or"):
        tm.cuda.capture(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"compile: input 0 is on cuda:0, .*cuda\.capture"):
        tm.compile(lambda x: x)(tm.ones(2, device="cuda"))
