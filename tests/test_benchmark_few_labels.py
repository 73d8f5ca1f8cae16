"""The benchmark of few labels: who keeps a label, how long is trained, and its table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import few_labels
from tinymed.medical.imaging import ImageDataset, Split, read_npz, write_npz


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


def test_a_record_is_gone_on_from_but_not_with_other_data(dataset, tmp_path, monkeypatch, capsys):
    data, record = tmp_path / "drawn.npz", tmp_path / "record.json"
    write_npz(data, dataset)
    asked = []

    def measured(dataset, share, start, seed, epochs):
        asked.append((share, seed, epochs))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return {"share": share, "seed": seed, "images": 9, "metrics": {"auc": 0.5 + share}}

    monkeypatch.setattr(few_labels, "measured", measured)
    command = ["few_labels", "--data", data, "--starts", "scratch", "--shares", "0.1,0.25"]
    command = [*map(str, command), "--seeds", "0,1", "--json", str(record), "--epochs"]
    monkeypatch.setattr("sys.argv", [*command, "5"])
    with pytest.raises(KeyboardInterrupt):
        few_labels.main()
    few_labels.main()
    assert asked == [(0.1, 0, 5), (0.25, 0, 5), (0.1, 1, 5), (0.1, 1, 5), (0.25, 1, 5)]
    assert "| 25% of the patients, 9 images | 0.750 (0.000) |" in capsys.readouterr().out
    assert len(json.loads(record.read_text())["runs"]) == 4
    monkeypatch.setattr("sys.argv", [*command, "6"])
    with pytest.raises(SystemExit, match="'epochs': 5"):
        few_labels.main()
