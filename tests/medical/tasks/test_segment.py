"""`tinymed segment` as its user meets it: training, judging, masks as files, bad input."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.medical.imaging.dataset import read_npz
from tinymed.medical.imaging.grid import Grid
from tinymed.medical.imaging.nifti import write_nifti
from tinymed.medical.imaging.synthetic_scan import FEWEST, synthesise_nodule
from tinymed.medical.segmentation.examples import read_outlined
from tinymed.medical.tasks.segment import SEGMENT, targets
from tinymed.medical.tasks.task import load_model
from tinymed.metrics import dice

pytest.importorskip("scipy")
REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "lidc_nodule_cubes.npz"


def discs(count, seed, side=16):
    """Planes with a bright disc at the centre, and one elsewhere that is not meant."""
    generator = np.random.default_rng(seed)
    rows, columns = np.indices((side, side)) - (side - 1) / 2
    images, masks = [], []
    for _ in range(count):
        mask = np.hypot(rows, columns) <= generator.uniform(2, 4)
        other = np.hypot(rows - 6, columns - generator.uniform(-6, 6)) <= 1.5
        grey = 60 + 110 * (mask | other) + generator.normal(0, 15, mask.shape)
        images.append(grey.clip(0, 255).astype(np.uint8))
        masks.append(mask)
    return np.stack(images), np.stack(masks)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path, arrays = tmp_path_factory.mktemp("data") / "discs.npz", {}
    for split, (count, seed) in {"train": (16, 0), "val": (4, 1), "test": (6, 2)}.items():
        images, masks = discs(count, seed)
        arrays |= {f"{split}_images": images, f"{split}_masks": masks.astype(np.uint8)}
        arrays[f"{split}_groups"] = np.arange(count) + 100 * seed
    np.savez(path, **arrays)
    return path


def arguments(data, out, *more):
    given = ["segment", "--data", data, "--out", out, "--quick", "--epochs", 7, "--lr", 0.02]
    return [str(each) for each in [*given, *more]]


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "segment"
    assert main(arguments(data, out)) == 0
    return out


def error_of(capsys, *given):
    assert main([str(each) for each in given]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("tinymed: error: ")]
    return line


def test_it_outlines_planes_it_has_not_seen(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["split"] == "test"
    assert metrics["n"] == len(metrics["cases"]) == 6
    assert metrics["dice"] > 0.5
    assert metrics["dice"] == pytest.approx(np.mean([c["dice"] for c in metrics["cases"]]))
    assert metrics["iou"] < metrics["dice"]
    assert metrics["surface_distance"] <= metrics["hausdorff_95"]
    assert 0 < metrics["baseline_dice"] <= 1
    about = load_model(run / "model.safetensors").about
    assert about["model"]["arguments"]["dimensions"] == 2
    assert metrics["threshold"] == about["threshold"]


def test_evaluate_repeats_the_metrics_and_warns_of_patients_seen(run, data, tmp_path):
    model = str(run / "model.safetensors")
    for split, seen in (("test", 0), ("train", 1)):
        target = tmp_path / f"{split}.json"
        given = ["evaluate", model, "--data", data, "--split", split, "--json", target]
        assert main([str(each) for each in given]) == 0
        metrics = json.loads(target.read_text())
        assert len([w for w in metrics["warnings"] if "named as in training" in w]) == seen
        if split == "test":
            first = json.loads((run / "metrics.json").read_text())
            assert metrics["cases"] == first["cases"]


def test_predict_writes_the_masks_that_were_judged(run, data, tmp_path):
    model, images = run / "model.safetensors", tmp_path / "planes.npy"
    judged = read_npz(data)["test"]
    np.save(images, judged.images)
    given = ["predict", model, images, "--out", tmp_path / "out", "--json", tmp_path / "p.json"]
    assert main([str(each) for each in given]) == 0
    with np.load(tmp_path / "out" / "planes-masks.npz") as file:
        masks, probabilities = file["masks"], file["probabilities"]
    cases = json.loads((run / "metrics.json").read_text())["cases"]
    for case, mask, truth in zip(cases, masks, judged.masks, strict=True):
        assert dice(truth, mask) == pytest.approx(case["dice"])
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    told = json.loads((tmp_path / "p.json").read_text())
    assert [each["voxels"] for each in told] == masks.sum((1, 2)).tolist()
    assert {each["written"] for each in told} == {"planes-masks.npz"}


@pytest.mark.skipif(
    not (find_spec("jinja2") and find_spec("matplotlib")), reason="the page needs both"
)
def test_the_page_shows_outlines(run):
    page = (run / "report.html").read_text()
    assert "Worst outlines" in page
    assert page.count("beside it both outlines") == 12  # the six cases, twice
    assert "volume in voxels" in page


def test_what_cannot_be_learned_from_is_refused_in_a_line(data, run, tmp_path, capsys):
    plain = tmp_path / "plain.npz"
    images, _ = discs(4, 0)
    np.savez(plain, train_images=images, train_labels=np.zeros(4, int))
    assert "has no targets" in error_of(capsys, "segment", "--data", plain, "--out", tmp_path / "a")
    model = run / "model.safetensors"
    assert "has no targets" in error_of(capsys, "evaluate", model, "--data", plain)
    volumes = tmp_path / "volumes.npy"
    np.save(volumes, np.zeros((2, 9, 9, 9), np.uint8))
    assert "2 axes of one channel" in error_of(capsys, "predict", model, volumes)
    cubes, mask = tmp_path / "cubes.npz", np.zeros((2, 9, 9, 9), np.uint8)
    mask[:, 4, 4, 4] = 1
    np.savez(cubes, test_images=mask, test_masks=mask)
    assert "a model of 2 dimensions" in error_of(capsys, "evaluate", model, "--data", cubes)
    again = error_of(capsys, *arguments(data, run))
    assert "already holds a run" in again


def test_images_of_the_training_are_known_again_without_their_patients(run, data, tmp_path):
    with np.load(data) as file:
        arrays = {name: array for name, array in file.items() if not name.endswith("_groups")}
    np.savez(tmp_path / "x.npz", **arrays)
    assert main(arguments(tmp_path / "x.npz", tmp_path / "run", "--epochs", 1)) == 0
    for split, seen in (("train", 1), ("test", 0)):
        given = ["evaluate", tmp_path / "run", "--data", tmp_path / "x.npz", "--split", split]
        assert main([str(each) for each in [*given, "--json", tmp_path / "m.json"]]) == 0
        warnings = json.loads((tmp_path / "m.json").read_text())["warnings"]
        assert len([w for w in warnings if "16 of 16 groups (equal input)" in w]) == seen


def test_images_that_reach_further_than_those_of_training_are_refused(run, tmp_path, capsys):
    planes = tmp_path / "planes.npy"
    np.save(planes, discs(2, 0, side=17)[0])
    told = error_of(capsys, "predict", run, planes)
    assert "images of 17 x 17 voxels, but the model learned from 16 x 16; cut" in told
    np.save(planes, discs(2, 0)[0][:, 1:-1, 2:-2])  # parts are what it learned from
    assert main(["predict", str(run), str(planes)]) == 0


def test_a_file_is_not_overwritten_by_predict(run, data, tmp_path, capsys):
    given = ["predict", run / "model.safetensors", data, data, "--out", tmp_path / "out"]
    assert "is there already" in error_of(capsys, *given)


def test_volumes_with_the_boundary_loss_and_nifti(tmp_path):
    pytest.importorskip("nibabel")
    cubes = [synthesise_nodule(np.random.default_rng(seed), 13) for seed in range(3)]
    images, masks = (np.stack([np.moveaxis(c[part], 0, -1) for c in cubes]) for part in (0, 1))
    arrays = {}
    for split, order in {"train": [0, 1], "val": [2]}.items():
        arrays |= {
            f"{split}_images": images[order],
            f"{split}_masks": masks[order].astype(np.uint8),
        }
    data, out = tmp_path / "cubes.npz", tmp_path / "run"
    np.savez(data, **arrays)
    assert main(arguments(data, out, "--loss", "boundary", "--epochs", "1")) == 0
    saved = load_model(out / "model.safetensors")
    assert saved.about["preprocessing"]["boundary"] > 0
    assert saved.about["model"]["arguments"]["dimensions"] == 3
    grid = Grid((13, 13, 13), (1.5, 0.7, 0.7), (5, 6, 7), np.eye(3)[::-1])
    write_nifti(tmp_path / "ct.nii.gz", cubes[2][0].astype(np.int16), grid)
    (told,) = SEGMENT.write_predictions(saved, [tmp_path / "ct.nii.gz"], tmp_path / "masks")
    import nibabel

    written = nibabel.load(tmp_path / "masks" / told["written"])
    np.testing.assert_allclose(written.affine, nibabel.load(tmp_path / "ct.nii.gz").affine)
    mask = np.asarray(written.dataobj).transpose(1, 0, 2)  # x, y, z -> rows, columns, slices
    outputs = SEGMENT.outputs(saved.network, read_outlined(data)[2:], saved.about)
    np.testing.assert_array_equal(mask, outputs[0] >= saved.about["threshold"])


def test_synthetic_nodules_lie_at_the_centre():
    hounsfield, mask = synthesise_nodule(np.random.default_rng(3), 17)
    assert mask[8, 8, 8]
    assert mask.sum() >= FEWEST
    again, same = synthesise_nodule(np.random.default_rng(3), 17)
    assert np.array_equal(hounsfield, again)
    assert np.array_equal(mask, same)
    with pytest.raises(ValueError, match="at least 9"):
        synthesise_nodule(size=8)


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data/lidc_nodule_cubes.npz is not there")
def test_the_real_cubes_have_what_the_task_expects():
    examples = read_outlined(REAL)
    masks = targets(examples)
    assert examples.inputs.shape == (92, 41, 41, 41)
    places = np.array([np.argwhere(mask).mean(0) for mask in masks])
    assert np.abs(places - 20).max() < 4  # at the centre
    extent = np.array([np.ptp(np.argwhere(mask), axis=0) + 1 for mask in masks]).mean(0)
    assert extent[2] < 0.9 * extent[:2].min()  # the last axis is that of the slices
