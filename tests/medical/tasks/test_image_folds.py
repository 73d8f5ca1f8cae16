"""Images in folds: who is judged by whom, and what a network that was started from has seen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

import tinymed as tm
from tinymed.cli import main
from tinymed.errors import CheckpointError, DataError
from tinymed.medical.detection.scoring import scored
from tinymed.medical.imaging.dataset import ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.phantoms import synthesise_malignancy
from tinymed.medical.models import Ensemble, NoduleCNN
from tinymed.medical.tasks import image_diagnosis
from tinymed.medical.tasks.image_folds import cut, mean_log, parts_of
from tinymed.medical.tasks.image_splits import one_split, part
from tinymed.medical.tasks.image_transfer import Source, remembered
from tinymed.medical.tasks.lung import MALIGNANCY
from tinymed.medical.tasks.task import SavedModel, load_model
from tinymed.medical.tasks.views import probabilities
from tinymed.metrics import roc_auc
from tinymed.run import History

pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")

PATIENTS = np.repeat(np.arange(20), 3)
LABELS = (PATIENTS % 2 == 0).astype(int)


def folds_of(unseen: np.ndarray | None, count: int = 4) -> list:
    return cut(LABELS, PATIENTS, count, np.random.default_rng(0), unseen)


# ------------------------------------------------------------------------------ who is in a fold


def test_everyone_is_judged_once_by_a_network_without_them():
    folds = folds_of(None)
    assert np.sort(np.concatenate([fold.left for fold in folds])).tolist() == list(range(60))
    for fold in folds:
        assert not set(PATIENTS[fold.kept]) & set(PATIENTS[fold.left])
        assert len(fold.kept) + len(fold.left) == 60
        assert fold.member == 0


def test_a_fold_starts_from_a_member_that_has_not_seen_its_patients():
    own = PATIENTS % 3  # member 0 has not seen patients 0, 3, ..; nor 18, 19, whom none has
    unseen = own[:, None] == np.arange(3)
    unseen[PATIENTS >= 18] = True
    folds = folds_of(unseen, count=5)  # as many folds as members, whatever was wanted
    assert [fold.member for fold in folds] == [0, 1, 2]
    assert np.sort(np.concatenate([fold.left for fold in folds])).tolist() == list(range(60))
    for fold in folds:
        assert unseen[fold.left, fold.member].all()
        assert not set(PATIENTS[fold.kept]) & set(PATIENTS[fold.left])


def test_whom_every_member_has_seen_is_learned_from_and_not_judged():
    unseen = (PATIENTS >= 8)[:, None]
    folds = folds_of(unseen, count=3)
    assert len(folds) == 3
    left = np.concatenate([fold.left for fold in folds])
    assert set(PATIENTS[left]) == set(range(8, 20))
    for fold in folds:
        assert set(range(8)) <= set(PATIENTS[fold.kept])


def test_too_few_that_can_be_judged():
    with pytest.raises(DataError, match=r"2 patients of 2 classes to be judged, for 4 folds"):
        folds_of((PATIENTS >= 18)[:, None])


# ------------------------------------------------------------------------- what has been seen


def images(count: int = 60) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 8, 8)).astype(np.uint8)


def source_of(network: tm.nn.Module, parts: list[Split] | None, file: str) -> Source:
    data = {"training_groups": None}
    if parts is not None:
        data["training_images"] = remembered(parts, MALIGNANCY.window)
    about = {
        "task": "lung",
        "model": {"arguments": {}},
        "preprocessing": {"low": -1000.0, "high": 400.0, "mean": 0.5, "std": 0.25},
        "classes": ["mimic", "nodule"],
        "data": data,
        "training": {"data_file": file},
    }
    members = list(network.members) if isinstance(network, Ensemble) else [network]
    return Source(SavedModel(network, about, Path("m")), members)


def test_a_patient_is_seen_by_any_of_their_images():
    split = Split(images(), LABELS, PATIENTS)
    single = source_of(NoduleCNN(widths=[2, 2]), [part(split, np.array([0, 9]))], "x.npz")
    assert np.flatnonzero(~single.unseen(split)[:, 0]).tolist() == [0, 1, 2, 9, 10, 11]
    best, _ = single.member_for(part(split, np.arange(12, 60)))
    assert best == 0
    with pytest.raises(DataError, match="has seen patients of 6 of the 60 images to be judged"):
        single.member_for(split)


def test_hounsfield_units_and_grey_values_are_one_image():
    split = Split(images(), LABELS, PATIENTS)
    hounsfield = Split(images().astype(np.float32) / 255 * 1400 - 1000, LABELS, PATIENTS)
    source = source_of(NoduleCNN(widths=[2, 2]), [split], "x.npz")
    assert not source.unseen(hounsfield).any()


def test_a_member_has_learned_from_all_parts_but_its_own():
    split = Split(images(), LABELS, PATIENTS)
    folds = folds_of((PATIENTS >= 5)[:, None], count=3)
    parts = parts_of(split, folds)
    assert len(parts) == 4
    ensemble = Ensemble("NoduleCNN", {"widths": [2, 2]}, 3)
    unseen = source_of(ensemble, parts, "x.npz").unseen(split)
    for number, fold in enumerate(folds):
        assert np.flatnonzero(unseen[:, number]).tolist() == fold.left.tolist()


def test_what_the_start_has_seen_is_remembered_too():
    split = Split(images(), LABELS, PATIENTS)
    thirds = [part(split, np.flatnonzero(k == PATIENTS % 3)) for k in range(3)]
    new = Split(255 - images(3), LABELS[[0, 3, 0]], np.arange(3))
    ensemble, single = (Ensemble("NoduleCNN", {"widths": [2]}, 3), NoduleCNN(widths=[2]))
    before = source_of(ensemble, thirds, "x.npz")
    window = MALIGNANCY.window

    def unseen(network: tm.nn.Module, *given: object) -> list[list[bool]]:
        made = source_of(network, [], "y.npz")
        made.saved.about["data"]["training_images"] = remembered(*given)
        firsts = one_split([part(split, np.array([0, 3, 6])), new])
        return made.unseen(Split(firsts.images, firsts.labels)).tolist()

    parts = [part(new, np.array([k])) for k in range(3)]
    own = np.eye(3, dtype=bool).tolist()
    assert unseen(ensemble, parts, window, before, [0, 1, 2]) == own + own
    # of networks that all started from one member, none can judge whom a member has seen
    assert unseen(ensemble, parts, window, before, [0, 0, 0]) == [[False] * 3] * 3 + own
    one = [[False], [True], [False]]
    assert unseen(single, [new], window, before, [1]) == one + [[False]] * 3


def test_old_models_do_not_tell_what_they_have_seen():
    split = Split(images(), LABELS, PATIENTS)
    network = NoduleCNN(widths=[2, 2])
    with pytest.raises(CheckpointError, match="does not say which images it learned from"):
        source_of(network, None, "x.npz").unseen(split)


# ---------------------------------------------------------------------- how a network is started


def test_features_come_along_and_the_classifier_of_other_classes_does_not():
    source = source_of(NoduleCNN(widths=[2, 3]), None, "x.npz")
    assert source.widths == [2, 3]
    same = source.network(0, {"widths": [2, 3]}, ("mimic", "nodule"), frozen=False)
    other = source.network(0, {"widths": [2, 3], "centre": True}, ("a", "b"), frozen=True)
    theirs = source.members[0].state_dict()
    for name, values in same.state_dict().items():
        np.testing.assert_array_equal(values, theirs[name])
    for name, values in other.features.state_dict().items():
        np.testing.assert_array_equal(values, theirs[f"features.{name}"])
    assert other.classifier.weight.shape == (2, 6)


def test_frozen_features_do_not_change_and_the_classifier_learns():
    network = NoduleCNN(widths=[2, 3], dropout=0.0)
    network.freeze_features()
    before = {name: np.array(values) for name, values in network.state_dict().items()}
    network.train()
    assert network.training
    optimizer = tm.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    x = np.random.default_rng(0).normal(size=(4, 1, 12, 12)).astype(np.float32)
    tm.nn.CrossEntropyLoss()(network(tm.tensor(x)), tm.tensor([0, 1, 0, 0])).backward()
    optimizer.step()
    changed = {n for n, v in network.state_dict().items() if not np.array_equal(v, before[n])}
    assert changed == {"classifier.weight", "classifier.bias"}


def test_the_centre_is_the_mean_of_the_middle_third():
    network = NoduleCNN(widths=[3], centre=True).eval()
    x = tm.tensor(np.random.default_rng(0).normal(size=(2, 1, 7, 12)).astype(np.float32))
    planes = network.features(x).detach().numpy()
    both = np.hstack([planes.mean((2, 3)), planes[:, :, 2:5, 4:8].mean((2, 3))])
    weight, bias = (p.detach().numpy() for p in network.classifier.parameters())
    expected = both @ weight.T + bias
    np.testing.assert_allclose(network(x).detach().numpy(), expected, rtol=1e-4, atol=1e-6)


def test_balanced_classes_count_alike_in_the_loss():
    split = Split(images(4), np.array([0, 0, 0, 1]))
    logits, labels = tm.randn(4, 2), tm.tensor(split.labels)
    given = argparse.Namespace(class_weights="balanced", device="cpu")
    each = tm.nn.CrossEntropyLoss(reduction="none")(logits, labels).numpy()
    expected = (each[:3].mean() + each[3]) / 2
    assert MALIGNANCY.loss(split, given)(logits, labels).item() == pytest.approx(expected)
    given.class_weights = "none"
    assert MALIGNANCY.loss(split, given)(logits, labels).item() == pytest.approx(each.mean())


def test_the_log_is_the_mean_over_the_folds():
    histories = [History("loss", [{"epoch": 1, "loss": value}]) for value in (1.0, 2.0)]
    assert mean_log(histories) == [{"epoch": 1, "loss": 1.5}]


def test_a_scan_is_not_ranked_by_malignancy():
    about = {"task": "lung", "kind": "malignancy"}
    model = SavedModel(NoduleCNN(widths=[2, 2]), about, Path("m"))
    with pytest.raises(CheckpointError, match="--task malignancy`, one of --task nodule expected"):
        scored([], None, model)


# -------------------------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "nodules.npz"
    write_npz(path, synthesise_malignancy(14, np.random.default_rng(3)))
    return path


def trained(out: Path, *options: object) -> dict:
    arguments = ["lung", "--quick", "--epochs", "1", "--out", out, *options]
    assert main([str(each) for each in arguments]) == 0
    return json.loads((out / "metrics.json").read_text())


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run") / "malignancy"
    trained(out, "--task", "malignancy", "--data", data, "--folds", "2")
    return out


def test_all_patients_are_judged_out_of_fold_beside_size_alone(run, data):
    metrics = json.loads((run / "metrics.json").read_text())
    whole = one_split(list(read_npz(data).splits.values()))
    assert (metrics["split"], metrics["n"]) == ("out of fold", len(whole))
    assert len(metrics["folds"]) == 2
    size = MALIGNANCY.baseline[1](whole.images / np.float32(255))
    assert metrics["baseline_auc"] == pytest.approx(roc_auc(whole.labels, size))
    about = load_model(run / "model.safetensors").about
    assert about["kind"] == "malignancy"
    assert (about["threshold"], about["threshold_from"]) == (0.5, "fixed before training")
    card = (run / "model_card.md").read_text()
    assert "not pathology" in card
    assert "size: radius of the largest disc inside" in card
    assert "--task malignancy" in card


def test_the_model_is_the_mean_of_the_networks(run, data, tmp_path):
    saved = load_model(run / "model.safetensors")
    test = read_npz(data)["test"]
    known = saved.about["preprocessing"]
    planes = ((test.images[:, None] / 255 - known["mean"]) / known["std"]).astype(np.float32)
    each = [probabilities(m, planes, symmetric=False) for m in saved.network.members]
    whole = probabilities(saved.network, planes, symmetric=False)
    np.testing.assert_allclose(whole, np.mean(each, axis=0), atol=1e-6)
    target = tmp_path / "p.json"
    assert main(["predict", str(run / "model.safetensors"), str(data), "--json", str(target)]) == 0
    assert json.loads(target.read_text())[0]["class"] in ("benign", "malignant")
    target = tmp_path / "m.json"
    arguments = ["evaluate", run / "model.safetensors", "--data", data, "--json", target]
    assert main([str(each) for each in arguments]) == 0
    metrics = json.loads(target.read_text())
    assert metrics["n"] == len(test)
    assert any("named as in training" in warning for warning in metrics["warnings"])


def test_from_a_cross_validated_run_each_fold_has_its_own_start(run, data, tmp_path, monkeypatch):
    monkeypatch.setattr(image_diagnosis, "can_be_drawn", lambda: False)
    options = ["--task", "malignancy", "--data", data, "--from", run, "--freeze"]
    metrics = trained(tmp_path / "o", *options, "--class-weights", "balanced")
    before = load_model(run / "model.safetensors")
    after = load_model(tmp_path / "o" / "model.safetensors")
    assert metrics["n"] == json.loads((run / "metrics.json").read_text())["n"]
    assert len(metrics["folds"]) == 2  # with --quick three, but two networks to start from
    for first, second in zip(before.network.members, after.network.members, strict=True):
        for name, values in second.features.state_dict().items():
            np.testing.assert_array_equal(values, first.features.state_dict()[name])
    assert after.about["training"]["frozen"] is True
    assert "nodules.npz" in after.about["training"]["from"]


def test_what_cannot_be_done_is_said(run, data, tmp_path, capsys):
    def error(*options: object) -> str:
        assert main([str(each) for each in ("lung", *options, "--out", tmp_path / "e")]) == 1
        assert not (tmp_path / "e").exists()
        return capsys.readouterr().err

    assert "--folds 1, 0 or at least 2 expected" in error("--folds", 1)
    assert "--freeze without features" in error("--freeze")
    assert "gone" in error("--from", tmp_path / "gone")
    # the ensemble's members have seen half of the patients each: none can judge them all
    shared = ["--task", "malignancy", "--folds", 0, "--data", data, "--from", run]
    assert "has seen patients of" in error(*shared)


def test_a_test_split_stays_out_of_the_folds_of_nodules(data, tmp_path, monkeypatch):
    monkeypatch.setattr(image_diagnosis, "can_be_drawn", lambda: False)
    metrics = trained(tmp_path / "o", "--data", data, "--folds", "2")
    dataset: ImageDataset = read_npz(data)
    assert metrics["test"]["n"] == len(dataset["test"])
    assert metrics["n"] == len(dataset["train"]) + len(dataset["val"])
