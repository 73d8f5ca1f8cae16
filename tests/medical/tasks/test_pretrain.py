"""`tinymed pretrain`: questions that an image answers itself, and the features they leave."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.medical.imaging.dataset import ImageDataset, Split, write_npz
from tinymed.medical.models import MaskedImageNetwork
from tinymed.medical.tasks.pretrain import CELL, HIDDEN, MaskedPatches, Turns, errors
from tinymed.medical.tasks.task import load_model
from tinymed.medical.tasks.training_groups import remembered_groups

pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")

rng = np.random.default_rng(0)


def test_squares_are_hidden_and_the_answer_is_the_image():
    plane = rng.standard_normal((1, 50, 43)).astype(np.float32)
    starts, shares = set(), []
    for seed in range(100):
        shown, answer = MaskedPatches().question(plane, np.random.default_rng(seed))
        image, hidden = answer
        np.testing.assert_array_equal(image, plane[0])
        assert set(np.unique(hidden)) == {0, 1}
        np.testing.assert_array_equal(shown[0][hidden == 0], plane[0][hidden == 0])
        assert not shown[0][hidden == 1].any()
        edges = np.flatnonzero(np.abs(np.diff(hidden, axis=1)).any(axis=0)) + 1
        assert len({int(edge % CELL) for edge in edges}) == 1  # squares of one grid
        starts.add(int(edges[0] % CELL))
        shares.append(hidden.mean())
    assert len(starts) == CELL
    assert np.mean(shares) == pytest.approx(HIDDEN, abs=0.02)


def test_only_what_was_hidden_counts():
    images = rng.standard_normal((3, 6, 6))
    hidden = rng.random((3, 6, 6)) < 0.5
    drawn = rng.standard_normal((3, 1, 6, 6))
    found = errors(drawn, np.stack([images, hidden], axis=1))
    for i in range(3):
        there = images[i][hidden[i]]
        assert found[i, 0] == pytest.approx(np.sum((drawn[i, 0][hidden[i]] - there) ** 2))
        assert found[i, 1] == pytest.approx(np.sum((there - images[i][~hidden[i]].mean()) ** 2))
    loss = MaskedPatches().loss({})(drawn, np.stack([images, hidden], axis=1))
    assert loss == pytest.approx(found[:, 0].sum() / hidden.sum())


def test_an_image_is_turned_by_what_the_answer_says():
    plane = np.arange(12.0).reshape(1, 4, 3)
    answers = set()
    for seed in range(20):
        turned, turns = Turns().question(plane, np.random.default_rng(seed))
        np.testing.assert_array_equal(turned[0], np.rot90(plane[0], turns))
        answers.add(turns)
    assert answers == {0, 1, 2, 3}


def patches(count: int, seed: int) -> Split:
    """Return a bright spot above a dark one, wherever: what is upright can be learned."""
    generator = np.random.default_rng(seed)
    images = generator.integers(90, 110, (count, 24, 24)).astype(np.uint8)
    for image in images:
        column = generator.integers(4, 18)
        image[3:9, column : column + 5], image[15:21, column : column + 5] = 230, 20
    return Split(images, np.zeros(count, np.int64), np.arange(count) + 1000 * seed)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "patches.npz"
    splits = {name: patches(n, s) for s, (name, n) in enumerate([("train", 160), ("val", 40)])}
    write_npz(path, ImageDataset("patches", splits))
    return path


@pytest.mark.parametrize(
    ("kind", "score", "least"), [("masked", "explained", 0.2), ("rotation", "accuracy", 0.6)]
)
def test_features_are_learned_and_kept(data, tmp_path, kind, score, least):
    out = tmp_path / "run"
    arguments = ["pretrain", "--kind", kind, "--data", str(data), "--quick", "--out", str(out)]
    assert main([*arguments, "--epochs", "6"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["split"] == "val"
    assert any("val chose the epoch and judges" in each for each in metrics["warnings"])
    assert metrics[score] > least
    saved = load_model(out / "model.safetensors")
    assert saved.about["preprocessing"]["purpose"] == "lung"
    assert saved.about["data"]["training_groups"] == remembered_groups(range(160))
    assert "features.0.weight" in saved.network.state_dict()
    model = str(out / "model.safetensors")
    judged = ["--data", str(data), "--split", "val", "--json", str(tmp_path / "m.json")]
    assert main(["evaluate", model, *judged]) == 0
    again = json.loads((tmp_path / "m.json").read_text())
    assert again[score] == pytest.approx(metrics[score])
    np.save(tmp_path / "some.npy", patches(3, 7).images)  # no labels at all
    found = tmp_path / "p.json"
    assert main(["predict", model, str(tmp_path / "some.npy"), "--json", str(found)]) == 0
    assert [each["index"] for each in json.loads(found.read_text())] == [0, 1, 2]


def test_images_without_any_label_are_enough(tmp_path):
    np.save(tmp_path / "some.npy", patches(60, 3).images)
    out = tmp_path / "run"
    arguments = ["pretrain", "--data", str(tmp_path / "some.npy"), "--quick", "--epochs", "1"]
    assert main([*arguments, "--for", "xray", "--out", str(out)]) == 0
    saved = load_model(out / "model.safetensors")
    assert isinstance(saved.network, MaskedImageNetwork)
    assert saved.about["preprocessing"]["purpose"] == "xray"


@pytest.mark.parametrize("kind", ["masked", "rotation"])
def test_a_diagnosis_starts_from_the_features(data, tmp_path, kind):
    run = tmp_path / "pretrained"
    quick = ["--quick", "--epochs", "1"]
    assert main(["pretrain", "--kind", kind, "--data", str(data), *quick, "--out", str(run)]) == 0
    features = load_model(run / "model.safetensors").network.state_dict()
    splits = {name: labelled(60, s) for s, name in enumerate(("train", "val", "test"), 5)}
    write_npz(tmp_path / "few.npz", ImageDataset("few", splits))
    few = ["lung", "--data", str(tmp_path / "few.npz"), *quick, "--from", str(run), "--freeze"]
    assert main([*few, "--out", str(tmp_path / "lung")]) == 0
    saved = load_model(tmp_path / "lung" / "model.safetensors")
    for name, value in saved.network.state_dict().items():
        if name.startswith("features."):
            np.testing.assert_array_equal(value, features[name])
    assert saved.about["training"]["from"] == "pretrain, learned from patches.npz"


def test_nobody_whose_image_was_seen_is_judged_and_the_purpose_must_fit(data, tmp_path, capsys):
    run = tmp_path / "pretrained"
    arguments = ["pretrain", "--data", str(data), "--quick", "--epochs", "1"]
    assert main([*arguments, "--out", str(run)]) == 0
    seen = labelled(160, 0)  # the images of its training, with labels
    splits = {"train": labelled(60, 5), "val": labelled(60, 6), "test": seen}
    write_npz(tmp_path / "few.npz", ImageDataset("few", splits))
    few = ["--data", str(tmp_path / "few.npz"), "--quick", "--from", str(run)]
    assert main(["lung", *few, "--out", str(tmp_path / "lung")]) == 1
    assert "has seen patients of 160 of the 160 images to be judged" in capsys.readouterr().err
    assert main(["xray", *few, "--out", str(tmp_path / "xray")]) == 1
    assert "one of `tinymed xray` or of `tinymed pretrain --for xray`" in capsys.readouterr().err


def labelled(count: int, seed: int) -> Split:
    """Return the same images, with classes."""
    split = patches(count, seed)
    return Split(split.images, np.arange(count) % 2, split.groups)
