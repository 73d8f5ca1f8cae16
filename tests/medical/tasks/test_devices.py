"""Image tasks train on a GPU, here the stand-in, and arrive where the host does; others refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy
from tinymed.cli import main

COUNTS = {"train": 12, "val": 4, "test": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planes with a disc at the centre, its mask, and which of them are large."""
    path, arrays = tmp_path_factory.mktemp("data") / "discs.npz", {}
    generator = np.random.default_rng(0)
    away = np.hypot(*(np.indices((24, 24)) - 11.5))
    for number, (split, count) in enumerate(COUNTS.items()):
        masks = away <= np.resize([3, 6], count)[:, None, None]
        grey = 60 + 110 * masks + generator.normal(0, 15, masks.shape)
        arrays[f"{split}_images"] = grey.clip(0, 255).astype(np.uint8)
        arrays[f"{split}_masks"] = masks.astype(np.uint8)
        arrays[f"{split}_labels"] = np.resize([0, 1], count)
        arrays[f"{split}_groups"] = np.arange(count) + 100 * number
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("task", "score", "within"),
    [
        ("segment", "dice", 0.02),
        ("enhance", "psnr", 0.1),
        ("pretrain --kind masked", "explained", 0.02),
        ("pretrain --kind rotation", "accuracy", 0.3),
    ],
)
def test_training_on_a_gpu_arrives_where_the_host_does(
    task: str, score: str, within: float, data: Path, tmp_path: Path, cupy: FakeCuPy
) -> None:
    found = []
    for device in ("cpu", "cuda"):
        given = [*task.split(), "--data", data, "--quick", "--epochs", "2", "--batch-size", "4"]
        out = tmp_path / device
        assert main([*map(str, given), "--device", device, "--out", str(out)]) == 0
        found.append(json.loads((out / "metrics.json").read_text())[score])
    assert found[1] == pytest.approx(found[0], abs=within)


@pytest.mark.parametrize("task", ["drug", "ecg", "dna", "notes", "treatment", "generate"])
def test_others_say_why_not(
    task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], cupy: FakeCuPy
) -> None:
    assert main([task, "--quick", "--device", "cuda", "--out", str(tmp_path / "o")]) == 1
    said = capsys.readouterr().err
    assert f"{task}: --device cuda, cpu expected; only the tasks on images are proved" in said
    assert not (tmp_path / "o").exists()
