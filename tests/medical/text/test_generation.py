"""Drawing, searching, surprise, the n-gram model: each beside what it means, written out."""

import functools
import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import tinymed as tm
from tinymed.medical.text import NGramModel, beam_search, perplexity, sample

LOGITS = np.log([0.5, 0.3, 0.15, 0.05])
DRAWS = 20_000


def shares(**settings) -> np.ndarray:
    logits = np.broadcast_to(LOGITS, (DRAWS, 4))
    drawn = sample(logits, generator=np.random.default_rng(0), **settings)
    return np.bincount(drawn, minlength=4) / DRAWS


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"temperature": 0.5}, [0.25, 0.09, 0.0225, 0.0025]),
        ({"temperature": 1e9}, [1, 1, 1, 1]),
        ({"temperature": 1e-300}, [1, 0, 0, 0]),
        ({"top_k": 1}, [1, 0, 0, 0]),
        ({"top_k": 2}, [5, 3, 0, 0]),
        ({"top_k": 9}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_p": 0.4}, [1, 0, 0, 0]),
        ({"top_p": 0.6}, [5, 3, 0, 0]),
        ({"top_p": 1.0}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 3, "top_p": 0.6}, [5, 3, 0, 0]),
    ],
)
def test_tokens_come_as_often_as_they_should(settings, expected):
    expected = np.array(expected) / np.sum(expected)
    np.testing.assert_allclose(shares(**settings), expected, atol=0.012)
    assert (shares(**settings)[expected == 0] == 0).all()


def test_shapes_tensors_masks_and_seeds():
    assert sample(tm.tensor(LOGITS)).shape == ()
    assert sample(np.zeros((2, 3, 5))).shape == (2, 3)
    assert sample(np.zeros((0, 5))).shape == (0,)
    masked = np.full((50, 3), -np.inf)
    masked[:, 1] = 0
    assert (sample(masked) == 1).all()
    both = [sample(np.zeros(1000), generator=np.random.default_rng(5)) for _ in range(2)]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("logits", "settings", "message"),
    [
        ([0.0, math.nan], {}, "NaN"),
        ([0.0, math.inf], {}, "inf"),
        ([-math.inf] * 2, {}, "all logits are -inf"),
        ([], {}, "V > 0"),
        (1.0, {}, "V > 0"),
        ([0.0], {"temperature": 0}, "temperature 0"),
        ([0.0], {"temperature": math.nan}, "temperature nan"),
        ([0.0], {"top_k": 0}, "top_k 0"),
        ([0.0], {"top_p": 0}, "top_p 0"),
        ([0.0], {"top_p": 1.1}, "top_p 1.1"),
    ],
)
def test_what_nothing_can_be_drawn_from(logits, settings, message):
    with pytest.raises(ValueError, match=message):
        sample(logits, **settings)


# ------------------------------------------------------------------------------- beam search

V, END, LONGEST = 3, 2, 4


def chances_after(prefix: tuple[int, ...]) -> np.ndarray:
    """Return logarithms of probabilities that depend on the whole beginning."""
    seed = [len(prefix), *prefix]
    return np.log(np.random.default_rng(seed).dirichlet(np.ones(V)))


def step(tokens, states):
    following = [(*state, token) for token, state in zip(tokens, states, strict=True)]
    return np.stack([chances_after(state) for state in following]), following


def everything(penalty: float) -> list[tuple[float, list[int]]]:
    found = []
    for length in range(1, LONGEST + 1):
        for tokens in itertools.product(range(V), repeat=length):
            if END in tokens[:-1] or (tokens[-1] != END and length < LONGEST):
                continue
            total = sum(chances_after((0, *tokens[:i]))[token] for i, token in enumerate(tokens))
            found.append((total / length**penalty, list(tokens)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0])
def test_a_beam_that_holds_everything_finds_the_best(penalty):
    found = beam_search(step, 0, (), width=200, end=END, max_length=LONGEST, length_penalty=penalty)
    expected = everything(penalty)
    assert [one.tokens for one in found] == [tokens for _, tokens in expected]
    np.testing.assert_allclose([one.score for one in found], [score for score, _ in expected])
    narrow = beam_search(step, 0, (), width=2, end=END, max_length=LONGEST, length_penalty=penalty)
    assert len(narrow) == 2
    assert narrow[0].score <= found[0].score + 1e-12


def test_width_one_takes_the_likeliest_each_time():
    tokens: list[int] = []
    while len(tokens) < LONGEST and END not in tokens:
        tokens.append(int(chances_after((0, *tokens)).argmax()))
    (found,) = beam_search(step, 0, (), width=1, end=END, max_length=LONGEST)
    assert found.tokens == tokens


def test_tokens_that_cannot_be_are_never_taken():
    chances = np.array([[-np.inf, 0.0, -np.inf]])
    found = beam_search(lambda t, s: (chances.repeat(len(t), 0), s), 0, None,
                        width=5, end=2, max_length=3)  # fmt: skip
    assert [one.tokens for one in found] == [[1, 1, 1]]


def test_steps_and_settings_that_are_refused():
    with pytest.raises(ValueError, match="width 0"):
        beam_search(step, 0, (), width=0, end=END, max_length=3)
    for wrong in (np.zeros(3), np.zeros((2, 3)), np.full((1, 3), np.nan)):
        with pytest.raises(ValueError, match="step returned"):
            beam_search(lambda t, s, w=wrong: (w, s), 0, (), width=2, end=END, max_length=3)


def test_perplexity():
    np.testing.assert_allclose(perplexity(np.log([[0.5, 0.125]])), 4)
    np.testing.assert_allclose(perplexity(tm.tensor(np.log([0.1]))), 10)
    assert perplexity([0.0, -math.inf]) == math.inf
    for wrong in ([], [0.1], [math.nan]):
        with pytest.raises(ValueError, match="perplexity"):
            perplexity(wrong)


# ----------------------------------------------------------------------------------- n-grams

RNG = np.random.default_rng(2)
SEQUENCES = [RNG.integers(0, 4, RNG.integers(1, 9)).tolist() for _ in range(40)]
SIZE = 5  # one token is never seen


TEXTS = [("s", *sequence) for sequence in SEQUENCES]


@functools.cache
def grams(n: int) -> Counter:
    return Counter(t[i : i + n] for t in TEXTS for i in range(len(t) - n + 1))


@functools.cache
def count(order: int, gram: tuple) -> int:
    if len(gram) == order or gram[0] == "s":
        return grams(len(gram))[gram]
    return sum(1 for longer in grams(len(gram) + 1) if longer[1:] == gram)


def kneser_ney(order: int, h: tuple, w: int) -> Fraction:
    """Return p(w | h) from counts of tuples, as the formula stands; "s" is the start."""
    lower = kneser_ney(order, h[1:], w) if h else Fraction(1, SIZE)
    counts = [count(order, gram) for gram in grams(len(h) + 1) if gram != ("s",)]
    once, twice = counts.count(1), counts.count(2)
    d = Fraction(once, once + 2 * twice) if once else Fraction(1, 2)
    following = [count(order, (*h, v)) for v in range(SIZE)]
    if not sum(following):
        return lower
    kinds = sum(c > 0 for c in following)
    return (max(following[w] - d, 0) + d * kinds * lower) / Fraction(sum(following))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [(), (1,), (0, 3), (2, 2, 1), (4, 0), (0, 4), (3, 1, 0, 2)])
def test_chances_are_those_of_the_formula_and_add_up_to_one(order, context):
    model = NGramModel(order, SIZE).fit(SEQUENCES)
    found = model.distribution(context)
    history = ("s", *context)[-(order - 1) :] if order > 1 else ()
    expected = [kneser_ney(order, history, w) for w in range(SIZE)]
    assert sum(expected) == 1
    np.testing.assert_allclose(found, np.array(expected, float), rtol=1e-12)
    assert abs(math.fsum(found) - 1) < 1e-14
    assert (found > 0).all()
    surprise = model.log_probabilities([*context, 3])[-1]
    np.testing.assert_allclose(surprise, np.log(found[3]), rtol=1e-12)


def test_a_longer_context_helps_where_there_is_one():
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(300):  # each token is the sum of the two before it, most of the time
        text = rng.integers(0, 6, 2).tolist()
        while len(text) < 12:
            text.append((text[-1] + text[-2]) % 6 if rng.random() < 0.9 else int(rng.integers(6)))
        texts.append(text)
    found = [NGramModel(n, 6).fit(texts[:250]).perplexity(texts[250:]) for n in (1, 2, 3)]
    assert found[2] < 0.5 * found[1]
    assert found[2] < 0.5 * found[0] < 3.1
    model = NGramModel(3, 6).fit(texts[:250])
    mean = np.concatenate([model.log_probabilities(t) for t in texts[250:]]).mean()
    np.testing.assert_allclose(found[2], np.exp(-mean))


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ([], "no sequences"),
        ([[0], []], "sequence 1"),
        ([[0], [5]], "sequence 1 has tokens 5 to 5, 0 to 4"),
        ([[-1]], "tokens -1"),
        ([[0.5]], "float64"),
        ([[[1]]], r"\(1, 1\)"),
    ],
)
def test_sequences_that_cannot_be_counted(sequences, message):
    with pytest.raises(ValueError, match=message):
        NGramModel(2, 5).fit(sequences)


def test_an_n_gram_model_that_has_not_seen_anything():
    for call in (lambda m: m.distribution([]), lambda m: m.log_probabilities([1])):
        with pytest.raises(RuntimeError, match="call fit first"):
            call(NGramModel(2, 5))
    for order, size in ((0, 5), (2, 0)):
        with pytest.raises(ValueError, match="is 0"):
            NGramModel(order, size)
