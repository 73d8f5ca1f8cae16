"""`tinymed xray`: learns, keeps its threshold, judges other files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.medical.imaging.dataset import write_npz
from tinymed.medical.imaging.radiographs import synthesise_radiographs
from tinymed.medical.tasks.task import load_model

pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")
REAL = Path(__file__).parents[4] / "shared" / "data" / "pneumoniamnist_train_val.npz"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "xray"
    assert main(["xray", "--quick", "--out", str(out)]) == 0
    return out


def test_it_learns_more_than_whiteness(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test"
    assert metrics["auc"] > 0.7
    assert metrics["auc"] > metrics["baseline_auc"]


def test_the_threshold_is_not_chosen_on_validation(run):
    about = load_model(run / "model.safetensors").about
    assert (about["threshold"], about["threshold_from"]) == (0.5, "fixed before training")
    assert "0.5000, fixed before training" in (run / "model_card.md").read_text()


def test_evaluate_and_predict(run, tmp_path):
    dataset = synthesise_radiographs(30, np.random.default_rng(9))
    write_npz(tmp_path / "x.npz", dataset)
    model, found = str(run / "model.safetensors"), tmp_path / "m.json"
    data = ["--data", str(tmp_path / "x.npz"), "--split", "train"]
    assert main(["evaluate", model, *data, "--json", str(found)]) == 0
    assert json.loads(found.read_text())["n"] == len(dataset["train"])
    np.save(tmp_path / "one.npy", dataset["test"].images[0].astype(np.float32))  # grey of 8 bits
    np.save(tmp_path / "same.npy", dataset["test"].images[0])
    paths = [str(tmp_path / name) for name in ("one.npy", "same.npy")]
    assert main(["predict", model, *paths, "--json", str(found)]) == 0
    first, second = json.loads(found.read_text())
    assert first["probability"] == pytest.approx(second["probability"], abs=1e-5)
    assert first["class"] in ("normal", "pneumonia")


@pytest.mark.skipif(not REAL.exists(), reason="PneumoniaMNIST is not here")
def test_a_few_steps_on_real_radiographs(tmp_path):
    arguments = ["xray", "--data", str(REAL), "--quick", "--epochs", "2", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["auc"] > 0.8
