"""Recorded calls as a program: the same calls, actions anew, numbers that change."""

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from tinymed.kernels import recording, softmax, use_backend  # noqa: E402
from tinymed.kernels.buffers import empty, full  # noqa: E402
from tinymed.kernels.compiled import compiled  # noqa: E402
from tinymed.kernels.copying import contiguous, joined, placed, put_rows, take_rows  # noqa: E402
from tinymed.kernels.parallel import parallel  # noqa: E402
from tinymed.kernels.program import Program  # noqa: E402
from tinymed.kernels.threads import get_num_threads, set_num_threads  # noqa: E402


@compiled
def scaled(first, last, y, x, numbers):
    """Set elements first to last - 1 of y to numbers[0] x + numbers[1]."""
    for i in range(first, last):
        y[i] = numbers[0] * x[i] + numbers[1]


@compiled
def checked(first, last, x):
    """Raise for a negative element."""
    for i in range(first, last):
        if x[i] < 0:
            raise ValueError("checked: negative")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("least", [1, 1000])
def test_calls_are_made_again_on_the_same_memory(threads, least):
    before = get_num_threads()
    set_num_threads(threads)
    try:
        x = np.arange(12.0)
        with recording.record() as taken:
            y, z = empty((12,), x.dtype), empty((12,), x.dtype)
            parallel(scaled, 12, least, y, x, (2.0, 1.0))
            parallel(scaled, 12, least, z, y, (1.0, -1.0))
        program = Program(taken)
        x[:] = np.arange(12)[::-1]
        program()
        np.testing.assert_array_equal(z, 2 * x)
    finally:
        set_num_threads(before)


def test_actions_run_anew_and_their_calls_are_not_taken_down():
    x, seen = np.zeros(3), []

    def draw():
        seen.append(len(seen))
        parallel(scaled, 3, 10, x, np.ones(3), (float(len(seen)), 0.0))

    with recording.record() as taken:
        y = empty((3,), x.dtype)
        recording.act(draw)
        parallel(scaled, 3, 10, y, x, (1.0, 0.5))
    program = Program(taken)
    program()
    assert (len(taken.steps), seen, y[0]) == (2, [0, 1], 2.5)


def test_checking_writes_what_actions_wrote_instead_of_acting():
    x = np.zeros(3)
    with recording.record([x]) as taken:
        recording.act(lambda: np.add(x, 1, out=x))
    program = Program(taken)
    x[:] = 7
    program.again()
    assert x.tolist() == [1, 1, 1]
    program()
    assert x.tolist() == [2, 2, 2]


@pytest.mark.parametrize("least", [1, 1000])
def test_numbers_are_read_where_an_action_puts_them(least):
    x, rate = np.ones(8), [1.0]
    with recording.record() as taken:
        slot, y = recording.Slot(empty((4,), "float64")), empty((8,), x.dtype)

        def step():
            numbers = rate[0], 10.0
            if slot is recording.slot() and slot.takes(numbers):
                return
            parallel(scaled, 8, least, y, x, numbers)
            slot.attach(numbers, [])

        recording.act(lambda: slot.fill(step))
        slot.read(step)
    assert y[0] == 11
    program = Program(taken)
    rate[0] = 3.0
    program()
    assert y.tolist() == [13.0] * 8


def test_an_error_in_a_call_comes_out():
    x = np.ones(3)
    with recording.record() as taken:
        parallel(checked, 3, 10, x)
    program = Program(taken)
    x[1] = -1
    with pytest.raises(ValueError, match="checked: negative"):
        program()
    x[1] = 1
    program()


def test_recordings_do_not_nest():
    with (
        recording.record(),
        pytest.raises(RuntimeError, match="do not nest"),
        recording.record(),
    ):
        pass
    assert recording.active() is None


def test_copies_are_calls_while_recording():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3))
    rows = np.array([2, 0, 3, 1])
    with recording.record() as taken:
        found = {
            "transposed": (contiguous(x.T), lambda: x.T),
            "copied": (recording.copied(x[:, ::2]), lambda: x[:, ::2]),
            "joined": (joined((x, x[:1]), 0, (5, 3)), lambda: np.concatenate([x, x[:1]])),
            "placed": (
                placed(x[0], (slice(None), 1), (3, 2)),
                lambda: np.stack([0 * x[0], x[0]], 1),
            ),
            "taken": (take_rows(x, rows), lambda: x[rows]),
            "put": (put_rows(x, rows, 4, 0), lambda: x[np.argsort(rows)]),
        }
        constant = full((2,), 1.5, x.dtype)
    program = Program(taken)
    for _ in range(2):
        for name, (copy, expected) in found.items():
            np.testing.assert_array_equal(copy, expected(), name)
        x[:] = rng.standard_normal((4, 3))
        program()
    assert constant.tolist() == [1.5, 1.5]


def test_kernels_are_recorded_through_their_public_names():
    logits, target = np.random.default_rng(0).standard_normal((5, 3)), np.array([0, 1, 2, 0, 1])
    with use_backend("numba_cpu"), recording.record() as taken:
        loss = softmax.mean_cross_entropy(logits, target)
    program = Program(taken)
    logits *= 2
    program()
    with use_backend("reference"):
        assert loss == pytest.approx(softmax.mean_cross_entropy(logits, target))
