"""`tinymed enhance`: noise goes, files come back in their form, and nodules are counted."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tinymed import nn, ops
from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.phantoms import synthesise_noise_free
from tinymed.medical.models import NoduleCNN
from tinymed.medical.tasks import enhance
from tinymed.medical.tasks.enhance import ENHANCE, NoisyViews, noisy, simple
from tinymed.medical.tasks.examples import Examples
from tinymed.medical.tasks.nodule_judge import judged_nodules, read_judge
from tinymed.medical.tasks.task import SavedModel, load_model, save_model
from tinymed.metrics import psnr

pytest.importorskip("scipy", reason="the Gaussian needs the extra `medical`")
REAL = Path(__file__).parents[4] / "shared" / "data" / "luna16_nodules.npz"
KNOWN = {"low": -1000.0, "high": 400.0, "mean": 0.3, "std": 0.3}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "patches.npz"
    write_npz(path, synthesise_noise_free(14, np.random.default_rng(4)))
    return path


def judge_file(path, task="lung"):
    """Write an untrained nodule network as a model of ``tinymed lung``."""
    arguments = {"widths": [4, 8]}
    about = {
        "task": task,
        "model": {"class": "NoduleCNN", "arguments": arguments},
        "preprocessing": KNOWN,
        "threshold": 0.5,
    }
    save_model(NoduleCNN(**arguments), about, path)
    return path


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    judge = judge_file(out / "judge.safetensors")
    options = ["--quick", "--epochs", "3", "--batch-size", "4", "--noise", "0.05", "0.1"]
    paths = ["--data", str(data), "--out", str(out / "run"), "--judge", str(judge)]
    assert main(["enhance", *options, *paths]) == 0
    return out / "run"


def metrics_of(run):
    return json.loads((run / "metrics.json").read_text())


def test_noise_goes(run):
    metrics = metrics_of(run)
    assert metrics["split"] == "test"
    assert metrics["noise"] == 0.1
    assert metrics["noisy_psnr"] == pytest.approx(20, abs=0.3)  # 20 log10(1 / 0.1)
    assert metrics["noisy_psnr_at_0.05"] == pytest.approx(26.02, abs=0.3)
    assert metrics["psnr"] > metrics["noisy_psnr"] + 1.5
    assert metrics["ssim"] > metrics["noisy_ssim"]
    low, high = metrics["psnr_ci"]
    assert low < metrics["psnr"] < high
    assert metrics["baseline_psnr"] == metrics["total_variation_psnr"]
    assert metrics["total_variation_psnr"] > metrics["gaussian_psnr"] > metrics["noisy_psnr"]


def test_the_judge_is_asked(run):
    metrics = metrics_of(run)
    for version in ("clean", "noisy", "denoised"):
        assert 0 <= metrics[f"judge_auc_{version}"] <= 1
    assert metrics["judge_change_noisy"] > 0
    assert isinstance(metrics["judge_new_nodules_denoised"], int)


@pytest.mark.skipif(
    find_spec("jinja2") is None or find_spec("matplotlib") is None,
    reason="the extra `report` is not installed",
)
def test_the_page_shows_before_and_after(run):
    page = (run / "report.html").read_text()
    count = min(12, metrics_of(run)["n"])
    assert page.count("clean, noisy, freed of noise, difference") == 2 * count
    assert "judge new nodules denoised" in page
    assert "no patient is in two splits" in page


def test_evaluate_repeats_the_metrics(run, data, tmp_path):
    found = tmp_path / "m.json"
    model = str(run / "model.safetensors")
    assert main(["evaluate", model, "--data", str(data), "--json", str(found)]) == 0
    again, metrics = json.loads(found.read_text()), metrics_of(run)
    del again["warnings"]
    assert again == {key: metrics[key] for key in again}
    assert {"psnr", "ssim", "noisy_psnr", "psnr_at_0.05"} <= set(again)


def test_predict_writes_what_it_was_given(run, data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    test = noisy(ENHANCE.read(data), 0.1)[-20:]
    hu = (test.inputs * 1400 - 1000).astype(np.float32)
    np.save(tmp_path / "x.npy", hu)
    np.save(tmp_path / "one.npy", hu[0, :33, :21])  # another size, odd
    (tmp_path / "same").mkdir()
    np.save(tmp_path / "same" / "x.npy", hu)
    paths = ["x.npy", "one.npy", "same/x.npy", str(data)]
    model, found = str(run / "model.safetensors"), tmp_path / "p.json"
    assert main(["predict", model, *paths, "--out", "clean", "--json", str(found)]) == 0
    told = json.loads(found.read_text())
    for each in told:
        each["written"] = Path("clean") / each["written"]
    assert len(told) == 20 + 1 + 20 + sum(len(s) for s in read_npz(data).splits.values())
    first, second = (np.load(told[i]["written"]) for i in (0, 21))
    assert np.array_equal(first, second)
    assert told[0]["written"] != told[21]["written"]
    assert told[0]["taken_off_hu"] > 20
    assert np.load(told[20]["written"]).shape == (33, 21)
    grey = (first + 1000) / 1400
    assert psnr(test.targets, grey).mean() > psnr(test.targets, test.inputs).mean() + 1
    written = read_npz(told[-1]["written"])
    assert written["test"].images.dtype == np.uint8
    assert np.array_equal(written["test"].labels, read_npz(data)["test"].labels)
    names = {each["written"].name for each in told}
    assert names == {"0-x.npy", "one.npy", "2-x.npy", "patches.npz"}
    assert main(["predict", model, *paths[:1], "--json", str(found)]) == 0  # nothing is written
    assert json.loads(found.read_text())[0]["taken_off_hu"] == told[0]["taken_off_hu"]
    assert main(["predict", model, "other.npy", "one.npy", "--out", "clean"]) == 1
    np.save("other.npy", hu)
    assert main(["predict", model, "other.npy", "one.npy", "--out", "clean"]) == 1
    assert f"{Path('clean') / 'one.npy'} is there already" in capsys.readouterr().err
    assert not (Path("clean") / "other.npy").exists()


def test_results_do_not_depend_on_how_an_image_is_turned(run, data):
    saved = load_model(run / "model.safetensors")
    given = noisy(ENHANCE.read(data), 0.1)[:6]
    found = ENHANCE.outputs(saved.network, given, saved.about)
    for turned in (lambda x: x[:, ::-1], lambda x: np.rot90(x, 1, (1, 2))):
        again = ENHANCE.outputs(saved.network, Examples(turned(given.inputs)), saved.about)
        assert again == pytest.approx(turned(found), abs=1e-5)


class Bright(nn.Module):
    """Calls a nodule what is brighter than its training's mean: logits (0, mean)."""

    def forward(self, x):
        return ops.stack([x.mean((1, 2, 3)) * 0, x.mean((1, 2, 3))], 1)


def test_nodules_that_come_and_go_are_counted():
    """Levels above and below 0.3, the threshold of `Bright`, by hand."""
    judge = SavedModel(Bright(), {"preprocessing": KNOWN, "threshold": 0.5}, Path())
    clean = np.array([0.1, 0.2, 0.4, 0.5, 0.6])
    noise = np.array([0.4, 0.2, 0.2, 0.2, 0.6])
    images = {
        name: np.repeat(level, 144).reshape(-1, 12, 12).astype(np.float32)
        for name, level in (("clean", clean), ("noisy", noise))
    }
    images["noisy"][0, 0, 0] = 0.41  # not all are alike
    labels = np.array([0, 0, 0, 1, 1])
    found = judged_nodules(judge, images, labels)
    share = 1 / (1 + np.exp(-(np.stack([clean, noise]) - 0.3) / 0.3))
    assert found["judge_auc_clean"] == 1.0
    assert found["judge_auc_noisy"] == pytest.approx(4 / 6)
    assert found["judge_change_noisy"] == pytest.approx(
        np.abs(share[1] - share[0]).mean(), abs=1e-3
    )
    assert (found["judge_new_nodules_noisy"], found["judge_lost_nodules_noisy"]) == (1, 1)
    unlabelled = judged_nodules(judge, images, None)
    assert unlabelled["judge_changed_noisy"] == 3
    assert "judge_auc_clean" not in unlabelled


def test_training_sees_other_noise_each_time_and_pairs_stay_pairs():
    generator = np.random.default_rng(0)
    clean = generator.random((1, 30, 30)).astype(np.float32)
    views = NoisyViews(0.0, 1.0, 0.02, 0.06)
    pairs = [views((clean, clean), generator) for _ in range(200)]
    assert {image.shape for pair in pairs for image in pair} == {(1, 30, 30)}
    turns = {image.tobytes() for _, image in pairs}
    assert len(turns) == 8
    added = np.array([float((image - truth).std()) for image, truth in pairs])
    assert 0.01 < added.min() < 0.03 < 0.05 < added.max() < 0.07
    clipped = np.mean([image.min() >= 0 and image.max() <= 1 for image, _ in pairs])
    assert 0.35 < clipped < 0.65


def test_noise_that_is_judged_is_the_same_each_time():
    clean = np.random.default_rng(0).random((3, 20, 20)).astype(np.float32)
    examples = Examples(clean, clean)
    assert np.array_equal(noisy(examples, 0.07).inputs, noisy(examples, 0.07).inputs)
    strong, weak = (noisy(examples, level).inputs - clean for level in (0.08, 0.04))
    assert strong == pytest.approx(2 * weak, abs=1e-6)
    assert not np.array_equal(strong[0], strong[1])


def test_files_without_patients_or_labels(tmp_path):
    split = Split(np.full((4, 12, 12), 80, np.uint8), masks=np.zeros((4, 12, 12), np.uint8))
    write_npz(tmp_path / "x.npz", ImageDataset("x", {"train": split, "val": split}))
    examples = ENHANCE.read(tmp_path / "x.npz")
    assert examples.groups is examples.strata is None
    assert examples.splits.tolist() == ["train"] * 4 + ["val"] * 4
    assert examples.inputs == pytest.approx(80 / 255)


def test_the_simple_methods_on_real_patches():
    """Total variation beats a Gaussian, and both what they start from."""
    if not REAL.exists():
        pytest.skip("the LUNA16 patches are not here")
    with np.load(REAL) as archive:
        images = archive["test_images"].astype(np.float32) / 255
    pairs = [noisy(Examples(part, part), 0.07) for part in (images[:40], images[-40:])]
    reached = [psnr(pairs[1].targets, simple(name, *pairs)[1]).mean() for name in (
        "gaussian", "total_variation"
    )]  # fmt: skip
    before = psnr(pairs[1].targets, pairs[1].inputs).mean()
    assert before == pytest.approx(23.1, abs=0.1)
    assert before + 2 < reached[0] < reached[1]


def test_an_image_without_any_error_is_a_number_too():
    """Air alone, which clipping makes exact: its PSNR is not infinite, which JSON cannot say."""
    air = Examples(np.zeros((2, 12, 12)), np.zeros((2, 12, 12)))
    known = {"preprocessing": KNOWN | {"levels": [0.07]}}
    assert ENHANCE.measure(np.zeros((2, 12, 12)), air, known)["psnr"] == 100.0


def test_without_matplotlib_there_are_no_pictures_and_no_error(monkeypatch):
    monkeypatch.setattr(enhance, "find_spec", lambda name: None)
    air = Examples(np.zeros((2, 12, 12)), np.zeros((2, 12, 12)))
    assert ENHANCE.pictured(air.inputs, air, {}) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--noise", "0"), "--noise 0.0, above 0 and at most 1 expected"),
        (("--noise", "0.05", "nan"), "--noise nan, above 0"),
        (("--noise", "2"), "--noise 2.0"),
        (("--judge", "gone"), "gone"),
    ],
)
def test_options_out_of_range(arguments, message, tmp_path, capsys):
    assert main(["enhance", *arguments, "--out", str(tmp_path / "o")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_images_too_small_to_be_judged(tmp_path, capsys):
    split = Split(np.full((4, 10, 30), 80, np.uint8), masks=np.zeros((4, 10, 30), np.uint8))
    write_npz(tmp_path / "x.npz", ImageDataset("x", {"train": split, "val": split}))
    assert main(["enhance", "--data", str(tmp_path / "x.npz"), "--out", str(tmp_path / "o")]) == 1
    assert "images (10, 30), 11 x 11 or more expected" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_judge_of_another_task(tmp_path):
    path = judge_file(tmp_path / "model.safetensors", "xray")
    with pytest.raises(DataError, match="was trained for xray, lung expected"):
        read_judge(tmp_path)
    assert path.exists()


def test_nothing_is_written_for_a_file_that_cannot_be_read(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((12, 12), np.float32))
    assert main(["predict", str(run / "model.safetensors"), "x.npy", "--out", "y"]) == 1
    assert "no Hounsfield units" in capsys.readouterr().err
    assert not Path("y").exists()
