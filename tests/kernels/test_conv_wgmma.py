"""Convolution on Hopper: what is launched, what the copy engine is told, long sums emulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import SCHEDULES, emulated, unavailable
from tests.kernels.fake_gpu import Hopper
from tinymed.kernels.conv import cuda_wgmma, reference
from tinymed.kernels.device_rules import DEVICE_RULES

needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())
ONCE = ((1, 1), (1, 1), (1, 1), 1)  # stride, padding, dilation, groups


def halves(*shape: int) -> Any:
    return np.broadcast_to(np.float16(1), shape)


def maps(asked: Any) -> list[Any]:
    """Return the matrices and the rows of a box that the copy engine is told of."""
    return [*asked[-1][0].array.shape, asked[-1][0].rows]


@pytest.mark.parametrize(
    ("channels", "k", "size", "tile", "grid", "box"),
    [
        (64, 128, 184, (128, 256), (133, 1, 1), [1, 128, 576, 128]),  # enough for 132
        (64, 128, 183, (128, 128), (262, 1, 1), [1, 128, 576, 128]),
        (64, 64, 184, (64, 256), (133, 1, 1), [1, 64, 576, 64]),
        (3, 65, 16, (128, 128), (2, 1, 1), [1, 65, 72, 128]),  # channels in chunks of 8
        (16, 200, 16, (128, 128), (4, 1, 1), [1, 200, 144, 128]),
    ],
)
def test_tiles_fill_the_gpu_and_weights_are_a_matrix(
    hopper: Hopper, channels: int, k: int, size: int, tile: Any, grid: Any, box: Any
) -> None:
    y = cuda_wgmma.forward(
        halves(1, channels, size, size), halves(k, channels, 3, 3), None, *ONCE, "relu"
    )
    assert y.shape == (1, k, size, size)
    names = [asked[0].name for asked in hopper.asked]
    name = f"conv/wgmma_float16_{tile[0]}x{tile[1]}"
    assert names == ["conv/channels_last_16_bits"] * 2 + ["conv/steps", name]
    variant, _, asked, threads, given = hopper.asked[-1]
    assert (tuple(asked), threads, maps(hopper.asked[-1])) == (grid, 384, box)
    steps = -(-box[2] // 64)
    assert [int(n) for n in given[8:14]] == [1, steps, 1, -(-channels // 8), k, 0]
    assert int(given[-1]) == 1  # relu is its own
    assert variant.shared <= 227 * 1024


def test_long_sums_of_few_tiles_are_split_and_their_bias_comes_after(hopper: Hopper) -> None:
    bias = np.ones(512, np.float16)
    cuda_wgmma.forward(halves(8, 512, 8, 8), halves(512, 512, 3, 3), bias, *ONCE, "tanh")
    (_, _, grid, _, given), (parts, *_, added), (last, *_) = hopper.asked[-3:]
    assert tuple(grid) == (4 * 4, 9, 1)  # 16 tiles of 128 x 128, 4608 terms
    assert given[4].shape == (9, 8, 512, 8, 8)
    assert [int(given[n]) for n in (2, 8, 9)] == [0, 9, 8]  # no bias, 9 parts of 8 steps
    assert parts.name == "matmul/parts_float16"
    assert added[1] is bias
    assert [int(n) for n in added[4:7]] == [512, 64, 9]  # the channels, and how far apart they are
    assert last.name == "matmul/activation_float16"


def test_a_gradient_by_strides_has_weights_for_each_phase(hopper: Hopper) -> None:
    dy, weight = halves(2, 96, 20, 20), halves(96, 64, 3, 3)
    settings = ((2, 2), (1, 1), (1, 1), 2)
    cuda_wgmma.grad_input(dy, weight[:, :32], (40, 40), *settings)
    filters, last = hopper.asked[-2:]
    assert filters[0].name == "conv/filters_of_phases"
    assert tuple(filters[2]) == (-(-2 * 32 * 4 * 6 // 256), 4, 1)  # of 48 channels, at most 4 taps
    assert maps(last) == [4 * 2, 32, 4 * 48, 64]
    assert tuple(last[2]) == (-(-2 * 400 // 256), 4, 2)
    assert int(last[-1][13]) == 1  # weights of its own
    hopper.asked.clear()
    cuda_wgmma.grad_input(dy, weight[:, :32], (20, 20), *ONCE[:3], 2)
    assert "conv/filters_of_phases" not in [asked[0].name for asked in hopper.asked]
    assert maps(hopper.asked[-1]) == [2, 32, 9 * 48, 64]


@pytest.mark.parametrize(("k", "rows", "tiles"), [(64, 64, 3), (128, 128, 3), (130, 128, 6)])
def test_the_gradient_of_the_weight_is_cut_into_parts_and_added(
    hopper: Hopper, k: int, rows: int, tiles: int
) -> None:
    dy, x = halves(8, k, 28, 28), halves(8, 64, 28, 28)
    dw = cuda_wgmma.grad_weight(dy, x, (3, 3), *ONCE)
    assert (dw.shape, dw.dtype) == ((k, 64, 3, 3), np.float16)
    *_, (variant, _, grid, _, given), (last, *_) = hopper.asked
    assert variant.name == f"conv/wgmma_grad_weight_float16_{rows}"
    assert maps(hopper.asked[-2]) == [1, 8 * 784, -(-k // 8) * 8, 64]
    assert tuple(grid) == (tiles, 11, 1)  # of 9 steps each
    assert int(given[9]) % 64 == 0  # places of a part: whole steps
    assert last.name == "matmul/parts_float16"


def test_which_convolutions_run_on_it_by_themselves(hopper: Hopper) -> None:
    def chosen(kernel: str, *given: Any) -> str:
        rules = (r for r in DEVICE_RULES[f"conv.{kernel}"] if r.can(*given) and r.here(*given))
        return next(r.implementation for r in rules if r.pays(*given))

    def all_three(c: int, k: int, kernel: int = 3, n: int = 2, groups: int = 1) -> list[str]:
        x, dy, w = halves(n, c, 9, 9), halves(n, k, 9, 9), halves(k, c // groups, kernel, kernel)
        settings = (*ONCE[:3], groups)
        return [
            chosen("forward", x, w, None, *settings, "relu").partition(":")[2],
            chosen("grad_input", dy, w, (9, 9), *settings).partition(":")[2],
            chosen("grad_weight", dy, x, (kernel, kernel), *settings).partition(":")[2],
        ]

    assert all_three(32, 32) == ["wgmma"] * 3
    assert all_three(31, 31) == ["tensor"] * 3
    assert all_three(3, 64) == ["wgmma", "tensor", "tensor"]  # 27 columns of weights
    assert all_three(64, 64, kernel=1) == ["wgmma", "wgmma", "tensor"]
    assert all_three(64, 64, groups=4) == ["tensor"] * 3
    assert all_three(64, 64, n=0)[2] == "tensor"  # no dy for the copy engine
    for hopper.compute in ((8, 0), (10, 0)):
        assert all_three(64, 64) == ["tensor"] * 3
        for variant in cuda_wgmma.VARIANTS:
            with pytest.raises(LookupError, match=r"is for sm_90a, not for this GPU's"):
                variant.target(hopper.compute)


@needs_compiler
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("k", [20, 70])
def test_the_ring_goes_round_three_times(schedule: str, k: int) -> None:
    rng = np.random.default_rng(1)
    shapes = (1, 91, 7, 9), (k, 91, 3, 3)  # 96 channels of 9 taps: 14 steps
    x, w = (rng.standard_normal(shape).astype(np.float16) for shape in shapes)
    long = [rng.standard_normal((1, c, 830)).astype(np.float16) for c in (k, 9)]  # 13 steps
    calls = (
        ("forward", (x, w, None, *ONCE, None)),
        ("grad_input", (x, w.swapaxes(0, 1), (7, 9), *ONCE)),
        ("grad_weight", (*long, (1,), (1,), (0,), (1,), 1)),
    )
    with emulated(schedule, multiprocessors=1):
        found = [getattr(cuda_wgmma, name)(*given) for name, given in calls]
    for (name, given), y in zip(calls, found, strict=True):
        exact = [a.astype(float) if isinstance(a, np.ndarray) else a for a in given]
        expected = getattr(reference, name)(*exact)
        assert np.abs(y - expected).max() <= 2.0**-10 * np.abs(expected).max()
