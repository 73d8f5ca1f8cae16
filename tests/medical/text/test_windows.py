"""Windows, subsampling, co-occurrences, the noise and the tree, each beside plain loops."""

import heapq
import itertools

import numpy as np
import pytest

from tinymed.medical.text import (
    Cooccurrences,
    Vocabulary,
    alias_table,
    context_windows,
    count_cooccurrences,
    huffman_tree,
    keep_probability,
    skip_gram_pairs,
    subsample,
)


@pytest.mark.parametrize("window", [1, 2, 9])
def test_pairs_are_those_of_two_loops(window):
    ids = np.random.default_rng(0).integers(0, 6, 7)
    expected = [
        [ids[i], ids[j]] for i in range(7) for j in range(7) if i != j and abs(i - j) <= window
    ]
    assert skip_gram_pairs(ids, window).tolist() == expected


def test_windows_that_shrink_are_as_wide_as_drawn():
    n, window = 6000, 3
    contexts = context_windows(np.zeros(n, int), window, np.random.default_rng(0))
    assert ((contexts[:, ::-1] >= 0) == (contexts >= 0))[window:-window].all()  # both sides alike
    widths = (contexts[window:-window] >= 0).sum(axis=1) // 2
    shares = np.bincount(widths, minlength=4) / len(widths)
    np.testing.assert_allclose(shares, [0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)


def test_no_words_and_wrong_windows():
    assert skip_gram_pairs(np.empty(0, int), 2).shape == (0, 2)
    assert skip_gram_pairs([4], 2).shape == (0, 2)
    with pytest.raises(ValueError, match="window 0"):
        skip_gram_pairs([1, 2], 0)
    with pytest.raises(ValueError, match="one sequence"):
        context_windows([[1, 2]], 1)


def test_frequent_words_are_kept_less_often():
    counts = np.array([900, 90, 9, 1])
    share = keep_probability(counts, 0.01)
    t = 0.01 * 1000
    expected = [min(1, (t / n) ** 0.5 + t / n) for n in counts]
    np.testing.assert_allclose(share, expected)
    ids = np.zeros(20000, int)
    kept = subsample(ids, share, np.random.default_rng(0))
    assert abs(len(kept) / len(ids) - share[0]) < 0.01
    assert (keep_probability(counts, 0) == 1).all()
    for wrong in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="sample"):
            keep_probability(counts, wrong)


# ---------------------------------------------------------------------------- co-occurrences


@pytest.mark.parametrize("window", [1, 3, 50])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
def test_cooccurrences_are_those_of_plain_loops(window, weighted, symmetric, monkeypatch):
    monkeypatch.setattr("tinymed.medical.text.cooccurrence.BLOCK", 12)  # several blocks
    rng = np.random.default_rng(1)
    documents = [rng.choice(list("abcde"), n).tolist() for n in (5, 1, 9, 2, 20)]
    vocabulary = Vocabulary(["a", "b", "c", "d"])  # e is left out
    expected = np.zeros((4, 4))
    for document in documents:
        ids = [vocabulary[w] for w in document if w in vocabulary]
        for i in range(len(ids)):
            for j in range(max(0, i - window), i):
                weight = 1 / (i - j) if weighted else 1
                expected[ids[i], ids[j]] += weight
                if symmetric:
                    expected[ids[j], ids[i]] += weight
    found = count_cooccurrences(
        documents, vocabulary, window, weighted=weighted, symmetric=symmetric
    )
    np.testing.assert_allclose(found.dense(), expected, rtol=1e-12)
    assert (found.counts > 0).all()
    pytest.importorskip("scipy")
    np.testing.assert_allclose(found.to_scipy().toarray(), expected, rtol=1e-12)


def test_nothing_occurs_together():
    vocabulary = Vocabulary(["a"])
    with pytest.raises(ValueError, match="none of 2 documents"):
        count_cooccurrences([["a"], ["b", "a"]], vocabulary)
    with pytest.raises(ValueError, match="window 0"):
        count_cooccurrences([["a", "a"]], vocabulary, 0)
    assert len(Cooccurrences(np.array([0, 0]), np.empty(0, int), np.empty(0))) == 1


# ------------------------------------------------------------------------------ noise, tree


@pytest.mark.parametrize("weights", [[1], [1, 1], [5, 0, 2, 1, 0.01], list(range(100))])
def test_an_alias_table_has_the_shares_of_its_weights(weights):
    table = alias_table(weights)
    assert table.dtype == np.int32
    below = (table[:, 0] + 1.0) / 2**31
    shares = below.copy()
    np.add.at(shares, table[:, 1], 1 - below)
    expected = np.array(weights) / np.sum(weights)
    np.testing.assert_allclose(shares / len(weights), expected, atol=1e-9)


def test_what_has_no_noise_or_tree():
    for wrong in ([], [0, 0], [-1, 2], [np.nan, 1], [[1, 2]]):
        with pytest.raises(ValueError, match="alias_table"):
            alias_table(wrong)
    for wrong in ([1], [-1, 2], []):
        with pytest.raises(ValueError, match="huffman_tree"):
            huffman_tree(wrong)


@pytest.mark.parametrize("size", [2, 3, 17, 200])
def test_the_tree_is_as_short_as_one_made_with_a_heap(size):
    counts = np.random.default_rng(size).integers(0, 50, size)
    nodes, labels, paths = huffman_tree(counts)
    lengths = np.diff(paths)
    heap, cost = counts.tolist(), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    assert (lengths * counts).sum() == cost
    # Each word has a way of its own, from the same root, and no way is the beginning of another.
    codes = [tuple(labels[a:b].tolist()) for a, b in itertools.pairwise(paths)]
    assert len(set(codes)) == size
    assert sum(2.0 ** -len(code) for code in codes) == 1
    assert set(nodes[paths[:-1]].tolist()) == {size - 2}
    assert sorted(set(nodes.tolist())) == list(range(size - 1))
