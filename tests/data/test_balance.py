"""Weights of classes: those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.data import balanced_weights


def test_weights_are_those_of_scikit_learn():
    oracle = pytest.importorskip("sklearn.utils.class_weight", reason="it is the oracle")
    labels = np.random.default_rng(0).choice(3, 100, p=[0.7, 0.2, 0.1])
    expected = oracle.compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced_weights(labels, 3), expected)


def test_labels_beyond_the_classes_do_not_count():
    np.testing.assert_allclose(balanced_weights([0, 1, 1, 7, -1], 2), [1.5, 0.75])


def test_a_class_that_is_missing():
    with pytest.raises(ValueError, match=r"no sample of class \[1\], one of each expected"):
        balanced_weights([0, 2, 2], 3)
