"""Words at places: the kernel that their counts are the features of, computed letter by letter."""

import numpy as np
import pytest

import tinymed as tm
from tinymed.medical.models.aligned_sequence import AlignedSequenceNetwork, PlacedWords
from tinymed.medical.sequences import DNA
from tinymed.medical.tasks.sparse_regression import fit_view

LONGEST = 3
TEXTS = ("ACGTACGT", "ACGAACGT", "TTTTTTTT", "ACGTTTTT")


def rows(texts):
    """Return letters and presence (n, T, 5)."""
    letters = np.array([DNA.encode(text) for text in texts])
    return np.concatenate([letters, np.ones((*letters.shape[:2], 1), np.float32)], 2)


def features(network, row):
    """Return the shares (rows,) of one sequence."""
    rows, shares = (found.numpy()[0] for found in network.features(tm.tensor(row[None])))
    found = np.zeros(len(network.weight))
    np.add.at(found, rows, shares.astype(np.float64))
    return found


def degree_kernel(a, b, longest):
    """Return the weighted degree kernel: words of d letters that stand in both at one place."""
    total = 0.0
    for d in range(1, longest + 1):
        share = 2 * (longest - d + 1) / (longest * (longest + 1))
        total += share * sum(a[i : i + d] == b[i : i + d] for i in range(len(a) - d + 1))
    return total


def test_products_of_features_are_the_weighted_degree_kernel():
    network = PlacedWords(4, 2, length=8, longest=LONGEST)
    found = [features(network, row) for row in rows(TEXTS)]
    for a, x in zip(TEXTS, found, strict=True):
        for b, y in zip(TEXTS, found, strict=True):
            assert x @ y == pytest.approx(degree_kernel(a, b, LONGEST), rel=1e-6)


def test_no_word_holds_a_letter_that_is_not_certain():
    network = PlacedWords(4, 2, length=8, longest=LONGEST)
    (row,) = rows(["ACGTACGT"])
    known = features(network, row)
    row[3, :4] = 0.25
    hidden = features(network, row)
    assert set(np.flatnonzero(hidden)) < set(np.flatnonzero(known))
    whole = [(8 - d + 1) - sum(i <= 3 < i + d for i in range(8 - d + 1)) for d in (1, 2, 3)]
    assert np.count_nonzero(hidden) == sum(whole)


def test_weights_agree_with_scikit_learn_and_a_word_never_met_has_none():
    linear = pytest.importorskip("sklearn.linear_model")
    pytest.importorskip("scipy")
    generator = np.random.default_rng(0)
    texts = ["".join(generator.choice(list("ACGT"), 8)) for _ in range(40)]
    classes = generator.integers(0, 3, 40)
    network = PlacedWords(4, 3, length=8, longest=LONGEST)
    x = rows(texts)
    batches = [(tm.tensor(x[:25]), None), (tm.tensor(x[25:]), None)]
    fit_view(network, batches, np.eye(3)[classes], "softmax", penalty=0.5)
    plain = np.array([features(network, row) for row in x])
    model = linear.LogisticRegression(C=2.0, tol=1e-8, max_iter=1000).fit(plain, classes)
    found = network(tm.tensor(x)).numpy()
    expected = model.decision_function(plain)
    np.testing.assert_allclose(  # what is added to all classes is free
        found - found.mean(1, keepdims=True), expected - expected.mean(1, keepdims=True), atol=5e-3
    )
    never = ~plain.any(axis=0)
    assert never.any()
    assert not network.weight.numpy()[never].any()


@pytest.mark.parametrize("longest", [0, 9])
def test_words_longer_than_the_sequence_are_refused(longest):
    with pytest.raises(ValueError, match=f"longest {longest}, 1 to length = 8"):
        PlacedWords(4, 2, length=8, longest=longest)


def test_both_views_are_there_and_only_the_deep_one_learns_by_gradient():
    network = AlignedSequenceNetwork(4, 3, length=8, longest=LONGEST, widths=[6], hidden=3).eval()
    outputs = network(tm.tensor(rows(TEXTS)))
    assert outputs.shape == (4, 2, 3)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.deep.parameters())
    assert not list(network.wide.parameters())  # they are fitted
