"""`tinymed dna` as its user meets it, on small files; the real sets where they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.medical.sequences import (
    PROTEIN,
    synthesise_junctions,
    synthesise_peptides,
    synthesise_promoters,
)
from tinymed.medical.tasks.dna import PEPTIDES, SPLICE, composition, hide_letters

pytest.importorskip("scipy", reason="splice junctions need the extra `medical`")
REAL = Path(__file__).parents[3] / ".." / "shared" / "data" / "splice_dna.csv"
MAKE = {
    "splice": synthesise_junctions,
    "promoter": synthesise_promoters,
    "amp": synthesise_peptides,
}


def write(path: Path, records, columns=("seq", "cls", "group")) -> Path:
    rows = zip(records.sequences, records.labels, records.groups, strict=True)
    path.write_text("\n".join([",".join(columns), *map(",".join, rows)]))
    return path


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture(scope="module", params=list(MAKE))
def trained(request, tmp_path_factory):
    """A kind, its data and the folder of a short run."""
    folder = tmp_path_factory.mktemp(request.param)
    data = write(folder / "d.csv", MAKE[request.param](50, np.random.default_rng(1)))
    out = folder / "run"
    options = ["--kind", request.param, "--quick", "--epochs", "1", "--folds", "2"]
    assert run("dna", "--data", data, "--out", out, *options) == 0
    return request.param, data, out, options


def test_metrics_name_the_baseline_and_the_folds(trained):
    kind, data, out, _ = trained
    metrics = json.loads((out / "metrics.json").read_text())
    key = "accuracy" if kind == "splice" else "auc"
    assert 0 <= metrics[key] <= 1
    assert f"baseline_{key}" in metrics
    assert metrics["n"] == len(data.read_text().splitlines()) - 1
    assert metrics["split"] == "out of fold"


def test_the_same_seed_gives_the_same_bits(trained, tmp_path):
    _, data, out, options = trained
    assert run("dna", "--data", data, "--out", tmp_path / "again", *options) == 0
    model = "model.safetensors"
    assert (tmp_path / "again" / model).read_bytes() == (out / model).read_bytes()


def test_evaluate_judges_a_whole_file_and_predict_agrees(trained, tmp_path):
    _, data, out, _ = trained
    model = out / "model.safetensors"
    assert run("evaluate", model, "--data", data, "--json", tmp_path / "m.json") == 0
    assert run("predict", model, data, "--json", tmp_path / "p.json") == 0
    metrics = json.loads((tmp_path / "m.json").read_text())
    found = json.loads((tmp_path / "p.json").read_text())
    labels = [line.split(",")[1] for line in data.read_text().splitlines()[1:]]
    right = np.mean([each["class"] == x for each, x in zip(found, labels, strict=True)])
    assert metrics["split"] == "all"
    assert metrics["accuracy"] == pytest.approx(right)
    different = len({line.split(",")[0] for line in data.read_text().splitlines()[1:]})
    told = f"{different} of {different} groups (sequence) are named as in training"
    assert any(warning.startswith(told) for warning in metrics["warnings"])


def test_other_sequences_are_not_taken_for_those_of_the_training(trained, tmp_path):
    kind, _, out, _ = trained
    other = write(tmp_path / "other.csv", MAKE[kind](30, np.random.default_rng(2)))
    found = tmp_path / "m.json"
    assert run("evaluate", out / "model.safetensors", "--data", other, "--json", found) == 0
    assert not any("training" in warning for warning in json.loads(found.read_text())["warnings"])


def test_a_family_in_two_splits_is_refused(tmp_path, capsys):
    records = synthesise_junctions(20, np.random.default_rng(0))
    lines = ["seq,cls,split"]
    pairs = zip(records.sequences, records.labels, strict=True)
    lines += [f"{s},{x},{('train', 'test')[i % 2]}" for i, (s, x) in enumerate(pairs)]
    lines.append(lines[1].replace("train", "test"))  # the first sequence, once more
    path = tmp_path / "leak.csv"
    path.write_text("\n".join(lines))
    assert run("dna", "--data", path, "--out", tmp_path / "run", "--quick") == 1
    assert "groups are in train and in test" in capsys.readouterr().err


def test_sequences_of_another_length_are_refused_with_their_row(tmp_path, capsys):
    path = tmp_path / "x.csv"
    path.write_text(f"seq,cls\n{'A' * 60},n\n{'A' * 61},n\n")
    assert run("dna", "--data", path, "--out", tmp_path / "run") == 1
    assert "row 2 (line 3): 61 letters, 60 to 60 expected" in capsys.readouterr().err


def test_hidden_letters_are_mixtures_and_the_sample_is_left_alone():
    row = np.hstack([np.eye(4)[np.zeros(500, int)], np.ones((500, 1))])
    before = row.copy()
    changed, target = hide_letters((row, 2), np.random.default_rng(0))
    assert target == 2
    np.testing.assert_array_equal(row, before)
    np.testing.assert_allclose(changed.sum(axis=1), 2)
    hidden = changed[:, 0] == 0.25
    assert 0.05 < hidden.mean() < 0.15


def test_composition_counts_residues_and_pairs():
    found = composition(np.array(["ACCA"]), PROTEIN)[0] ** 2
    assert found[0] == pytest.approx(0.5)
    assert found[20 + 1] == pytest.approx(1 / 3)  # A then C
    assert found[20 + 20] == pytest.approx(1 / 3)  # C then A
    assert found[20:].sum() == pytest.approx(1)


def test_padding_has_no_influence():
    import tinymed as tm
    from tinymed.medical.models.sequence_network import SequenceNetwork

    network = SequenceNetwork(20, 2).eval()
    rows = np.random.default_rng(0).random((1, 9, 21)).astype(np.float32)
    rows[:, :, -1] = 1
    longer = np.zeros((1, 30, 21), np.float32)
    longer[:, :9] = rows
    alone, behind = (network(tm.tensor(x)).detach().numpy() for x in (rows, longer))
    np.testing.assert_allclose(alone, behind, atol=1e-6)


@pytest.mark.skipif(not REAL.exists(), reason="the real junctions are not beside the project")
def test_the_real_file_is_read_and_its_duplicates_are_one_family():
    examples = SPLICE.read(REAL)
    assert len(examples) == 2231
    first = {}
    for text, group in zip(examples.inputs, examples.groups, strict=True):
        assert first.setdefault(text, group) == group
    assert PEPTIDES.kind == "amp"
