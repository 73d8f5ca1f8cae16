"""The search for a policy of augmentation: who is left, and what is drawn."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymed.data import Augment
from tinymed.medical.tasks.augmentation_search import (
    drawn_policy,
    settings_of,
    successive_halving,
)


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=20), st.integers(1, 40))
def test_the_best_is_found_where_scores_do_not_depend_on_length(scores, epochs):
    best, trials = successive_halving(scores, lambda score, _: score, epochs=epochs)
    assert best == scores.index(max(scores))
    assert trials[-1].epochs == epochs
    assert len({(trial.candidate, trial.epochs) for trial in trials}) == len(trials)
    assert {trial.candidate for trial in trials} == set(range(len(scores)))


def test_a_late_winner_is_trained_longer_than_those_that_fall_out():
    def score(slope: float, epochs: int) -> float:
        return slope * epochs - slope**2  # slow starters win late

    best, trials = successive_halving([1.0, 2.0, 3.0, 4.0], score, epochs=16)
    assert best == 3
    spent = {n: sum(t.epochs for t in trials if t.candidate == n) for n in range(4)}
    assert spent[best] == 24
    assert min(spent.values()) == 8


def test_a_training_that_fails_loses_and_all_failing_is_an_error():
    best, _ = successive_halving([0, 1, 2], lambda n, _: math.nan if n else 0.1, epochs=4)
    assert best == 0
    with pytest.raises(ValueError, match="no score of 2 candidates is a number"):
        successive_halving([0, 1], lambda n, _: math.nan, epochs=4)
    for candidates, epochs in (([], 3), ([1], 0)):
        with pytest.raises(ValueError, match="at least one of each"):
            successive_halving(candidates, lambda n, _: 0.0, epochs=epochs)


def test_drawn_policies_differ_keep_the_upright_and_can_be_written():
    generator = np.random.default_rng(0)
    image = np.random.default_rng(1).standard_normal((1, 28, 28)).astype(np.float32)
    kinds = set()
    for number in range(30):
        policy = drawn_policy(generator, symmetric=bool(number % 2))
        if not number % 2:
            assert policy.rotate <= 25
            assert not policy.flip
        assert policy(image, generator=np.random.default_rng(0)).shape == image.shape
        text = json.dumps(settings_of(policy))
        assert Augment(**{"rotate": 0, "scale": (1, 1), "shift": 0, "flip": False}
                       | settings_of(policy)) == policy  # fmt: skip
        kinds.add(text)
    assert len(kinds) > 25
