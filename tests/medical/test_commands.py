"""The command as its user meets it: train, evaluate, predict, info, and answers to bad input."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fake_cupy.state import STATE
from tinymed import serialization
from tinymed.cli import main
from tinymed.medical.imaging.dataset import read_npz, write_npz
from tinymed.medical.imaging.phantoms import synthesise
from tinymed.medical.tasks.lung import LUNG

pytest.importorskip("scipy", reason="augmentation needs the extra `medical`")

BINARY_KEYS = {
    "n", "accuracy", "balanced_accuracy", "recall", "specificity", "precision", "f1", "auc",
    "auc_ci", "threshold",
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A small data set of synthetic patients, as a file."""
    path = tmp_path_factory.mktemp("data") / "patches.npz"
    write_npz(path, synthesise(24, np.random.default_rng(5)))
    return path


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A folder that `tinymed lung` wrote."""
    out = tmp_path_factory.mktemp("run") / "lung"
    arguments = ["lung", "--data", data, "--out", out, "--quick", "--epochs", "2"]
    assert main([*map(str, arguments), "--json", str(out.parent / "copy.json")]) == 0
    return out


def changed(path: Path, into: Path, **arrays) -> Path:
    """Write a copy of an npz file with some arrays replaced, or left out where None."""
    with np.load(path) as archive:
        content = {**archive, **arrays}
    np.savez(into, **{name: array for name, array in content.items() if array is not None})
    return into


def error_of(capsys, *arguments) -> str:
    """Run a command that must fail and return its one line of error."""
    status = main([str(a) for a in arguments])
    err = capsys.readouterr().err
    assert status == 1
    lines = [line for line in err.splitlines() if line.startswith("tinymed: error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]


def as_evaluated(metrics: dict) -> dict:
    """Return the metrics of a training without what only trainings measure: other scanners."""
    own = {"shifts", "worst_shift", "worst_shift_auc"}
    return {key: value for key, value in metrics.items() if key not in own}


# ------------------------------------------------------------------------------------- it works


def test_run_leaves_model_metrics_log_and_card(run):
    names = {p.name for p in run.iterdir()}
    assert {"model.safetensors", "metrics.json", "log.jsonl", "model_card.md"} <= names
    if _has("matplotlib"):
        assert {"roc.png", "confusion.png", "samples.png"} <= names
        assert ("report.html" in names) == _has("jinja2")
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in log] == [1, 2]


def test_metrics_have_the_agreed_keys_and_json_copy_is_the_same(run):
    metrics = json.loads((run / "metrics.json").read_text())
    assert set(metrics) >= BINARY_KEYS
    assert metrics == json.loads((run.parent / "copy.json").read_text())
    assert metrics["split"] == "test"


def test_evaluate_repeats_the_test_metrics(run, data, tmp_path, capsys):
    target = tmp_path / "m.json"
    status = main(
        ["evaluate", str(run / "model.safetensors"), "--data", str(data), "--json", str(target)]
    )
    assert status == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert len(metrics["shifts"]) == 5
    assert json.loads(target.read_text()) == as_evaluated(metrics)
    assert "auc" in capsys.readouterr().out


@pytest.mark.parametrize("column", [False, True])
def test_evaluate_takes_a_file_with_one_split_and_labels_of_either_shape(
    run, data, tmp_path, column
):
    test = read_npz(data)["test"]
    labels = test.labels[:, None] if column else test.labels
    only = tmp_path / "only.npz"
    np.savez(only, test_images=test.images, test_labels=labels)
    target = tmp_path / "m.json"
    arguments = ["evaluate", run / "model.safetensors", "--data", only, "--split", "test"]
    assert main([*map(str, arguments), "--json", str(target)]) == 0
    expected = json.loads((run / "metrics.json").read_text())
    assert json.loads(target.read_text())["auc"] == expected["auc"]


def test_patients_of_the_training_are_known_again(run, data, tmp_path):
    target, patients = tmp_path / "m.json", len(np.unique(read_npz(data)["train"].groups))
    told = f"{patients} of {patients} groups (patient) are named as in training"
    for split, expected in (("train", True), ("val", False), ("test", False)):
        arguments = ["evaluate", run / "model.safetensors", "--data", data, "--split", split]
        assert main([*map(str, arguments), "--json", str(target)]) == 0
        warnings = json.loads(target.read_text())["warnings"]
        assert any(each.startswith(told) for each in warnings) == expected


def test_images_of_the_training_are_known_again_without_their_patients(run, data, tmp_path):
    dataset = read_npz(data)
    for split, seen in (("train", True), ("val", True), ("test", False)):
        images, labels = dataset[split].images, dataset[split].labels
        np.savez(tmp_path / "x.npz", test_images=images, test_labels=labels)
        target = tmp_path / "m.json"
        given = ["evaluate", run, "--data", tmp_path / "x.npz", "--json", target]
        assert main([str(each) for each in given]) == 0
        told = f"{len(images)} of {len(images)} images are those that the model learned from or"
        assert any(told in w for w in json.loads(target.read_text())["warnings"]) == seen


def test_predict_agrees_with_evaluate_and_names_classes(run, data, tmp_path):
    test = read_npz(data)["test"]
    single = tmp_path / "scan.npy"
    np.save(single, test.images[0])
    target = tmp_path / "p.json"
    arguments = ["predict", run / "model.safetensors", single, data, "--json", target]
    assert main([str(a) for a in arguments]) == 0
    found = json.loads(target.read_text())
    assert len(found) == 1 + sum(len(s) for s in read_npz(data).splits.values())
    assert {each["class"] for each in found} <= {"mimic", "nodule"}
    last = found[-len(test)]  # the first test image, again
    assert found[0]["probability"] == pytest.approx(last["probability"], abs=1e-6)


def test_predict_reads_pictures(run, data, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    image = read_npz(data)["test"].images[0]
    path = tmp_path / "patch.png"
    image_module.fromarray(image).save(path)
    assert main(["predict", str(run / "model.safetensors"), str(path)]) == 0


def test_same_seed_same_bits_and_resume_changes_nothing(run, data, tmp_path):
    again = tmp_path / "again"
    arguments = ["lung", "--data", data, "--out", again, "--quick", "--epochs", "2"]
    assert main([str(a) for a in arguments]) == 0
    model = (again / "model.safetensors").read_bytes()
    assert model == (run / "model.safetensors").read_bytes()
    assert main([str(a) for a in [*arguments, "--resume"]]) == 0
    assert (again / "model.safetensors").read_bytes() == model


def test_a_run_goes_on_only_as_it_was_begun(capsys, run, data, tmp_path):
    """With another seed or file, patients who were learned from could be among the judged."""
    out = shutil.copytree(run, tmp_path / "run")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with np.load(data) as archive:
        other = changed(data, tmp_path / "other.npz", train_images=archive["train_images"][::-1])
    moved = shutil.copy(data, tmp_path / "moved.npz")
    for wrong, told in (
        (["--data", data, "--epochs", "2", "--seed", "1"], "seed: 0, now 1"),
        (["--data", other, "--epochs", "2"], "data: "),
        (["--data", data, "--epochs", "3"], "epochs: 2, now 3"),
    ):
        message = error_of(capsys, "lung", "--quick", "--out", out, "--resume", *wrong)
        assert "does not belong to this run: made with " + told in message
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    same = ["lung", "--quick", "--out", out, "--resume", "--data", moved, "--epochs", "2"]
    assert main([*map(str, same)]) == 0


def test_a_run_does_not_go_on_with_other_pictures(capsys, tmp_path):
    """The table stays as it was, so only what is read of the pictures tells."""
    rng = np.random.default_rng(0)
    folder, out = tmp_path / "images", tmp_path / "run"
    folder.mkdir()
    lines = ["image,label,group,split"]
    for i in range(24):
        np.save(folder / f"{i}.npy", rng.integers(0, 256, (16, 16), np.uint8))
        lines.append(f"{i}.npy,{i % 2},p{i // 2},{('train', 'train', 'val')[i // 2 % 3]}")
    (folder / "labels.csv").write_text("\n".join(lines))
    arguments = ["lung", "--quick", "--epochs", "1", "--data", folder, "--out", out]
    assert main([*map(str, arguments)]) == 0
    shutil.copytree(folder, tmp_path / "copy")
    again = [*arguments[:5], tmp_path / "copy", *arguments[6:], "--resume"]
    assert main([*map(str, again)]) == 0
    np.save(folder / "3.npy", np.eye(16, dtype=np.uint8))
    capsys.readouterr()
    message = error_of(capsys, *arguments, "--resume")
    assert "does not belong to this run: made with examples: " in message


def test_folds_go_on_only_as_they_were_begun(capsys, data, tmp_path):
    arguments = ["lung", "--quick", "--epochs", "1", "--data", data, "--folds", "2"]
    out = tmp_path / "folds"
    assert main([*map(str, arguments), "--out", str(out)]) == 0
    capsys.readouterr()
    message = error_of(capsys, *arguments, "--out", out, "--resume", "--seed", "1")
    assert "does not belong to this run" in message
    assert "seed: 0, now 1" in message


@pytest.mark.parametrize("judged", ["test", "val", "out of fold"])
def test_the_report_says_on_what_the_threshold_was_chosen(data, tmp_path, judged):
    pytest.importorskip("jinja2", reason="the page needs the extra `report`")
    no_test = (
        {} if judged == "test" else dict.fromkeys(("test_images", "test_labels", "test_groups"))
    )
    file, out = changed(data, tmp_path / "x.npz", **no_test), tmp_path / "out"
    folds = ("--folds", "2") if judged == "out of fold" else ()
    arguments = ["lung", "--data", file, "--out", out, "--quick", "--epochs", "1", *folds]
    assert main([str(a) for a in arguments]) == 0
    assert json.loads((out / "metrics.json").read_text())["split"] == judged
    told = "before these cases were seen" if judged == "test" else "on these very cases"
    page = (out / "report.html").read_text()
    assert f"The threshold of the model was chosen {told};" in page


def test_validation_is_taken_from_training_patients_where_there_is_none(data, tmp_path, capsys):
    file = changed(data, tmp_path / "x.npz", val_images=None, val_labels=None, val_groups=None)
    out = tmp_path / "out"
    arguments = ["lung", "--data", file, "--out", out, "--quick", "--epochs", "1"]
    assert main([str(a) for a in arguments]) == 0
    assert "val: " in capsys.readouterr().out


@pytest.mark.parametrize("task", ["lung", "xray"])
def test_a_split_that_chose_and_judges_is_warned_of(data, tmp_path, task):
    file = changed(data, tmp_path / "x.npz", test_images=None, test_labels=None, test_groups=None)
    out = tmp_path / "out"
    arguments = [task, "--data", file, "--out", out, "--quick", "--epochs", "1"]
    assert main([str(a) for a in arguments]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    chosen = {"lung": "the epoch and the threshold", "xray": "the epoch"}[task]
    assert metrics["split"] == "val"
    assert any(w.startswith(f"no test split: val chose {chosen} and") for w in metrics["warnings"])


def test_a_name_that_the_terminal_cannot_show_ends_no_command(run, tmp_path, monkeypatch):
    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    np.save(tmp_path / "größe.npy", np.zeros((50, 50), np.uint8))
    assert main(["predict", str(run), str(tmp_path / "größe.npy")]) == 0
    assert rb"gr\xf6\xdfe.npy  index=0" in shown.buffer.getvalue()


def test_info_says_why_a_gpu_is_not_used(capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "GPU:" in out
    assert "conv.forward on reference: available" in out


def test_the_installed_command_runs_in_a_process_of_its_own():
    run = subprocess.run(
        [sys.executable, "-m", "tinymed", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("tinymed ")


# ------------------------------------------------------------------- folders with a label table


def train_and_judge(folder, tmp_path, capsys):
    """Train an epoch on a folder, evaluate and predict on it; return metrics and predictions."""
    out, again, found = (tmp_path / name for name in ("out", "again.json", "found.json"))
    assert main(["lung", "--data", str(folder), "--out", str(out), "--quick", "--epochs", "1"]) == 0
    model = str(out / "model.safetensors")
    judge = ["evaluate", model, "--data", str(folder), "--json", str(again)]
    assert main(judge) == 0
    whole = json.loads(again.read_text())["n"]  # the table names no splits
    assert main([*judge, "--split", "test"]) == 0
    assert main(["predict", model, str(folder), "--json", str(found)]) == 0
    assert "warning: groups" not in capsys.readouterr().out  # the patients are known
    metrics = json.loads((out / "metrics.json").read_text())
    assert json.loads(again.read_text()) == as_evaluated(metrics)
    assert whole == len(json.loads(found.read_text())) > metrics["n"]
    return metrics, json.loads(found.read_text())


def test_folder_of_images_goes_all_the_way(data, tmp_path, capsys):
    dataset = read_npz(data)
    folder = tmp_path / "folder"
    folder.mkdir()
    lines = ["image,label,group"]
    for name, split in dataset.splits.items():
        for i, (image, label, group) in enumerate(
            zip(split.images, split.labels, split.groups, strict=True)
        ):
            np.save(folder / f"{name}{i}.npy", image)
            lines.append(f"{name}{i}.npy,{label},{group}")
    (folder / "labels.csv").write_text("\n".join(lines))
    metrics, found = train_and_judge(folder, tmp_path, capsys)
    assert 0 < metrics["n"] < len(lines) / 3
    assert [each["file"] for each in found] == [line.split(",")[0] for line in lines[1:]]


def test_folder_of_series_goes_all_the_way(tmp_path, capsys):
    pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    from tests.medical.imaging.ct_files import write_series

    folder, lines = tmp_path / "scans", ["series,x,y,z,label"]
    for patient in range(12):

        def noisy(dataset, number, patient=patient):
            values = np.random.default_rng((patient, number)).normal(200, 60, (64, 64))
            values[10:18, 10:18] += 900  # a ball at x = -0.5, y = -10.5
            dataset.PixelData = values.astype(np.int16).tobytes()

        write_series(
            folder / f"s{patient}", 3, size=64, patient=f"P{patient}", series=f"1.2.{patient}",
            edit=noisy,
        )  # fmt: skip
        lines += [f"s{patient},-0.5,-10.5,102.5,1", f"s{patient},18,8,102.5,0"]
    (folder / "labels.csv").write_text("\n".join(lines))
    metrics, found = train_and_judge(folder, tmp_path, capsys)
    assert metrics["n"] == 4
    assert len(found) == 24
    assert found[2]["file"] == "s1"


def test_predict_reads_a_dicom_slice_and_says_nothing_of_the_patient(run, tmp_path, capsys):
    pytest.importorskip("pydicom", reason="DICOM needs the extra `medical`")
    from tests.medical.imaging.ct_files import edited, shipped

    def cut(dataset):
        dataset.PixelData = dataset.pixel_array[30:80, 30:80].tobytes()
        dataset.Rows = dataset.Columns = 50

    edited(tmp_path / "slice", cut)  # no suffix: known by its mark
    target = tmp_path / "p.json"
    arguments = ["predict", run / "model.safetensors", tmp_path / "slice", "--json", target]
    assert main([str(a) for a in arguments]) == 0
    told = capsys.readouterr().out + target.read_text()
    assert "probability" in told
    assert "CompressedSamples" not in told
    assert "1CT1" not in told
    error = error_of(capsys, "predict", run / "model.safetensors", shipped("MR_small.dcm"))
    assert "MR_small.dcm: modality MR, CT expected" in error


def test_help_says_what_data_can_be(capsys):
    with pytest.raises(SystemExit):
        main(["lung", "--help"])
    told = capsys.readouterr().out
    assert "series,x,y,z,label[,group][,split]" in told
    assert "image,label[,group][,split]" in told


# ------------------------------------------------------------------------------------ bad input


def test_bad_table(capsys, run, tmp_path):
    (tmp_path / "labels.csv").write_text("image,label\n../x.npy,1\n")
    for command in (["lung"], ["evaluate", run / "model.safetensors"]):
        error = error_of(capsys, *command, "--data", tmp_path)
        assert "labels.csv, line 2: '../x.npy' leads out" in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.csv"]


def test_patient_in_two_splits_of_a_table(capsys, data, tmp_path):
    images = read_npz(data)["train"].images[:8]
    lines = ["image,label,group,split"]
    for i, image in enumerate(images):
        np.save(tmp_path / f"{i}.npy", image)
        lines.append(f"{i}.npy,{i % 2},p{i // 4},{('train', 'val')[i // 2 % 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    error = error_of(capsys, "lung", "--data", tmp_path, "--out", tmp_path / "o")
    assert "both sides" in error


def test_pictures_of_12_bits_are_not_taken_for_grey_values(capsys, run, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 4000, (50, 50), np.uint16))
    error = error_of(capsys, "predict", run / "model.safetensors", tmp_path / "x.npy")
    assert "0 to 65535" in error


def test_unsigned_numbers_of_more_bits_are_no_hounsfield_units(capsys, run, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 256, (50, 50), np.uint32))
    error = error_of(capsys, "predict", run / "model.safetensors", tmp_path / "x.npy")
    assert "uint32 images, uint8 or uint16" in error


@pytest.mark.parametrize("side", [8, 512])
def test_images_of_another_size_are_refused(capsys, run, data, tmp_path, side):
    """The network would answer for any: the mean over a plane has no size."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, side, side), np.uint8)
    np.save(tmp_path / "x.npy", images)
    labels = np.array([0, 1, 0, 1])
    np.savez(tmp_path / "x.npz", test_images=images, test_labels=labels)
    with np.load(data) as archive:
        kinds = {name: np.resize(images, (len(archive[name]), side, side)) for name in archive
                 if name.endswith("images")}  # fmt: skip
    start = changed(data, tmp_path / "start.npz", **kinds)
    out = tmp_path / "out"
    for arguments in (
        ["predict", run, tmp_path / "x.npy"],
        ["evaluate", run, "--data", tmp_path / "x.npz"],
        ["lung", "--quick", "--from", run, "--data", start, "--out", out],
    ):
        error = error_of(capsys, *arguments)
        assert f"images of {side} x {side} pixels, but the model learned from 50 x 50" in error
        assert "cut 50 x 50 pixels about the place in question" in error
    assert not out.exists()


def test_a_model_of_before_sizes_were_kept_says_so(capsys, run, data, tmp_path):
    model = run / "model.safetensors"
    arrays, about = serialization.read(model)
    del about["preprocessing"]["size"]
    old = tmp_path / "old.safetensors"
    serialization.write(arrays, about, old)
    np.save(tmp_path / "x.npy", np.zeros((60, 60), np.uint8))
    assert main(["predict", str(old), str(tmp_path / "x.npy")]) == 0
    assert "of before sizes were kept" in capsys.readouterr().err
    assert main(["evaluate", str(old), "--data", str(data)]) == 0
    assert "warning: the model file is of before sizes were kept" in capsys.readouterr().out


def test_the_folder_of_a_run_stands_for_its_model(capsys, run, data, tmp_path):
    said = []
    for model in (run, run / "model.safetensors"):
        assert main(["evaluate", str(model), "--data", str(data)]) == 0
        assert main(["predict", str(model), str(data)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert str(tmp_path / "model.safetensors") in error_of(capsys, "predict", tmp_path, data)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_hounsfield_units_with_an_offset_are_refused(capsys, run, data, tmp_path, dtype):
    images = np.random.default_rng(0).integers(0, 1500, (4, 50, 50)).astype(dtype)
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "x.npz", test_images=images, test_labels=np.array([0, 1, 0, 1]))
    for arguments in (
        ["predict", run, tmp_path / "x.npy"],
        ["evaluate", run, "--data", tmp_path / "x.npz"],
    ):
        assert "subtract the offset (often 1024) first" in error_of(capsys, *arguments)


def test_no_file(capsys, tmp_path):
    assert "none.npz" in error_of(capsys, "lung", "--data", tmp_path / "none.npz")
    assert list(tmp_path.iterdir()) == []


def test_wrong_keys(capsys, data, tmp_path):
    file = changed(data, tmp_path / "x.npz", train_labels=None)
    assert "train_labels" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_groups_on_both_sides(capsys, data, tmp_path):
    dataset = read_npz(data)
    groups = dataset["test"].groups.copy()
    groups[:] = dataset["train"].groups[0]
    file = changed(data, tmp_path / "x.npz", test_groups=groups)
    assert "both" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_one_class_only(capsys, data, tmp_path):
    labels = np.zeros_like(read_npz(data)["train"].labels)
    file = changed(data, tmp_path / "x.npz", train_labels=labels)
    assert "class" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_nan_labels(capsys, data, tmp_path):
    labels = np.full(len(read_npz(data)["train"]), np.nan)
    file = changed(data, tmp_path / "x.npz", train_labels=labels)
    assert "NaN" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_labels_of_other_classes(capsys, data, tmp_path):
    labels = read_npz(data)["train"].labels * 3
    file = changed(data, tmp_path / "x.npz", train_labels=labels)
    assert "0 and 1" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_images_scaled_already(capsys, data, tmp_path):
    splits = {f"{n}_images": s.images / np.float32(255) for n, s in read_npz(data).splits.items()}
    file = changed(data, tmp_path / "x.npz", **splits)
    assert "Hounsfield" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


def test_truncated_file(capsys, data, tmp_path):
    file = tmp_path / "x.npz"
    file.write_bytes(data.read_bytes()[:5000])
    assert "x.npz" in error_of(capsys, "lung", "--data", file, "--out", tmp_path / "o")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--epochs", "0"), ("--batch-size", "-1"), ("--lr", "-1"), ("--lr", "nan"), ("--seed", "-3")],
)
def test_options_out_of_range(capsys, tmp_path, option, value):
    assert value in error_of(capsys, "lung", option, value, "--out", tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_a_run_is_never_overwritten(capsys, run, data):
    before = (run / "model.safetensors").read_bytes()
    assert "already holds" in error_of(capsys, "lung", "--data", data, "--out", run)
    assert (run / "model.safetensors").read_bytes() == before


def test_a_json_that_cannot_be_written_is_refused_before_the_training(capsys, data, tmp_path):
    asked = ("--out", tmp_path / "run", "--json", tmp_path / "missing" / "metrics.json")
    assert "no folder" in error_of(capsys, "lung", "--data", data, *asked)
    assert not (tmp_path / "run").exists()


def test_resume_without_a_checkpoint(capsys, data, tmp_path):
    message = error_of(capsys, "lung", "--data", data, "--out", tmp_path / "o", "--resume")
    assert "checkpoint" in message


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_damaged_model(capsys, run, data, tmp_path, damage):
    content = bytearray((run / "model.safetensors").read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[-100] ^= 16
    else:
        content = bytearray(b"" if damage == "empty" else b"not a model" * 9)
    model = tmp_path / "model.safetensors"
    model.write_bytes(content)
    assert "model.safetensors" in error_of(capsys, "evaluate", model, "--data", data)


def test_evaluate_split_that_is_not_there(capsys, run, data, tmp_path):
    file = changed(data, tmp_path / "x.npz", test_images=None, test_labels=None, test_groups=None)
    model = run / "model.safetensors"
    assert "train, val" in error_of(capsys, "evaluate", model, "--data", file, "--split", "test")
    assert "--split" in error_of(capsys, "evaluate", model, "--data", file)


def test_evaluate_one_class_says_what_is_undefined(run, data, tmp_path, capsys):
    test = read_npz(data)["test"]
    chosen = test.labels == 0
    file = tmp_path / "x.npz"
    np.savez(file, test_images=test.images[chosen], test_labels=test.labels[chosen])
    target = tmp_path / "m.json"
    arguments = ["evaluate", run / "model.safetensors", "--data", file, "--json", target]
    assert main([str(a) for a in arguments]) == 0
    assert json.loads(target.read_text())["auc"] is None
    assert "warning" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["x.png", "x.npy", "x.npz", "x.dat"])
def test_predict_unreadable_image(capsys, run, tmp_path, name):
    if name == "x.png":
        pytest.importorskip("PIL")
    file = tmp_path / name
    file.write_bytes(b"this is no image")
    assert name in error_of(capsys, "predict", run / "model.safetensors", file)


def test_predict_missing_file_writes_no_json(capsys, run, tmp_path):
    target = tmp_path / "p.json"
    model = run / "model.safetensors"
    assert "gone" in error_of(capsys, "predict", model, tmp_path / "gone.npy", "--json", target)
    assert not target.exists()


def test_real_data_go_all_the_way(tmp_path):
    """Two epochs, judged on a part of the patients: a check of the way, not of the result."""
    shared = Path(__file__).parents[2] / ".." / "shared" / "data" / "luna16_nodules.npz"
    if not shared.exists():
        pytest.skip("the LUNA16 patches are not here")
    with np.load(shared) as archive:
        part = {**archive}
    for split in ("val", "test"):
        chosen = part[f"{split}_groups"] % 3 == 0
        for array in ("images", "labels", "groups"):
            part[f"{split}_{array}"] = part[f"{split}_{array}"][chosen]
    np.savez(tmp_path / "part.npz", **part)
    out = tmp_path / "o"
    arguments = ["lung", "--data", tmp_path / "part.npz", "--out", out, "--quick"]
    assert main([*map(str, arguments), "--epochs", "2"]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["n"] == len(part["test_labels"])
    assert metrics["auc"] > 0.6


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def test_interrupted_run_keeps_its_checkpoint_and_goes_on(run, data, tmp_path):
    """Kill the process in mid-training; resume; the model has the bits of a run left alone."""
    out = tmp_path / "killed"
    arguments = ["lung", "--data", data, "--out", out, "--quick", "--epochs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tinymed", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (out / "checkpoint.safetensors").exists():
        assert process.poll() is None, "the run ended before it was interrupted"
    process.kill()
    process.wait()
    shutil.copytree(out, tmp_path / "copy")
    assert main([*map(str, arguments), "--resume"]) == 0
    assert (out / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_training_on_a_gpu_arrives_where_the_host_does(data, tmp_path, cupy, monkeypatch):
    monkeypatch.setitem(LUNG.quick_settings, "dropout", 0.0)  # its masks differ between devices
    found = []
    for device in ("cpu", "cuda"):
        arguments = ["lung", "--data", data, "--quick", "--epochs", "2", "--device", device]
        assert main([*map(str, arguments), "--out", str(tmp_path / device)]) == 0
        found.append(json.loads((tmp_path / device / "metrics.json").read_text()))
    assert found[1]["auc"] == pytest.approx(found[0]["auc"], abs=0.02)


def test_a_gpu_that_is_not_there(capsys, monkeypatch, cupy):
    assert "'gpu' is not 'cpu', 'cuda'" in error_of(capsys, "lung", "--device", "gpu")
    assert "expected 'cuda:0' to 'cuda:1'" in error_of(capsys, "lung", "--device", "cuda:5")
    STATE.count, STATE.error, STATE.driver = 0, "cudaErrorInsufficientDriver", 12020
    words = "the driver is for CUDA 12, cupy is built for CUDA 13; pip install tinymed[cuda12]"
    assert words in error_of(capsys, "lung", "--device", "cuda")
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "needs cupy" in error_of(capsys, "lung", "--device", "cuda")
