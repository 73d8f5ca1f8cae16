"""The emulator finds what it is there for: each kind of mistake, planted in a small kernel."""

import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator import build, mutants
from tests.cuda_emulator.build import library
from tests.cuda_emulator.emulate import (
    SCHEDULES,
    STACKS,
    EmulationError,
    emulate,
    unavailable,
)
from tinymed.kernels.cuda import Struct, Variant

if unavailable():
    pytest.skip(unavailable(), allow_module_level=True)

SOURCE = Path(__file__).parent / "samples.cu"
ENTRIES = (
    *("turn_round", "never_written", "divergent", "some_come", "beyond", "beyond_shared"),
    *("wide_load", "warp_sums", "count_positive", "by_async_copy", "grid_sum", "neighbour"),
    *("one_product", "halves", "matrices", "to_both"),
)
# One build: shared memory, cooperation and clusters are settings of the launch.
SAMPLES = Variant("samples", str(SOURCE), ENTRIES, threads=64)
COPYING = Variant("samples", str(SOURCE), ENTRIES, threads=64, shared=512)
TOGETHER = Variant("samples", str(SOURCE), ENTRIES, threads=64, cooperative=True)
CLUSTERS = Variant("samples", str(SOURCE), ENTRIES, threads=32, shared=128, cluster=4)

each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
RNG = np.random.default_rng(3)


def nan(*shape: int) -> Any:
    return np.full(shape, np.nan, np.float32)


def draw(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def turned(x: Any) -> Any:
    return x.reshape(-1, 64)[:, ::-1].reshape(-1)


@each_schedule
def test_a_right_kernel_is_right(schedule: str) -> None:
    x, y = draw(192), nan(192)
    emulate(SAMPLES, (3,), [x, y, 192], entry="turn_round", schedule=schedule)
    assert np.array_equal(y, turned(x))


@each_schedule
def test_a_missing_barrier_gives_numbers_that_nobody_wrote(schedule: str) -> None:
    x, y = draw(64), nan(64)
    emulate(SAMPLES, (1,), [x, y, 64], entry="turn_round", schedule=schedule, removed="tile_loaded")
    assert np.isnan(y).any()


@each_schedule
@pytest.mark.parametrize("check", ["read_inside", "written_inside"])
def test_a_missing_check_reaches_past_the_end(schedule: str, check: str) -> None:
    given = [draw(1024), nan(1024), 1024]  # a page, whatever the schedule puts it next to
    emulate(SAMPLES, (17,), given, entry="turn_round", schedule=schedule)
    with pytest.raises(EmulationError, match="reaches outside of all arrays"):
        emulate(SAMPLES, (17,), given, entry="turn_round", schedule=schedule, removed=check)


def test_an_access_is_named_by_its_array_and_byte() -> None:
    words = r"thread \(0, 0, 0\) of block \(0, 0, 0\) reaches .* byte 256 of argument 0, .*\[64\]"
    with pytest.raises(EmulationError, match=words):
        emulate(SAMPLES, (1,), [nan(64), 64], entry="beyond")
    with pytest.raises(EmulationError, match="byte -4 of argument 0"):
        emulate(SAMPLES, (1,), [nan(64), -1], entry="beyond", schedule="reverse", threads=1)


def test_bytes_between_an_array_and_its_page_are_checked() -> None:
    with pytest.raises(EmulationError, match="writes just before or after argument 0"):
        emulate(SAMPLES, (1,), [nan(63), 0], entry="beyond")


def test_shared_memory_that_nobody_wrote_is_nan() -> None:
    y = nan(64)
    emulate(SAMPLES, (1,), [y], entry="never_written")
    assert np.isnan(y[0])
    assert (y[1:] == 1).all()


def test_an_index_beyond_a_shared_array_stops_the_launch() -> None:
    with pytest.raises(EmulationError, match="outside of a declared array, or misaligned"):
        emulate(SAMPLES, (1,), [nan(64), 1], entry="beyond_shared")


def test_a_misaligned_load_stops_the_launch() -> None:
    x = draw(16)
    y = nan(64)
    emulate(SAMPLES, (1,), [x, y, 4], entry="wide_load")
    assert (y == x[4] + x[7]).all()
    with pytest.raises(EmulationError, match="misaligned"):
        emulate(SAMPLES, (1,), [x, y, 2], entry="wide_load")


def test_after_a_failure_the_next_launch_is_right() -> None:
    with pytest.raises(EmulationError):
        emulate(SAMPLES, (1,), [nan(64), 1], entry="beyond_shared")
    test_a_right_kernel_is_right("shuffled")


@each_schedule
def test_barriers_that_differ_are_an_error(schedule: str) -> None:
    with pytest.raises(EmulationError, match=r"divergent barriers: .* waits at (left|right)"):
        emulate(SAMPLES, (1,), [nan(64)], entry="divergent", schedule=schedule)


def test_a_deadlock_says_who_waits_where() -> None:
    given = [np.full(64, 7, np.float32)]
    words = r"32 wait in half, .*; 31 wait in __shfl_sync, .*; 1 wait in a loop, .*\(40, 0, 0\)"
    with pytest.raises(EmulationError, match=words):
        emulate(SAMPLES, (1,), given, entry="some_come")


@each_schedule
def test_warp_operations(schedule: str) -> None:
    x, y, votes = draw(64), nan(3, 64), np.zeros(64, np.uint32)
    emulate(SAMPLES, (1,), [x, y, votes], entry="warp_sums", schedule=schedule)
    warps = x.reshape(2, 32)
    assert np.allclose(y[0].reshape(2, 32), warps.sum(1, keepdims=True), atol=1e-5)
    assert np.allclose(y[1].reshape(4, 16), np.cumsum(x.reshape(4, 16), 1), atol=1e-5)
    assert np.array_equal(y[2].reshape(2, 32)[:, :-1], warps[:, 1:])
    bits = ((warps > 0) << np.arange(32)).sum(1).astype(np.uint32)
    assert np.array_equal(votes.reshape(2, 32), np.repeat(bits, 32).reshape(2, 32))


@each_schedule
def test_counts_and_atomics(schedule: str) -> None:
    x, counts = draw(64), np.zeros(66, np.int32)
    emulate(SAMPLES, (1,), [x, counts], entry="count_positive", schedule=schedule)
    assert (counts[:65] == (x > 0).sum()).all()
    assert counts[65] == 63


@each_schedule
def test_asynchronous_copies(schedule: str) -> None:
    x, y = draw(256), nan(256)
    emulate(COPYING, (1,), [x, y, 256], entry="by_async_copy", schedule=schedule)
    assert np.array_equal(y, turned(x))


@pytest.mark.parametrize("name", ["copied", "buffer_filled", "buffer_read"])
def test_without_a_wait_or_a_barrier_copies_go_wrong(name: str) -> None:
    x, wrong = draw(256), 0
    for schedule in SCHEDULES:
        y = nan(256)
        emulate(COPYING, (1,), [x, y, 256], entry="by_async_copy", schedule=schedule, removed=name)
        wrong += not np.array_equal(y, turned(x))
    assert wrong >= 1


@each_schedule
def test_a_cooperative_grid(schedule: str) -> None:
    x, parts, y, counter = draw(5 * 64), nan(5), nan(5), np.zeros(1, np.uint32)
    emulate(TOGETHER, (5,), [x, parts, y, counter], entry="grid_sum", schedule=schedule)
    assert np.allclose(y, x.sum(), atol=1e-4)
    assert counter == 5


@pytest.mark.parametrize("name", ["parts_written", "grid_arrival", "zeroed", "added"])
def test_a_cooperative_grid_without_one_of_its_barriers(name: str) -> None:
    x, wrong = draw(5 * 64), 0
    for schedule in SCHEDULES:
        parts, y, counter = nan(5), nan(5), np.zeros(1, np.uint32)
        emulate(TOGETHER, (5,), [x, parts, y, counter], entry="grid_sum", schedule=schedule,
                removed=name)  # fmt: skip
        wrong += not np.allclose(y, x.sum(), atol=1e-4)
    assert wrong >= (0 if name == "grid_arrival" else 1)


def test_launches_of_any_size_use_the_same_stacks() -> None:
    counts = set()
    for blocks in (5, 2, 5, 3):
        given = [draw(blocks * 64), nan(blocks), nan(blocks), np.zeros(1, np.uint32)]
        emulate(TOGETHER, (blocks,), given, entry="grid_sum")
        counts.add(STACKS.count)
    assert len(counts) == 1


def test_a_grid_barrier_in_an_ordinary_launch_is_a_deadlock() -> None:
    given = [draw(128), nan(2), nan(2), np.zeros(1, np.uint32)]
    with pytest.raises(EmulationError, match=r"deadlock: .* wait in a loop"):
        emulate(SAMPLES, (2,), given, entry="grid_sum")


@each_schedule
def test_clusters_reach_into_each_others_shared_memory(schedule: str) -> None:
    y = nan(8, 32)
    emulate(CLUSTERS, (8,), [y], entry="neighbour", schedule=schedule)
    following = np.array([1, 2, 3, 0, 5, 6, 7, 4])
    assert np.array_equal(y, np.repeat(11.0 * following, 32).reshape(8, 32))


def test_a_cluster_without_its_barrier() -> None:
    y = nan(8, 32)
    emulate(CLUSTERS, (8,), [y], entry="neighbour", removed="all_have_written")
    assert np.isnan(y).any()
    with pytest.raises(EmulationError, match="not a multiple of the cluster"):
        emulate(CLUSTERS, (6,), [y], entry="neighbour")


def test_tensor_cores() -> None:
    a, b = draw(16, 16), draw(8, 16)
    bits = [(m.view(np.uint32) >> 16).astype(np.uint16) for m in (a, b)]
    left, right = ((m.astype(np.uint32) << 16).view(np.float32).astype(float) for m in bits)
    y = nan(16, 8)
    given = [bits[0].view(np.uint32), bits[1].view(np.uint32), y, 0]
    emulate(SAMPLES, (1,), given, entry="one_product", threads=32)
    assert np.allclose(y, left @ right.T, rtol=1e-6)
    a, b = draw(16, 8), draw(8, 8)
    left, right = ((m.view(np.uint32) & 0xFFFFE000).view(np.float32).astype(float) for m in (a, b))
    given = [a.view(np.uint32), b.view(np.uint32), y, 1]
    emulate(SAMPLES, (1,), given, entry="one_product", threads=32)
    assert np.allclose(y, left @ right.T, rtol=1e-6)
    left, right = (draw(rows, 16).astype(np.float16) for rows in (16, 8))
    given = [left.view(np.uint32), right.view(np.uint32), y, 2]
    emulate(SAMPLES, (1,), given, entry="one_product", threads=32)
    assert np.allclose(y, left.astype(float) @ right.T.astype(float), rtol=1e-6)


def test_float16_by_its_bits() -> None:
    x = np.array([0, -1, 1e-7, 6e-5, 1 / 3, 65504, 65520, -1e9, np.inf, np.nan], np.float32)
    x = np.concatenate([x, draw(54)])
    bits, back = np.zeros(64, np.uint16), nan(64)
    emulate(SAMPLES, (1,), [x, bits, back], entry="halves")
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    assert np.array_equal(bits[:9], expected.view(np.uint16)[:9])
    assert np.array_equal(back, expected.astype(np.float32), equal_nan=True)


def test_loaded_matrices() -> None:
    x = np.arange(256, dtype=np.uint16).reshape(4, 8, 8)
    found = [np.zeros((4, 32), np.uint32) for _ in range(2)]
    emulate(SAMPLES, (1,), [x, *found], entry="matrices", threads=32)
    for given, words in ((x, found[0]), (x.transpose(0, 2, 1), found[1])):
        assert np.array_equal(words.view(np.uint16).reshape(4, 8, 8), given)


def test_arguments_that_c_would_read_as_something_else_are_refused() -> None:
    y = nan(64)
    with pytest.raises(TypeError, match="samples beyond: 1 arguments, expected 2"):
        emulate(SAMPLES, (1,), [y], entry="beyond")
    with pytest.raises(TypeError, match="argument 1 is float32, expected int32"):
        emulate(SAMPLES, (1,), [y, 0.0], entry="beyond")
    with pytest.raises(TypeError, match="argument 1 is int64, expected int32"):
        emulate(SAMPLES, (1,), [y, np.int64(0)], entry="beyond")
    with pytest.raises(TypeError, match="argument 0 is 3, expected an array"):
        emulate(SAMPLES, (1,), [3, 0], entry="beyond")


def test_shared_memory_in_a_template_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "kernel.cu"
    source.write_text(
        '#include "device.cuh"\n'
        "template <int N> float* tile() { __shared__ float t[N]; return t; }\n"
        'extern "C" __global__ void f(float* y) { tile<4>()[0] = 1; y[0] = tile<4>()[0]; }\n'
    )
    with pytest.raises(RuntimeError, match="static in a template; declare __shared__ arrays in"):
        library(Variant("f", str(source), ("f",)))


def test_what_does_not_compile_says_why(tmp_path: Path) -> None:
    source = tmp_path / "kernel.cu"
    source.write_text('extern "C" __global__ void f(float* y) { y[0] = nothing; }\n')
    with pytest.raises(RuntimeError, match=r"f: g\+\+ refuses it(.|\n)*nothing"):
        library(Variant("f", str(source), ("f",)))


def test_a_mutant_that_lives_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    lived = mutants.Mutant("a.cu", "needless"), None
    died = mutants.Mutant("a.cu", "needed"), "forward: nan"
    monkeypatch.setattr(mutants, "table", lambda: iter([died, lived]))
    assert mutants.main() == 1
    out = capsys.readouterr().out
    assert "needless           NOTHING" in out
    assert "mutants: 1 survived" in out
    monkeypatch.setattr(mutants, "table", lambda: iter([died]))
    assert mutants.main() == 0


def test_the_names_of_a_source_are_those_of_its_barriers_waits_and_checks() -> None:
    assert mutants.names(SAMPLES) == [
        *("read_inside", "tile_loaded", "written_inside", "left", "right", "half", "two_inside"),
        *("copied", "buffer_filled", "buffer_read", "zeroed", "added", "parts_written"),
        *("all_have_written", "all_have_read", "grid_arrival", "grid_departure"),
    ]


def test_arrays_in_a_struct_are_reached_and_guarded() -> None:
    x, y, z = draw(40), nan(40), nan(40)
    two = Struct((x, y, z, 40))
    emulate(SAMPLES, (1,), [two, 2.0], entry="to_both")
    assert np.array_equal(y, 2 * x)
    assert np.array_equal(z, 2 * x)
    with pytest.raises(EmulationError, match=r"of argument 0, word \d, which is float32\[40\]"):
        emulate(SAMPLES, (1,), [two, 2.0], entry="to_both", removed="two_inside")


def test_blocks_of_changing_sizes_run_on_the_same_stacks() -> None:
    x, y, z = draw(40), nan(40), nan(40)
    for _ in range(40):  # each time new ones would be more than Linux maps for a process
        for threads in (64, 1024):
            emulate(SAMPLES, (1,), [Struct((x, y, z, 40)), 2.0], entry="to_both", threads=threads)
    assert np.array_equal(y, 2 * x)


@pytest.mark.parametrize("given", [Struct((None, None, 40)), 3, None])
def test_a_struct_of_another_size_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"argument 0 is .*, expected a Struct of 32 bytes"):
        emulate(SAMPLES, (1,), [given, 2.0], entry="to_both")


@pytest.mark.parametrize(("version", "says"), [("11.4.0", "12 or later, found 11.4.0"), ("12", "")])
def test_an_old_compiler_is_told(monkeypatch, version: str, says: str) -> None:
    told = types.SimpleNamespace(stdout=f"{version}\n")
    monkeypatch.setattr(build.subprocess, "run", lambda *given, **how: told)
    found = build.unavailable.__wrapped__()
    assert found.endswith(says)
    assert bool(found) == bool(says)
