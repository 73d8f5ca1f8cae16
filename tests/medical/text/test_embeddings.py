"""Word2Vec and GloVe learn who stands beside whom, the same each time."""

from typing import Any

import numpy as np
import pytest

from tinymed.medical.text import GloVe, Vocabulary, Word2Vec, WordVectors, count_cooccurrences

pytest.importorskip("numba")

TOPICS, EACH = 6, 8


def documents(count: int = 600) -> list[list[str]]:
    """Return sentences about one topic each: words "3-5" of topic 3, and one that is everywhere."""
    rng = np.random.default_rng(0)
    topics = rng.integers(0, TOPICS, count)
    return [[f"{t}-{w}" for w in rng.integers(0, EACH, 12)] + ["the"] for t in topics]


def share_of_neighbours_of_the_same_topic(vectors: WordVectors) -> float:
    words = [word for word in vectors.words if word != "the"]
    near = {word: vectors.most_similar(word, topn=3) for word in words}
    same = [other[0] == word[0] for word in words for other, _ in near[word]]
    return float(np.mean(same))


SETTINGS: list[Any] = [
    {"sg": 1},
    {"sg": 0, "alpha": 0.15},
    {"sg": 1, "hs": 1, "negative": 0},
    {"sg": 0, "hs": 1, "negative": 0, "alpha": 0.15},
    {"sg": 0, "cbow_mean": 0, "shrink_windows": False, "sample": 0},
    {"sg": 1, "workers": 2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_words_of_a_topic_come_together(settings):
    model = Word2Vec(vector_size=20, epochs=25, min_count=1, batch_words=500, **settings)
    vectors = model.train(documents())
    assert vectors.vectors.shape == (TOPICS * EACH + 1, 20)
    assert share_of_neighbours_of_the_same_topic(vectors) > 0.95
    untrained = Word2Vec(vector_size=20, epochs=1, min_count=1, alpha=1e-6, min_alpha=0)
    assert share_of_neighbours_of_the_same_topic(untrained.train(documents())) < 0.5


def test_glove_brings_words_of_a_topic_together_and_lowers_its_loss():
    model = GloVe(vector_size=20, epochs=20, min_count=1)
    assert share_of_neighbours_of_the_same_topic(model.train(documents())) > 0.95
    assert len(model.losses) == 20
    assert model.losses[-1] < model.losses[0] / 4


def test_glove_fits_co_occurrences_that_vectors_can_have():
    vocabulary = Vocabulary(["a", "b", "c"])
    texts = [["a", "b", "c"], ["a", "c"], ["b", "c"]] * 50
    counts = count_cooccurrences(texts, vocabulary)
    model = GloVe(vector_size=4, epochs=300, learning_rate=0.2)
    model.train_on(counts, vocabulary)
    assert model.losses[-1] < 1e-4


def test_the_same_seed_gives_the_same_bits_and_another_others():
    texts = documents(60)
    for make in (
        lambda seed: Word2Vec(vector_size=9, min_count=1, sg=1, seed=seed),
        lambda seed: Word2Vec(vector_size=9, min_count=1, hs=1, negative=0, seed=seed),
        lambda seed: GloVe(vector_size=9, min_count=1, epochs=3, seed=seed),
    ):
        first, again, other = (make(seed).train(texts).vectors for seed in (3, 3, 4))
        assert first.tobytes() == again.tobytes()
        assert first.tobytes() != other.tobytes()


def test_a_vocabulary_that_is_given_is_used():
    vocabulary = Vocabulary.from_counts({"0-1": 5, "0-2": 5}, specials=("<pad>",))
    for model in (Word2Vec(vector_size=4, epochs=1), GloVe(vector_size=4, epochs=1)):
        vectors = model.train(documents(50), vocabulary)
        assert vectors.words == ["<pad>", "0-1", "0-2"]


@pytest.mark.parametrize("make", [Word2Vec, GloVe])
def test_texts_that_nothing_can_be_learnt_from(make):
    for texts, message in (
        ([["a"], []], "document 1 is empty"),
        ([], "none of 0 tokens"),
        ([["a", "b"]], "min_count=5 times, the most frequent 1 times"),
        ([["a"]] * 9, "none of 9 documents has two"),
    ):
        with pytest.raises(ValueError, match=message):
            make().train(texts)
    with pytest.raises(TypeError, match="document 0 is the string"):
        make().train(["some text"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vector_size": 0}, "vector_size is 0"),
        ({"window": 0}, "window is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"sg": 2}, "sg=2"),
        ({"hs": 1}, "hs=1 and negative=5"),
        ({"negative": 0}, "hs=0 and negative=0"),
        ({"alpha": 0.0}, "alpha=0.0"),
        ({"alpha": float("nan")}, "alpha=nan"),
        ({"min_alpha": 1.0}, "min_alpha=1.0"),
        ({"sample": float("nan")}, "sample=nan"),
        ({"ns_exponent": float("inf")}, "ns_exponent=inf"),
    ],
)
def test_settings_of_word2vec_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Word2Vec(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x_max": 0}, "x_max=0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"power": -1}, "power=-1"),
        ({"epochs": 0}, "epochs is 0"),
    ],
)
def test_settings_of_glove_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        GloVe(**settings)


def test_a_step_that_is_too_large_is_an_error():
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(FloatingPointError, match=r"alpha=1e\+30 is too large"),
    ):
        Word2Vec(vector_size=4, min_count=1, alpha=1e30).train(documents(20))
    with pytest.raises(FloatingPointError, match=r"learning_rate=1e\+30 is too large"):
        GloVe(vector_size=4, min_count=1, learning_rate=1e30).train(documents(20))


def test_glove_refuses_counts_of_other_words():
    counts = count_cooccurrences([["a", "b"]], Vocabulary(["a", "b"]))
    with pytest.raises(ValueError, match="2 rows of co-occurrences for 1 words"):
        GloVe().train_on(counts, Vocabulary(["a"]))
    counts.counts[0] = np.nan
    with pytest.raises(ValueError, match="not finite and positive"):
        GloVe().train_on(counts, Vocabulary(["a", "b"]))
