"""Attention beyond what PyTorch's stored results show: masks, positions, order, derivatives."""

import numpy as np
import pytest

from tinymed import manual_seed, nn, ops, optim
from tinymed.gradcheck import gradgradcheck
from tinymed.nn.positional import sinusoids
from tinymed.tensor import Tensor

RANDOM = np.random.default_rng(3)


def normal(*shape: int) -> Tensor:
    return Tensor(RANDOM.standard_normal(shape))


def attention(**settings: object) -> nn.MultiheadAttention:
    return nn.MultiheadAttention(4, 2, dtype=np.float64, generator=RANDOM, **settings)


def test_bool_masks_are_where_one_may_not_look() -> None:
    layer, x = attention(batch_first=True), normal(2, 3, 4)
    padding = np.array([[False, False, True], [False, True, True]])
    full, _ = layer(x, x, x, key_padding_mask=Tensor(padding))
    for row, length in enumerate((2, 1)):
        part = x[row : row + 1, :length]
        alone, _ = layer(x[row : row + 1], part, part)
        np.testing.assert_allclose(full[row].detach(), alone[0].detach(), 1e-12, 1e-12)


def test_a_query_that_may_look_nowhere_takes_zero() -> None:
    layer, x = attention(batch_first=True, bias=False), normal(1, 2, 4).requires_grad_()
    mask = Tensor(np.array([[True, True], [False, False]]))
    y, weights = layer(x, x, x, attn_mask=mask)
    assert not y[0, 0].detach().numpy().any()
    assert not weights[0, 0].detach().numpy().any()
    y.sum().backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_causal_attention_does_not_see_what_comes_later() -> None:
    q, k, v = (normal(1, 5, 4) for _ in range(3))
    before = ops.scaled_dot_product_attention(q, k, v, is_causal=True).numpy()
    k[:, 3:], v[:, 3:] = 9.0, -9.0
    after = ops.scaled_dot_product_attention(q, k, v, is_causal=True).numpy()
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert (before[:, 3:] != after[:, 3:]).all()


def test_order_is_invisible_without_positions_and_visible_with_them() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, 0.0, dtype=np.float64, generator=RANDOM)
    positions = nn.PositionalEncoding(4, dtype=np.float64)
    x, order = normal(5, 1, 4), np.array([4, 2, 0, 1, 3])
    np.testing.assert_allclose(layer(x[order]).detach(), layer(x).detach()[order], 1e-9, 1e-12)
    with_positions = layer(positions(x)).detach()[order].numpy()
    assert not np.allclose(layer(positions(x[order])).detach().numpy(), with_positions)


def test_dropout_of_weights_depends_on_training_and_generator() -> None:
    x = normal(3, 1, 4)
    layer = nn.MultiheadAttention(4, 2, 0.5, dtype=np.float64)
    manual_seed(5)
    first = layer(x, x, x)[0].detach().numpy()
    manual_seed(5)
    np.testing.assert_array_equal(first, layer(x, x, x)[0].detach().numpy())
    assert (first != layer.eval()(x, x, x)[0].detach().numpy()).any()


def test_a_decoder_sees_neither_what_comes_later_nor_padding_of_the_source() -> None:
    model = nn.Transformer(4, 2, 1, 2, 8, 0.0, dtype=np.float64, batch_first=True, generator=RANDOM)
    mask = nn.Transformer.generate_square_subsequent_mask(4, dtype=np.float64)
    source, target = normal(2, 5, 4), normal(2, 4, 4)
    padding = np.zeros((2, 5), bool)
    padding[:, 3:] = True
    given = {"src_key_padding_mask": Tensor(padding), "memory_key_padding_mask": Tensor(padding)}
    before = model(source, target, tgt_mask=mask, **given).detach().numpy()
    source[:, 3:], target[:, 2:] = 9.0, -9.0
    after = model(source, target, tgt_mask=mask, **given).detach().numpy()
    np.testing.assert_array_equal(before[:, :2], after[:, :2])
    assert (before[:, 2:] != after[:, 2:]).any()
    short = model(source[:, :3], target, tgt_mask=mask).detach()
    np.testing.assert_allclose(after, short, 1e-12, 1e-12)


def test_a_square_mask_is_minus_infinity_above_the_diagonal() -> None:
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    inf = np.inf
    assert mask.tolist() == [[0, -inf, -inf], [0, 0, -inf], [0, 0, 0]]
    assert mask.dtype == np.float32


def test_layers_of_a_transformer_do_not_begin_alike() -> None:
    model = nn.Transformer(4, 2, 2, 2, 8, generator=RANDOM)
    for stack in (model.encoder, model.decoder):
        first, second = (layer.linear1.weight.detach().numpy() for layer in stack.layers)
        assert (first != second).all()


def test_a_transformer_learns_to_turn_a_sequence_around() -> None:
    generator = np.random.default_rng(0)
    words, steps, width = 6, 4, 16
    embed = nn.Embedding(words + 1, width, generator=generator)
    place = nn.PositionalEncoding(width, batch_first=True, dropout=0.0)
    model = nn.Transformer(width, 2, 1, 1, 32, 0.0, batch_first=True, generator=generator)
    out = nn.Linear(width, words, generator=generator)
    parts = nn.ModuleList([embed, model, out])
    adam = optim.Adam(parts.parameters(), lr=1e-2)
    mask = nn.Transformer.generate_square_subsequent_mask(steps)

    def answered(source: np.ndarray, written: np.ndarray) -> Tensor:
        seen = np.concatenate([np.full((len(source), 1), words), written[:, :-1]], axis=1)
        there, here = (place(embed(Tensor(ids))) for ids in (source, seen))
        return out(model(there, here, tgt_mask=mask))

    for _ in range(150):
        source = generator.integers(0, words, (32, steps))
        target = source[:, ::-1].copy()
        adam.zero_grad()
        scores = answered(source, target)
        loss = nn.functional.cross_entropy(scores.reshape(-1, words), Tensor(target.reshape(-1)))
        loss.backward()
        adam.step()
    source = generator.integers(0, words, (50, steps))
    written = np.zeros_like(source)
    for step in range(steps):  # one word after the other, from what it has written itself
        written[:, step] = answered(source, written).detach().numpy()[:, step].argmax(-1)
    assert (written == source[:, ::-1]).mean() > 0.95


def test_second_derivative() -> None:
    q, k, v = (normal(2, 3).requires_grad_() for _ in range(3))
    assert gradgradcheck(ops.scaled_dot_product_attention, (q, k, v))


def test_sinusoids_are_the_paper_s() -> None:
    rows = sinusoids(7, 5)
    for position in range(7):
        for i in range(5):
            angle = position / 10_000 ** (2 * (i // 2) / 5)
            assert rows[position, i] == pytest.approx([np.sin, np.cos][i % 2](angle), abs=1e-12)


@pytest.mark.parametrize("kind", [nn.PositionalEncoding, nn.LearnedPositionalEncoding])
def test_positions_are_added_along_time(kind: type) -> None:
    layer = kind(4, max_len=6, dtype=np.float64)
    rows = layer.table().detach().numpy()
    x = normal(3, 2, 4)
    np.testing.assert_array_equal(layer(x).detach(), x.numpy() + rows[:3, None])
    np.testing.assert_array_equal(layer(x[:, 0]).detach(), x.numpy()[:, 0] + rows[:3])
    first = kind(4, max_len=6, batch_first=True, dtype=np.float64).eval()
    rows = first.table().detach().numpy()
    np.testing.assert_array_equal(first(x).detach(), x.numpy() + rows[:2])
    with pytest.raises(ValueError, match="7 steps, more than max_len=6"):
        layer(normal(7, 1, 4))
    with pytest.raises(ValueError, match="4 features"):
        layer(normal(2, 3))


def test_what_is_learned_and_what_is_saved() -> None:
    assert not list(nn.PositionalEncoding(4).parameters())
    assert not nn.PositionalEncoding(4).state_dict()
    assert list(nn.LearnedPositionalEncoding(4, 3).state_dict()) == ["weight"]


def wrong(layer: nn.MultiheadAttention, **changes: object) -> None:
    given = {"query": normal(3, 2, 4), "key": normal(5, 2, 4), "value": normal(5, 2, 4)}
    layer(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": normal(3, 4)}, "3 axes, or all 2"),
        ({"key": normal(5, 2, 3)}, r"key \(5, 2, 3\) must have 4 features"),
        ({"value": normal(4, 2, 4)}, "differ in length"),
        ({"key": normal(5, 1, 4), "value": normal(5, 1, 4)}, "differ in batch"),
        ({"key_padding_mask": Tensor(np.zeros((5, 2), bool))}, r"\(5, 2\) is not \(2, 5\)"),
        ({"attn_mask": Tensor(np.zeros((5, 3), bool))}, "attn_mask"),
        ({"is_causal": True}, "needs attn_mask"),
    ],
)
def test_inputs_that_do_not_fit(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong(attention(), **changes)


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="num_heads=3 does not divide embed_dim=4"):
        nn.MultiheadAttention(4, 3)
    with pytest.raises(ValueError, match="activation='tanh'"):
        nn.TransformerEncoderLayer(4, 2, activation="tanh")
    with pytest.raises(ValueError, match="TransformerDecoderLayer: activation='tanh'"):
        nn.TransformerDecoderLayer(4, 2, activation="tanh")
    with pytest.raises(ValueError, match="TransformerDecoder: num_layers=0"):
        nn.TransformerDecoder(nn.TransformerDecoderLayer(4, 2), 0)
    small = nn.Transformer(4, 2, 1, 1, 8, dtype=np.float64, generator=RANDOM)
    with pytest.raises(ValueError, match=r"src \(5, 2, 4\) and tgt \(3, 1, 4\) differ in batch"):
        small(normal(5, 2, 4), normal(3, 1, 4))
    with pytest.raises(ValueError, match=r"tgt \(3, 2, 6\) must have 4 features"):
        small(normal(5, 2, 4), normal(3, 2, 6))
    with pytest.raises(TypeError, match="mask is int64"):
        wrong(attention(), attn_mask=Tensor(np.zeros((3, 5), np.int64)))
