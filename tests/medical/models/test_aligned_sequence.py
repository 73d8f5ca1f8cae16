"""Words at places: the kernel that their counts are the features of, computed letter by letter."""

import numpy as np
import pytest

import tinymed as tm
from tinymed.medical.models.aligned_sequence import AlignedSequenceNetwork, PlacedWords
from tinymed.medical.sequences import DNA

LONGEST = 3
TEXTS = ("ACGTACGT", "ACGAACGT", "TTTTTTTT", "ACGTTTTT")


def rows(texts):
    """Return letters and presence (n, T, 5)."""
    letters = np.array([DNA.encode(text) for text in texts])
    return np.concatenate([letters, np.ones((*letters.shape[:2], 1), np.float32)], 2)


def features(network, row):
    """Return what the first class is linear in: the gradient with respect to its weights."""
    network.zero_grad()
    network(tm.tensor(row[None]))[0, 0].backward()
    gradient = network.table.weight.grad
    dense = gradient.to_dense() if hasattr(gradient, "to_dense") else gradient
    return np.asarray(dense.data, np.float64)[:, 0]


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


def test_a_word_never_met_says_nothing():
    network = PlacedWords(4, 3, length=8, longest=LONGEST)
    optimizer = tm.optim.AdamW(network.parameters(), lr=0.1)
    met, other = rows(["ACGTACGT", "TGCATGCA"])  # no letter in common at any place
    for _ in range(3):
        optimizer.zero_grad()
        network(tm.tensor(met[None]))[0, 1].backward()
        optimizer.step()
    assert network(tm.tensor(met[None])).detach().numpy()[0, 1] < 0
    silent = network(tm.tensor(other[None])).detach().numpy()[0]
    np.testing.assert_array_equal(silent, network.bias.detach().numpy())


@pytest.mark.parametrize("longest", [0, 9])
def test_words_longer_than_the_sequence_are_refused(longest):
    with pytest.raises(ValueError, match=f"longest {longest}, 1 to length = 8"):
        PlacedWords(4, 2, length=8, longest=longest)


def test_both_views_learn():
    network = AlignedSequenceNetwork(4, 3, length=8, longest=LONGEST, widths=[6], hidden=3).eval()
    outputs = network(tm.tensor(rows(TEXTS)))
    assert outputs.shape == (4, 2, 3)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.deep.parameters())
