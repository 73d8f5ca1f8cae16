"""The accumulators against scikit-learn on the whole epoch, and what they say where data lack."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed import metrics

sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle: tinymed[test]")

EXAMPLES = settings(max_examples=50, deadline=None)  # a shared machine may pause
EXACT = {"rtol": 0, "atol": 1e-12}


def probable_cases(n, seed):
    """Labels, 0 and 1 first, and probabilities on 17 levels that lean towards them."""
    rng = np.random.default_rng(seed)
    y_true = np.concatenate([[0, 1], rng.integers(2, size=n - 2)])
    return y_true, (rng.integers(0, 12, size=n) + 5 * y_true) / 16


@EXAMPLES
@given(st.integers(0, 99), st.integers(2, 40), st.integers(1, 7), st.sampled_from([0.25, 0.5, 2.0]))
def test_binary_metrics_measure_the_epoch_not_its_batches(seed, n, batch, threshold):
    y_true, y_score = probable_cases(n, seed)
    collected = metrics.BinaryMetrics()
    for start in range(0, len(y_true), batch):
        collected.update(y_true[start : start + batch], y_score[start : start + batch, None])
    result = collected.compute(threshold, resamples=0)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    y_pred = y_score >= threshold
    expected = {
        "n": len(y_true),
        "positives": y_true.sum(),
        "prevalence": y_true.mean(),
        "threshold": threshold,
        "accuracy": sk.accuracy_score(y_true, y_pred),
        "balanced_accuracy": sk.balanced_accuracy_score(y_true, y_pred),
        "recall": sk.recall_score(y_true, y_pred),
        "specificity": sk.recall_score(y_true, y_pred, pos_label=0),
        "precision": sk.precision_score(y_true, y_pred, zero_division=0),
        "f1": sk.f1_score(y_true, y_pred, zero_division=0),
        "auc": sk.roc_auc_score(y_true, y_score),
        "average_precision": sk.average_precision_score(y_true, y_score),
        "brier": sk.brier_score_loss(y_true, y_score),
        "ece": metrics.expected_calibration_error(y_true, y_score),
    }
    assert set(result) == {*expected, "auc_ci", "warnings"}
    for key, value in expected.items():
        np.testing.assert_allclose(result[key], value, **EXACT, err_msg=key)
    assert result["auc_ci"] is None
    assert result["warnings"] == (
        []
        if y_pred.any()
        else [f"precision: no score reaches the threshold {threshold:g}; 0 is given"]
    )


def test_binary_metrics_give_the_interval_over_patients():
    y_true, y_score = probable_cases(80, seed=0)
    patient = np.arange(80) // 4
    collected = metrics.BinaryMetrics()
    for part in np.split(np.arange(80), [10, 50]):
        collected.update(y_true[part], y_score[part], patient[part])
    result = collected.compute(resamples=200, level=0.9, generator=np.random.default_rng(3))
    expected = metrics.bootstrap_interval(
        metrics.roc_auc, y_true, y_score, patient,
        level=0.9, resamples=200, generator=np.random.default_rng(3),
    )  # fmt: skip
    assert result["auc_ci"] == [expected.low, expected.high]
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    for name, value in (("y_true", y_true), ("y_score", y_score), ("groups", patient)):
        np.testing.assert_array_equal(getattr(collected, name), value)


@pytest.mark.parametrize(
    ("label", "missing"),
    [(0, {"balanced_accuracy", "recall", "f1", "auc", "average_precision"}),
     (1, {"balanced_accuracy", "specificity", "auc"})],
)  # fmt: skip
def test_a_file_of_one_class_gives_none_and_says_why(label, missing):
    collected = metrics.BinaryMetrics()
    collected.update([label, label], [0.25, 0.75])
    result = collected.compute()
    assert {key for key in result if result[key] is None} == missing | {"auc_ci"}
    for key in missing:
        named = "roc_auc" if key == "auc" else key
        assert any(
            text.startswith(f"{named}: y_true holds class {label} only (2 cases)")
            for text in result["warnings"]
        )
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_interval_says_what_it_lacks():
    one_patient = metrics.BinaryMetrics()
    one_patient.update([0, 1, 1], [0.1, 0.8, 0.6], groups=["a"] * 3)
    result = one_patient.compute()
    assert (result["auc"], result["auc_ci"]) == (1.0, None)
    assert "3 cases are one group" in result["warnings"][0]
    three_patients = metrics.BinaryMetrics()
    three_patients.update([0, 1, 1], [0.1, 0.8, 0.6])
    result = three_patients.compute(resamples=50, generator=np.random.default_rng(0))
    assert result["auc_ci"] == [1.0, 1.0]
    assert "one class only and were drawn again" in result["warnings"][0]


def test_multiclass_metrics():
    rng = np.random.default_rng(4)
    y_true = np.concatenate([np.arange(3), rng.integers(3, size=47)])
    y_score = rng.dirichlet(np.ones(3), size=50).astype(np.float32)
    collected = metrics.MulticlassMetrics(3)
    collected.update(y_true[:1], y_score[:1])
    collected.update(y_true[1:, None], y_score[1:])
    result = collected.compute()
    y_pred = y_score.argmax(axis=1)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["n"], result["warnings"]) == (50, [])
    assert result["confusion_matrix"] == sk.confusion_matrix(y_true, y_pred).tolist()
    for key, expected in (
        ("accuracy", sk.accuracy_score(y_true, y_pred)),
        ("balanced_accuracy", sk.balanced_accuracy_score(y_true, y_pred)),
        ("recall_per_class", sk.recall_score(y_true, y_pred, average=None)),
        ("auc_macro", np.mean([sk.roc_auc_score(y_true == c, y_score[:, c]) for c in range(3)])),
    ):
        np.testing.assert_allclose(result[key], expected, **EXACT, err_msg=key)


def test_multiclass_metrics_name_absent_classes():
    collected = metrics.MulticlassMetrics(3)
    collected.update([0, 0], [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], groups=[1, 2])
    result = collected.compute()
    assert (result["balanced_accuracy"], result["auc_macro"]) == (None, None)
    assert result["recall_per_class"] == [0.5, None, None]
    assert "class 0 only (2 cases)" in result["warnings"][0]
    collected.update([2], [[0.0, 0.25, 0.75]], groups=[3])
    result = collected.compute()
    assert (result["balanced_accuracy"], result["auc_macro"]) == (0.75, 1.0)
    assert result["recall_per_class"] == [0.5, None, 1.0]
    assert "no case of class [1]" in result["warnings"][0]
    assert collected.groups.tolist() == [1, 2, 3]


def test_batches_are_copied_and_a_refused_batch_leaves_nothing():
    y_true, y_score, groups = np.array([0, 1]), np.array([0.2, 0.7]), np.array([5, 6])
    collected = metrics.BinaryMetrics()
    collected.update(y_true, y_score, groups)
    y_true[:], y_score[:], groups[:] = 1, 0.5, 9  # the loader's next batch
    for bad in (([1], [1.5], [5]), ([1, 0], [0.5], [5]), ([1], [0.5], [5, 6]), ([1], [0.5], None)):
        with pytest.raises(ValueError, match=r"BinaryMetrics\.update: "):
            collected.update(*bad)
    assert collected.y_true.tolist() == [0, 1]
    assert collected.y_score.tolist() == [0.2, 0.7]
    assert collected.groups.tolist() == [5, 6]


def test_groups_come_with_every_batch_or_with_none():
    collected = metrics.BinaryMetrics()
    collected.update([0, 1], [0.2, 0.7])
    assert collected.groups is None
    with pytest.raises(ValueError, match="this batch has groups, earlier ones had no groups"):
        collected.update([0], [0.2], [1])
    collected = metrics.MulticlassMetrics(2)
    collected.update([0], [[0.2, 0.8]], ["a"])
    with pytest.raises(ValueError, match="this batch has no groups, earlier ones had groups"):
        collected.update([0], [[0.2, 0.8]])
