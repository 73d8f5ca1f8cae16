"""The recurrent reference kernels against loops over single sequences, and what they promise."""

import copy
import itertools
from typing import Any

import numpy as np
import pytest

from tests import recurrent_loops as loops
from tests.rounding import assert_rounded
from tinymed.kernels import recurrent, use_backend
from tinymed.kernels.recurrent.reference import before, steps

SIZES = {
    "full": (3, 3, 3, 3),
    "ragged": (4, 2, 2, 1),
    "one sequence": (1, 1, 1),
    "one step": (5,),
    "nothing": (),
}
COUNT = {"rnn": 1, "lstm": 4, "gru": 3}


@pytest.fixture(autouse=True)
def on_the_reference() -> Any:
    with use_backend("reference"):
        yield


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def weights(kind: str, d: int, h: int, state: int) -> list[np.ndarray]:
    rows = COUNT[kind] * h
    return [normal(rows, d), normal(rows, state, seed=1), normal(rows), normal(rows, seed=2)]


def unpacked(rows: np.ndarray, sizes: tuple[int, ...], batch: int) -> np.ndarray:
    """(R, *) -> (T, N, *), with zeros."""
    padded = np.zeros((len(sizes), batch, *rows.shape[1:]), rows.dtype)
    for t, (start, n) in enumerate(zip(itertools.accumulate((0, *sizes)), sizes, strict=False)):
        padded[t, :n] = rows[start : start + n]
    return padded


def lengths(sizes: tuple[int, ...], batch: int) -> list[int]:
    return [sum(n > i for n in sizes) for i in range(batch)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("kind", ["tanh", "relu", "after", "before", "plain", "all"])
def test_forward(kind: str, name: str, reverse: bool) -> None:
    """In float64 and float32; one sequence more than take part, which keeps its state."""
    sizes, (d, h, p) = SIZES[name], (3, 4, 2)
    batch, state = max(sizes, default=0) + 1, p if kind == "all" else h
    op = {"tanh": "rnn", "relu": "rnn", "after": "gru", "before": "gru"}.get(kind, "lstm")
    x, h0, c0 = normal(sum(sizes), d), normal(batch, state), normal(batch, h, seed=3)
    w = weights(op, d, h, state)
    w = [*w[:2], None, None] if name == "one step" else w
    extra = (normal(p, h), normal(3, h)) if kind == "all" else (None, None)
    schedule = sizes, reverse
    if op == "rnn":
        step = loops.elman(np.tanh if kind == "tanh" else lambda s: np.maximum(s, 0), *w)
        arrays: Any = (x, h0, *w)
        given: Any = (*schedule, kind)
    elif op == "gru":
        step = loops.gru(*w, reset_after=kind == "after")
        arrays, given = (x, h0, *w), (*schedule, kind == "after", False)
    else:
        step = loops.lstm(*w, projection=extra[0], peepholes=extra[1])
        arrays, given = (x, h0, c0, *w, *extra), (*schedule, False)
    initial = (h0, c0) if op == "lstm" else (h0,)
    padded = unpacked(x, sizes, batch)
    exact = loops.run(step, padded, initial, lengths(sizes, batch), reverse)
    forward = getattr(recurrent, f"{op}_forward")
    for dtype in (np.float64, np.float32):
        output, *final = forward(*(a if a is None else a.astype(dtype) for a in arrays), *given)
        found = [unpacked(output, sizes, batch), *final[: len(initial)]]
        for y, value in zip(found, (exact[0], *exact[1]), strict=True):
            assert y.dtype == dtype
            # each step adds D + P products and two biases; its error reaches all later ones
            assert_rounded(y, value, terms=(d + state + 2) * (len(sizes) + 1), scale=8.0)
        assert np.array_equal(final[0][-1], h0[-1].astype(dtype)), "it has no step"


def test_training_changes_no_result_and_inference_keeps_nothing() -> None:
    sizes, x = (3, 2), normal(5, 2)
    h0, c0 = normal(3, 4), normal(3, 4, seed=1)
    given = x, h0, c0, *weights("lstm", 2, 4, 4), None, None, sizes, False
    lstm = [recurrent.lstm_forward(*given, training) for training in (True, False)]
    given = x, h0, *weights("gru", 2, 4, 4), sizes, False, True
    gru = [recurrent.gru_forward(*given, training) for training in (True, False)]
    for (trained, plain), outputs in ((lstm, 3), (gru, 2)):
        for y, z in zip(trained[:outputs], plain[:outputs], strict=True):
            np.testing.assert_array_equal(y, z)
        assert all(kept is not None for kept in trained[outputs:])
        assert plain[outputs:] == (None, None)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", SIZES)
def test_steps_visit_each_row_once(name: str, reverse: bool) -> None:
    """Their number of rows is the sum of the lengths, whatever the padding was."""
    sizes = SIZES[name]
    visited = [(rows, n) for rows, n in steps(sizes, reverse)]
    assert [n for _, n in visited] == list(reversed(sizes) if reverse else sizes)
    rows = [row for part, _ in visited for row in range(part.start, part.stop)]
    assert sorted(rows) == list(range(sum(sizes)))


@pytest.mark.parametrize("reverse", [False, True])
def test_before_is_the_state_one_step_earlier(reverse: bool) -> None:
    sizes, batch = (3, 2, 2), 3
    states, initial = normal(7, 2), normal(3, 2)
    padded, found = unpacked(states, sizes, batch), before(states, initial, sizes, reverse)
    seen = unpacked(found, sizes, batch)
    for i, length in enumerate(lengths(sizes, batch)):
        order = list(range(length))[::-1] if reverse else list(range(length))
        assert np.array_equal(seen[order[0], i], initial[i])
        for earlier, later in itertools.pairwise(order):
            assert np.array_equal(seen[later, i], padded[earlier, i])


def test_kernels_leave_their_inputs_alone() -> None:
    sizes, x, h0, c0 = (3, 2), normal(5, 2), normal(3, 4), normal(3, 4, seed=1)
    rnn, lstm, gru = (weights(kind, 2, 4, 4) for kind in ("rnn", "lstm", "gru"))
    grad_output, peepholes, square = normal(5, 4, seed=5), normal(3, 4, seed=4), normal(4, 4)
    arrays = [x, h0, c0, *rnn, *lstm, *gru, grad_output, peepholes, square]
    originals = copy.deepcopy(arrays)
    output, _ = recurrent.rnn_forward(x, h0, *rnn, sizes, False, "tanh")
    kept = [output.copy()]
    recurrent.rnn_backward(grad_output, h0, output, rnn[1], sizes, False, "tanh")
    *_, gates, cells = recurrent.lstm_forward(
        x, h0, c0, *lstm, square, peepholes, sizes, False, True
    )
    kept += [gates.copy(), cells.copy()]
    recurrent.lstm_backward(
        grad_output, h0, c0, gates, cells, lstm[1], square, peepholes, sizes, False
    )
    states, _, third, candidates = recurrent.gru_forward(x, h0, *gru, sizes, False, True, True)
    kept += [third.copy(), candidates.copy()]
    recurrent.gru_backward(
        grad_output, h0, third, candidates, before(states, h0, sizes, False), gru[1], sizes, False
    )
    for a, original in zip(arrays, originals, strict=True):
        np.testing.assert_array_equal(a, original)
    for a, original in zip((output, gates, cells, third, candidates), kept, strict=True):
        np.testing.assert_array_equal(a, original)


@pytest.mark.parametrize("kind", COUNT)
def test_views_with_all_widths_are_exact(kind: str) -> None:
    """NumPy 2.4's negative(y, out=y) is wrong for some strides: gates of width 1 would show it."""
    for h in (1, 2, 3, 4, 8):
        x, h0 = normal(12, 1), np.zeros((4, h))
        w = weights(kind, 1, h, h)
        state = (h0, h0) if kind == "lstm" else (h0,)
        more: Any = {"rnn": ("tanh",), "lstm": (False,), "gru": (True, False)}[kind]
        between = (None, None) if kind == "lstm" else ()
        given = (x, *state, *w, *between)
        forward = getattr(recurrent, f"{kind}_forward")
        double = forward(*given, (4, 4, 4), False, *more)[0]
        single = forward(
            *(a if a is None else a.astype(np.float32) for a in given), (4, 4, 4), False, *more
        )[0]
        np.testing.assert_allclose(single, double, atol=2e-5)
