"""Batches on their way to a GPU: order, errors, streams, and whose memory it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinymed as tm
from tests.fake_cupy import FakeCuPy, ndarray
from tests.fake_cupy.state import STATE
from tinymed.data import DataLoader, TensorDataset
from tinymed.data.transfer import on_device
from tinymed.kernels.arrays import Device
from tinymed.nn.utils import rnn

GPU = Device("cuda")


class Pair(NamedTuple):
    x: Any
    name: str


def batches(asked: list[int], broken: int | None = None) -> Iterator[Any]:
    for number in range(4):
        asked.append(number)
        if number == broken:
            raise OSError(f"batch {number}")
        yield tm.full((2, 3), float(number)), ["a", "b"]


def test_structure_is_kept(cupy: FakeCuPy) -> None:
    packed = rnn.pack_padded_sequence(tm.ones(3, 2, 1), [3, 1])
    given = {
        "pair": Pair(tm.ones(2), "x"),
        "list": [np.arange(3), None, 4, tm.zeros(0)],
        "p": packed,
    }
    (found,) = on_device(iter([given]), GPU)
    assert found["pair"].name == "x"
    assert found["list"][1:3] == [None, 4]
    arrays = [found["pair"].x.data, found["list"][0], found["list"][3].data, found["p"].data.data]
    assert [type(a) for a in arrays] == [ndarray] * 4
    assert arrays[1].host.tolist() == [0, 1, 2]
    assert found["p"].batch_sizes.device == "cpu"


def test_the_next_batch_is_copied_before_this_one_is_computed(cupy: FakeCuPy) -> None:
    """Each copy waits for what was computed when its memory was taken, and is waited for."""
    asked: list[int] = []
    found = []
    for x, _ in on_device(batches(asked), GPU):
        found.append((int(x.data.host[0, 0]), list(asked)))
        STATE.events.append(("compute",))
    assert found == [(0, [0, 1]), (1, [0, 1, 2]), (2, [0, 1, 2, 3]), (3, [0, 1, 2, 3])]
    copy = STATE.events[1][1]
    assert copy != "null"
    sent = [("record", "null"), ("wait", copy, "null"), ("set", copy), ("record", copy)]
    handed, free = ("wait", "null", copy), ("event.synchronize",)
    between = [handed, ("compute",), free]
    assert STATE.events[: 2 * len(sent) + 2] == [*sent, *sent, handed, ("compute",)]
    computed = [event for event in STATE.events if event in between]
    assert computed[:9] == between * 3


def test_an_error_comes_in_its_turn(cupy: FakeCuPy) -> None:
    found: list[int] = []
    stream = on_device(batches([], broken=2), GPU)
    with pytest.raises(OSError, match="batch 2"):
        found.extend(int(x.data.host[0, 0]) for x, _ in stream)
    assert found == [0, 1]


def test_a_loop_that_is_left_waits_for_the_copy_that_was_begun(cupy: FakeCuPy) -> None:
    stream = on_device(batches([]), GPU)
    next(stream)
    STATE.events.clear()
    stream.close()
    assert [event[0] for event in STATE.events] == ["wait", "event.synchronize"]


def test_memory_that_is_not_there(cupy: FakeCuPy) -> None:
    stream = on_device(batches([]), GPU)
    next(stream)
    STATE.full = True
    with pytest.raises(MemoryError, match=r"DataLoader: float32 \(2, 3\) is more than"):
        list(stream)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_same_batches_and_resumes(workers: int, cupy: FakeCuPy) -> None:
    data = TensorDataset(np.arange(10, dtype=np.float32), np.arange(10))

    def loader(device: str | None) -> DataLoader:
        return DataLoader(
            data, 3, shuffle=True, generator=np.random.default_rng(0), num_workers=workers,
            device=device,
        )  # fmt: skip

    expected = [(x.data, y.data) for x, y in loader(None)]
    found = [(x.data.host, y.data.host) for x, y in loader("cuda")]
    for (x, y), (u, v) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)
    stopped, again = loader("cuda"), loader("cuda")
    for number, _ in enumerate(stopped):
        if number == 1:
            again.load_state_dict(stopped.state_dict())
            break
    assert [y.data.host.tolist() for _, y in again] == [y.tolist() for _, y in expected[2:]]
    assert [x.device for x, _ in loader("cpu")] == ["cpu"] * 4


def test_a_device_that_is_none_is_refused_when_the_loader_is_made(cupy: FakeCuPy) -> None:
    data = TensorDataset(np.arange(3))
    with pytest.raises(ValueError, match="device: 'gpu' is not 'cpu', 'cuda' or 'cuda:N'"):
        DataLoader(data, device="gpu")
    with pytest.raises(ValueError, match="device: 'cuda:2', expected 'cuda:0' to 'cuda:1'"):
        DataLoader(data, device="cuda:2")
    STATE.count = 0
    with pytest.raises(RuntimeError, match="device: 'cuda' needs a GPU: no GPU is visible"):
        DataLoader(data, device="cuda")
