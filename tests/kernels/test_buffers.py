"""Memory for results: used again, aligned, limited, safe in threads, refused with its size."""

import gc
import os
import threading
import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from tinymed.kernels import buffers
from tinymed.kernels.buffers import empty, release_buffers

LARGE = (buffers.LEAST // 4,)  # float32: what is kept
DTYPES = (np.float32, np.float64, np.uint8, np.int64)


@pytest.fixture(autouse=True)
def nothing_ready() -> Iterator[None]:
    gc.collect()
    release_buffers()
    yield
    release_buffers()


def address(array: np.ndarray) -> int:
    return array.ctypes.data


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3), (1 << 20,), (7, 300, 301)])
def test_an_array_like_any_other(shape: tuple[int, ...], dtype: type) -> None:
    array = empty(shape, dtype)
    assert array.shape == shape
    assert array.dtype == dtype
    assert array.flags.carray
    array[...] = 3
    assert (array == 3).all()


def test_large_memory_is_aligned_and_used_again() -> None:
    arrays = [empty((LARGE[0] + i,), np.float32) for i in range(8)]
    assert [address(array) % 64 for array in arrays] == [0] * 8
    places = {address(array) for array in arrays}
    assert len(places) == 8
    del arrays
    again = [empty((LARGE[0] + i,), np.float32) for i in range(8)]
    assert {address(array) for array in again} == places
    other = empty((4, LARGE[0] // 4), np.float32), empty(LARGE, np.int32)  # only the size counts
    assert all(address(array) not in places for array in other)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    array = empty(LARGE, np.float32)
    place, view = address(array), array[10:20].reshape(2, 5)
    del array
    assert address(empty(LARGE, np.float32)) != place
    view[...] = 1
    del view
    places = [empty(LARGE, np.float32) for _ in range(2)]
    assert place in {address(array) for array in places}


def test_small_arrays_are_not_kept() -> None:
    empty((LARGE[0] - 1,), np.float32)
    assert buffers._held == 0
    empty(LARGE, np.float32)
    assert buffers._held == buffers.LEAST


def test_what_lies_ready_is_limited_and_can_be_released() -> None:
    arrays = [empty((buffers.MOST // 4 - 64,), np.uint8) for _ in range(6)]
    del arrays
    assert 0 < buffers._held <= buffers.MOST
    assert sum(m.nbytes for ready in buffers._ready.values() for m in ready) == buffers._held
    release_buffers()
    assert buffers._held == 0
    assert not buffers._ready


def test_many_threads_never_share_memory() -> None:
    wrong = []

    def use(number: int) -> None:
        for i in range(300):
            array = empty((LARGE[0] + i % 3,), np.float32)
            array[:64] = number
            array[-64:] = number
            if not (array[:64] == number).all() or not (array[-64:] == number).all():
                wrong.append(number)

    users = [threading.Thread(target=use, args=(i,)) for i in range(6)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert wrong == []
    assert sum(m.nbytes for ready in buffers._ready.values() for m in ready) == buffers._held


def test_an_array_that_goes_while_the_pool_is_locked_is_dropped() -> None:
    array = empty(LARGE, np.float32)
    with buffers._lock:
        del array  # as the garbage collector may, in the middle of `empty`
    assert buffers._held == 0


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((1 << 50,), r"empty: float32 \(1125899906842624,\) is 4,194,304\.0 GiB"),
        ((1 << 40, 1 << 40), r"empty: float32 \(.*\) is 4,503,599,627,370,496\.0 GiB"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_size(shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(MemoryError, match=words):
        empty(shape, np.float32)
    assert empty(LARGE, np.float32).shape == LARGE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, where a test has loaded it
def test_a_child_forked_while_the_pool_is_locked_can_use_it() -> None:
    with warnings.catch_warnings(), buffers._lock:
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, that it may deadlock
        child = os.fork()
        if child == 0:
            user = threading.Thread(target=empty, args=(LARGE, np.float32), daemon=True)
            user.start()
            user.join(10)
            os._exit(user.is_alive())
    assert os.waitpid(child, 0)[1] == 0
