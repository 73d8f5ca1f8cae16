"""The benchmark of few labels: who keeps a label, how long is trained, and its table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import few_labels
from tinymed.medical.imaging import ImageDataset, Split, read_npz


@pytest.fixture
def dataset() -> ImageDataset:
    def split(count: int, first: int) -> Split:
        images = np.arange(count * 64, dtype=np.uint8).reshape(count, 8, 8)
        return Split(images, np.arange(count) % 2, first + np.arange(count) // 4)

    return ImageDataset(
        "drawn", {"train": split(400, 0), "val": split(40, 200), "test": split(40, 300)}
    )


def test_a_share_of_the_patients_keeps_its_labels(dataset):
    few = few_labels.labelled(dataset, 0.1, seed=0)
    kept = set(few["train"].groups.tolist())
    assert len(few["train"]) == pytest.approx(40, abs=8)
    assert np.isin(dataset["train"].groups, list(kept)).sum() == len(few["train"])
    assert few["test"] is dataset["test"]
    assert kept != set(few_labels.labelled(dataset, 0.1, seed=1)["train"].groups.tolist())
    assert few_labels.labelled(dataset, 1.0, seed=0) is dataset


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_a_training_is_as_long_as_its_share_but_not_too_short(dataset, monkeypatch, share):
    monkeypatch.setattr(few_labels, "STEPS", 20)
    seen = {}

    def tinymed(command, *arguments):
        given = dict(zip(arguments[::2], arguments[1::2], strict=True))
        seen.update(given, images=len(read_npz(given["--data"])["train"]))
        given["--out"].mkdir()
        (given["--out"] / "metrics.json").write_text(json.dumps({"auc": 0.9}))

    monkeypatch.setattr(few_labels, "tinymed", tinymed)
    run = few_labels.measured(dataset, share, None, seed=0, epochs=8)
    assert run["images"] == seen["images"]
    assert run["epochs"] == seen["--epochs"]
    made = run["epochs"] * (run["images"] // 64)
    wanted = max(20, 8 * run["images"] // 64)
    assert made == pytest.approx(wanted, abs=run["images"] // 64)
    assert "--from" not in seen


def test_the_table_has_a_row_for_a_share_and_a_column_for_a_start():
    def run(start: str, share: float, seed: int, auc: float) -> dict:
        facts = {"start": start, "share": share, "seed": seed, "images": 100}
        return {**facts, "metrics": {"auc": auc}}

    runs = [run("scratch", 0.1, 0, 0.8), run("scratch", 0.1, 1, 0.9), run("masked", 0.5, 0, 0.95)]
    lines = list(few_labels.table(runs))
    assert lines[0].count("|") == 4
    assert "10% of the patients, 100 images | 0.850 (0.071) | not yet measured" in lines[2]
    assert "50% of the patients, 100 images | not yet measured | 0.950 |" in lines[3]
    assert "2 seeds" in lines[-1]
