"""Recurrent layers: what the fused nodes compute is what the cells compute, step by step.

Values against PyTorch are in `test_against_torch`, the nodes against plain loops in `tests/ops`.
"""

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed import nn, ops
from tinymed.backpropagation import grad
from tinymed.creation import ones, tensor, zeros
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.random import manual_seed
from tinymed.sampling import randn
from tinymed.tensor import Tensor

KINDS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "tanh": (nn.RNN, nn.RNNCell, {}),
    "relu": (nn.RNN, nn.RNNCell, {"nonlinearity": "relu"}),
    "lstm": (nn.LSTM, nn.LSTMCell, {}),
    "peephole": (nn.LSTM, nn.LSTMCell, {"peephole": True}),
    "gru": (nn.GRU, nn.GRUCell, {}),
    "reset before": (nn.GRU, nn.GRUCell, {"reset_after": False}),
}
LAYERS = (nn.RNN, nn.LSTM, nn.GRU)


def make(kind: str, d: int = 2, h: int = 3, **settings: Any) -> Any:
    layer, _, own = KINDS[kind]
    generator = np.random.default_rng(5)
    return layer(d, h, dtype=np.float64, generator=generator, **own, **settings)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape)


def parts(state: Any) -> tuple[Any, ...]:
    return state if isinstance(state, tuple) else (state,)


def whole(state: tuple[Any, ...]) -> Any:
    return state if len(state) == 2 else state[0]


def initial(layer: Any, batch: int, seed: int = 7) -> tuple[Tensor, ...]:
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    widths = [layer.hidden_size] * (2 if isinstance(layer, nn.LSTM) else 1)
    return tuple(Tensor(normal(count, batch, w, seed=seed + i), True) for i, w in enumerate(widths))


def cell_of(kind: str, layer: Any, suffix: str) -> Any:
    """A cell on the very parameters of one layer and direction."""
    _, make_cell, own = KINDS[kind]
    names = [n.removesuffix(suffix) for n, _ in layer.named_parameters() if n.endswith(suffix)]
    d = getattr(layer, f"weight_ih{suffix}").shape[1]
    cell = make_cell(d, layer.hidden_size, bias=layer.bias, dtype=np.float64, **own)
    for name in names:
        assert hasattr(cell, name)
        setattr(cell, name, getattr(layer, name + suffix))
    return cell


def unroll(kind: str, layer: Any, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """Run the cells over x (T, N, D), T >= 1, as the layer does; from elementary ops."""
    finals: list[tuple[Any, ...]] = []
    for k in range(layer.num_layers):
        outputs = []
        for suffix in (f"_l{k}", f"_l{k}_reverse")[: 2 if layer.bidirectional else 1]:
            cell, now = cell_of(kind, layer, suffix), tuple(part[len(finals)] for part in state)
            found: dict[int, Any] = {}
            times = range(x.shape[0])
            for t in reversed(times) if suffix.endswith("reverse") else times:
                now = parts(cell(x[t], whole(now)))
                found[t] = now[0]
            outputs.append(ops.stack([found[t] for t in times]))
            finals.append(now)
        x = ops.cat(outputs, 2)
    return x, *(ops.stack(part) for part in zip(*finals, strict=True))


def leaves(layer: Any, x: Tensor, state: tuple[Tensor, ...]) -> list[Tensor]:
    return [x, *state, *layer.parameters()]


def gradients(outputs: Any, of: list[Tensor]) -> list[np.ndarray]:
    weights = [normal(*y.shape, seed=9) for y in outputs]
    found = grad(list(outputs), of, weights, allow_unused=True, retain_graph=True)
    return [np.zeros(x.shape) if g is None else g.data for g, x in zip(found, of, strict=True)]


# --------------------------------------------------------------------- the fused node and the cell


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_layer_is_the_cell_step_by_step(kind: str, bidirectional: bool, training: bool) -> None:
    """Values and gradients, whichever of the outputs are used, in training and in evaluation."""
    layer = make(kind, num_layers=2, bidirectional=bidirectional).train(training)
    x, state = Tensor(normal(3, 2, 2), True), initial(layer, 2)
    of, composed = leaves(layer, x, state), unroll(kind, layer, x, state)
    each = [gradients([y], of) for y in composed]  # of one output: those of several are their sums
    positions = range(len(composed))
    for chosen in itertools.chain(*(itertools.combinations(positions, k + 1) for k in positions)):
        output, final = layer(x, whole(state))
        fused = output, *parts(final)
        for y, z in zip(fused, composed, strict=True):
            np.testing.assert_allclose(y.data, z.data, rtol=0, atol=1e-10)
        found = gradients([fused[i] for i in chosen], of)
        for g, *terms in zip(found, *(each[i] for i in chosen), strict=True):
            np.testing.assert_allclose(g, sum(terms), rtol=0, atol=1e-10)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    shape=st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(1, 3), st.integers(1, 3)),
    layers=st.integers(1, 2),
    bidirectional=st.booleans(),
    bias=st.booleans(),
    data=st.data(),
)
def test_lengths_are_sequences_run_alone(
    kind: str,
    shape: tuple[int, int, int, int],
    layers: int,
    bidirectional: bool,
    bias: bool,
    data: Any,
) -> None:
    """T and N from 0, H from 1, any lengths: values to 1e-10, and the gradients are their sums."""
    t, n, d, h = shape
    lengths = data.draw(st.lists(st.integers(0, t), min_size=n, max_size=n))
    layer = make(kind, d, h, num_layers=layers, bidirectional=bidirectional, bias=bias)
    x, state = Tensor(normal(t, n, d), True), initial(layer, n)
    output, final = layer(x, whole(state), lengths=lengths)
    assert output.shape == (t, n, h * (1 + bidirectional))
    of = leaves(layer, x, state)
    together = gradients([output, *parts(final)], of)
    alone = [np.zeros(leaf.shape) for leaf in of]
    weights = [normal(*y.shape, seed=9) for y in (output, *parts(final))]
    for i, length in enumerate(lengths):
        begin = whole(tuple(part[:, i] for part in state))
        one, end = layer(x[:length, i], begin)
        np.testing.assert_allclose(output.data[:length, i], one.data, rtol=0, atol=1e-10)
        assert not output.data[length:, i].any()
        for y, z in zip(parts(final), parts(end), strict=True):
            np.testing.assert_allclose(y.data[:, i], z.data, rtol=0, atol=1e-10)
        weight = [weights[0][:length, i], *(w[:, i] for w in weights[1:])]
        found = grad([one, *parts(end)], of, weight, allow_unused=True)
        for total, gradient in zip(alone, found, strict=True):
            total += 0 if gradient is None else gradient.data
    for g, total in zip(together, alone, strict=True):
        np.testing.assert_allclose(g, total, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_first_and_unbatched(kind: str) -> None:
    layer, first = make(kind), make(kind, batch_first=True)
    x, state = normal(4, 3, 2), initial(layer, 3)
    for lengths in (None, [4, 0, 2]):
        output, final = layer(Tensor(x), whole(state), lengths)
        turned, same = first(Tensor(x.transpose(1, 0, 2)), whole(state), lengths)
        np.testing.assert_allclose(turned.data.transpose(1, 0, 2), output.data, atol=1e-14)
        for y, z in zip(parts(final), parts(same), strict=True):
            np.testing.assert_allclose(y.data, z.data, atol=1e-14)
    output, final = layer(Tensor(x), whole(state))
    alone, end = layer(Tensor(x[:, 1]), whole(tuple(part[:, 1] for part in state)))
    np.testing.assert_allclose(alone.data, output.data[:, 1], atol=1e-14)
    for y, z in zip(parts(final), parts(end), strict=True):
        np.testing.assert_allclose(y.data[:, 1], z.data, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_have_all_derivatives(kind: str) -> None:
    _, make_cell, own = KINDS[kind]
    cell = make_cell(2, 2, dtype=np.float64, generator=np.random.default_rng(3), **own)
    count = 2 if make_cell is nn.LSTMCell else 1
    state = [Tensor(normal(1, 2, seed=i), True) for i in range(count)]

    def two_steps(x: Any, *now: Any) -> Any:
        return parts(cell(x, whole(parts(cell(x, whole(now))))))[0]

    inputs = [Tensor(normal(1, 2, seed=5), True), *state]
    assert gradcheck(two_steps, inputs)
    assert gradgradcheck(two_steps, inputs)


@pytest.mark.parametrize("layer", LAYERS)
def test_ten_thousand_steps_train(layer: Any) -> None:
    model = layer(2, 3, generator=np.random.default_rng(0))
    x = Tensor(normal(10_000, 1, 2).astype(np.float32), True)
    output, _ = model(x)
    output[-1].sum().backward()
    assert np.isfinite(output.data).all()
    assert all(np.isfinite(p.grad.data).all() for p in model.parameters())
    assert np.isfinite(x.grad.data).all()
    assert x.grad.data[-1].any()


@pytest.mark.parametrize("layer", LAYERS)
def test_float16(layer: Any) -> None:
    half = layer(2, 3, num_layers=2, bidirectional=True, dtype="float16")
    single = layer(2, 3, num_layers=2, bidirectional=True)
    single.load_state_dict({n: p.data.astype(np.float32) for n, p in half.state_dict().items()})
    x = Tensor(normal(5, 2, 2).astype(np.float16), True)
    output, _ = half(x, lengths=[5, 3])
    assert output.dtype == np.float16
    output.sum().backward()
    assert x.grad.dtype == np.float16
    exact, _ = single(Tensor(x.data.astype(np.float32)), lengths=[5, 3])
    np.testing.assert_allclose(output.data, exact.data, atol=5e-3)


# -------------------------------------------------------------------------------- being a layer


@pytest.mark.parametrize("layer", LAYERS)
def test_dropout_between_layers(layer: Any) -> None:
    """It follows the generator, drops with its probability, and leaves the last layer alone."""
    model = layer(2, 50, num_layers=2, dropout=0.3, generator=np.random.default_rng(1))
    x = Tensor(normal(20, 2, 2).astype(np.float32))
    first, second = model(x)[0].data, model(x)[0].data
    assert not np.array_equal(first, second)
    again = layer(2, 50, num_layers=2, dropout=0.3, generator=np.random.default_rng(1))
    np.testing.assert_array_equal(again(x)[0].data, first)
    model.eval()
    np.testing.assert_array_equal(model(x)[0].data, model(x)[0].data)
    model.train()
    seen: list[float] = []
    original = ops.dropout

    def watched(*arguments: Any) -> Any:
        y = original(*arguments)
        seen.append(float((y.data == 0).mean()))
        return y

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ops, "dropout", watched)
        model(x)
    assert len(seen) == 1
    assert abs(seen[0] - 0.3) < 0.06


@pytest.mark.parametrize("layer", LAYERS)
def test_dropout_by_the_default_generator(layer: Any) -> None:
    model, x = layer(2, 5, num_layers=2, dropout=0.5), Tensor(normal(3, 2, 2).astype(np.float32))
    outputs = []
    for seed in (1, 1, 2):
        manual_seed(seed)
        outputs.append(model(x)[0].data)
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


@pytest.mark.parametrize("layer", LAYERS)
def test_dropout_without_layers_to_stand_between_warns(layer: Any) -> None:
    with pytest.warns(UserWarning, match=r"dropout=0.5 .* num_layers is 1"):
        layer(2, 3, dropout=0.5)


@pytest.mark.parametrize("make_layer", [*LAYERS, nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_starting_values(make_layer: Any) -> None:
    """U(-1/sqrt(H), 1/sqrt(H)) for every parameter, biases included, as in PyTorch."""
    bound = 1 / np.sqrt(400)
    for parameter in make_layer(300, 400, generator=np.random.default_rng(0)).parameters():
        assert -bound <= parameter.data.min() < -0.95 * bound
        assert 0.95 * bound < parameter.data.max() <= bound
        assert abs(parameter.data.mean()) < 0.1 * bound


def test_names_of_the_weights() -> None:
    layer = nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=1, peephole=True)
    one = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]
    one += ["weight_ci", "weight_cf", "weight_co"]
    ends = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    assert list(layer.state_dict()) == [name + end for end in ends for name in one]
    assert layer.weight_ih_l1.shape == (12, 2)
    assert layer.weight_co_l0.shape == (3,)
    assert list(nn.LSTMCell(2, 3, peephole=True).state_dict()) == one[:4] + one[5:]
    assert list(nn.GRUCell(2, 3, bias=False).state_dict()) == one[:2]


def test_flatten_parameters_does_nothing() -> None:
    layer = nn.LSTM(2, 3)
    before = {name: p.data for name, p in layer.named_parameters()}
    assert layer.flatten_parameters() is None
    assert all(p.data is before[name] for name, p in layer.named_parameters())


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (nn.LSTM(2, 3), "LSTM(2, 3)"),
        (nn.LSTM(2, 3, 2, bidirectional=True, proj_size=1, peephole=True),
         "LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=1, peephole=True)"),
        (nn.RNN(2, 3, nonlinearity="relu", bias=False),
         "RNN(2, 3, nonlinearity='relu', bias=False)"),
        (nn.GRU(2, 3, 2, dropout=0.1, batch_first=True, reset_after=False),
         "GRU(2, 3, num_layers=2, batch_first=True, dropout=0.1, reset_after=False)"),
        (nn.RNNCell(2, 3, nonlinearity="relu"), "RNNCell(2, 3, nonlinearity=relu)"),
        (nn.LSTMCell(2, 3, bias=False, peephole=True), "LSTMCell(2, 3, bias=False, peephole=True)"),
        (nn.GRUCell(2, 3, reset_after=False), "GRUCell(2, 3, reset_after=False)"),
    ],
)  # fmt: skip
def test_repr(made: Any, shown: str) -> None:
    assert repr(made) == shown


def test_multiply_adds() -> None:
    layers = nn.summary(nn.LSTM(3, 4, bidirectional=True), (5, 2, 3)).layers
    assert [layer.multiply_adds for layer in layers] == [5 * 2 * 2 * 16 * (3 + 4)]
    assert nn.summary(nn.GRUCell(3, 4), (2, 3)).multiply_adds == 2 * 12 * (3 + 4)


def test_state_is_cut_off_by_detach() -> None:
    """Truncated backpropagation: the second window sends nothing into the first."""
    layer, x = nn.GRU(2, 3), Tensor(normal(4, 1, 2).astype(np.float32), True)
    _, state = layer(x[:2])
    output, _ = layer(x[2:], state.detach())
    output.sum().backward()
    assert not x.grad.data[:2].any()
    assert x.grad.data[2:].any()


# ---------------------------------------------------------------------------------- packed input


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_input_is_lengths(kind: str, batch_first: bool) -> None:
    layer = make(kind, num_layers=2, bidirectional=True, batch_first=batch_first)
    x, state = Tensor(normal(3, 3, 2), True), initial(layer, 3)
    lengths = [2, 3, 1]
    output, final = layer(x, whole(state), lengths)
    given = nn.pack_padded_sequence(x, lengths, batch_first, enforce_sorted=False)
    packed, end = layer(given, whole(state))
    assert isinstance(packed, nn.PackedSequence)
    padded, known = nn.pad_packed_sequence(packed, batch_first, total_length=3)
    assert known.data.tolist() == lengths
    of = leaves(layer, x, state)
    for y, z in zip((output, *parts(final)), (padded, *parts(end)), strict=True):
        np.testing.assert_array_equal(y.data, z.data)
    one, other = (
        gradients(found, of) for found in ((output, *parts(final)), (padded, *parts(end)))
    )
    for g, h in zip(one, other, strict=True):
        np.testing.assert_allclose(g, h, rtol=0, atol=1e-12)


def test_packing_as_pytorch_documents_it() -> None:
    packed = nn.pack_padded_sequence(
        tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]]), [2, 1, 3], batch_first=True, enforce_sorted=False
    )
    assert packed.data.data.tolist() == [4, 1, 3, 5, 2, 6]
    assert packed.batch_sizes.data.tolist() == [3, 2, 1]
    assert packed.sorted_indices.data.tolist() == [2, 0, 1]
    assert packed.unsorted_indices.data.tolist() == [1, 2, 0]
    padded, lengths = nn.pad_packed_sequence(packed, batch_first=True, padding_value=-1)
    assert padded.data.tolist() == [[1, 2, -1], [3, -1, -1], [4, 5, 6]]
    assert lengths.data.tolist() == [2, 1, 3]
    sequences = [tensor([1, 2, 3]), tensor([4, 5]), tensor([6])]
    packed = nn.pack_sequence(sequences)
    assert packed.data.data.tolist() == [1, 4, 6, 2, 5, 3]
    assert packed.batch_sizes.data.tolist() == [3, 2, 1]
    assert packed.sorted_indices is None
    assert packed.unsorted_indices is None
    assert [s.data.tolist() for s in nn.unpack_sequence(packed)] == [[1, 2, 3], [4, 5], [6]]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_sequences_and_back(side: str, batch_first: bool) -> None:
    sequences = [Tensor(normal(n, 2, seed=n), True) for n in (2, 4, 0, 1)]
    padded = nn.pad_sequence(sequences, batch_first, -1.5, side)
    turned = padded if batch_first else padded.transpose(0, 1)
    for row, sequence in zip(turned.data, sequences, strict=True):
        n = sequence.shape[0]
        inside, outside = (row[4 - n :], row[: 4 - n]) if side == "left" else (row[:n], row[n:])
        np.testing.assert_array_equal(inside, sequence.data)
        assert (outside == -1.5).all()
    (padded * padded).sum().backward()
    for sequence in sequences:
        np.testing.assert_allclose(sequence.grad.data, 2 * sequence.data)
    if side == "right":
        found = nn.unpad_sequence(padded, tensor([2, 4, 0, 1]), batch_first)
        for y, sequence in zip(found, sequences, strict=True):
            np.testing.assert_array_equal(y.data, sequence.data)


def test_packed_data_moves_to_another_dtype() -> None:
    packed = nn.pack_sequence([ones(3, 2), ones(1, 2)]).to("float64")
    assert packed.data.dtype == np.float64
    assert packed.batch_sizes.dtype == np.int64


# ------------------------------------------------------------------------------------- bad input

X = zeros(3, 2, 4)
LSTM, GRU = nn.LSTM(4, 5), nn.GRU(4, 5)
PACKED = nn.pack_sequence([ones(3, 4), ones(1, 4)])
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "features": (lambda: LSTM(zeros(3, 2, 7)), ValueError, r"\(7,\) .* input_size=4"),
    "packed features": (lambda: nn.GRU(3, 5)(PACKED), ValueError, r"\(4,\) .* input_size=3"),
    "axes": (lambda: GRU(zeros(4)), ValueError, r"x \(4,\) must have three axes"),
    "lengths without batch": (lambda: GRU(X[0], lengths=[3]), ValueError, "no batch axis"),
    "lengths and packed": (lambda: GRU(PACKED, lengths=[3, 1]), ValueError, "has its own"),
    "too long": (
        lambda: GRU(X, lengths=[4, 1]),
        ValueError,
        "GRU: length 4 of sequence 0 .* 0 to 3",
    ),
    "negative": (lambda: LSTM(X, lengths=[1, -2]), ValueError, "LSTM: length -2 of sequence 1"),
    "count": (lambda: LSTM(X, lengths=[1]), ValueError, r"LSTM: lengths \(1,\) for a batch of 2"),
    "floats": (lambda: LSTM(X, lengths=tensor([1.0, 2.0])), TypeError, "LSTM: lengths are float32"),
    "state": (lambda: GRU(X, zeros(1, 3, 5)), ValueError, r"\(1, 3, 5\) must be \(1, 2, 5\)"),
    "unbatched state": (lambda: GRU(X[:, 0], zeros(5)), ValueError, r"must be \(1, 1, 5\)"),
    "no pair": (lambda: LSTM(X, zeros(1, 2, 5)), TypeError, "LSTM: hx is Tensor, a pair"),
    "cell": (lambda: LSTM(X, (zeros(1, 2, 5), zeros(1, 2, 4))), ValueError, r"\(1, 2, 4\) must"),
    "dtype": (lambda: GRU(X.double()), TypeError, "float32 .* float64"),
    "state's dtype": (lambda: GRU(X, zeros(1, 2, 5).double()), TypeError, "state is float64"),
    "integers": (lambda: GRU(X.long()), TypeError, "int64"),
    "sizes": (lambda: nn.LSTM(0, 5), ValueError, "input_size=0"),
    "layers": (lambda: nn.LSTM(4, 5, 0), ValueError, "num_layers=0"),
    "bias": (lambda: nn.RNN(4, 5, 1, "tanh", 1.0), TypeError, "bias=1.0 is not a bool"),
    "nonlinearity": (lambda: nn.RNN(4, 5, nonlinearity="selu"), ValueError, "'selu' is not"),
    "dropout": (lambda: nn.GRU(4, 5, 2, dropout=1.5), ValueError, "1.5 is not a probability"),
    "projection": (lambda: nn.LSTM(4, 5, proj_size=5), ValueError, "proj_size=5 is not in 0 to 4"),
    "cell's nonlinearity": (lambda: nn.RNNCell(4, 5, nonlinearity=""), ValueError, "'' is not"),
    "cell's x": (lambda: nn.GRUCell(4, 5)(zeros(2, 3)), ValueError, r"\(2, 3\) must be \(N, 4\)"),
    "cell's axes": (lambda: nn.GRUCell(4, 5)(X), ValueError, r"\(3, 2, 4\) must be \(N, 4\)"),
    "cell's state": (
        lambda: nn.LSTMCell(4, 5)(zeros(2, 4), (zeros(2, 5), zeros(1, 5))),
        *(ValueError, r"c \(1, 5\) must be \(2, 5\)"),
    ),
    "cell's pair": (lambda: nn.LSTMCell(4, 5)(zeros(2, 4), zeros(2, 5)), TypeError, "a pair"),
    "rising": (lambda: nn.pack_padded_sequence(X, [1, 3]), ValueError, "enforce_sorted=False"),
    "zero": (lambda: nn.pack_padded_sequence(X, [3, 0]), ValueError, "length 0.*lengths="),
    "above T": (lambda: nn.pack_padded_sequence(X, [4, 1]), ValueError, "length 4"),
    "one axis": (lambda: nn.pack_padded_sequence(zeros(3), [3]), ValueError, r"\(3,\)"),
    "total_length": (
        lambda: nn.pad_packed_sequence(PACKED, total_length=2),
        *(ValueError, "total_length=2 is below the longest sequence, 3"),
    ),
    "huge total_length": (
        lambda: nn.pad_packed_sequence(PACKED, total_length=2**40),
        *(ValueError, "too large"),
    ),
    "no sequence": (lambda: nn.pad_sequence([]), ValueError, "no sequences"),
    "numbers": (lambda: nn.pad_sequence([tensor(1.0)]), ValueError, "without axes"),
    "side": (lambda: nn.pad_sequence([ones(1)], padding_side="top"), ValueError, "'top'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_name(name: str) -> None:
    call, error, words = BAD[name]
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("layer", LAYERS)
def test_no_second_derivative_of_a_layer(layer: Any) -> None:
    x = randn(2, 1, 2, requires_grad=True)
    output, _ = layer(2, 3)(x)
    with pytest.raises(NotImplementedError, match=f"nn.{layer.__name__}Cell step by step"):
        grad(output.sum(), [x], create_graph=True)


def test_good_input_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.LSTM(2, 3, num_layers=2, dropout=0.5)(Tensor(normal(3, 2, 2).astype(np.float32) * 1e4))
