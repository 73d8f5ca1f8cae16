"""The loader's threads: order, bounded memory, errors that come through, threads that end."""

import subprocess
import sys
import threading
import time
from itertools import chain
from typing import Any

import numpy as np
import pytest

from tinymed.data import DataLoader


def loading_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("DataLoader")]


class Failing:
    """Ten samples, of which number 7 raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> int:
        if index == 7:
            raise self.error
        return index


class Counting:
    """Samples that note that they were loaded."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.loaded = 0
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> int:
        with self.lock:
            self.loaded += 1
        return index


def test_the_order_of_batches_is_kept_whoever_is_first() -> None:
    class Slow(Counting):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.01 if index % 4 == 0 else 0)
            return index

    loader = DataLoader(Slow(24), batch_size=2, num_workers=4, collate_fn=list)
    assert list(chain.from_iterable(loader)) == list(range(24))


def test_workers_do_work_side_by_side() -> None:
    meeting = threading.Barrier(3)

    class Meeting(Counting):
        def __getitem__(self, index: int) -> int:
            meeting.wait(timeout=10)
            return index

    assert len(list(DataLoader(Meeting(3), num_workers=3, collate_fn=list))) == 3


@pytest.mark.parametrize(("num_workers", "prefetch_factor"), [(1, 1), (2, 3)])
def test_no_more_is_loaded_ahead_than_asked_for(num_workers: int, prefetch_factor: int) -> None:
    dataset = Counting(100)
    loader = DataLoader(
        dataset, num_workers=num_workers, prefetch_factor=prefetch_factor, collate_fn=list
    )
    for served, _ in enumerate(loader, start=1):
        expected = min(served + num_workers * prefetch_factor, 100)
        deadline = time.monotonic() + 10
        while dataset.loaded < expected and time.monotonic() < deadline:
            time.sleep(0.0005)
        assert dataset.loaded == expected
    assert served == 100


def test_nothing_is_loaded_before_the_first_batch_is_asked_for() -> None:
    dataset = Counting(5)
    iter(DataLoader(dataset, num_workers=2))
    assert dataset.loaded == 0


@pytest.mark.parametrize("num_workers", [0, 3])
@pytest.mark.parametrize(
    "error", [KeyError("no such scan"), UnicodeDecodeError("utf-8", b"x", 0, 1, "bad")]
)
def test_an_error_comes_through_with_the_sample(num_workers: int, error: Exception) -> None:
    seen: list[list[int]] = []
    loader = DataLoader(Failing(error), batch_size=2, num_workers=num_workers)
    with pytest.raises(type(error)) as caught:
        seen.extend(batch.data.tolist() for batch in loader)
    assert caught.value is error
    assert error.__notes__[-1] == "DataLoader: raised for sample 7 of the data set, epoch 0"
    assert seen == [[0, 1], [2, 3], [4, 5]]
    assert not loading_threads()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_errors_of_augment_and_collate_name_the_samples(num_workers: int) -> None:
    def refuse(sample: int, generator: np.random.Generator) -> int:
        if sample == 4:
            raise OverflowError("too large")
        return sample

    with pytest.raises(OverflowError, match="too large") as caught:
        list(DataLoader(range(6), augment=refuse, num_workers=num_workers))
    assert "sample 4 of the data set" in caught.value.__notes__[0]
    uneven = [np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(3)]
    with pytest.raises(ValueError, match="different shapes") as uncollated:
        list(DataLoader(uneven, batch_size=2, num_workers=num_workers))
    assert uncollated.value.__notes__ == ["DataLoader: raised while collating samples [2, 3]"]


@pytest.mark.parametrize("leave", ["break", "raise", "close", "forget"])
def test_leaving_early_ends_the_threads(leave: str) -> None:
    loader = DataLoader(range(1000), num_workers=3)

    def loop() -> None:
        for _ in loader:
            assert loading_threads()
            if leave == "break":
                break
            raise RuntimeError("training failed")

    if leave == "break":
        loop()
    elif leave == "raise":
        with pytest.raises(RuntimeError, match="training failed"):
            loop()
    else:
        batches: Any = iter(loader)
        next(batches)
        if leave == "close":
            batches.close()
        del batches
    assert not loading_threads()


def test_leaving_early_does_not_wait_for_whole_batches() -> None:
    class Slow(Counting):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.002)
            return super().__getitem__(index)

    dataset = Slow(900)
    for _ in DataLoader(dataset, batch_size=300, num_workers=1):
        break
    assert 300 <= dataset.loaded < 500


def test_an_iterator_kept_to_the_end_of_the_program_does_not_hang_it() -> None:
    program = (
        "from tinymed.data import DataLoader\n"
        "batches = iter(DataLoader(range(1000), num_workers=3))\n"
        "print(next(batches).data.tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["[0]"]
    assert done.stderr == ""
