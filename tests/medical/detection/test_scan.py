"""`tinymed scan`, from a series of DICOM files to its list, masks and pictures."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from tests.medical.detection.chest import BALLS, chest
from tinymed import Tensor, manual_seed, nn
from tinymed.cli import main
from tinymed.errors import CheckpointError
from tinymed.medical.detection import scan, write_scan
from tinymed.medical.detection.candidates import Candidate
from tinymed.medical.detection.synthetic_froc import matched, synthetic_froc
from tinymed.medical.imaging import (
    ScanNodule,
    Volume,
    synthesise_volume,
    write_dicom_series,
    write_nifti,
)
from tinymed.medical.models import MODELS
from tinymed.medical.tasks.task import SavedModel, save_model

nibabel = pytest.importorskip("nibabel", reason="scans need the extra `medical`")
pytest.importorskip("pydicom", reason="scans need the extra `medical`")
PICTURE = pytest.importorskip("PIL.Image", reason="pictures need the extra `medical`")

ABOUT = {
    "task": "lung",
    "model": {"class": "NoduleCNN", "arguments": {"widths": [4, 4, 4]}},
    "preprocessing": {"low": -1000.0, "high": 400.0, "mean": 0.3, "std": 0.3},
    "symmetric": False,
    "threshold": 0.5,
}


class CentralBrightness(nn.Module):
    """A network to compute by hand: the logit of class 1 is the mean of 10 x 10 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        centre = x.data[:, 0, 20:30, 20:30].mean((1, 2))
        return Tensor(np.stack([np.zeros_like(centre), centre], 1))


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A synthetic scan and its folder of DICOM files."""
    drawn = synthesise_volume(np.random.default_rng(13), (64, 180, 180), (3.0, 2.0, 2.0))
    folder = tmp_path_factory.mktemp("series") / "ct"
    write_dicom_series(drawn, folder)
    return drawn, folder


def test_synthetic_scan_through_dicom_to_a_list(series, tmp_path, capsys):
    drawn, folder = series
    assert main(["scan", str(folder), "--out", str(tmp_path / "out"), "--pictures", "3"]) == 0
    text = capsys.readouterr().out
    assert "score: proposal alone" in text
    content = json.loads((tmp_path / "out" / "candidates.json").read_text())
    assert "not a medical device" in content["purpose"]
    assert content["model"] is None
    assert content["candidates"][0]["probability"] is None
    assert len(content["candidates"]) == 50
    places = np.array([[each[f"{axis}_mm"] for axis in "xyz"] for each in content["candidates"]])
    for nodule in drawn.nodules:
        apart = np.linalg.norm(places - nodule.position, axis=1)
        assert apart.min() <= nodule.diameter / 2, f"{nodule.kind} of {nodule.diameter} mm missed"
    first = content["candidates"][0]
    index = drawn.volume.to_index(places[0])
    np.testing.assert_allclose(index, [first["slice"], first["row"], first["column"]], atol=0.06)
    everything = (tmp_path / "out" / "candidates.json").read_text()
    assert "SYNTHETIC" not in everything  # the PatientID
    assert "Synthetic^Patient" not in everything
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert [path.name for path in pictures] == [f"candidate_00{n}.png" for n in (1, 2, 3)]
    with PICTURE.open(pictures[0]) as picture:
        assert picture.size == (1024, 512)


def test_masks_lie_on_the_scan(series, tmp_path):
    drawn, _ = series
    result = scan(drawn.volume, most=9)
    write_scan(result, tmp_path, pictures=0)
    image = nibabel.load(tmp_path / "candidates.nii.gz")
    mask = np.asarray(image.dataobj)
    assert set(np.unique(mask)) <= set(range(10))
    assert 1 in mask
    i, j, k = np.argwhere(mask == 1).mean(0)
    x, y, z, _ = image.affine @ [i, j, k, 1]
    best = result.candidates[0]
    apart = np.linalg.norm(np.array([-x, -y, z]) - best.position)  # NIfTI is RAS, tinymed LPS
    assert apart < best.diameter / 2 + 1
    lungs = np.asarray(nibabel.load(tmp_path / "lungs.nii.gz").dataobj).transpose(2, 1, 0) > 0
    both = (lungs & drawn.lungs).sum()
    assert 2 * both / (lungs.sum() + drawn.lungs.sum()) > 0.95


def test_overlapping_regions_belong_to_the_likelier():
    volume, _ = chest()
    result = scan(volume, most=5)
    shared = result.candidates[0].region
    twice = type(result)(volume, result.lungs, [result.candidates[0]] * 3, None)
    assert (twice.mask[tuple(shared.T)] == 1).all()


def test_network_scores_are_those_of_its_patches(tmp_path):
    volume, _ = chest()
    model = SavedModel(CentralBrightness(), ABOUT, tmp_path / "x.safetensors")
    result = scan(volume, model, most=20)
    scores = [each.score for each in result.candidates]
    assert scores == sorted(scores, reverse=True)
    for each in result.candidates:
        if each.diameter >= 10:
            continue  # several slices
        index = np.array(each.voxel)
        index[0] = round(index[0])
        patch = volume.patch(volume.to_patient(index).tolist())
        grey = (np.clip((patch + 1000) / 1400, 0, 1) - 0.3) / 0.3
        expected = 1 / (1 + np.exp(-grey[20:30, 20:30].mean()))
        assert each.probability == pytest.approx(expected, abs=1e-5)
        odds = expected / (1 - expected) * (each.proposal / 10) ** 4
        assert each.score / (1 - each.score) == pytest.approx(odds, rel=1e-3)
    large = BALLS[2]
    first = result.candidates[0]
    assert np.linalg.norm(np.array(first.position) - large[:3]) < 4  # fills the centre, all slices


def test_command_with_a_model_and_a_nifti_file(tmp_path, capsys):
    manual_seed(0)
    volume, _ = chest()
    write_nifti(tmp_path / "ct.nii.gz", volume.hounsfield, volume.grid)
    network = MODELS["NoduleCNN"](widths=[4, 4, 4])
    save_model(network, ABOUT, tmp_path / "model.safetensors")
    arguments = [
        "scan",
        str(tmp_path / "ct.nii.gz"),
        "--model",
        str(tmp_path / "model.safetensors"),
    ]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--most", "4"]) == 0
    content = json.loads((tmp_path / "out" / "candidates.json").read_text())
    assert "not calibrated" in content["score"]
    assert all(0 <= each["probability"] <= 1 for each in content["candidates"])
    assert content["model"] == "model.safetensors"
    assert all(0 <= each["score"] <= 1 for each in content["candidates"])
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert "already holds a scan" in capsys.readouterr().err


def test_model_of_another_task_is_refused(tmp_path):
    volume, _ = chest()
    model = SavedModel(CentralBrightness(), {**ABOUT, "task": "ecg"}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError, match="a model of `tinymed ecg`"):
        scan(volume, model)


def test_coronal_slices_are_refused():
    volume, _ = chest()
    turned = Volume(volume.hounsfield.transpose(1, 0, 2), (2.0, 2.5, 2.0), volume.origin,
                    volume.direction[:, [1, 0, 2]])  # fmt: skip
    with pytest.raises(ValueError, match="not axial"):
        scan(turned)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "one of PATH"),
        (["x", "--froc", "2"], "one of PATH"),
        (["/nowhere"], "no file or folder"),
        (["--froc", "0"], "0 scans, at least 1"),
        (["--froc", "1", "--out", "x"], "--out goes with PATH"),
        (["x", "--json", "y"], "--json goes with --froc"),
        (["x", "--pictures", "-1"], "--pictures -1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_said_in_a_line(arguments, text, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["scan", *arguments]) == 1
    assert text in capsys.readouterr().err


def test_where_to_write_is_known_before_the_scan_and_none_is_left_by_a_bad_one(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    assert main(["scan", "no_ct", "--out", "a_file/scan"]) == 1
    assert "a_file/scan" in capsys.readouterr().err  # not that there is no CT
    for out in ([], ["--out", "new/scan"]):
        assert main(["scan", "no_ct", *out]) == 1
        assert "no_ct" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def test_number_of_candidates_is_bounded():
    volume, _ = chest()
    with pytest.raises(ValueError, match="scan: 256 candidates, 1 to 255 expected"):
        scan(volume, most=256)


# ---------------------------------------------------------------------------------------- FROC


def mark(position, score=1.0):
    return Candidate(position, (0, 0, 0), 5.0, score, np.zeros((1, 3), np.int32))


def nodule(position, diameter):
    return ScanNodule(position, (0, 0, 0), diameter, 3, "solid")


def test_marks_are_matched_within_the_radius_to_the_nearest():
    nodules = [nodule((0, 0, 0), 10), nodule((7, 0, 0), 10)]
    marks = [mark((4.9, 0, 0)), mark((0, 0, 5.1)), mark((0, 3, 0)), mark((3, 0, 0))]
    assert matched(marks, nodules).tolist() == [1, -1, 0, 0]
    assert matched(marks, []).tolist() == [-1] * 4


def test_froc_of_synthetic_scans_repeats_and_finds_nodules(monkeypatch):
    """At the size of a test: the command's volumes are larger."""

    def small(generator):
        return synthesise_volume(generator, (48, 150, 150), (4.0, 2.4, 2.4))

    name = "tinymed.medical.detection.synthetic_froc"
    monkeypatch.setattr(sys.modules[name], "synthesise_volume", small)
    first = synthetic_froc(2, generator=np.random.default_rng(4))
    assert first == synthetic_froc(2, generator=np.random.default_rng(4))
    assert first["scans"] == 2
    assert first["nodules"] >= 2
    assert list(first["sensitivity"]) == ["0.125", "0.25", "0.5", "1", "2", "4", "8"]
    values = list(first["sensitivity"].values())
    assert values == sorted(values)
    assert first["froc"] == pytest.approx(np.mean(values))
    assert first["found"] >= 0.5
    assert len(first["missed"]) == round((1 - first["found"]) * first["nodules"])
