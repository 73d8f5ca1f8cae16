"""CTC on a GPU: what is launched and what is refused, without one; and what no case can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import emulated, unavailable
from tests.kernels.fake_gpu import Fake
from tinymed.kernels import KERNELS
from tinymed.kernels.ctc import cuda, reference
from tinymed.kernels.cuda import Grid

needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


def given(labels: int, steps: int = 6, batch: int = 3, dtype: Any = np.float32) -> tuple[Any, ...]:
    """Return the arguments of a forward of five classes, the last of which is the blank."""
    x = np.log(np.full((steps, batch, 5), 0.2, dtype))
    lengths = np.full(batch, steps), np.full(batch, labels)
    return x, np.arange(labels * batch).reshape(batch, labels) % 4, *lengths, 4


def back(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    x, targets = arguments[:2]
    alpha = np.zeros((*x.shape[:2], 2 * targets.shape[1] + 1), x.dtype)
    return np.ones(x.shape[1], x.dtype), *arguments, np.ones(x.shape[1], x.dtype), alpha


@pytest.mark.parametrize(
    ("labels", "threads"), [(0, 32), (1, 32), (15, 32), (16, 64), (255, 512), (1023, 512)]
)
def test_a_block_has_a_sequence_and_a_thread_up_to_four_states(
    labels: int, threads: int, gpu: Fake
) -> None:
    cuda.forward(*given(labels, dtype=np.float64))
    ((variant, entry, grid, launched, _),) = gpu.asked
    assert (entry, grid, launched) == ("walk", Grid(3), threads)
    assert variant.shared == 2 * (2 * labels + 1) * 8 <= 48 * 1024
    assert 4 * threads >= 2 * labels + 1


def test_back_it_walks_sorts_and_gives_a_warp_to_each_step(gpu: Fake) -> None:
    cuda.grad(*back(given(2, steps=7)))
    ran = [(entry, grid.x, threads) for _, entry, grid, threads, _ in gpu.asked]
    assert ran == [("walk", 3, 32), ("sort", 3, 256), ("gradient", 3, 256)]  # 21 steps, 8 a block
    losses = gpu.asked[0][4][5]
    assert losses == 0  # null: beta, not alpha


@pytest.mark.parametrize("kernel", ["ctc.forward", "ctc.grad"])
def test_what_is_too_long_or_of_another_dtype_is_the_references(kernel: str) -> None:
    def chosen(*arguments: Any) -> str:
        arguments = back(arguments) if kernel == "ctc.grad" else arguments
        rules = KERNELS[kernel].candidates(on_host=False)
        return next(r.implementation for r in rules if r.can(*arguments) and r.pays(*arguments))

    assert chosen(*given(1023)) == "cuda"
    assert chosen(*given(1024)) == "reference"
    assert chosen(*given(3, dtype=np.float16)) == "reference"
    x, targets, *others = given(3)
    assert chosen(x, targets.astype(np.int32), *others) == "reference"
    assert chosen(x, targets, others[0].astype(np.int32), *others[1:]) == "reference"


@needs_compiler
def test_not_a_number_stays_one_in_its_own_sequence() -> None:
    x, *others = given(2, batch=2)
    x[3, 0, :4] = np.nan  # whose labels are 0, 1: all states but blanks
    with emulated():
        losses, alpha = cuda.forward(x, *others)
        gradient = cuda.grad(np.ones(2, np.float32), x, *others, losses, alpha)
    assert np.isnan(losses).tolist() == [True, False]
    assert np.isnan(gradient[:, 0, 4]).all()
    expected = reference.forward(x[:, 1:], others[0][1:], *(a[1:] for a in others[1:3]), 4)[0]
    np.testing.assert_allclose(losses[1:], expected, rtol=1e-6)
    assert np.isfinite(gradient[:, 1]).all()


@needs_compiler
def test_what_a_graph_is_launched_on_unseen_reaches_nothing_else() -> None:
    """Lengths out of range count as the nearest ones, and a label that is no class as NaN."""
    x, targets, *_, blank = given(3, batch=3)
    steps, labels = np.array([99, 6, 6]), np.array([3, 99, -5])
    targets[0, 1] = 1000
    with emulated():
        losses, alpha = cuda.forward(x, targets, steps, labels, blank)
        gradient = cuda.grad(losses, x, targets, steps, labels, blank, losses, alpha)
    lengths = np.array([6, 6]), np.array([3, 0])
    expected, _ = reference.forward(x[:, 1:], targets[1:], *lengths, blank)
    np.testing.assert_allclose(losses, [np.nan, *expected], rtol=1e-6)
    assert np.isfinite(gradient[:, 1:]).all()
