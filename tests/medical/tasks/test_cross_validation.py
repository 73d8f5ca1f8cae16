"""Folds: every example is judged by a network that has not seen its group, in its own place."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from tinymed import nn
from tinymed.medical.models import Ensemble
from tinymed.medical.tasks.cross_validation import in_order
from tinymed.medical.tasks.ecg import ECG
from tinymed.medical.tasks.examples import Examples


def test_folds_cover_every_example_once_and_share_no_group():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 10)
    examples = Examples(np.zeros((120, 1)), generator.integers(0, 2, 120), groups)
    folds = ECG.cut(examples, argparse.Namespace(folds=4, seed=0))
    assert len(folds) == 4
    for kept, left in folds:
        assert not set(groups[kept]) & set(groups[left])
        assert len(kept) + len(left) == 120
    found = in_order([left * 10 for _, left in folds], folds)
    np.testing.assert_array_equal(found, np.arange(120) * 10)


def test_an_ensemble_has_members_of_its_own():
    arguments = {"samples": 16, "descriptors": 2}
    ensemble = Ensemble("BeatSequenceNetwork", arguments, 2)
    first, second = (m.classifier.weight.detach().numpy() for m in ensemble.members)
    assert not np.array_equal(first, second)
    assert isinstance(ensemble.members[0].sequence, nn.GRU)
    with pytest.raises(ValueError, match="0 members, at least 1 expected"):
        Ensemble("BeatSequenceNetwork", arguments, 0)
