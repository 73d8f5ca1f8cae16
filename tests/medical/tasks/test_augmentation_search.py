"""The search for a policy of augmentation: who is left, and what is drawn."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymed.cli import main, parser
from tinymed.data import Augment
from tinymed.errors import CheckpointError
from tinymed.medical.tasks.augmentation_search import (
    drawn_policy,
    searched,
    settings_of,
    successive_halving,
)
from tinymed.medical.tasks.image_options import settle_image_options
from tinymed.medical.tasks.task import load_model
from tinymed.medical.tasks.xray import XRAY


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


def test_a_search_is_written_used_and_taken_up_again(tmp_path, capsys):
    pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")
    out = tmp_path / "run"
    arguments = ["xray", "--quick", "--epochs", "3", "--search-augmentation", "3"]
    assert main([*arguments, "--out", str(out)]) == 0
    found = json.loads((out / "augmentation_search.json").read_text())
    about = load_model(out / "model.safetensors").about
    assert found["policies"][0] == json.loads(json.dumps(settings_of(XRAY.augment)))
    assert found["policy"] in found["policies"]
    assert about["training"]["augmentation"] == found["policy"]
    assert "--search-augmentation 3" in about["training"]["options"]
    assert max(trial["epochs"] for trial in found["trials"]) == 1
    best = max(found["trials"], key=lambda trial: trial["score"])
    assert found["policies"][best["candidate"]] == found["policy"]
    # a resumed run asks the file, not the trainings
    (out / "augmentation_search.json").write_text(json.dumps({**found, "policy": {"rotate": 3}}))
    again = parser().parse_args([*arguments, "--out", str(out), "--resume"])
    XRAY.defaults.settle(again, "xray")
    settle_image_options(again, "xray", 0)
    dataset = XRAY.read(again)
    resumed = searched(XRAY, dataset, again, out, None)
    assert settings_of(resumed.augment) == {"rotate": 3}
    again.seed = 1  # its validation patients are others: some of them now judge
    with pytest.raises(CheckpointError, match="a run with other options or data"):
        searched(XRAY, dataset, again, out, None)
    capsys.readouterr()
    for wrong, told in ((["1"], "at least 2"), (["3", "--folds", "2"], "folds have none")):
        assert main(["xray", "--quick", "--search-augmentation", *wrong]) == 1
        assert told in capsys.readouterr().err
