"""Confident learning: against its definition in plain loops, and on labels turned on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.metrics import label_errors


def plain(labels, probability):
    """Return doubted cases with their suggestion, by the definition."""
    classes = len(probability[0])
    bars = []
    for k in range(classes):
        own = [p[k] for label, p in zip(labels, probability, strict=True) if label == k]
        bars.append(sum(own) / len(own) if own else float("inf"))
    found = {}
    for i, (label, p) in enumerate(zip(labels, probability, strict=True)):
        reached = [k for k in range(classes) if p[k] >= bars[k]]
        if reached:
            best = max(reached, key=lambda k: p[k])
            if best != label:
                found[i] = best
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(1, 40))
def test_it_is_what_the_definition_says(seed, classes, n):
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=n)
    probability = generator.dirichlet(np.ones(classes), n)
    found = label_errors(labels, probability)
    # a mean summed in another order may fall on the other side of a tie with itself
    expected = plain(labels.tolist(), probability.tolist())
    alone = {i for i, k in enumerate(labels) if (labels == k).sum() == 1}
    got = dict(zip(found.cases.tolist(), found.suggested.tolist(), strict=True))
    assert {i: k for i, k in got.items() if i not in alone} == {
        i: k for i, k in expected.items() if i not in alone
    }
    assert (np.diff(found.margin) <= 0).all()
    assert found.joint.sum() <= n


def test_turned_labels_are_found():
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=600)
    turned = generator.permutation(600)[:40]
    labels = truth.copy()
    labels[turned] = (truth[turned] + 1) % 3
    probability = 0.1 + 0.7 * np.eye(3)[truth]
    probability = probability * generator.uniform(0.8, 1.2, (600, 3))
    probability /= probability.sum(1, keepdims=True)
    found = label_errors(labels, probability)
    assert len(set(found.cases.tolist()) & set(turned.tolist())) >= 36
    assert np.isin(found.cases, turned).mean() > 0.95
    index = dict(zip(found.cases.tolist(), found.suggested.tolist(), strict=True))
    assert all(index[i] == truth[i] for i in turned if i in index)


def test_probabilities_must_be_such():
    with pytest.raises(ValueError, match="label_errors"):
        label_errors([0, 1], [[0.5, 0.9], [0.1, 0.9]])
    with pytest.raises(ValueError, match="label_errors"):
        label_errors([0, 1, 1], [[0.5, 0.5], [0.1, 0.9]])
