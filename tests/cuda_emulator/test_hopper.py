"""The emulator of Hopper's engines: what lands where and when, and each mistake that it finds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import SCHEDULES, EmulationError, as_struct, emulate, unavailable
from tinymed.kernels.cuda import TensorMap, Variant

if unavailable():
    pytest.skip(unavailable(), allow_module_level=True)

ENTRIES = ("one_box", "in_turns", "one_async")
SOURCE = Path(__file__).parent / "hopper_samples.cu"
BOX = Variant("hopper", str(SOURCE), ENTRIES, threads=64, shared=3072)
TURNS = Variant("hopper", str(SOURCE), ENTRIES, threads=64, shared=1024)
PRODUCT = Variant("hopper", str(SOURCE), ENTRIES, threads=128, shared=(64 + 128) * 128)
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
RNG = np.random.default_rng(5)


def box(
    x: Any, column: int, row: int, matrix: int, expected: int = 2048, parity: int = 0, **how: Any
) -> Any:
    """Return the box of 16 rows of 64 as it lies in shared memory."""
    y = np.zeros((16, 64), np.uint16)
    given = [as_struct(TensorMap(x, 16)), y, column, row, matrix, expected, parity]
    emulate(BOX, (1,), given, entry="one_box", **how)
    return y


def swizzled(rows: Any) -> Any:
    """Return rows of 8 chunks of 16 bytes: chunk c of row r where chunk c ^ r % 8 is."""
    chunks = rows.reshape(16, 8, 8)
    return np.stack([chunks[r, np.arange(8) ^ r % 8] for r in range(16)]).reshape(16, 64)


@each_schedule
@pytest.mark.parametrize(
    ("column", "row", "matrix"), [(0, 0, 0), (8, 3, 1), (72, 11, 1), (-8, -2, 0), (128, 0, 0)]
)
def test_a_box_lands_swizzled_and_is_0_outside_of_its_matrix(
    schedule: str, column: int, row: int, matrix: int
) -> None:
    x = RNG.integers(1, 1 << 16, (2, 20, 104)).astype(np.uint16)
    wide = np.pad(x, ((0, 0), (16, 32), (64, 128)))
    expected = wide[matrix, 16 + row : 32 + row, 64 + column : 128 + column]
    assert np.array_equal(box(x, column, row, matrix, schedule=schedule), swizzled(expected))


def test_a_box_beyond_the_end_of_shared_memory_stops_the_launch() -> None:
    with pytest.raises(EmulationError, match="copies a box beyond the end of shared memory"):
        box(np.ones((1, 16, 64), np.uint16), 0, 0, 0, expected=1 << 15)


def test_a_box_of_which_too_few_bytes_are_awaited_is_not_there_yet() -> None:
    x = RNG.integers(1, 1 << 16, (1, 16, 64)).astype(np.uint16)
    with pytest.raises(EmulationError, match="deadlock: 64 wait in box_landed"):
        box(x, 0, 0, 0, expected=4096)
    with pytest.raises(EmulationError, match="a block ends before its copies have landed"):
        box(x, 0, 0, 0, expected=0)


def test_the_wrong_phase_is_awaited_in_vain_or_not_at_all() -> None:
    x = RNG.integers(1, 1 << 16, (1, 16, 64)).astype(np.uint16)
    with pytest.raises(EmulationError, match="ends before its copies"):
        box(x, 0, 0, 0, parity=1)  # the phase before the first has ended
    assert not np.array_equal(box(x, 0, 0, 0, schedule="reverse"), x[0])  # only swizzled
    with pytest.raises(EmulationError, match="copies for an mbarrier that the engine may not see"):
        box(x, 0, 0, 0, removed="barrier_seen")
    with pytest.raises(EmulationError, match="uses an mbarrier that nobody has initialised"):
        box(x, 0, 0, 0, schedule="reverse", removed="barrier_made")


def test_a_map_says_what_the_engine_cannot_copy() -> None:
    for array, rows, words in (
        (np.zeros((1, 4, 12), np.uint16), 4, "rows of 12 uint16 expected a multiple of 16 bytes"),
        (np.zeros((4, 16), np.uint16), 4, r"uint16 \(4, 16\) expected 16 or 32 bits \(matrices"),
        (np.zeros((1, 0, 16), np.uint16), 4, "none of them 0"),
        (np.zeros((1, 4, 16), float), 4, "float64 .* expected 16 or 32 bits"),
        (np.zeros((1, 4, 16), np.uint16), 257, "boxes of 257 rows expected 1 to 256"),
    ):
        with pytest.raises(ValueError, match=f"TensorMap: .*{words}"):
            TensorMap(array, rows)


@each_schedule
def test_threads_take_turns_by_phases(schedule: str) -> None:
    y = np.zeros(2, np.int32)
    emulate(TURNS, (1,), [y, 1], entry="in_turns", schedule=schedule)
    assert y.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("how", "waits"),
    [
        ({"removed": "ping_goes"}, "ping_came"),
        ({"removed": "pong_goes"}, "pong_came"),
        ({"arrivals": 2}, "pong_came"),
        ({"removed": "pong_came"}, "ping_came"),  # two phases ahead looks like none
    ],
)
def test_without_an_arrival_or_a_wait_somebody_waits_for_ever(
    how: dict[str, Any], waits: str
) -> None:
    y = np.zeros(2, np.int32)
    with pytest.raises(EmulationError, match=f"deadlock: .* wait in {waits}"):
        emulate(TURNS, (1,), [y, how.get("arrivals", 1)], entry="in_turns",
                removed=how.get("removed", ""))  # fmt: skip


def test_who_arrives_too_often_is_told() -> None:
    x = np.ones((1, 16, 64), np.uint16)
    with pytest.raises(EmulationError, match="arrives at asked_again in a phase that expects no"):
        box(x, 0, 0, 0, expected=-1)


def product(turned: bool, early: bool = False, **how: Any) -> tuple[Any, Any]:
    """Return a b by one instruction, and what it is."""
    a, b = (RNG.standard_normal(shape).astype(np.float16) for shape in ((64, 16), (16, 128)))
    y = np.full((64, 128), np.nan, np.float32)
    given = [a.view(np.uint16), b.view(np.uint16), y, int(turned), int(early)]
    emulate(PRODUCT, (1,), given, entry="one_async", **how)
    return y, a.astype(float) @ b.astype(float)


@each_schedule
@pytest.mark.parametrize("turned", [False, True])
def test_a_product_of_a_warpgroup(schedule: str, turned: bool) -> None:
    y, expected = product(turned, schedule=schedule)
    assert np.allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_sums_that_are_read_before_the_wait_are_nan() -> None:
    for schedule in SCHEDULES:  # also where the product was carried out at once
        y, _ = product(False, early=True, schedule=schedule)
        assert np.isnan(y).all()


@pytest.mark.parametrize("name", ["product_begun", "product_done", "tiles_shown", "tiles_written"])
def test_without_a_fence_a_group_or_a_wait_there_are_no_sums(name: str) -> None:
    wrong = 0
    for schedule in SCHEDULES:
        y, expected = product(False, schedule=schedule, removed=name)
        wrong += not np.allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert wrong >= (1 if name == "tiles_written" else len(SCHEDULES))


def test_sums_that_were_touched_need_a_fence() -> None:
    with pytest.raises(EmulationError, match="multiplies without a fence since it could touch"):
        product(False, removed="sums_given")
