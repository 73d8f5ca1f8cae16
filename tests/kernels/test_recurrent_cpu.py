"""The compiled recurrent loops, beyond agreement: sequences know nothing of each other."""

import itertools
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels.parallel import parallel
from tinymed.kernels.recurrent import numba_cpu, reference
from tinymed.kernels.threads import get_num_threads, set_num_threads

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
D, H = 5, 19


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    numbers = np.random.default_rng((seed, *shape)).standard_normal(shape) / shape[-1] ** 0.5
    return numbers.astype(np.float32)


def layer(kind: str, sizes: tuple[int, ...], batch: int) -> dict[str, Any]:
    width = GATES[kind] * H
    return {
        "x": normal(sum(sizes), D),
        "states": [normal(batch, H, seed=s) for s in range(2 if kind == "lstm" else 1)],
        "weights": [
            normal(width, D),
            normal(width, H, seed=1),
            normal(width),
            normal(width, seed=2),
        ],
    }


def run(
    kind: str,
    sizes: tuple[int, ...],
    reverse: bool,
    x: np.ndarray,
    states: list[np.ndarray],
    weights: list[np.ndarray],
    module: Any = numba_cpu,
    nonlinearity: str = "tanh",
) -> list[np.ndarray]:
    """Return the outputs, the last states, and the gradients for gradients of one everywhere."""
    forward, backward = (getattr(module, f"{kind}_{way}") for way in ("forward", "backward"))
    extra = {"rnn": [nonlinearity], "lstm": [True], "gru": [True, True]}[kind]
    weights_and_more = [*weights, None, None] if kind == "lstm" else weights
    made = forward(x, *states, *weights_and_more, sizes, reverse, *extra)
    y, *rest = made
    ones, u = [np.ones_like(y), *map(np.ones_like, states)], weights[1]
    if kind == "rnn":
        grads = backward(*ones, y, u, sizes, reverse, nonlinearity)
    elif kind == "lstm":
        grads = backward(*ones, *rest[2:], u, None, None, sizes, reverse)
    else:
        before = reference.before(y, states[0], sizes, reverse)
        grads = backward(*ones, *rest[1:], before, u, sizes, reverse)
    return [each for each in (*made, *grads) if each is not None]


def of_one(results: list[np.ndarray], sizes: tuple[int, ...], batch: int, one: int) -> list[Any]:
    """Return the rows of one sequence."""
    starts = itertools.accumulate((0, *sizes))
    rows = [start + one for start, n in zip(starts, sizes, strict=False) if n > one]
    return [r[rows] if len(r) == sum(sizes) != batch else r[one : one + 1] for r in results]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_a_sequence_alone_gives_the_same_bits(kind: str, reverse: bool) -> None:
    sizes, batch = (11, 11, 9, 9, 4, 1, 1), 12
    given = layer(kind, sizes, batch)
    together = run(kind, sizes, reverse, **given)
    for one in range(batch):
        own = tuple(1 for n in sizes if n > one)
        (x,) = of_one([given["x"]], sizes, batch, one)
        states = [state[one : one + 1] for state in given["states"]]
        alone = run(kind, own, reverse, x, states, given["weights"])
        for a, b in zip(of_one(together, sizes, batch, one), alone, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sizes", [(12,) * 5, (12, 12, 9, 9, 4, 1, 1)])
@pytest.mark.parametrize("kind", GATES)
def test_the_bits_do_not_depend_on_how_threads_share_the_sequences(
    kind: str, sizes: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_cpu, "WORTH", 1)
    monkeypatch.setattr(numba_cpu, "ROWS", 2)
    before, given, found = get_num_threads(), layer(kind, sizes, 12), []
    pieces = []

    def counted(function: Any, count: int, least: int, *rest: Any) -> None:
        pieces.append(count // least)
        parallel(function, count, least, *rest)

    monkeypatch.setattr(numba_cpu, "parallel", counted)
    for threads in (1, 2, 3, 5):
        set_num_threads(threads)
        found.append(run(kind, sizes, False, **given))
    set_num_threads(before)
    assert max(pieces) > 1
    for others in found[1:]:
        for a, b in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("sizes", "size", "pieces"),
    [
        ((4,) * 100, 64, 1),  # 0.34 ms on one thread
        ((8,) * 100, 64, 1),
        ((16,) * 100, 64, 2),  # 1.4 ms on one thread, 1.0 on two
        ((32,) * 20, 32, 1),
        ((32,) * 100, 64, 2),
        ((4,) * 10_000, 64, 2),  # few sequences, but long ones
        ((1,) * 10_000, 64, 1),
        ((0,) * 5, 64, 1),
        ((), 64, 1),
    ],
)
def test_threads_share_what_takes_long_enough(
    sizes: tuple[int, ...], size: int, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_cpu, "get_num_threads", lambda: 2)
    batch = sizes[0] if sizes else 0
    least = numba_cpu.share(sizes, batch, 4 * size, 2 * size)
    assert max(1, batch // least) == pieces


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("kind", "f"), [("rnn", "tanh"), ("rnn", "relu"), ("lstm", ""), ("gru", "")]
)
def test_nan_and_infinities_stay_in_their_sequence(kind: str, f: str, value: float) -> None:
    sizes, batch = (9, 9, 9), 9
    given = layer(kind, sizes, batch)
    given["x"][12, 0] = value  # the second step of sequence 3
    with np.errstate(invalid="ignore"):
        expected = run(kind, sizes, False, **given, module=reference, nonlinearity=f)
    found = run(kind, sizes, False, **given, nonlinearity=f)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert np.isnan(found[0][12]).all() == np.isnan(value)
    assert np.isfinite(found[0][13:18]).all()


def test_many_steps() -> None:
    """Rounding does not add up in a layer that forgets."""
    sizes = (1,) * 3000
    for kind in GATES:
        given = layer(kind, sizes, 1)
        expected = run(kind, sizes, True, **given, module=reference)
        for a, b in zip(run(kind, sizes, True, **given), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_nothing_is_kept_unless_training() -> None:
    sizes = (3, 2)
    for kind, kept in (("lstm", (False,)), ("gru", (True, False))):
        given = layer(kind, sizes, 3)
        states, weights = given["states"], given["weights"]
        more = [None, None] if kind == "lstm" else []
        forward = getattr(numba_cpu, f"{kind}_forward")
        made = forward(given["x"], *states, *weights, *more, sizes, False, *kept)
        assert made[-2:] == (None, None)
        np.testing.assert_array_equal(made[0], run(kind, sizes, False, **given)[0])
