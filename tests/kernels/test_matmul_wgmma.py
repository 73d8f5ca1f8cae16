"""Matrix products on Hopper: what is launched, what the copy engine is told, long sums emulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import SCHEDULES, emulated, unavailable
from tests.kernels.fake_gpu import Hopper
from tinymed.kernels.cuda import TensorMap, launch, tensor_map
from tinymed.kernels.cuda.cupy_launcher import CuPyLauncher
from tinymed.kernels.device_rules import DEVICE_RULES
from tinymed.kernels.matmul import cuda_wgmma, ladder

needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


def halves(*shape: int) -> Any:
    return np.ones(shape, np.float16)


@pytest.mark.parametrize(
    ("a", "b", "name", "grid", "box_a", "box_b"),
    [
        (
            halves(256, 64),
            halves(64, 256),
            "128 nn",
            (4, 1, 1),
            [1, 256, 64, 128],
            [1, 64, 256, 64],
        ),
        (
            halves(256, 64),
            halves(256, 64).T,
            "128 nt",
            (4, 1, 1),
            [1, 256, 64, 128],
            [1, 256, 64, 128],
        ),
        (
            halves(64, 256).T,
            halves(64, 256),
            "128 tn",
            (4, 1, 1),
            [1, 64, 256, 64],
            [1, 64, 256, 64],
        ),
        (
            halves(64, 256).T,
            halves(256, 64).T,
            "128 tt",
            (4, 1, 1),
            [1, 64, 256, 64],
            [1, 256, 64, 128],
        ),
        (
            halves(2, 3, 8, 64),
            halves(6144, 64).T,
            "256 nt",
            (24, 1, 6),
            [6, 8, 64, 128],
            [1, 6144, 64, 256],
        ),
        (
            halves(1536, 64),
            halves(64, 2816),
            "256 nn",
            (132, 1, 1),
            [1, 1536, 64, 128],
            [1, 64, 2816, 64],
        ),
        (
            halves(1536, 64),
            halves(64, 2560),
            "128 nn",
            (240, 1, 1),
            [1, 1536, 64, 128],
            [1, 64, 2560, 64],
        ),
        (
            halves(128, 4096),
            halves(4096, 8),
            "128 nn",
            (1, 16, 1),
            [1, 128, 4096, 128],
            [1, 4096, 8, 64],
        ),
    ],
)
def test_the_variant_of_a_product(
    hopper: Hopper, a: Any, b: Any, name: str, grid: Any, box_a: Any, box_b: Any
) -> None:
    columns, layout = name.split()
    assert cuda_wgmma.product(a, b).shape == (*a.shape[:-1], b.shape[-1])
    variant, entry, asked, threads, given = hopper.asked[0]
    assert (variant.name, entry) == (f"matmul/wgmma_float16_{columns}", f"matmul_{layout}")
    assert (tuple(asked), threads) == (grid, 384)
    assert [[*one.array.shape, one.rows] for one in given[:2]] == [box_a, box_b]
    assert [int(n) for n in given[5:8]] == [a.shape[-2], b.shape[-1], a.shape[-1]]
    assert [int(n) for n in given[9:11]] == [a.ndim > 2, b.ndim > 2]
    assert variant.shared % 1024 == 0
    assert variant.shared <= 227 * 1024


def test_a_layer_has_its_bias_and_relu_fused_and_long_sums_added_after(hopper: Hopper) -> None:
    x, weight, bias = halves(128, 64), halves(256, 64), halves(256)
    cuda_wgmma.linear(x, weight, bias, "relu")
    *_, given = hopper.asked[0]
    assert given[2] is bias
    assert int(given[4]) == 0  # no parts
    assert int(given[-1]) == 1
    cuda_wgmma.linear(halves(128, 1024), halves(256, 1024), bias, "tanh")
    names = [asked[0].name for asked in hopper.asked[1:]]
    assert names == [
        "matmul/wgmma_float16_128",
        "matmul/parts_float16",
        "matmul/activation_float16",
    ]
    assert int(hopper.asked[1][-1][2]) == 0  # the bias comes when all parts are there


def test_what_does_not_begin_at_16_bytes_is_copied(hopper: Hopper) -> None:
    a, b = halves(128, 64), halves(64, 128)
    cuda_wgmma.product(a, b)
    hopper.offset = 8
    cuda_wgmma.product(a, b)
    shared = [np.shares_memory(asked[-1][0].array, a) for asked in hopper.asked]
    assert shared == [True, False]


@pytest.mark.parametrize(
    ("a", "b", "compute", "runs"),
    [
        (halves(64, 32), halves(32, 64), (9, 0), "cuda:wgmma"),
        (halves(64, 30), halves(30, 64), (9, 0), "cuda:tensor"),  # rows of 60 bytes
        (halves(30, 64).T, halves(30, 64), (9, 0), "cuda:wgmma"),  # not along K
        (halves(64, 32), halves(66, 32).T, (9, 0), "cuda:wgmma"),  # rows of b are 66 along K
        (halves(64, 32), halves(32, 66), (9, 0), "cuda:tensor"),
        (halves(32, 32), halves(32, 64), (9, 0), "cuda:tensor"),  # a quarter of a tile
        (halves(64, 32), halves(32, 64), (8, 0), "cuda:tensor"),
        (halves(64, 32), halves(32, 64), (10, 0), "cuda:tensor"),
        (halves(64, 0), halves(0, 64), (9, 0), "cuda:tensor"),
        # copied anyway, since it is broadcast along one of two axes or not contiguous: as fits
        (halves(3, 1, 12, 64).swapaxes(-1, -2), halves(3, 2, 12, 64), (9, 0), "cuda:wgmma"),
        (halves(64, 60)[:, ::2], halves(30, 64), (9, 0), "cuda:wgmma"),
        (halves(66, 60)[:, ::2], halves(30, 64), (9, 0), "cuda:tensor"),
    ],
)
def test_which_products_run_on_it_by_themselves(
    hopper: Hopper, a: Any, b: Any, compute: tuple[int, int], runs: str
) -> None:
    hopper.compute = compute
    rules = DEVICE_RULES["matmul.product"]
    able = (r for r in rules if r.can(a, b) and r.here(a, b))
    assert next(r.implementation for r in able if r.pays(a, b)) == runs


def test_which_layers_run_on_it_by_themselves(hopper: Hopper) -> None:
    def chosen(*given: Any) -> str:
        rules = DEVICE_RULES["matmul.linear"]
        return next(
            r.implementation for r in rules if r.can(*given) and r.here(*given) and r.pays(*given)
        )

    x, weight, bias = halves(64, 32), halves(66, 32), halves(66)
    assert chosen(x, weight, bias, "relu") == "cuda:wgmma"
    assert chosen(x, weight, None, None) == "cuda:wgmma"
    assert chosen(halves(64, 36), halves(66, 36), bias, None) == "cuda:tensor"


def test_another_gpu_is_told_that_it_is_not_for_it() -> None:
    for variant in (*cuda_wgmma.VARIANTS, ladder.STEPS["warpgroups"]):
        assert variant.target((9, 0)) == "sm_90a"
        for compute in ((8, 0), (10, 0), (12, 0)):
            with pytest.raises(LookupError, match=r"is for sm_90a, not for this GPU's sm_1?[0-9]"):
                variant.target(compute)


@needs_compiler
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("turned", [False, True])
def test_the_ring_goes_round_three_times(schedule: str, turned: bool) -> None:
    rng, steps = np.random.default_rng(1), 3 * cuda_wgmma.STAGES + 1
    k = 64 * steps - 24
    a, b = (rng.standard_normal(shape).astype(np.float16) for shape in ((k, 16), (k, 24)))
    a, b = (a.T, b) if turned else (np.ascontiguousarray(a.T), np.ascontiguousarray(b.T).T)
    with emulated(schedule, multiprocessors=1) as launcher:
        y = cuda_wgmma.product(a, b)
    assert [tuple(grid) for _, grid in launcher.ran] == [(1, 1, 1)]
    expected = a.astype(float) @ b.astype(float)
    assert np.abs(y - expected).max() <= 2.0**-10 * np.abs(expected).max()


def encoder(given: list[Any], error: int = 0) -> Any:
    """Return a driver that writes down what it is asked, and 1, 2 ... 16 as the words."""

    def encode(words: Any, *others: Any) -> int:
        given.extend([words.value % 64, *others])
        memory = np.ctypeslib.as_array(
            (np.ctypeslib.ctypes.c_uint64 * 16).from_address(words.value)
        )
        memory[:] = np.arange(1, 17)
        return error

    return lambda: encode


def test_what_the_driver_is_asked_to_encode(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(tensor_map, "_encoder", encoder(given))
    words = TensorMap(np.ones((3, 40, 72), np.float16), 16).encoded(0x7F00)
    assert words.view(np.uint64).tolist() == list(range(1, 17))
    aligned, bits, axes, address, *sizes = given
    assert (aligned, bits, axes, address.value) == (0, 1, 3, 0x7F00)
    assert [list(one) for one in sizes[:4]] == [[72, 40, 3], [144, 5760], [64, 16, 1], [1, 1, 1]]
    assert sizes[4:] == [0, 3, 3, 0]
    monkeypatch.setattr(tensor_map, "_encoder", encoder(given, 1))
    with pytest.raises(
        RuntimeError, match=r"refuses float32 \(1, 4, 8\) at 0x10 in boxes of 4 rows"
    ):
        TensorMap(np.ones((1, 4, 8), np.float32), 4).encoded(0x10)


def test_a_map_is_checked_as_its_array_is_and_passed_by_value(
    hopper: Hopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = cuda_wgmma.VARIANTS[0]
    with pytest.raises(ValueError, match=r"argument 0 has shape .* expected a contiguous array"):
        launch(variant, (1, 1, 1), TensorMap(np.ones((2, 16, 16), np.float16).swapaxes(0, 1), 16))
    monkeypatch.setattr(tensor_map, "_encoder", encoder([]))
    one = TensorMap(np.ones((2, 16, 16), np.float16), 16)
    cupy = CuPyLauncher(None)
    monkeypatch.setattr(CuPyLauncher, "address", lambda self, array: 0x100)
    assert cupy._by_value(one).nbytes == 128
    assert one.arrays == (one.array,)
