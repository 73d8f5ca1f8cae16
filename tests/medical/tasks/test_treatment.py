"""``tinymed treatment`` as its user meets it, and the tables that it reads."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.medical.survival.covariates import encoded, fitted_covariates
from tinymed.medical.survival.losses import discrete_targets
from tinymed.medical.survival.synthetic_trial import as_csv, synthetic_trial
from tinymed.medical.survival.trial_table import parse_trial, read_trial
from tinymed.medical.tasks.examples import Examples, dealt
from tinymed.medical.tasks.treatment import TREATMENT, examples_of

QUICK = ("--quick", "--epochs", "8")


def write(path: Path, patients: int = 400, seed: int = 1, **changed) -> Path:
    """Write a synthetic trial; a column given as None is left out."""
    columns = synthetic_trial(patients, np.random.default_rng(seed)) | changed
    path.write_text(as_csv({k: v for k, v in columns.items() if v is not None}))
    return path


def command(*arguments, into: Path | None = None):
    """Run a command that must work; return what it wrote as JSON."""
    extra = [] if into is None else ["--json", into]
    assert main([str(a) for a in [*arguments, *extra]]) == 0
    return None if into is None else json.loads(into.read_text())


def error_of(capsys, *arguments) -> str:
    assert main([str(a) for a in arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("tinymed: error: ")
    return lines[-1]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write(tmp_path_factory.mktemp("data") / "trial.csv")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "out"
    command("treatment", "--data", data, "--out", out, *QUICK)
    return out


def metrics_of(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


# ---------------------------------------------------------------------------------- it works


def test_metrics_say_how_good_it_is_beside_the_baseline(run):
    found = metrics_of(run)
    assert 0.4 < found["concordance"] < 1
    assert found["baseline"].startswith("Cox regression")
    low, high = found["concordance_ci"]
    assert low < found["concordance"] < high
    assert sum(arm["n"] for arm in found["arms"].values()) == found["n"] == 80
    assert sum(arm["events"] for arm in found["arms"].values()) == found["events"]
    assert set(found["uplift"]) == {"antibody", "inhibitor"}
    assert found["policy_value_ci"][0] < found["policy_value"] < found["policy_value_ci"][1]
    assert 0 <= found["integrated_brier_score"] < 0.3
    assert 0 <= found["truth"]["right_arm"] <= 1
    assert found["outcomes"]["outcome_cells_week_20"]["rmse"] > 0


def test_it_says_so_when_it_does_not_beat_cox(run):
    found = metrics_of(run)
    said = any("does not beat its baseline" in each for each in found["warnings"])
    assert said == (found["concordance"] <= found["baseline_concordance"])


def test_the_same_seed_gives_the_same_bits(run, data, tmp_path):
    command("treatment", "--data", data, "--out", tmp_path / "o", *QUICK)
    for file in ("model.safetensors", "metrics.json"):
        assert (tmp_path / "o" / file).read_bytes() == (run / file).read_bytes()


def test_intervals_are_over_groups(run, data, tmp_path):
    """Each patient four times is no more patients; as one group they have no interval."""
    header, *rows = data.read_text().splitlines()[:101]
    found = {}
    for name, times, group in (("once", 1, "{}"), ("four", 4, "{}"), ("one", 1, "all")):
        lines = [f"{row},{group.format(i)}" for i, row in enumerate(rows)] * times
        (tmp_path / "x.csv").write_text("\n".join([f"{header},group", *lines]))
        given = ("evaluate", run, "--data", tmp_path / "x.csv")
        found[name] = command(*given, into=tmp_path / "x.json")
    width = {name: np.ptp(each["concordance_ci"] or 0) for name, each in found.items()}
    assert width["four"] == pytest.approx(width["once"], rel=0.15)
    assert found["one"]["concordance_ci"] is None
    assert found["one"]["concordance"] == pytest.approx(found["once"]["concordance"])


def test_evaluate_repeats_the_test_and_takes_other_patients_whole(run, data, tmp_path):
    model = run / "model.safetensors"
    again = command(
        "evaluate", model, "--data", data, "--split", "test", into=tmp_path / "again.json"
    )
    assert again == metrics_of(run)
    others = write(tmp_path / "others.csv", 150, seed=9, truth_antibody=None, truth_inhibitor=None)
    found = command("evaluate", model, "--data", others, into=tmp_path / "others.json")
    assert found["n"] == 150
    assert found["split"] == "all"
    assert "truth" not in found


def test_an_event_at_a_cut_belongs_to_the_interval_that_ends_there():
    """A cut is the time of an event; in years it is no float32, which may be greater."""
    times = np.arange(1, 82) / 10
    rows = [f"{time},1,{i % 7}" for i, time in enumerate(times)]
    train = examples_of(parse_trial("\n".join(["time,event,age", *rows]), "x.csv"))
    options = Namespace(hazard="discrete", learner="s", horizon=None)
    known = TREATMENT.preprocessing(train, options)
    (_, targets), *_ = TREATMENT.loader(train, known, len(times), seed=0)
    _, failed = discrete_targets(targets.numpy()[:, 1], np.ones(len(times)), known["cuts"])
    expected = np.histogram(times, np.nextafter([-1, *known["cuts"]], 99))[0]
    assert failed.sum(axis=0).tolist() == expected.tolist()
    assert failed.sum() == len(times)


def test_patients_of_the_training_are_known_again_by_their_rows(run, data, tmp_path):
    found = command("evaluate", run, "--data", data, into=tmp_path / "x.json")
    assert any("240 of 400 groups (equal row) are named as" in w for w in found["warnings"])
    others = write(tmp_path / "others.csv", 150, seed=9)
    found = command("evaluate", run, "--data", others, into=tmp_path / "x.json")
    assert not any("equal row" in w for w in found["warnings"])


def test_predict_needs_no_endpoints_and_tells_of_each_arm(run, tmp_path):
    file = write(tmp_path / "new.csv", 5, time=None, event=None, arm=None)
    found = command("predict", run / "model.safetensors", file, into=tmp_path / "p.json")
    assert len(found) == 5
    for each in found:
        survival = {arm: each[f"survival_{arm}"] for arm in ("control", "antibody", "inhibitor")}
        assert all(0 < value < 1 for value in survival.values())
        assert each["best_arm"] == max(survival, key=survival.get)
        assert "outcome_cells_week_20_control" in each


@pytest.mark.parametrize(
    "options", [("--hazard", "discrete"), ("--learner", "t"), ("--horizon", "400")]
)
def test_options_train_and_evaluate(data, tmp_path, options):
    out = tmp_path / "o"
    command("treatment", "--data", data, "--out", out, *QUICK, *options)
    again = command(
        "evaluate", out / "model.safetensors", "--data", data, "--split", "test",
        into=tmp_path / "m.json",
    )  # fmt: skip
    assert again == metrics_of(out)
    if options[0] == "--horizon":
        assert again["horizon"] == 400


def test_one_arm_is_survival_without_uplift(tmp_path):
    file = write(
        tmp_path / "x.csv", arm=None, truth_antibody=None, truth_inhibitor=None,
        outcome_cells_week_20=None,
    )  # fmt: skip
    command("treatment", "--data", file, "--out", tmp_path / "o", *QUICK)
    found = metrics_of(tmp_path / "o")
    assert list(found["arms"]) == ["all"]
    assert "uplift" not in found


def test_a_file_that_ends_before_the_horizon_is_judged_as_far_as_it_goes(run, tmp_path):
    columns = synthetic_trial(120, np.random.default_rng(3))
    late = columns["time"] > 200
    file = write(
        tmp_path / "short.csv", 120, seed=3, time=np.minimum(columns["time"], 200),
        event=np.where(late, 0, columns["event"]),
    )  # fmt: skip
    found = command("evaluate", run / "model.safetensors", "--data", file, into=tmp_path / "m.json")
    assert found["concordance"] > 0
    assert any("horizon" in each or "censored before" in each for each in found["warnings"])


def test_published_tables_are_read_by_their_own_columns():
    datasets = pytest.importorskip("lifelines.datasets", reason="lifelines is not installed")
    folder = Path(datasets.__file__).parent
    table = read_trial(folder / "ACTG175.csv")
    assert len(table.patients) == 2139
    assert table.endpoints["event"].sum() == 521
    assert sorted(set(table.endpoints["arm"]))[1] == "zidovudine"
    names = set(table.patients.dtype.names)
    assert not names & {"cd420", "cd496", "cd820", "offtrt", "r", "treat", "pidnum"}
    assert np.isnan(table.endpoints["outcome_cd496"]).sum() == 2139 - 1342
    lung = read_trial(folder / "lung.csv")
    assert lung.endpoints["event"].sum() == 165
    assert set(lung.endpoints["arm"]) == {""}


# --------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("column", "row", "cell", "message"),
    [
        ("time", 3, "-4", "line 5: time is -4, >= 0 expected"),
        ("time", 3, "", "line 5: time is missing"),
        ("time", 3, "soon", "line 5: time is 'soon', a finite number expected"),
        ("event", 0, "2", r"line 2: event is 2, 0 \(censored\) or 1 expected"),
        ("arm", 7, "NA", "line 9: arm is missing"),
        ("outcome_cells_week_20", 1, "inf", "line 3: outcome_cells_week_20 is 'inf'"),
    ],
)
def test_a_bad_cell_is_named_by_its_line(column, row, cell, message):
    columns = synthetic_trial(20, np.random.default_rng(0))
    columns[column] = columns[column].astype(object)
    columns[column][row] = cell
    with pytest.raises(DataError, match=message):
        parse_trial(as_csv(columns), "x.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 lines"),
        ("time,event,age\n", "1 lines"),
        ("time,event,age\n1,1\n", "line 2: 2 cells, 3 expected"),
        ("time,age\n1,1\n", "column 'time' without 'event'"),
        ("time,event,age,age\n1,1,1,1\n", "'age' is there twice"),
        ("time,event,\n1,1,1\n", "a column without a name"),
        ("time,event\n1,1\n", "no covariates"),
        ("time,event,group,age\n1,1,,3\n", "line 2: group is empty"),
        ("id,time,event,age\n7,1,1,3\n", "column 'id' is not known; call it 'group'"),
        ("Subject ID,time,event,age\n7,1,1,3\n", "column 'Subject ID' is not known; call it"),
        ('time,event,age\n1,1,"3\n', "line 2"),
    ],
)
def test_what_is_no_table(text, message):
    with pytest.raises(DataError, match=message):
        parse_trial(text, "x.csv")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"arm": np.array(["placebo"] * 30)}, "line 2: arm is 'placebo'"),
        ({"stage": np.array(["IV"] * 30)}, "line 2: stage is 'IV', one of 'I', 'II', 'III'"),
        ({"age": np.array(["old"] * 30)}, "line 2: age is 'old', a finite number expected"),
        ({"bmi": None, "crp": None}, "no column 'bmi', 'crp'"),
        ({"time": None, "event": None}, "no targets"),
    ],
)
def test_patients_that_the_model_cannot_judge(run, tmp_path, capsys, changed, message):
    file = write(tmp_path / "x.csv", 30, **changed)
    error = error_of(capsys, "evaluate", run / "model.safetensors", "--data", file)
    assert message in error
    assert "x.csv" in error


def test_a_patient_in_two_splits_is_refused(tmp_path, capsys):
    file = write(
        tmp_path / "x.csv", group=np.arange(400) // 2,
        split=np.array(["train", "train", "val", "test"] * 99 + ["train", "val"] * 2),
    )  # fmt: skip
    error = error_of(capsys, "treatment", "--data", file, "--out", tmp_path / "o")
    assert "groups are in train and in val" in error
    assert not (tmp_path / "o").exists()


def test_settings_that_make_no_sense(data, tmp_path, capsys):
    start = ("treatment", "--data", data, "--out", tmp_path / "o")
    assert "--horizon 0" in error_of(capsys, *start, "--horizon", "0")
    few = write(
        tmp_path / "few.csv",
        event=np.r_[np.ones(5, int), np.zeros(395, int)],
        split=np.repeat(["train", "val", "test"], [300, 50, 50]),
    )
    assert "events among" in error_of(capsys, *start[:2], few, *start[3:])


# ----------------------------------------------------------------------------------- covariates


def test_what_is_missing_becomes_the_median_of_training_with_a_mark():
    train = parse_trial("time,event,a,b\n1,1,1,x\n1,1,,y\n1,1,9,\n1,0,2,x\n", "t").patients
    facts = fitted_covariates(train)
    assert facts["numbers"]["a"]["median"] == 2
    new = parse_trial("a,b\nNA,y\n5,x\n", "n").patients
    expected = [[2, 1, 0, 1], [5, 0, 1, 0]]  # a, a is missing, b is x, b is y; "" comes first
    np.testing.assert_array_equal(encoded(new, facts, scores=False), expected)


def test_scores_of_training_are_standard_and_do_not_follow_outliers():
    draw = np.random.default_rng(0)
    values = np.exp(draw.normal(0, 2, 500))
    table = parse_trial("a\n" + "\n".join(map(str, values)), "t").patients
    scores = encoded(table, fitted_covariates(table), scores=True)[:, 0]
    assert abs(scores.mean()) < 0.05
    assert 0.9 < scores.std() < 1.1
    assert np.corrcoef(scores, np.log(values))[0, 1] > 0.98
    assert scores.max() < 2.6 < (values.max() - values.mean()) / values.std()


def test_what_does_not_vary_is_left_out_and_identifiers_are_refused():
    table = parse_trial("a,b\n1,2\n1,3\n", "t").patients
    assert fitted_covariates(table)["left_out"] == ["a"]
    names = parse_trial("a\n" + "\n".join(f"p{i}" for i in range(30)), "t").patients
    with pytest.raises(DataError, match="a has 30 categories in 30 patients"):
        fitted_covariates(names)


# ------------------------------------------------------------------------------- the synthetic


def test_the_arms_of_the_synthetic_trial_are_drawn_by_lot_and_work_as_it_says():
    columns = synthetic_trial(20000, np.random.default_rng(0))
    share = columns["event"].mean()
    assert 0.35 < share < 0.65
    control, drug = columns["arm"] == "control", columns["arm"] == "inhibitor"
    assert abs(columns["age"][control].mean() - columns["age"][drug].mean()) < 0.5
    helped = columns["truth_inhibitor"] < -0.8
    for who, sign in ((helped, -1), (columns["truth_inhibitor"] > 0.1, 1)):
        rate = [
            columns["event"][who & arm].sum() / columns["time"][who & arm].sum()
            for arm in (control, drug)
        ]
        assert np.sign(np.log(rate[1] / rate[0])) == sign
    assert (columns["creatinine"] == "").mean() == pytest.approx(0.08, abs=0.02)


# ------------------------------------------------------------------------------------- splits


def test_splits_hold_arms_and_events_alike(data):
    for part in dealt(TREATMENT.read(data), 0).values():
        for arm in ("control", "inhibitor", "antibody"):
            whole = read_trial(data).endpoints
            of_all = whole["event"][whole["arm"] == arm].mean()
            here = part.targets["event"][part.targets["arm"] == arm].mean()
            assert here == pytest.approx(of_all, abs=0.04)


@pytest.mark.parametrize("targets", [np.linspace(0, 1, 40), np.ones((40, 2)), np.ones(40, int)])
def test_measured_targets_are_dealt_without_strata(targets):
    examples = Examples(np.arange(40), targets, np.arange(40) // 2)
    parts = dealt(examples, 0)
    assert [len(part) for part in parts.values()] == [24, 8, 8]
    assert len(np.unique(np.concatenate([part.inputs for part in parts.values()]))) == 40
    assert not set(parts["train"].groups) & set(parts["test"].groups)
