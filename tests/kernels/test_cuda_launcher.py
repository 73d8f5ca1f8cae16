"""What a launch asks for, without a GPU: arguments, grids, choice of variant, and every refusal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy, raw
from tests.fake_cupy.state import STATE
from tests.kernels.fake_gpu import Fake
from tinymed.kernels.cuda import LAUNCHER, Grid, Resources, Struct, Variant, launch
from tinymed.kernels.cuda import cupy_launcher as cupy_module
from tinymed.kernels.cuda.cupy_launcher import CuPyLauncher, cupy_launcher
from tinymed.kernels.embedding import cuda as embedding
from tinymed.kernels.normalization import cuda as normalization
from tinymed.kernels.optimizer import cuda as optimizer
from tinymed.kernels.softmax import cuda as softmax

PLAIN = Variant("plain", "matmul/tiles.cu", ("f", "g"))


def test_arguments_become_what_c_reads(gpu: Fake) -> None:
    x = np.ones(3, np.float32)
    launch(PLAIN, Grid(2), x, None, 3, True, 0.5, np.int64(7), entry="g")
    variant, entry, grid, threads, given = gpu.asked[0]
    assert (variant, entry, grid, threads) == (PLAIN, "g", (2, 1, 1), 256)
    assert given[0] is x
    types = [np.uint64, np.int32, np.int32, np.float32, np.int64]
    assert [type(one) for one in given[1:]] == types


def test_a_struct_is_memory_of_words_and_its_arrays_are_checked(gpu: Fake) -> None:
    x = np.ones(3, np.float32)
    struct = Struct((x, None, 7))
    launch(PLAIN, Grid(1), struct)
    assert gpu.asked[0][-1] == (struct,)
    assert struct.arrays == (x,)
    assert struct.written({0: 2**40}).view(np.int64).tolist() == [2**40, 0, 7]
    with pytest.raises(ValueError, match=r"argument 0 is a numpy array \(2,\) that the GPU cannot"):
        launch(PLAIN, Grid(1), Struct((np.ones(2, np.float16),)))


def test_without_blocks_nothing_is_launched(gpu: Fake) -> None:
    launch(PLAIN, Grid(0, 5), np.ones(1))
    assert gpu.asked == []


@pytest.mark.parametrize(
    ("grid", "argument", "error", "words"),
    [
        (
            Grid(1, 65536),
            1,
            ValueError,
            r"plain: a grid of \(1, 65536, 1\) blocks, expected .*; sp",
        ),
        (Grid(2**31), 1, ValueError, "at most; split the input along its first axis"),
        (
            Grid(1),
            np.ones((2, 2)).T,
            ValueError,
            r"argument 0 has .*, expected a contiguous .* copy",
        ),
        (
            Grid(1),
            np.ones(2, np.float16),
            ValueError,
            r"argument 0 is a numpy array \(2,\) that .*mo",
        ),
        (
            Grid(1),
            np.ones(2, complex),
            TypeError,
            "argument 0 is complex128, expected one of .*float",
        ),
        (Grid(1), np.ones(2, ">f4"), TypeError, "argument 0 is >f4, expected one of"),
        (Grid(1), 2**31, OverflowError, "argument 0 is 2147483648, more than a C int holds; pass"),
        (Grid(1), "x", TypeError, "argument 0 is a str, expected an array, a number or None"),
    ],
)
def test_what_is_wrong_is_said_before_the_launch(
    gpu: Fake, grid: Grid, argument: Any, error: type[Exception], words: str
) -> None:
    if isinstance(argument, np.ndarray) and argument.ndim == 2:
        argument = np.asfortranarray(np.ones((2, 2)))
    with pytest.raises(error, match=words):
        launch(PLAIN, grid, argument)
    assert gpu.asked == []


def test_an_entry_point_that_is_not_there(gpu: Fake) -> None:
    with pytest.raises(LookupError, match=r"plain: no entry point 'h'; it has \('f', 'g'\)"):
        launch(PLAIN, Grid(1), entry="h")


def test_a_variant_is_compiled_for_the_latest_architecture_that_the_gpu_runs() -> None:
    hopper = Variant("v", "matmul/tiles.cu", ("f",), architectures=("sm_80", "sm_90", "sm_90a"))
    assert hopper.target((9, 0)) == "sm_90a"
    assert hopper.target((8, 9)) == "sm_80"
    with pytest.raises(LookupError, match=r"v is for sm_80, .*not for this GPU's sm_75; choose"):
        hopper.target((7, 5))
    with pytest.raises(ValueError, match="2048 threads, expected 1 to 1024"):
        Variant("v", "matmul/tiles.cu", ("f",), threads=2048)
    with pytest.raises(ValueError, match="no entry points"):
        Variant("v", "matmul/tiles.cu", ())


def ones(*shape: int, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


# ----------------------------------------------------------------------- CuPy, or what is missing


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    cupy_launcher.cache_clear()
    yield
    cupy_launcher.cache_clear()


def test_without_cupy_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    words = r"launch: a CUDA kernel needs cupy .*; pip install tinymed\[cuda13\], or"
    with pytest.raises(ImportError, match=words):
        launch(PLAIN, Grid(1), 1)


def test_without_a_gpu_the_error_says_so(cupy: FakeCuPy) -> None:
    STATE.count = 0
    with pytest.raises(RuntimeError, match="launch: a CUDA kernel needs a GPU: no GPU is visible"):
        launch(PLAIN, Grid(1), 1)


def test_an_old_driver_is_told_which_extra_it_needs(
    cupy: FakeCuPy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cupy_module, "library_version", lambda: (13, 0))
    words = r"driver is for CUDA 12, .* NVRTC 13; pip install tinymed\[cuda12\], or update"
    STATE.driver = 12040
    with pytest.raises(RuntimeError, match=words):
        cupy_module._check_driver(cupy)
    STATE.driver = 13010
    cupy_module._check_driver(cupy)


def test_out_of_memory_says_how_much_was_asked_for_and_how_much_is_free(cupy: FakeCuPy) -> None:
    launcher, x = CuPyLauncher(cupy), cupy.ones(2)
    words = r"empty: float32 \(1024, 1024\) is more .* 1.00 GiB of the GPU's 80.00 GiB are free"
    STATE.full = True
    with pytest.raises(MemoryError, match=words):
        launcher.empty((1024, 1024), np.dtype(np.float32), x)


# -------------------------------------------------------------------------- what memory bounds


@pytest.mark.parametrize(
    ("shape", "entry", "grid", "threads"),
    [
        ((4096, 1000), "rows", 4096, 32),
        ((4096, 1025), "rows", 4096, 64),
        ((8, 50257), "rows", 8, 512),
        ((65536, 4), "columns", 256, 256),
    ],
)
def test_a_block_for_each_row_or_a_thread(
    gpu: Fake, shape: Any, entry: str, grid: int, threads: int
) -> None:
    softmax.cross_entropy(ones(*shape), np.zeros(shape[0], np.int64))
    _, name, asked, used, given = gpu.asked[0]
    assert (name, tuple(asked), used) == (entry, (grid, 1, 1), threads)
    assert bool(given[-1]) == (entry == "rows" and shape[1] % 4 == 0)


def test_neighbouring_positions_are_read_together_where_they_begin_at_16_bytes(gpu: Fake) -> None:
    softmax.softmax(ones(8, 4, 65536))
    softmax.softmax(ones(8, 4, 65535))
    gpu.offset = 4
    softmax.softmax(ones(8, 4, 65536))
    assert [(asked[2].x, bool(asked[4][-1])) for asked in gpu.asked] == [
        (8 * 65536 // 1024, True), (8 * 65535 // 256 + 1, False), (8 * 65536 // 256, False)
    ]  # fmt: skip


def test_a_channel_of_a_batch_is_shared_by_blocks_and_merged(gpu: Fake) -> None:
    normalization.batch_norm(ones(32, 64, 56, 56), None, None, 1e-5)
    names = [(asked[1], tuple(asked[2])) for asked in gpu.asked]
    assert names == [
        ("channel_statistics", (64, 16, 1)),
        ("merge_statistics", (1, 1, 1)),
        ("every_affine", (32 * 64 * 56 * 56 // 1024, 1, 1)),
    ]


def test_a_group_of_a_sample_is_a_row(gpu: Fake) -> None:
    normalization.group_norm(ones(8, 64, 3136), None, None, 8, 1e-5)
    normalization.group_norm(ones(4096, 512, 1), None, None, 1, 1e-5)
    assert [(asked[1], asked[2].x, asked[3]) for asked in gpu.asked] == [
        ("rows", 64, 512), ("rows", 4096, 32)
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "grid", "across"), [(128, 1024, 32), (33, 2048, 64), (1, 32, 1)])
def test_threads_for_each_row_of_a_table(gpu: Fake, width: int, grid: int, across: int) -> None:
    embedding.forward(ones(10, width), np.zeros(8192, np.int64))
    _, _, asked, threads, given = gpu.asked[0]
    assert (asked.x, threads, int(given[-2]), bool(given[-1])) == (
        grid, 256, across, width % 4 == 0
    )  # fmt: skip


def test_64_arrays_in_a_launch_and_none_for_what_is_empty(gpu: Fake) -> None:
    shapes = [(3, 5)] * 60 + [(0, 4)] * 10 + [(1025,)] * 9
    param, grad = ([ones(*shape) for shape in shapes] for _ in range(2))
    optimizer.sgd(param, grad, None, 0.1, 0.0, 0.0, False, True, 0.0)
    assert [(asked[2].x, int(asked[4][1])) for asked in gpu.asked] == [(68, 64), (10, 5)]
    words = gpu.asked[0][4][0].words
    assert len(words) == 7 * optimizer.MOST
    assert words[-optimizer.MOST :][58:] == (59, 60, 62, 64, 66, 68)


def test_whole_numbers_among_an_optimizers_settings_are_handed_over_as_floats(gpu: Fake) -> None:
    lists: Any = [[ones(5)] for _ in range(4)]
    optimizer.adam(*lists, 1, 1, 0, 0, 1, None, 1, True)
    assert [type(x) for x in gpu.asked[0][4][2:-1]] == [np.float32] * 9


def test_what_a_gpu_has_is_what_cupy_says(cupy: FakeCuPy) -> None:
    launcher, x = CuPyLauncher(cupy), cupy.ones(2)
    assert launcher.resources(x) == Resources(132, 227 * 1024)
    assert launcher.capability(x) == (9, 0)


# ------------------------------------------------------------ what CuPy and the driver are asked


@pytest.fixture
def launcher(cupy: FakeCuPy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CuPyLauncher:
    monkeypatch.setattr(cupy_module, "_check_driver", lambda cupy: None)
    monkeypatch.setattr(cupy_module, "cubin", lambda variant, target: tmp_path / str(variant))
    return CuPyLauncher(cupy)


def a_variant(**settings: Any) -> Variant:
    return Variant("v", "matmul/tiles.cu", ("f",), **settings)


def test_cupy_takes_every_kind_of_argument(cupy: FakeCuPy, launcher: CuPyLauncher) -> None:
    x = cupy.ones((1, 8, 8), dtype=np.float32)
    struct = Struct((x, None, 7))
    token = LAUNCHER.set(launcher)
    try:
        launch(a_variant(), Grid(3, 2), x, None, 3, True, 0.5, np.int64(7), struct)
    finally:
        LAUNCHER.reset(token)
    entry, grid, block, given, shared = STATE.launched[0]
    assert (entry, grid, block, shared) == ("f", (3, 2, 1), (256,), 0)
    assert given[-1].nbytes == 24
    assert given[-1]["words"].tolist() == [[x.data.ptr, 0, 7]]


def test_less_shared_memory_takes_none_from_what_is_launched_with_more(
    cupy: FakeCuPy, launcher: CuPyLauncher
) -> None:
    x, grid = cupy.ones(2), Grid(1)
    for size in (0, 200_000, 100_000, 200_000, 60_000, 200_000):
        launcher.run(a_variant().with_shared(size), "f", grid, 256, (x,))
    assert [asked[-1] for asked in STATE.launched][1::2] == [200_000] * 3
    words = "v: f on a grid of .* 2048 threads and 0 bytes of shared memory was refused: CUDA_ERR"
    with pytest.raises(RuntimeError, match=words):
        launcher.run(a_variant(), "f", grid, 2048, (x,))


def test_large_clusters_are_asked_for(cupy: FakeCuPy, launcher: CuPyLauncher) -> None:
    for blocks, asked in ((8, {}), (16, {14: 1})):
        launcher.run(a_variant(cluster=blocks), "f", Grid(16), 256, (cupy.ones(2),))
        assert next(iter(raw.LOADED.values())).attributes == asked
        launcher.functions.clear()


def test_a_cooperative_grid_is_whole_or_refused(cupy: FakeCuPy, launcher: CuPyLauncher) -> None:
    variant, x = a_variant(cooperative=True), cupy.ones(2)
    launcher.run(variant, "f", Grid(264), 256, (x,))
    with pytest.raises(ValueError, match="a cooperative grid of 265 blocks, expected 264 at most"):
        launcher.run(variant, "f", Grid(265), 256, (x,))
    assert len(STATE.launched) == 1


def test_arrays_of_two_gpus_are_refused(cupy: FakeCuPy, launcher: CuPyLauncher) -> None:
    here = cupy.ones(2)
    with cupy.cuda.Device(1):
        there = cupy.ones(2)
    with pytest.raises(ValueError, match=r"v: arrays on the GPUs \[0, 1\], expected one; move"):
        launcher.run(a_variant(), "f", Grid(1), 256, (here, there))
