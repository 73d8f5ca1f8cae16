"""The loader's processes: the same bits, errors that come through, nobody left behind."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.process_datasets import (
    Environment,
    Images,
    Pids,
    as_functions,
    blend,
    jitter,
    refuse_worker_1,
    remember,
)
from tinymed.data import DataLoader

ROOT = Path(__file__).parents[2]


def loader_of(dataset: Any = None, **settings: Any) -> DataLoader:
    """A loader of two worker processes."""
    settings = {"batch_size": 2, "num_workers": 2, "workers": "process"} | settings
    return DataLoader(Images() if dataset is None else dataset, **settings)


def bits(batches: Any) -> list[tuple[bytes, ...]]:
    return [tuple(part.data.tobytes() for part in batch) for batch in batches]


def workers_alive() -> int:
    return len(multiprocessing.active_children())


def gone_within(seconds: float, pids: list[int]) -> bool:
    """Return whether processes that are no children of this one end in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}/cmdline").exists() and running(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except FileNotFoundError:
        return False


@pytest.fixture(scope="class")
def augmented() -> Iterator[Callable[[], DataLoader]]:
    """One loader whose workers persist, set back to its beginning for each test."""
    loader = loader_of(
        Images(23),
        batch_size=3,
        shuffle=True,
        augment=jitter,
        augment_batch=blend,
        generator=np.random.default_rng(4),
        persistent_workers=True,
    )

    def again() -> DataLoader:
        loader.epoch = 0
        return loader

    yield again
    loader.close()


def thread_or_none(num_workers: int) -> DataLoader:
    return DataLoader(
        Images(23),
        batch_size=3,
        shuffle=True,
        augment=jitter,
        augment_batch=blend,
        generator=np.random.default_rng(4),
        num_workers=num_workers,
    )


class TestSameBits:
    """All with the same two workers."""

    def test_the_same_bits_whoever_works(self, augmented: Callable[[], DataLoader]) -> None:
        loader, alone, threads = augmented(), thread_or_none(0), thread_or_none(2)
        for _ in range(3):
            expected = bits(alone)
            assert len(expected) == 8
            assert bits(loader) == expected
            assert bits(threads) == expected
        assert workers_alive() == 2

    def test_a_loop_left_early_is_over_and_the_next_is_right(
        self,
        augmented: Callable[[], DataLoader],
    ) -> None:
        alone = thread_or_none(0)
        expected = [bits(alone) for _ in range(2)]
        loader = augmented()
        for batch in loader:
            assert bits([batch]) == expected[0][:1]
            break
        assert bits(loader) == expected[1]  # none of the batches that were under way
        loader.epoch = 0
        older, newer = iter(loader), iter(loader)  # two loops at once over the same workers
        assert bits([next(older)]) == expected[0][:1]
        assert bits(newer) == expected[1]
        assert bits(older) == expected[0][1:]

    def test_a_resumed_run_has_the_same_bits(self, augmented: Callable[[], DataLoader]) -> None:
        expected = bits(thread_or_none(0))
        first = augmented()
        for served, _ in enumerate(first, start=1):
            if served == 3:
                state = json.loads(json.dumps(first.state_dict()))
                break
        threads = thread_or_none(2)
        threads.load_state_dict(state)
        assert bits(threads) == expected[3:]
        loader = augmented()
        loader.load_state_dict(state)
        assert bits(loader) == expected[3:]

    def test_batches_can_be_written_to(self, augmented: Callable[[], DataLoader]) -> None:
        for images, numbers in augmented():
            assert images.data.flags.writeable
            assert numbers.data.flags.writeable
            images.data[:] = 0


def test_large_batches_neither_hang_nor_change() -> None:
    dataset = Images(12, pixels=300_000)  # 2.4 MB a sample, forty times what a pipe holds
    loader = loader_of(dataset, prefetch_factor=3)
    for images, numbers in loader:
        assert images.shape == (2, 300_000)
        np.testing.assert_array_equal(images.data[:, [0, -1]], numbers.data[:, None].repeat(2, 1))
        time.sleep(0.01)
    assert not workers_alive()


def test_jobs_and_data_sets_larger_than_a_pipe() -> None:
    rows = [(np.full(20_000, i), i) for i in range(3)] * 200
    loader = loader_of(rows, batch_sampler=[list(range(600)) * 50] * 2, batch_size=1)
    loader.collate_fn = len  # type: ignore[assignment]
    assert list(loader) == [30_000] * 2


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("missing", KeyError, "'no such scan'"),
        ("undecodable", UnicodeDecodeError, "'utf-8' codec can't decode .*bad"),
        ("unpicklable", RuntimeError, "LocalError: of a class that only the worker knows"),
        ("demanding", RuntimeError, "DemandingError: a and b"),
    ],
)
def test_an_error_comes_through_with_its_place(
    kind: str, error: type[Exception], text: str
) -> None:
    seen: list[list[int]] = []
    with pytest.raises(error, match=text) as caught:
        seen.extend(batch[1].data.tolist() for batch in loader_of(Images(kind=kind)))
    assert type(caught.value) is error
    sample, worker = caught.value.__notes__
    assert sample == "DataLoader: raised for sample 7 of the data set, epoch 0"
    assert worker.startswith("DataLoader: raised in worker ")
    assert f"in {kind}" in worker  # the function, from the worker's traceback
    assert seen == [[0, 1], [2, 3], [4, 5]]
    assert not workers_alive()


def test_workers_persist_after_an_error() -> None:
    loader = loader_of(Pids(10, "missing"), persistent_workers=True)
    loader.collate_fn = list
    first = {int(pid) for batch in loader for pid, _ in batch}
    assert workers_alive() == 2
    second = {int(pid) for batch in loader for pid, _ in batch}
    assert first | second <= {process.pid for process in multiprocessing.active_children()}
    assert os.getpid() not in first
    os.kill(min(first), signal.SIGKILL)  # between two epochs
    with pytest.raises(RuntimeError, match="killed by SIGKILL"):
        list(loader)
    assert not workers_alive()
    assert len(list(loader)) == 5  # by new ones
    loader.close()
    assert not workers_alive()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("killed", r"worker 0 \(process \d+\) ended with exit code -9, killed by SIGKILL"),
        ("gone", r"worker 0 \(process \d+\) ended with exit code 3, before"),
    ],
)
def test_a_worker_that_dies_is_reported(kind: str, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=message):
        list(loader_of(Images(kind=kind), num_workers=1))
    assert time.monotonic() - start < 10
    assert not workers_alive()


def test_timeout_names_the_worker() -> None:
    loader = loader_of(Images(kind="stuck", at=0), num_workers=1, timeout=0.8)
    with pytest.raises(TimeoutError, match=r"worker 0 .* no batch of samples \[0, 1\] within 0.8"):
        list(loader)
    assert not workers_alive()


def test_leaving_early_ends_the_processes() -> None:
    for _ in loader_of(Images(1000)):
        assert workers_alive() == 2
        break
    assert not workers_alive()
    loader = loader_of(Images(1000), persistent_workers=True)
    next(iter(loader))
    assert workers_alive() == 2
    del loader
    assert not workers_alive()


def test_worker_init_fn() -> None:
    loader = loader_of(Environment(8), worker_init_fn=remember, collate_fn=set, batch_size=1)
    assert set().union(*loader) == {0, 1}
    with pytest.raises(LookupError, match="no licence for worker 1"):
        list(loader_of(worker_init_fn=refuse_worker_1))


def test_batches_that_cannot_leave_the_worker() -> None:
    with pytest.raises(AttributeError, match="local object") as caught:
        list(loader_of(collate_fn=as_functions))
    assert "cannot be pickled to leave the worker" in caught.value.__notes__[0]


def test_what_cannot_be_pickled_is_refused_at_once() -> None:
    class Local(Images):
        pass

    for name, settings in {
        "dataset": {"dataset": Local()},
        "augment": {"augment": lambda sample, generator: sample},
        "collate_fn": {"collate_fn": lambda samples: samples},
        "worker_init_fn": {"worker_init_fn": lambda number: None},
    }.items():
        with pytest.raises(TypeError, match=rf"{name} <.*cannot be pickled.*workers='thread'"):
            loader_of(**settings)


@pytest.mark.parametrize(
    ("settings", "kind", "message"),
    [
        ({"workers": "fork"}, ValueError, "workers is 'fork', 'thread' or 'process'"),
        ({"timeout": -1}, ValueError, "timeout is -1, seconds >= 0"),
        ({"timeout": np.inf}, ValueError, "timeout is inf"),
        ({"worker_init_fn": 3}, TypeError, "worker_init_fn is 3, a callable"),
        ({"augment_batch": 3}, TypeError, "augment_batch is 3, a callable"),
        ({"timeout": 3, "workers": "thread"}, ValueError, "timeout=3 without worker processes"),
        ({"persistent_workers": True, "num_workers": 0}, ValueError, "persistent_workers=True wi"),
        ({"worker_init_fn": remember, "workers": "thread"}, ValueError, "worker_init_fn=<func"),
    ],
)
def test_bad_arguments(settings: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=f"^DataLoader: .*{message}"):
        loader_of(**settings)


HEAD = "from tests.data.process_datasets import *\nfrom tinymed.data import DataLoader\n"
HEARS = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
LOOP = "for batch in DataLoader(Pids(400), 2, num_workers=2, workers='process'):\n    "


def script(path: Path, text: str) -> subprocess.Popen[str]:
    path.write_text(HEARS + HEAD + text)  # what a shell starts behind itself ignores Ctrl-C
    return subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def test_a_script_without_guard_is_told(tmp_path: Path) -> None:
    _, errors = script(tmp_path / "unguarded.py", f"{LOOP}pass\n").communicate(timeout=30)
    assert errors.count("Traceback") == 1
    assert "put what it does under `if __name__ == '__main__':`" in errors


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_orphans_when_the_program_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    body = f"if __name__ == '__main__':\n    {LOOP}    print(*batch[0].tolist(), flush=True)\n"
    program = script(tmp_path / "guarded.py", body + "        time.sleep(0.1)\n")
    assert program.stdout is not None
    pids = sorted({int(word) for _ in range(4) for word in program.stdout.readline().split()})
    assert pids
    assert all(running(pid) for pid in pids)
    os.killpg(program.pid, how) if how == signal.SIGINT else program.send_signal(how)
    assert gone_within(10, [*pids])
    _, errors = program.communicate(timeout=30)
    assert program.returncode == -how
    assert errors.count("Traceback") == (how == signal.SIGINT)  # the parent's alone


def test_an_iterator_kept_to_the_end_of_the_program(tmp_path: Path) -> None:
    body = "    batches = iter(DataLoader(Images(99), num_workers=1, workers='process'))\n"
    body += "    print(next(batches)[1].tolist())\n"
    program = script(tmp_path / "kept.py", f"if __name__ == '__main__':\n{body}")
    output, errors = program.communicate(timeout=30)
    assert (output.split(), errors, program.returncode) == (["[0]"], "", 0)
