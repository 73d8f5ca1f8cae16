"""Embeddings: how they begin, their rows' gradients, what they write, and what they refuse."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn, ops, optim
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.nn import functional as F
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

IDS = np.array([[2, 0, 4], [4, 4, 1]])
FLAT, OFFSETS = IDS.reshape(-1), np.array([0, 2, 2])


def table(rows: int = 5, dtype: str = "float64") -> Tensor:
    drawn = np.random.default_rng(rows).standard_normal((rows, 3))
    return Tensor(drawn.astype(dtype), requires_grad=True)


# ------------------------------------------------------------------------------------ how it begins


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_starting_values(kind: Any) -> None:
    """N(0, 1), the padding at 0; the generator alone says which."""
    layer = kind(2000, 10, padding_idx=-3, generator=np.random.default_rng(1))
    assert layer.padding_idx == 1997
    assert not layer.weight.data[1997].any()
    others = np.delete(layer.weight.data, 1997, axis=0)
    assert abs(others.mean()) < 0.03
    assert abs(others.std() - 1) < 0.03
    again = kind(2000, 10, padding_idx=1997, generator=np.random.default_rng(1))
    np.testing.assert_array_equal(again.weight.data, layer.weight.data)
    assert kind(2, 2, dtype="float64").weight.dtype == np.float64


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_from_pretrained(kind: Any) -> None:
    made = Tensor(np.arange(6.0).reshape(3, 2))
    layer = kind.from_pretrained(made, padding_idx=1)
    assert layer.weight.data is made.data
    assert not layer.weight.requires_grad
    assert (layer.num_embeddings, layer.embedding_dim) == (3, 2)
    assert layer.weight.data[1].tolist() == [2, 3]  # the padding stays what it was
    assert kind.from_pretrained(made, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match=rf"{kind.__name__}.*\(6,\) must be \(rows, features\)"):
        kind.from_pretrained(Tensor(np.ones(6)))
    with pytest.raises(ValueError, match="embeddings list must be"):
        kind.from_pretrained([[1.0]])
    with pytest.raises(ValueError, match=r"weight \(3, 2\) does not fit 4 embeddings of 2"):
        kind(4, 2, _weight=made)


def test_repr() -> None:
    assert repr(nn.Embedding(3, 2)) == "Embedding(3, 2)"
    shown = repr(nn.Embedding(3, 2, padding_idx=-1, max_norm=2.0, norm_type=1.0, sparse=True))
    assert shown == "Embedding(3, 2, padding_idx=2, max_norm=2.0, norm_type=1.0, sparse=True)"
    shown = repr(nn.EmbeddingBag(3, 2, mode="sum", scale_grad_by_freq=True))
    assert shown == "EmbeddingBag(3, 2, scale_grad_by_freq=True, mode='sum')"


# -------------------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("padding", [None, 4])
@pytest.mark.parametrize("by_frequency", [False, True])
def test_rows_are_those_of_the_dense_gradient(padding: int | None, by_frequency: bool) -> None:
    gradients = []
    for sparse in (False, True):
        weight = table()
        F.embedding(IDS, weight, padding, None, 2.0, by_frequency, sparse).backward(
            np.arange(18.0).reshape(2, 3, 3)
        )
        gradients.append(weight.grad)
    dense, rows = gradients
    assert isinstance(rows, RowGradient)
    np.testing.assert_array_equal(rows.to_dense(), dense.data)
    assert rows.rows.tolist() == [i for i in (0, 1, 2, 4) if i != padding]


@pytest.mark.parametrize(("mode", "weighted"), [("sum", False), ("sum", True), ("mean", False)])
@pytest.mark.parametrize("by_frequency", [False, True])
def test_rows_of_bags(mode: str, weighted: bool, by_frequency: bool) -> None:
    gradients = []
    for sparse in (False, True):
        weight = table()
        factors = Tensor(np.arange(6.0), requires_grad=True) if weighted else None
        y = F.embedding_bag(
            FLAT, weight, OFFSETS, None, 2.0, by_frequency, mode, sparse, factors, False, 1
        )
        y.backward(np.arange(9.0).reshape(3, 3))
        gradients.append(weight.grad)
    assert isinstance(gradients[1], RowGradient)
    np.testing.assert_array_equal(gradients[1].to_dense(), gradients[0].data)
    assert gradients[1].rows.tolist() == [0, 2, 4]


def test_the_scale_by_frequency_of_bags_is_that_of_rows() -> None:
    """A bag is a sum of rows, so that both have one gradient (PyTorch's differ)."""
    one, other = table(), table()
    F.embedding_bag(IDS, one, mode="sum", scale_grad_by_freq=True).sum().backward()
    F.embedding(IDS, other, scale_grad_by_freq=True).sum().backward()
    np.testing.assert_allclose(one.grad.data, other.grad.data)
    assert one.grad.data[:, 0].tolist() == [1, 1, 1, 0, 1]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_are_reductions_of_rows(mode: str) -> None:
    weight, other = table(), table()
    y = F.embedding_bag(IDS, weight, mode=mode)
    rows = F.embedding(IDS, other)
    expected = ops.max(rows, 1)[0] if mode == "max" else getattr(rows, mode)(1)
    np.testing.assert_allclose(y.data, expected.data)
    seed = np.arange(6.0).reshape(2, 3)
    y.backward(seed)
    expected.backward(seed)
    np.testing.assert_allclose(weight.grad.data, other.grad.data)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_have_second_derivatives(mode: str) -> None:
    """PyTorch's have none."""
    inputs = [table()]
    assert gradcheck(lambda w: F.embedding_bag(FLAT, w, OFFSETS, mode=mode), inputs)
    assert gradgradcheck(lambda w: F.embedding_bag(FLAT, w, OFFSETS, mode=mode) ** 2, inputs)
    if mode == "sum":
        inputs.append(Tensor(np.linspace(0.5, 2, 6), requires_grad=True))
        for padding in (None, 4):

            def bags(w: Any, s: Any, padding: int | None = padding) -> Any:
                named = {"per_sample_weights": s, "padding_idx": padding}
                return F.embedding_bag(FLAT, w, OFFSETS, mode="sum", **named)

            if padding is None:  # the padding gets no gradient on purpose
                assert gradcheck(bags, inputs)
            assert gradgradcheck(lambda w, s: bags(w, s), inputs)


def test_ids_that_are_written_over_are_noticed() -> None:
    ids, weight = Tensor(FLAT.copy()), table()
    y = F.embedding(ids, weight)
    ids[0] = 3
    with pytest.raises(RuntimeError, match="overwritten in place"):
        y.sum().backward()


def test_lists_of_arrays_stay_arrays() -> None:
    weight = table().detach().data
    assert type(ops.embedding(IDS, weight)) is np.ndarray
    assert type(ops.embedding_bag(IDS, weight)) is np.ndarray
    assert ops.embedding(IDS.astype(np.uint8), weight).shape == (2, 3, 3)


# ---------------------------------------------------------------------------------------- max_norm


@pytest.mark.parametrize("bag", [False, True])
def test_max_norm_writes_what_is_read(bag: bool) -> None:
    weight = table()
    before = weight.data.copy()
    look_up = F.embedding_bag if bag else F.embedding
    look_up(IDS, weight, max_norm=0.1)
    norms = np.linalg.norm(weight.data, axis=1)
    np.testing.assert_allclose(norms[[0, 1, 2, 4]], 0.1, rtol=1e-5)
    np.testing.assert_array_equal(weight.data[3], before[3])


@pytest.mark.parametrize("bag", [False, True])
def test_max_norm_is_a_write_the_engine_sees(bag: bool) -> None:
    weight = table()
    look_up = F.embedding_bag if bag else F.embedding
    squares = (weight * weight).sum()
    look_up(IDS, weight, max_norm=1e3)  # nothing is too long: nothing is written
    squares.backward()
    squares = (weight * weight).sum()
    look_up(IDS, weight, max_norm=0.1)
    with pytest.raises(RuntimeError, match="overwritten in place"):
        squares.backward()


@pytest.mark.parametrize("bag", [False, True])
def test_two_calls_with_max_norm_in_one_graph(bag: bool) -> None:
    """Neither keeps the table, so that the second may write into it."""
    weight = table()
    look_up = F.embedding_bag if bag else F.embedding
    one, other = look_up(IDS[:1], weight, max_norm=0.9), look_up(IDS[1:], weight, max_norm=0.1)
    (one.sum() + other.sum()).backward()
    np.testing.assert_allclose(weight.grad.data.sum(), 6 if bag else 18)


@pytest.mark.parametrize("named", [{"max_norm": -1.0}, {"max_norm": 1.0, "norm_type": 0.0},
                                   {"max_norm": float("nan")}])  # fmt: skip
def test_a_norm_that_is_none(named: Any) -> None:
    with pytest.raises(ValueError, match=r"embedding: max_norm=.* must be >= 0 and norm_type=.*"):
        F.embedding(IDS, table(), **named)


def test_max_norm_needs_a_table_to_write_into() -> None:
    frozen = Tensor(np.broadcast_to(np.ones(3), (5, 3)))
    with pytest.raises(TypeError, match=r"max_norm writes into weight, which is .* read-only"):
        F.embedding(IDS, frozen, max_norm=0.5)
    with pytest.raises(TypeError, match="which is int64"):
        F.embedding(IDS, np.ones((5, 3), np.int64), max_norm=0.5)


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("bag", [False, True])
@pytest.mark.parametrize(
    ("ids", "kind", "words"),
    [
        ([[1, 9]], IndexError, "token id 9 in x is out of range for 5 rows; expected 0 to 4"),
        ([[1, -2]], IndexError, "token id -2 in x is out of range"),
        ([[2**63]], IndexError, "token id 9223372036854775808 in x"),
        ([[1.0, 2.0]], TypeError, "x is float64, expected integers"),
        ([[True, False]], TypeError, "x is bool"),
    ],
)
def test_ids_that_are_no_rows(bag: bool, ids: Any, kind: type[Exception], words: str) -> None:
    name = "embedding_bag" if bag else "embedding"
    with pytest.raises(kind, match=f"^{name}: {words}"):
        getattr(F, name)(np.array(ids), table())


def test_what_is_no_array() -> None:
    with pytest.raises(TypeError, match="embedding: x is list, expected a Tensor or array"):
        F.embedding([1, 2], table())
    with pytest.raises(TypeError, match="embedding: weight is list, expected"):
        F.embedding(IDS, [[1.0]])
    with pytest.raises(ValueError, match=r"weight \(3,\) must be \(rows, features\)"):
        F.embedding(IDS, np.ones(3))
    with pytest.raises(IndexError, match="token id 0 in x is out of range for 0 rows"):
        F.embedding(np.array([0]), np.ones((0, 3)))


@pytest.mark.parametrize("padding", [5, -6, 2**40])
def test_a_padding_that_is_no_row(padding: int) -> None:
    for call in (
        lambda: F.embedding(IDS, table(), padding),
        lambda: F.embedding_bag(IDS, table(), padding_idx=padding),
        lambda: nn.Embedding(5, 3, padding_idx=padding),
        lambda: nn.EmbeddingBag(5, 3, padding_idx=padding),
    ):
        with pytest.raises(ValueError, match=f"padding_idx={padding} is out of range for 5 rows"):
            call()


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ([1, 2], "offsets begin with 1, expected 0"),
        ([0, 4, 2], "offsets decrease from 4 to 2"),
        ([0, 7], "offset 7 is beyond the 6 ids in x"),
        ([0.0, 2.0], r"offsets \(2,\) float64 must be integers"),
        ([[0, 2]], r"offsets \(1, 2\) int64 must be integers \(bags,\)"),
        (None, r"x \(6,\) needs offsets"),
    ],
)
def test_offsets_that_are_no_bags(offsets: Any, words: str) -> None:
    given = offsets if offsets is None else np.array(offsets)
    with pytest.raises(ValueError, match=f"^embedding_bag: {words}"):
        F.embedding_bag(FLAT, table(), given)


def test_last_offsets() -> None:
    with pytest.raises(ValueError, match="the last offset is 5, expected 6"):
        F.embedding_bag(FLAT, table(), np.array([0, 5]), include_last_offset=True)
    with pytest.raises(ValueError, match="needs one offset at least"):
        F.embedding_bag(FLAT, table(), FLAT[:0], include_last_offset=True)
    with pytest.raises(ValueError, match=r"x \(2, 3\) has its bags in rows"):
        F.embedding_bag(IDS, table(), OFFSETS)


@pytest.mark.parametrize(
    ("named", "kind", "words"),
    [
        ({"mode": "min"}, ValueError, "mode='min' is not 'sum', 'mean' or 'max'"),
        ({"mode": "max", "sparse": True}, ValueError, "sparse=True is not possible"),
        ({"mode": "max", "scale_grad_by_freq": True}, ValueError, "scale_grad_by_freq=True is not"),
    ],
)
def test_modes(named: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=f"^embedding_bag: {words}"):
        F.embedding_bag(IDS, table(), **named)
    with pytest.raises(kind, match=f"^EmbeddingBag: {words}"):
        nn.EmbeddingBag(5, 3, **named)
    with pytest.raises(NotImplementedError, match="per_sample_weights with mode='mean'"):
        F.embedding_bag(IDS, table(), per_sample_weights=np.ones((2, 3)))


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
@pytest.mark.parametrize(
    "size", [(2**40, 1), (1, 2**40), (2**40, 2**40), (0, 3), (3, -1), (2.5, 1)]
)
def test_sizes_that_no_table_has(kind: Any, size: Any) -> None:
    with pytest.raises(ValueError, match=r"too large|is not a positive integer"):
        kind(*size)


# --------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("kind", ["SGD", "Adagrad"])
def test_sparse_training_is_dense_training(kind: str) -> None:
    """Rows that are not read have a gradient of 0, which changes nothing in these optimizers."""
    layers = [nn.Embedding.from_pretrained(table(), freeze=False, sparse=s) for s in (0, 1)]
    for layer in layers:
        layer.weight.data = layer.weight.data.copy()
        optimizer = getattr(optim, kind)(layer.parameters(), lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            (layer(np.array([step % 5, 3, 3])) ** 2).sum().backward()
            assert isinstance(layer.weight.grad, RowGradient) == layer.sparse
            optimizer.step()
    np.testing.assert_array_equal(layers[0].weight.data, layers[1].weight.data)


def test_a_step_of_sparse_adam_costs_what_its_rows_cost() -> None:
    """Rows that were not read keep their bits, moments and all."""
    layer = nn.Embedding(50, 4, sparse=True, generator=np.random.default_rng(0))
    optimizer = optim.SparseAdam(layer.parameters(), lr=0.1)
    before = layer.weight.data.copy()
    for ids in ([3, 7, 3], [7, 9]):
        optimizer.zero_grad()
        (layer(np.array(ids)) ** 2).sum().backward()
        optimizer.step()
    changed = np.flatnonzero((layer.weight.data != before).any(axis=1))
    assert changed.tolist() == [3, 7, 9]
    assert np.flatnonzero(optimizer.state[0]["exp_avg_sq"].any(axis=1)).tolist() == [3, 7, 9]
