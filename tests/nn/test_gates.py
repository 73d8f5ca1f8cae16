"""Gates of recurrent layers: one sequence, one step and one equation at a time find the same."""

from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn
from tinymed.nn.gates import gate_maps

T, N, D, H = 6, 4, 3, 5
LENGTHS = [4, 6, 0, 1]
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "lstm": (nn.LSTM, {}),
    "no bias": (nn.LSTM, {"bias": False}),
    "peephole": (nn.LSTM, {"peephole": True}),
    "projection": (nn.LSTM, {"proj_size": 2, "peephole": True}),
    "gru": (nn.GRU, {}),
    "reset before": (nn.GRU, {"reset_after": False}),
    "gru, no bias": (nn.GRU, {"reset_after": False, "bias": False}),
}


def sigmoid(s: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-s))


def make(kind: str, **settings: Any) -> Any:
    layer, own = KINDS[kind]
    return layer(D, H, dtype=np.float64, generator=np.random.default_rng(1), **own, **settings)


def inputs() -> np.ndarray:
    return np.random.default_rng(2).standard_normal((T, N, D))


def lstm_step(w: dict[str, Any], x: Any, state: Any) -> tuple[Any, dict[str, Any]]:
    h, c = state
    i, f, g, o = np.split(w["ih"] @ x + w["b_ih"] + w["hh"] @ h + w["b_hh"], 4)
    i, f, g = sigmoid(i + w["ci"] * c), sigmoid(f + w["cf"] * c), np.tanh(g)
    c = f * c + i * g
    o = sigmoid(o + w["co"] * c)
    state = w["hr"] @ (o * np.tanh(c)), c
    return state, {"input": i, "forget": f, "output": o, "new": g, "cell": c}


def gru_step(w: dict[str, Any], x: Any, state: Any, after: bool) -> tuple[Any, dict[str, Any]]:
    (h,) = state
    (xr, xz, xn), (hr, hz, hn) = np.split(w["ih"] @ x + w["b_ih"], 3), np.split(w["hh"] @ h, 3)
    br, bz, bn = np.split(w["b_hh"], 3)
    r, z = sigmoid(xr + hr + br), sigmoid(xz + hz + bz)
    reset = r * (hn + bn) if after else w["hh"][2 * H :] @ (r * h) + bn
    n = np.tanh(xn + reset)
    h = (1 - z) * n + z * h
    return (h,), {"reset": r, "update": z, "new": n, "state": h}


def weights_of(layer: Any, name: str) -> dict[str, Any]:
    """All weights of one layer and direction; zeros, ones or the identity for those it lacks."""
    rows = layer.blocks * H
    lacking = {"bias_ih": np.zeros(rows), "bias_hh": np.zeros(rows), "weight_hr": np.eye(H)}
    lacking |= dict.fromkeys(("weight_ci", "weight_cf", "weight_co"), np.zeros(H))
    found = {"weight_ih": None, "weight_hh": None, **lacking}
    for key in found:
        if hasattr(layer, f"{key}_{name}"):
            found[key] = getattr(layer, f"{key}_{name}").detach().numpy()
    return {key.replace("weight_", "").replace("bias", "b"): each for key, each in found.items()}


def expected_maps(layer: Any, x: np.ndarray, lengths: list[int], begin: Any = None) -> Any:
    """Every map, sequence by sequence; begin: h (and c) of each layer and direction, or None."""
    lstm = isinstance(layer, nn.LSTM)
    suffixes = ("", "_reverse") if layer.bidirectional else ("",)
    widths = [getattr(layer, "proj_size", 0) or H, H][: 1 + lstm]
    found: dict[str, Any] = {}
    rows = x
    for depth in range(layer.num_layers):
        outputs = []
        for suffix in suffixes:
            name, w = f"l{depth}{suffix}", weights_of(layer, f"l{depth}{suffix}")
            output = np.zeros((T, N, widths[0]))
            maps: dict[str, Any] = {}
            for n in range(N):
                state = tuple(
                    np.zeros(k) if begin is None else begin[p][len(found), n]
                    for p, k in enumerate(widths)
                )
                order = range(lengths[n])
                for t in reversed(order) if suffix else order:
                    if lstm:
                        state, told = lstm_step(w, rows[t, n], state)
                    else:
                        state, told = gru_step(w, rows[t, n], state, layer.reset_after)
                    output[t, n] = state[0]
                    for key, each in told.items():
                        maps.setdefault(key, np.full((N, T, H), np.nan))[n, t] = each
            outputs.append(output)
            found[name] = maps
        rows = np.concatenate(outputs, axis=2)
    return found, rows


def assert_same(found: Any, expected: Any) -> None:
    assert list(found) == list(expected)
    for name, maps in expected.items():
        assert set(found[name]) == set(maps)
        for gate, each in maps.items():
            np.testing.assert_allclose(
                found[name][gate], each, atol=1e-12, err_msg=f"{name} {gate}"
            )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "lengths"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_gates_are_those_of_the_equations(kind, lengths, batch_first):
    layer = make(kind, num_layers=2, bidirectional=True, batch_first=batch_first)
    x = inputs()
    given = tm.tensor(x.swapaxes(0, 1).copy() if batch_first else x)
    expected, rows = expected_maps(layer, x, lengths or [T] * N)
    assert_same(gate_maps(layer, given, lengths=lengths), expected)
    with tm.no_grad():
        output, _ = layer(given, lengths=lengths)
    output = output.numpy().swapaxes(0, 1) if batch_first else output.numpy()
    np.testing.assert_allclose(output, rows, atol=1e-12)  # what is explained is what was computed


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gates_from_a_given_state(kind):
    layer = make(kind, num_layers=2)
    h, c = np.random.default_rng(3).standard_normal((2, 2, N, H))
    begin = (h, c) if kind == "lstm" else (h,)
    hx = tuple(map(tm.tensor, begin)) if kind == "lstm" else tm.tensor(h)
    expected, _ = expected_maps(layer, inputs(), LENGTHS, begin)
    assert_same(gate_maps(layer, tm.tensor(inputs()), hx, LENGTHS), expected)


def test_a_map_takes_arrays_leaves_no_graph_and_drops_nothing():
    layer = make("gru", num_layers=2, dropout=0.5)
    assert layer.training
    first, second = (gate_maps(layer, inputs()) for _ in range(2))
    assert_same(first, second)
    assert_same(first, expected_maps(layer, inputs(), [T] * N)[0])
    frozen = make("gru").requires_grad_(False)
    assert_same(gate_maps(frozen, inputs()), expected_maps(frozen, inputs(), [T] * N)[0])


def test_what_has_no_gates_is_refused():
    x = tm.tensor(inputs())
    with pytest.raises(TypeError, match="layer is RNN, an LSTM or a GRU expected"):
        gate_maps(nn.RNN(D, H), x)
    with pytest.raises(ValueError, match=r"x \(4, 3\), a padded batch with 3 features"):
        gate_maps(make("gru"), x[0])
    with pytest.raises(ValueError, match=r"x \(6, 4, 2\), .* 3 features"):
        gate_maps(make("gru"), x[:, :, :2])
    with pytest.raises(ValueError, match="length 7 of sequence 0"):
        gate_maps(make("gru"), x, lengths=[7, 1, 1, 1])
    with pytest.raises(ValueError, match="hx"):
        gate_maps(make("gru"), x, tm.zeros(1, N, H + 1))
    with pytest.raises(ValueError, match="PackedSequence"):
        gate_maps(make("gru"), nn.utils.rnn.pack_sequence([tm.zeros(2, D), tm.zeros(1, D)]))
