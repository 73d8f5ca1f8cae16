"""`tinymed ecg` as its user meets it: folds of patients, an ensemble, other patients, bad files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.medical.signals.heartbeats import read_beats, write_beats
from tinymed.medical.signals.rhythm import synthesise
from tinymed.medical.tasks.ecg import ECG, as_examples, class_weights, labels
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.task import load_model

REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "mitbih_ds1.npz"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Ten synthetic patients, as a file."""
    path = tmp_path_factory.mktemp("data") / "beats.npz"
    write_beats(path, synthesise(10, 120, np.random.default_rng(2)))
    return path


def arguments(data, out):
    given = ["ecg", "--data", data, "--out", out, "--quick", "--epochs", 2, "--folds", 2]
    return [str(each) for each in given]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A folder that `tinymed ecg` wrote."""
    out = tmp_path_factory.mktemp("run") / "ecg"
    assert main(arguments(data, out)) == 0
    return out


def error_of(capsys, *given):
    assert main([str(each) for each in given]) == 1
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("tinymed: error: ")]
    assert len(lines) == 1
    assert "Traceback" not in err
    return lines[0]


def test_metrics_are_out_of_fold_with_the_baseline_beside(run, data):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "out of fold"
    assert metrics["n"] == len(read_beats(data))
    assert set(metrics["sensitivity"]) == {"N", "S", "V"}
    mean = np.mean(list(metrics["sensitivity"].values()))
    assert metrics["balanced_accuracy"] == pytest.approx(mean)
    assert 0.5 < metrics["baseline_balanced_accuracy"] <= 1
    assert len(metrics["folds"]) == 2
    assert "heartbeats" in (run / "model_card.md").read_text().lower()


def test_same_seed_same_bits_and_resume_changes_nothing(run, data, tmp_path):
    again = tmp_path / "again"
    assert main(arguments(data, again)) == 0
    model = (again / "model.safetensors").read_bytes()
    assert model == (run / "model.safetensors").read_bytes()
    assert main([*arguments(data, again), "--resume"]) == 0
    assert (again / "model.safetensors").read_bytes() == model


def test_names_of_patients_are_in_no_log_and_in_no_file_to_pass_on(data, tmp_path, capfd):
    with np.load(data) as file:
        arrays = dict(file)
    arrays["rec"] = np.array([f"Otto Anders {each}" for each in arrays["rec"]])
    np.savez(tmp_path / "named.npz", **arrays)
    assert main([*arguments(tmp_path / "named.npz", tmp_path / "out"), "--epochs", "1"]) == 0
    assert "Otto" not in "".join(capfd.readouterr())
    told = {path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {p.name for p in told if b"Otto" in p.read_bytes()} <= {"report.html"}  # it says so


def test_other_patients_are_judged_whole(run, tmp_path):
    other, target = tmp_path / "other.npz", tmp_path / "m.json"
    beats = synthesise(3, 130, np.random.default_rng(9))
    write_beats(other, beats)
    model = str(run / "model.safetensors")
    assert main(["evaluate", model, "--data", str(other), "--json", str(target)]) == 0
    metrics = json.loads(target.read_text())
    assert (metrics["n"], metrics["split"]) == (len(beats), "all")
    assert any("3 of 3 groups (patient) are named as in" in each for each in metrics["warnings"])
    write_beats(other, replace(beats, patient=beats.patient + 1000))
    assert main(["evaluate", model, "--data", str(other), "--json", str(target)]) == 0
    assert not any("training" in each for each in json.loads(target.read_text())["warnings"])

    found = tmp_path / "p.json"
    assert main(["predict", model, str(other), "--json", str(found)]) == 0
    predicted = [each["class"] for each in json.loads(found.read_text())]
    truth = np.array(["N", "S", "V"])[beats.label]
    for name, sensitivity in metrics["sensitivity"].items():
        assert np.mean(np.array(predicted)[truth == name] == name) == pytest.approx(sensitivity)


def test_the_ensemble_is_the_mean_of_its_members(run, data):
    saved = load_model(run / "model.safetensors")
    examples = ECG.read(data)[:200]
    x = next(iter(ECG.loader(examples, saved.about["preprocessing"], 2)))[0]
    for parameter in saved.network.parameters():
        parameter.requires_grad_(False)
    members = [member(x).softmax(-1).numpy() for member in saved.network.members]
    assert len(members) == 2
    np.testing.assert_allclose(saved.network(x).exp().numpy(), np.mean(members, 0), rtol=1e-5)


def test_a_prediction_does_not_depend_on_other_patients(run, data):
    saved = load_model(run / "model.safetensors")
    examples = ECG.read(data)
    one = examples.groups == 4
    whole = ECG.outputs(saved.network, examples, saved.about)[one]
    alone = ECG.outputs(saved.network, examples[one], saved.about)
    np.testing.assert_allclose(whole, alone, atol=1e-6)


def test_fusion_and_unknown_beats_are_not_judged(data):
    beats = read_beats(data)
    examples = as_examples(beats)
    targets = examples.targets.copy()
    targets[::7] = 3
    marked = Examples(examples.inputs, targets, examples.groups)
    outputs = np.eye(3)[np.where(targets == 3, 0, targets)]
    metrics = ECG.measure(outputs, marked, {})
    assert metrics["not_judged"] == (targets == 3).sum()
    assert metrics["balanced_accuracy"] == 1
    with pytest.raises(DataError, match="no beat is N, S, V"):
        ECG.measure(outputs[:1], marked[:1], {})


def test_classes_count_alike():
    targets = np.array([0] * 90 + [1] * 2 + [2] * 8 + [3] * 5)
    weighted = class_weights(targets) * np.bincount(targets)[:3]
    np.testing.assert_allclose(weighted, 100 / 3)
    with pytest.raises(DataError, match="no beat of class S"):
        class_weights(np.array([0, 2]))


def test_a_patient_in_training_and_test_is_refused(data, tmp_path, monkeypatch, capsys):
    examples = ECG.read(data)
    splits = np.where(np.arange(len(examples)) < 60, "test", "train")  # half of the first patient
    mixed = Examples(examples.inputs, examples.targets, examples.groups, splits)
    monkeypatch.setattr(type(ECG), "read", lambda self, path: mixed)
    message = error_of(capsys, *arguments(data, tmp_path / "out"))
    assert "1 groups are in train and in test: 0" in message


def test_folds_are_checked(data, tmp_path, capsys):
    given = ["ecg", "--data", data, "--out", tmp_path / "out", "--quick", "--folds"]
    assert "--folds 1, at least 2 expected" in error_of(capsys, *given, 1)
    assert "10 patients for 11 folds" in error_of(capsys, *given, 11)


def test_bad_files_are_named_with_their_row(run, data, tmp_path, capsys):
    beats = read_beats(data)
    samples = beats.samples.copy()
    samples[17] = 0
    np.savez(tmp_path / "off.npz", X=samples, rr=beats.rr, rec=beats.patient, y=beats.label)
    np.savez(tmp_path / "no_y.npz", X=beats.samples, rr=beats.rr, rec=beats.patient)
    for given in (
        ["ecg", "--data", tmp_path / "off.npz", "--out", tmp_path / "out"],
        ["predict", run / "model.safetensors", tmp_path / "off.npz"],
    ):
        assert "off.npz: row 17: X is constant" in error_of(capsys, *given)
    evaluate = ["evaluate", run / "model.safetensors", "--data", tmp_path / "no_y.npz"]
    assert "no targets" in error_of(capsys, *evaluate)


@pytest.mark.skipif(not REAL.exists(), reason="the real beats are not beside the project")
def test_real_beats_are_read_and_the_baseline_reaches_what_it_did():
    examples = ECG.read(REAL)
    assert np.bincount(labels(examples)).tolist() == [45824, 943, 3788, 422]
    held = np.isin(examples.groups, [118, 209, 220, 223])
    _, value = ECG.baseline(examples[~held], examples[held])
    assert value > 0.6
