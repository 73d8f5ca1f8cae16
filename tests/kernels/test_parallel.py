"""Threads of compiled kernels: results, errors, Ctrl-C, forks, several Python threads, BLAS."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels import KERNELS
from tinymed.kernels import parallel as module
from tinymed.kernels.compiled import compiled
from tinymed.kernels.parallel import parallel
from tinymed.kernels.threads import get_num_threads, set_num_threads

ROOT = Path(__file__).parents[2]
LONG = 60  # seconds: whatever takes longer hangs


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = get_num_threads()
    set_num_threads(3)
    yield
    set_num_threads(before)


@compiled
def squares(first: int, last: int, y: Any, x: Any) -> None:
    for i in range(first, last):
        y[i] = x[i] * x[i]


@compiled
def fail_at(first: int, last: int, place: int, size: int) -> None:
    """Raise in the piece that holds ``place``: IndexError, or MemoryError for a ``size``."""
    if first <= place < last:
        if size:
            np.empty(size, np.float64)[0] = 1
        raise IndexError("out of place")


@compiled
def spin(first: int, last: int, counts: Any, rounds: int) -> None:
    """Take a while: some microseconds for each thousand rounds."""
    for i in range(first, last):
        total = 0.0
        for j in range(rounds):
            total += np.sin(total + j)
        counts[i] += 1 + (total > 1e300)


def check_squares(count: int = 1000) -> None:
    x = np.arange(count, dtype=np.float64)
    y = np.full(count, -1.0)
    parallel(squares, count, 1, y, x)
    assert np.array_equal(y, x * x)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(1e-3)


# ------------------------------------------------------------------------ pieces


def recorded(count: int, least: int) -> list[tuple[int, int, int]]:
    """Return (first, last, thread) of each piece; a Python function serves as well."""
    pieces = []

    def note(first: int, last: int) -> None:
        pieces.append((first, last, threading.get_ident()))
        time.sleep(1e-3)

    parallel(note, count, least)
    return sorted(pieces)


def all_threads() -> set[int]:
    """Return the threads that take part in work whose pieces wait for two others, however long."""
    together, found = threading.Barrier(3, timeout=LONG), []

    def meet(first: int, last: int) -> None:
        found.append(threading.get_ident())
        together.wait()

    parallel(meet, 9, 1)  # nine pieces: three threads meet three times
    return set(found)


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("least", [0, 1, 7, 1000])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 10, 29, 100])
def test_each_item_is_done_once(threads: int, least: int, count: int) -> None:
    set_num_threads(threads)
    pieces = recorded(count, least)
    done = [item for first, last, _ in pieces for item in range(first, last)]
    assert done == list(range(count))
    assert all(first < last for first, last, _ in pieces)
    assert len({thread for *_, thread in pieces}) <= threads
    assert all(last - first >= min(least, count) for first, last, _ in pieces[:-1])


def test_several_threads_take_part() -> None:
    assert len(all_threads()) == 3
    assert len(recorded(9, 5)) == 1  # not worth two pieces


def test_what_comes_from_inside_a_piece_is_done_by_its_thread() -> None:
    inner = []

    def outer(first: int, last: int) -> None:
        parallel(lambda *piece: inner.append((piece, threading.get_ident())), 10, 1)

    parallel(outer, 3, 1)
    assert [piece for piece, _ in inner] == [(0, 10)] * 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_are_the_same_with_any_number_of_threads(threads: int) -> None:
    set_num_threads(threads)
    for count in (1, 2, 17, 1000, 100_000):
        check_squares(count)


def test_waiting_helpers_sleep_and_wake() -> None:
    check_squares()
    time.sleep(0.05)  # they look for work for some 100 us
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1
    for pause in (0, 1e-5, 1e-4, 2e-4, 1e-3):
        for _ in range(30):
            time.sleep(pause)
            check_squares(100)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are chosen on Linux alone")
def test_a_helper_is_woken_on_another_core_than_the_callers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_threads()
    helpers = module._team.helpers[:2]
    cores = os.sched_getaffinity(0)
    here = max(cores)
    monkeypatch.setattr(module, "_core", lambda: here)
    wait_until(lambda: all(helper.asleep for helper in helpers))
    all_threads()
    threads = {helper.thread.native_id for helper in helpers}
    assert {frozenset(os.sched_getaffinity(thread)) for thread in threads if thread} == {
        frozenset(cores - {here} or cores)
    }


def test_nobody_waits_for_a_helper_that_has_not_begun() -> None:
    helper = module._Helper()
    wait_until(lambda: helper.asleep)
    helper.asleep = False  # nobody rings: as if it took for ever to wake up
    done: list[int] = []
    work = module._Work(lambda first, last: done.append(first), 3, 1, ())
    helper.begin(work)
    work.do()
    helper.wait()
    assert (done, helper.work) == ([0, 1, 2], None)
    helper.bell.release()  # now it wakes up, and is of use again
    again = module._Work(lambda first, last: done.append(first + 10), 3, 1, ())
    helper.begin(again)
    wait_until(lambda: len(done) == 6)
    helper.wait()
    assert done[3:] == [10, 11, 12]


def test_after_an_error_no_piece_is_begun() -> None:
    work = module._Work(fail_at, 100, 1, (0, 0))
    work.do()
    assert isinstance(work.error, IndexError)
    assert list(work.starts) == []


# ------------------------------------------------------------------------ errors


@pytest.mark.parametrize("place", [0, 50, 99])
@pytest.mark.parametrize(
    ("size", "kind", "words"),
    [(0, IndexError, "out of place"), (1 << 58, MemoryError, "Allocation failed")],
)
def test_an_error_in_a_piece_reaches_the_caller(
    place: int, size: int, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        parallel(fail_at, 100, 1, place, size)
    check_squares()


def test_an_error_of_a_helper_is_raised_here() -> None:
    here = threading.get_ident()

    def fail(first: int, last: int) -> None:
        if threading.get_ident() != here:
            raise ArithmeticError(f"in {first}")
        time.sleep(0.01)  # leave some for the others

    with pytest.raises(ArithmeticError, match="in "):
        parallel(fail, 9, 1)
    check_squares()


INTERRUPTED = """
import random, signal, sys, time
import numpy as np
from tests.kernels.test_parallel import all_threads, check_squares, spin
from tinymed.kernels.parallel import parallel
from tinymed.kernels.threads import set_num_threads

set_num_threads(3)
check_squares()
counts = np.zeros(30)
parallel(spin, 30, 1, counts, 1000)
signal.signal(signal.SIGALRM, signal.default_int_handler)
interrupts = 0
random.seed(3)
for i in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-3))
        while True:
            parallel(spin, 30, 1, counts, random.choice([10, 1000, 20_000]))
    except KeyboardInterrupt:
        interrupts += 1
    check_squares()
assert len(all_threads()) == 3
print(interrupts)
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=LONG,
    )  # fmt: skip


def test_after_ctrl_c_at_any_moment_the_helpers_can_be_used() -> None:
    run = python(INTERRUPTED)
    assert run.stdout.split() == ["300"], run.stderr


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Raise KeyboardInterrupt some seconds from now, in the main thread."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_ctrl_c_while_waiting_is_raised_at_once_and_leaves_nothing_behind(
    alarm: Callable[[float], None],
) -> None:
    here, last = threading.get_ident(), []

    def work(first: int, _: int) -> None:
        if threading.get_ident() == here:
            time.sleep(0.005)  # leave some for the others
        else:
            time.sleep(0.8)
            last.append(first)

    begin = time.perf_counter()
    alarm(0.2)
    with pytest.raises(KeyboardInterrupt):
        parallel(work, 9, 1)
    assert time.perf_counter() - begin < 0.6
    check_squares()  # without those who are still at it
    assert not last
    wait_until(lambda: len(last) == 2)
    assert len(all_threads()) == 3


def test_a_helper_outlives_a_wait_that_was_given_up() -> None:
    check_squares()
    helper = module._team.helpers[0]
    if helper.done.locked():
        helper.done.release()  # as a helper that finishes after Ctrl-C
    helper.awaited = True
    for _ in range(3):
        assert len(all_threads()) == 3


# ------------------------------------------------------------------------ several Python threads


def calls() -> list[tuple[Callable[..., Any], tuple[Any, ...], Any]]:
    """Return kernels, arguments and what they give, each worth several pieces."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((64, 8, 40, 40)).astype(np.float32)
    weight = rng.standard_normal((16, 8, 3, 3)).astype(np.float32)
    settings = None, (1, 1), (1, 1), (1, 1), 1, "relu"
    a, b = rng.standard_normal((2, 384, 384)).astype(np.float32)
    logits = rng.standard_normal((4096, 33, 1)).astype(np.float32)
    chosen = (
        ("conv.forward", "numba_cpu:direct", (x[:16], weight, *settings)),
        ("conv.forward", "numba_cpu:winograd", (x, weight, *settings)),
        ("matmul.product", "numba_cpu", (a, b)),
        ("softmax.softmax", "numba_cpu", (logits,)),
    )
    found = []
    for kernel, implementation, given in chosen:
        function = KERNELS[kernel].load(implementation)
        found.append((function, given, function(*given)))
    return found


def test_six_python_threads_at_once() -> None:
    work, wrong, done = calls(), [], []
    start = threading.Barrier(6)

    def use(number: int) -> None:
        start.wait(LONG)
        for i in range(12):
            function, given, expected = work[(i + number) % len(work)]
            if not np.array_equal(function(*given), expected):
                wrong.append(function)
        done.append(number)

    users = [threading.Thread(target=use, args=(i,), daemon=True) for i in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join(LONG)
    assert len(done) == 6, "some hang"
    assert wrong == []


# ------------------------------------------------------------------------ forks and BLAS


def in_child() -> None:
    signal.alarm(LONG)  # a child that hangs is killed
    check_squares()
    assert len(all_threads()) == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_threads_of_its_own() -> None:
    check_squares()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, that it may deadlock
        child = os.fork()
    if child == 0:
        status = 1
        try:
            in_child()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    in_child()
    signal.alarm(0)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork start method here"
)
def test_forked_worker_processes() -> None:
    check_squares()
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        workers = [context.Process(target=in_child) for _ in range(2)]
        for worker in workers:
            worker.start()
    for worker in workers:
        worker.join(LONG)
    assert [worker.exitcode for worker in workers] == [0, 0]
    check_squares()


MIXED = """
import numpy as np
from tests.kernels.test_parallel import check_squares
from tinymed.kernels.threads import set_num_threads

set_num_threads(2)
a = np.random.default_rng(0).standard_normal((300, 300))
expected = np.einsum("ij,jk->ik", a, a)
for _ in range(50):
    assert np.allclose(a @ a, expected)
    check_squares(10_000)
print("done")
"""


def test_kernels_between_matrix_products_of_blas_on_two_threads() -> None:
    run = python(MIXED, OPENBLAS_NUM_THREADS="2")
    assert run.stdout.split() == ["done"], run.stderr


# ------------------------------------------------------------------------ how many threads


@pytest.mark.parametrize("threads", [0, -1, 1.0, 2.5, True, "2", None])
def test_a_number_of_threads_is_an_integer_from_1_on(threads: Any) -> None:
    with pytest.raises(ValueError, match=r"set_num_threads: .* is not an integer >= 1"):
        set_num_threads(threads)
    assert get_num_threads() == 3


def test_numpy_integers_are_integers() -> None:
    set_num_threads(np.int64(2))
    assert type(get_num_threads()) is int
    assert get_num_threads() == 2


ASK = "from tinymed.kernels.threads import get_num_threads; print(get_num_threads())"


def test_the_environment_sets_the_number_of_threads() -> None:
    assert python(ASK, TINYMED_NUM_THREADS="5").stdout.split() == ["5"]


@pytest.mark.parametrize("words", ["0", "-1", "two", "1.5", ""])
def test_an_environment_without_a_number_of_threads_is_refused(words: str) -> None:
    run = python(ASK, TINYMED_NUM_THREADS=words)
    assert f"ValueError: TINYMED_NUM_THREADS={words!r} is not a number of threads" in run.stderr


@pytest.mark.parametrize("words", ["0", "8", "128", "wide", ""])
def test_an_environment_without_a_width_of_vectors_is_refused(words: str) -> None:
    run = python("import tinymed.kernels.simd.vector", TINYMED_VECTOR_BYTES=words)
    assert f"ValueError: TINYMED_VECTOR_BYTES={words!r} is not 16, 32 or 64" in run.stderr


@pytest.mark.parametrize("width", [16, 32, 64])
def test_the_environment_sets_the_width_of_vectors(width: int) -> None:
    code = "from tinymed.kernels.simd.vector import lanes_of; import numpy as np"
    run = python(
        f"{code}; print(lanes_of(np.dtype('f')), lanes_of(np.dtype('d')))",
        TINYMED_VECTOR_BYTES=str(width),
    )
    assert run.stdout.split() == [str(width // 4), str(width // 8)], run.stderr
