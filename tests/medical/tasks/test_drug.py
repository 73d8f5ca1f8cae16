"""`tinymed drug` as its user meets it, on small files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.medical.molecules.synthesis import synthesise_molecules
from tinymed.medical.tasks.drug import LABELS, SOLUBILITY_TASK, TOXICITY
from tinymed.medical.tasks.ngram_regression import NGramRegression
from tinymed.metrics import roc_auc

pytest.importorskip("scipy", reason="the baseline needs the extra `medical`")


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def write(path: Path, count: int = 120) -> Path:
    """Write synthetic molecules with both kinds of targets."""
    texts, labels, soluble = synthesise_molecules(count, len(LABELS), np.random.default_rng(2))
    lines = [",".join([*LABELS, "smiles", "solubility"])]
    for text, row, value in zip(texts, labels, soluble, strict=True):
        cells = ["" if np.isnan(x) else str(int(x)) for x in row]
        lines.append(",".join([*cells, text, str(value)]))
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module", params=["toxicity", "solubility"])
def trained(request, tmp_path_factory):
    """A kind, its data and the folder of a short run."""
    folder = tmp_path_factory.mktemp(request.param)
    data, out = write(folder / "d.csv"), folder / "run"
    options = ["--kind", request.param, "--quick", "--epochs", "1", "--folds", "2"]
    assert run("drug", "--data", data, "--out", out, *options) == 0
    return request.param, data, out, options


def test_a_stopped_run_knows_its_molecules_again(trained, tmp_path):
    _, data, out, options = trained
    stopped = tmp_path / "run"
    shutil.copytree(out, stopped)
    shutil.rmtree(stopped / "fold-2-of-2")
    for file in ("model.safetensors", "metrics.json"):
        (stopped / file).unlink()
    assert run("drug", "--data", data, "--out", stopped, "--resume", *options) == 0
    for file in ("model.safetensors", "metrics.json"):
        assert (stopped / file).read_bytes() == (out / file).read_bytes()


def test_metrics_have_all_labels_and_the_baseline(trained):
    kind, _, out, _ = trained
    metrics = json.loads((out / "metrics.json").read_text())
    if kind == "toxicity":
        assert metrics["auc"] == metrics["auc_per_label"]["NR-AhR"]
        assert tuple(metrics["auc_per_label"]) == LABELS
        assert metrics["auc_mean"] == pytest.approx(np.mean([*metrics["auc_per_label"].values()]))
    else:
        assert {"rmse", "r2", "mae", "baseline_rmse"} <= set(metrics)


def test_the_same_seed_gives_the_same_bits(trained, tmp_path):
    _, data, out, options = trained
    assert run("drug", "--data", data, "--out", tmp_path / "again", *options) == 0
    model = "model.safetensors"
    assert (tmp_path / "again" / model).read_bytes() == (out / model).read_bytes()


def test_predictions_are_what_evaluate_measures(trained, tmp_path):
    kind, data, out, _ = trained
    model = out / "model.safetensors"
    assert run("evaluate", model, "--data", data, "--json", tmp_path / "m.json") == 0
    bare = tmp_path / "bare.csv"
    rows = [line.split(",") for line in data.read_text().splitlines()]
    bare.write_text("\n".join(row[-2] for row in rows))
    assert run("predict", model, bare, "--json", tmp_path / "p.json") == 0
    metrics = json.loads((tmp_path / "m.json").read_text())
    found = json.loads((tmp_path / "p.json").read_text())
    if kind == "toxicity":
        place = LABELS.index("NR-AhR")
        told = [i for i, row in enumerate(rows[1:]) if row[place]]
        truth = [int(rows[1 + i][place]) for i in told]
        assert metrics["auc"] == pytest.approx(roc_auc(truth, [found[i]["NR-AhR"] for i in told]))
    else:
        errors = [
            each["log_solubility"] - float(row[-1])
            for each, row in zip(found, rows[1:], strict=True)
        ]
        assert metrics["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-5)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["smiles,solubility", "CCO,1", "C?C,1"], "row 2 (line 3): smiles: '?'"),
        (["smiles,solubility", "CCO,1", "C1CC,1"], "row 2 (line 3)"),
        (["smiles,solubility", "CCO,nan"], "row 1 (line 2): 'nan'"),
        (["smiles,solubility", ",1"], "row 1 (line 2): smiles"),
        (["structure,solubility", "CCO,1"], "'smiles'"),
    ],
)
def test_bad_rows_are_one_clear_error(tmp_path, capsys, lines, said):
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines))
    arguments = ("--kind", "solubility", "--data", path, "--out", tmp_path / "run")
    assert run("drug", *arguments) == 1
    assert said in capsys.readouterr().err


def test_labels_other_than_0_and_1_and_missing_assays_are_refused(tmp_path):
    path = write(tmp_path / "x.csv", 5)
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, "2" + first[1:], *rest]))
    with pytest.raises(ValueError, match="NR-AR '2'"):
        TOXICITY.read(path)
    path.write_text("smiles,NR-AR\nCCO,1\n")
    with pytest.raises(ValueError, match="NR-AR-LBD"):
        TOXICITY.read(path)


def test_a_scaffold_in_two_splits_is_refused(tmp_path, capsys):
    path = tmp_path / "x.csv"
    path.write_text("smiles,solubility,split\nCc1ccccc1,1,train\nOc1ccccc1,1,val\nCCO,1,test\n")
    assert run("drug", "--kind", "solubility", "--data", path, "--out", tmp_path / "r") == 1
    assert "groups are in train and in val" in capsys.readouterr().err


def test_unknown_labels_have_no_part_in_the_loss():
    import tinymed as tm

    logits = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    targets = (logits > 0).astype(np.float32)
    targets[0], targets[2, 3] = np.nan, np.nan
    deep = np.stack([np.zeros_like(logits), logits], -1)
    outputs = tm.tensor(np.stack([deep + 1e3, deep], 1))  # the wide view has no part in it either
    known = np.isfinite(targets)
    p = 1 / (1 + np.exp(-logits[known].astype(np.float64)))
    expected = -np.mean(np.where(targets[known] == 1, np.log(p), np.log(1 - p)))
    assert TOXICITY.loss({})(outputs, tm.tensor(targets)).item() == pytest.approx(expected, 1e-5)


def test_the_baseline_agrees_with_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    texts, _, soluble = synthesise_molecules(80, 1, np.random.default_rng(0))
    vectors = text.TfidfVectorizer(
        analyzer="char", ngram_range=(1, 4), lowercase=False, min_df=2, sublinear_tf=True
    )
    x = vectors.fit_transform(texts)
    expected = linear.Ridge(alpha=0.3, solver="lsqr", tol=1e-10).fit(x, soluble).predict(x)
    found = NGramRegression("squared").fit(texts, soluble[:, None])(texts)[:, 0]
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_log_solubilities_are_numbers_in_their_own_scale():
    np.testing.assert_allclose(SOLUBILITY_TASK.plain(np.array([[0.5]])), [[-2.0]])
