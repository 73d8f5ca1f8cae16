"""Recurrent ops against loops over single sequences: lengths, padding, gradients, bad input."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import recurrent_loops as loops
from tinymed import ops
from tinymed.autograd import Function
from tinymed.backpropagation import grad
from tinymed.creation import tensor
from tinymed.grad_mode import no_grad
from tinymed.gradcheck import gradcheck
from tinymed.kernels import use_backend
from tinymed.kernels.recurrent import reference
from tinymed.ops.packing import pack, packing, take_rows, unpack
from tinymed.tensor import Tensor

KINDS = ("rnn", "rnn relu", "lstm", "lstm projection", "lstm peepholes", "gru", "gru before")


class Drawn:
    """The arguments of an op and the loop that says what it must return."""

    def __init__(
        self, kind: str, t: int, n: int, d: int, h: int, bias: bool = True, seed: int = 0
    ) -> None:
        rng = np.random.default_rng((seed, t, n, d, h))
        name, _, special = kind.partition(" ")
        self.op = getattr(ops, name)
        rows = {"rnn": 1, "lstm": 4, "gru": 3}[name] * h
        p = max(h - 1, 1) if special == "projection" else h
        self.x, h0 = rng.standard_normal((t, n, d)), rng.standard_normal((n, p))
        shapes = [(rows, d), (rows, p), (rows,), (rows,)]
        self.weights: list[Any] = [rng.standard_normal(shape) for shape in shapes]
        self.weights[2:] = self.weights[2:] if bias else [None, None]
        self.named: dict[str, Any] = {}
        self.initial: tuple[np.ndarray, ...] = (h0,)
        if name == "rnn":
            self.named["nonlinearity"] = special or "tanh"
            f = (lambda s: np.maximum(s, 0)) if special else np.tanh
            self.step = loops.elman(f, *self.weights)
        elif name == "gru":
            self.named["reset_after"] = not special
            self.step = loops.gru(*self.weights, reset_after=not special)
        else:
            self.initial = h0, rng.standard_normal((n, h))
            projection = rng.standard_normal((p, h)) if special == "projection" else None
            peepholes = tuple(rng.standard_normal((3, h))) if special == "peepholes" else None
            self.named |= {"weight_hr": projection, "peepholes": peepholes}
            eyes = None if peepholes is None else np.stack(peepholes)
            self.step = loops.lstm(*self.weights, projection=projection, peepholes=eyes)

    @property
    def state(self) -> Any:
        return self.initial if len(self.initial) == 2 else self.initial[0]

    def run(self, lengths: Any = None, reverse: bool = False) -> tuple[Any, ...]:
        return self.op(
            self.x, self.state, *self.weights, **self.named, lengths=lengths, reverse=reverse
        )

    def exact(self, lengths: Any = None, reverse: bool = False) -> tuple[Any, ...]:
        t, n = self.x.shape[:2]
        lengths = [t] * n if lengths is None else lengths
        output, final = loops.run(self.step, self.x, self.initial, lengths, reverse)
        return output, *final


@st.composite
def geometries(draw: Any) -> tuple[Drawn, Any, bool]:
    """T and N from 0, H and D from 1; lengths in any order, or none."""
    t, n = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    d, h = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    drawn = Drawn(draw(st.sampled_from(KINDS)), t, n, d, h, draw(st.booleans()))
    lengths = draw(st.none() | st.lists(st.integers(0, t), min_size=n, max_size=n))
    return drawn, lengths, draw(st.booleans())


@settings(max_examples=150, deadline=None)
@given(geometries())
def test_any_geometry_is_what_the_loop_says(geometry: tuple[Drawn, Any, bool]) -> None:
    drawn, lengths, reverse = geometry
    for y, exact in zip(drawn.run(lengths, reverse), drawn.exact(lengths, reverse), strict=True):
        assert y.shape == exact.shape
        np.testing.assert_allclose(y, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_state_of_none_is_zeros(kind: str) -> None:
    drawn = Drawn(kind, 3, 2, 2, 2)
    drawn.initial = tuple(np.zeros_like(part) for part in drawn.initial)
    exact = drawn.exact([1, 3])
    found = drawn.op(drawn.x, None, *drawn.weights, **drawn.named, lengths=[1, 3])
    for y, z in zip(found, exact, strict=True):
        np.testing.assert_allclose(y, z, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_lengths(kind: str, reverse: bool) -> None:
    """Of x, states and all weights; one sequence has no step, and the order is not sorted."""
    drawn = Drawn(kind, 3, 3, 1, 2)
    arrays = [drawn.x, *drawn.initial, *drawn.weights]
    split = len(drawn.initial) + 1
    extra = {name: value for name, value in drawn.named.items() if isinstance(value, np.ndarray)}
    eyes = drawn.named.get("peepholes") or ()

    def run(*inputs: Any) -> Any:
        x, initial, weights = inputs[0], inputs[1:split], inputs[split : split + 4]
        named = dict(drawn.named)
        named |= dict(zip(extra, inputs[split + 4 :], strict=False))
        if eyes:
            named["peepholes"] = inputs[-3:]
        state = initial if len(initial) == 2 else initial[0]
        return drawn.op(x, state, *weights, **named, lengths=[2, 0, 3], reverse=reverse)

    inputs = [Tensor(a, requires_grad=True) for a in (*arrays, *extra.values(), *eyes)]
    assert gradcheck(run, inputs)


@pytest.mark.parametrize("rubbish", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_not_read_and_gets_no_gradient(kind: str, rubbish: float) -> None:
    drawn, lengths = Drawn(kind, 4, 3, 2, 2), [3, 0, 4]
    inside = np.arange(4)[:, None] < np.array(lengths)
    clean = Tensor(np.where(inside[..., None], drawn.x, 0), requires_grad=True)
    dirty = Tensor(np.where(inside[..., None], drawn.x, rubbish), requires_grad=True)
    results = []
    for reverse, x in itertools.product((False, True), (clean, dirty)):
        drawn.x = x
        found = drawn.run(lengths, reverse)
        assert (found[0].data[~inside] == 0).all()
        (to_x,) = grad(found, [x], [np.cos(np.arange(y.numel())).reshape(y.shape) for y in found])
        assert (to_x.data[~inside] == 0).all()
        assert to_x.data[inside].any()
        results.append([*(y.data for y in found), to_x.data])
    for first, second in zip(results[::2], results[1::2], strict=True):
        for y, z in zip(first, second, strict=True):
            np.testing.assert_array_equal(y, z)


def test_relu_network_that_counts() -> None:
    """h_t = relu(x_t + h_{t-1}) with x > 0 is a sum: gradients are 1, over 10,000 steps as well."""
    x = Tensor(np.linspace(0.1, 1, 10_000).reshape(-1, 1, 1), requires_grad=True)
    one = np.ones((1, 1))
    _, last = ops.rnn(x, None, one, one, nonlinearity="relu")
    np.testing.assert_allclose(last.item(), x.data.sum(), rtol=1e-12)
    last.backward()
    assert (x.grad.data == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_work_follows_the_sum_of_the_lengths(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in rows of the reference's time loops, forward and back."""
    loops_run: list[list[int]] = []
    original = reference.steps

    def counted(sizes: Any, reverse: bool) -> Any:
        found = list(original(sizes, reverse))
        loops_run.append([n for _, n in found])
        return iter(found)

    monkeypatch.setattr(reference, "steps", counted)
    lengths = [3, 50, 0, 1, 7]
    drawn = Drawn(kind, 1000, len(lengths), 1, 2)
    drawn.x = Tensor(drawn.x, requires_grad=True)
    with use_backend("reference"):
        drawn.run(lengths)[0].sum().backward()
    assert len(loops_run) >= 2
    for counts in loops_run:
        assert sum(counts) == sum(lengths)
        assert len(counts) == max(lengths)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_without_a_gradient_nothing_is_kept(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(Function, "keep", lambda self, **arrays: kept.extend(arrays))
    drawn = Drawn(kind, 3, 2, 2, 2)
    drawn.run([3, 1])
    drawn.weights[0] = Tensor(drawn.weights[0], requires_grad=True)
    with no_grad():
        drawn.run([3, 1])
    drawn.weights[0] = drawn.weights[0].detach()
    drawn.run([3, 1])
    assert "gates" not in kept
    drawn.weights[0].requires_grad_()
    drawn.run([3, 1])
    assert "gates" in kept


def test_arrays_in_arrays_out() -> None:
    assert all(type(y) is np.ndarray for y in Drawn("lstm", 3, 2, 2, 2).run([3, 1]))


def test_packed_rows_go_straight_in() -> None:
    drawn, lengths = Drawn("gru", 4, 3, 2, 2), [2, 4, 1]
    how = packing("test", (4, 3), lengths)
    rows, h0 = pack(drawn.x, how), take_rows(drawn.state, how.order)
    output, h_n = drawn.op(rows, h0, *drawn.weights, sizes=how.sizes)
    expected = drawn.run(lengths)
    np.testing.assert_array_equal(unpack(output, how), expected[0])
    np.testing.assert_array_equal(take_rows(h_n, how.back), expected[1])


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [None, [2, 0, 3], [3, 3, 3], [3, 2, 0], [0, 0, 0]])
def test_packing_and_back(lengths: Any, batch_first: bool) -> None:
    """a a a | b b: every row of a sequence comes back to its place, and no other."""
    x = np.random.default_rng(0).standard_normal((3, 3, 2))
    how = packing("test", (3, 3), lengths, batch_first)
    known = [3, 3, 3] if lengths is None else lengths
    assert how.sizes == tuple(sum(n > t for n in known) for t in range(max(known)))
    inside = np.arange(3)[:, None] < np.array(known)
    inside = inside.T if batch_first else inside
    rows = pack(x, how)
    assert rows.shape == (sum(known), 2)
    if rows.size:
        longest = int(np.argmax(known))
        np.testing.assert_array_equal(rows[0], x[longest, 0] if batch_first else x[0, longest])
    np.testing.assert_array_equal(unpack(rows, how), np.where(inside[..., None], x, 0))


X, H = np.ones((3, 2, 4)), np.ones((2, 5))
W, U, B = np.ones((20, 4)), np.ones((20, 5)), np.ones(20)
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "too long": (
        lambda: ops.lstm(X, None, W, U, lengths=[3, 4]),
        ValueError,
        "length 4 of seq.* 1",
    ),
    "2**40": (lambda: ops.lstm(X, None, W, U, lengths=[2**40, 1]), ValueError, "1099511627776"),
    "negative": (lambda: ops.lstm(X, None, W, U, lengths=[-1, 3]), ValueError, "length -1"),
    "too few": (lambda: ops.lstm(X, None, W, U, lengths=[3]), ValueError, r"\(1,\) .* batch of 2"),
    "not a list": (lambda: ops.lstm(X, None, W, U, lengths=3), ValueError, r"\(\) .* batch of 2"),
    "floats": (lambda: ops.lstm(X, None, W, U, lengths=[3.0, 1.0]), TypeError, "float64"),
    "bools": (lambda: ops.lstm(X, None, W, U, lengths=[True, False]), TypeError, "bool"),
    "words": (lambda: ops.lstm(X, None, W, U, lengths=["a", "b"]), TypeError, "<U1"),
    "two axes": (lambda: ops.lstm(X[0], None, W, U), ValueError, r"\(2, 4\) must be \(T, N, D\)"),
    "features": (
        lambda: ops.lstm(X[..., :3], None, W, U),
        ValueError,
        r"\(20, 4\) must be \(20, 3",
    ),
    "weight_hh": (lambda: ops.lstm(X, None, W, U[:, :4]), ValueError, r"must be \(20, 5\)"),
    "rows": (lambda: ops.lstm(X, None, W[:18], U[:18]), ValueError, r"\(18, 5\) must be \(4 H"),
    "gru rows": (lambda: ops.gru(X, None, W, U), ValueError, r"\(20, 5\) must be \(3 H"),
    "bias": (lambda: ops.lstm(X, None, W, U, B[:5]), ValueError, r"bias_ih \(5,\) must be \(20,\)"),
    "state": (lambda: ops.lstm(X, (H[:1], H), W, U), ValueError, r"\(1, 5\)"),
    "cell": (lambda: ops.lstm(X, (H, H[:, :4]), W, U), ValueError, r"\(2, 4\) must be \(2, 5\)"),
    "state of more": (
        lambda: ops.gru(X, np.ones((3, 5)), W[:15], U[:15], lengths=[1, 3]),
        *(ValueError, r"\(3, 5\) must be \(2, 5\)"),
    ),
    "packed state": (
        lambda: ops.lstm(X[0], (H[:1], H[:1]), W, U, sizes=(2,)),
        *(ValueError, r"h0 \(1, 5\) has no row for each of 2"),
    ),
    "packed cell": (
        lambda: ops.lstm(X[0], (H, H[:, :4]), W, U, sizes=(2,)),
        *(ValueError, r"c0 \(2, 4\) must be \(2, 5\)"),
    ),
    "no pair": (lambda: ops.lstm(X, H, W, U), TypeError, "pair"),
    "one of a pair": (lambda: ops.lstm(X, (H,), W, U), TypeError, "pair"),
    "projection": (
        lambda: ops.lstm(X, None, W, U, B, B, np.ones((2, 5))),
        ValueError,
        r"\(20, 2\)",
    ),
    "peepholes": (
        lambda: ops.lstm(X, None, W, U, peepholes=(B[:4],) * 3),
        *(ValueError, r"peepholes \(3, 4\) must be \(3, 5\)"),
    ),
    "dtype": (lambda: ops.lstm(X, None, W, U.astype("f4")), TypeError, "weight_hh is float32"),
    "state's dtype": (lambda: ops.gru(X, H.astype("f4"), W[:15], U[:15]), TypeError, "state"),
    "integers": (
        lambda: ops.lstm(X.astype(int), None, W.astype(int), U.astype(int)),
        *(TypeError, "floating"),
    ),
    "nonlinearity": (lambda: ops.rnn(X, None, W, U, nonlinearity="f"), ValueError, "'tanh' or"),
    "rising sizes": (lambda: ops.lstm(X[0], None, W, U, sizes=(1, 2)), ValueError, "rise"),
    "sizes and rows": (lambda: ops.lstm(X[0], None, W, U, sizes=(2, 1)), ValueError, r"\(3, D\)"),
    "both": (lambda: ops.lstm(X, None, W, U, sizes=(2,), lengths=[1, 1]), ValueError, "sizes"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error, match=words):
        call()


def test_lengths_may_be_tensors_arrays_or_tuples() -> None:
    drawn = Drawn("rnn", 3, 2, 2, 2)
    expected = drawn.run([3, 1])
    for lengths in (tensor([3, 1]), np.array([3, 1], np.uint8), (3, 1)):
        for y, z in zip(drawn.run(lengths), expected, strict=True):
            np.testing.assert_array_equal(y, z)


def test_a_second_graph_is_refused_with_the_way_out() -> None:
    """Also where only the weights of the fused node, or only its input, want a gradient."""
    for position in (0, 1):
        drawn = Drawn("lstm", 2, 1, 1, 1)
        wanted = Tensor(drawn.x if position == 0 else drawn.weights[0], requires_grad=True)
        if position == 0:
            drawn.x = wanted
        else:
            drawn.weights[0] = wanted
        loss = drawn.run()[0].sum()
        with pytest.raises(NotImplementedError, match=r"LSTM: no second .*; run nn\.LSTMCell step"):
            grad(loss, [wanted], create_graph=True)


def test_the_graph_can_be_walked_twice() -> None:
    """Kept arrays are left as they were, and freed by a walk that does not retain them."""
    drawn = Drawn("lstm peepholes", 3, 2, 2, 2)
    x = drawn.x = Tensor(drawn.x, requires_grad=True)
    loss = drawn.run([3, 2])[0].sum()
    (first,) = grad(loss, [x], retain_graph=True)
    (second,) = grad(loss, [x])
    np.testing.assert_array_equal(first.data, second.data)
    with pytest.raises(RuntimeError, match="freed"):
        grad(loss, [x])
