"""What every metric refuses, and with which words; what it accepts besides arrays."""

import numpy as np
import pytest

from tinymed import metrics

DECISIONS = (
    metrics.accuracy, metrics.balanced_accuracy, metrics.recall, metrics.specificity,
    metrics.precision, metrics.f1, metrics.confusion_matrix, metrics.per_class,
)  # fmt: skip
RANKINGS = (
    metrics.roc_curve, metrics.roc_auc, metrics.precision_recall_curve, metrics.average_precision,
    metrics.choose_threshold,
)  # fmt: skip
CALIBRATIONS = (metrics.brier, metrics.expected_calibration_error, metrics.reliability_curve)
REGRESSIONS = (metrics.rmse, metrics.mae, metrics.r2)
SCORED = RANKINGS + CALIBRATIONS
EVERY = DECISIONS + SCORED + REGRESSIONS


def name_of(function):
    return function.__name__


@pytest.fixture(params=EVERY, ids=name_of)
def metric(request):
    return request.param


def fails(metric, y_true, y_other, kind, words):
    with pytest.raises(kind, match=words) as caught:
        metric(y_true, y_other)
    assert str(caught.value).startswith(f"{metric.__name__}: ")
    assert not isinstance(caught.value, metrics.UndefinedMetricError)


def test_every_metric_refuses_malformed_arguments(metric):
    fails(metric, [0, 1, 1], [0, 1], ValueError, "y_true has 3 cases, y_.* has 2")
    fails(metric, [], [], ValueError, "y_.* is empty, expected at least one case")
    fails(metric, [0, np.nan], [0, 1], ValueError, "y_true holds nan at index 1, expected finite")
    fails(metric, [0, 1], [np.nan, 1], ValueError, "y_.* holds nan at index 0, expected finite")
    fails(metric, [0, 1], [0, np.inf], ValueError, "y_.* holds inf at index 1, expected finite")
    fails(metric, ["0", "1"], [0, 1], TypeError, "y_true has dtype <U1, expected real numbers")
    fails(metric, [0, 1], [0, None], TypeError, "y_.* has dtype object, expected real numbers")
    fails(metric, [0, 1], [0, 1j], TypeError, "y_.* has dtype complex128, expected real numbers")
    fails(metric, 1, 1, ValueError, "y_true is the single number 1, expected an array")
    shape = r"has shape \(2, 3\), expected \(n,\) or \(n, 1\)"
    fails(metric, np.ones((2, 3)), [0, 1], ValueError, "y_true " + shape)


def test_every_metric_takes_columns_booleans_floats_lists_and_tensors(metric):
    class Tensor:
        def __init__(self, values):
            self.values = np.array(values)

        def __array__(self, dtype=None, copy=None):
            return self.values

    y_true, y_other = [0, 1, 1, 0], [0, 1, 0, 1]
    expected = metric(y_true, y_other)
    for kind in (
        lambda values: np.array(values)[:, None],
        lambda values: np.array(values, bool),
        lambda values: np.array(values, np.float32),
        lambda values: np.array(values, np.uint8),
        Tensor,
    ):
        result = metric(kind(y_true), kind(y_other))
        parts = [(result, expected)]
        if isinstance(expected, tuple):
            parts = list(zip(result, expected, strict=True))
        for ours, theirs in parts:
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("metric", [*DECISIONS, *SCORED], ids=name_of)
def test_labels_are_checked(metric):
    fails(metric, [0, -1], [0, 1], ValueError, "y_true holds -1 at index 1, expected")
    fails(metric, [0, 1.5], [0, 1], ValueError, "y_true holds 1.5 at index 1, expected")
    fails(metric, np.eye(2), [0, 1], ValueError, "one-hot labels need argmax")


@pytest.mark.parametrize("metric", DECISIONS, ids=name_of)
def test_scores_are_not_taken_for_decisions(metric):
    fails(metric, [0, 1], [0.25, 1.0], ValueError, "y_pred holds 0.25 .*y_score >= threshold")


@pytest.mark.parametrize("metric", [*DECISIONS[2:6], *SCORED], ids=name_of)
def test_binary_metrics_refuse_a_third_class(metric):
    fails(metric, [0, 2], [0, 1], ValueError, "y_true holds 2 at index 1, expected labels 0 or 1")


@pytest.mark.parametrize("metric", SCORED, ids=name_of)
def test_two_columns_of_scores_are_refused_with_advice(metric):
    words = r"has shape \(2, 2\), expected \(n,\) or \(n, 1\); pass column 1: y_\w+\[:, 1\]"
    fails(metric, [0, 1], np.full((2, 2), 0.5), ValueError, words)


@pytest.mark.parametrize("metric", CALIBRATIONS, ids=name_of)
def test_logits_are_not_taken_for_probabilities(metric):
    words = r"y_prob ranges from -2 to 3, expected probabilities in \[0, 1\]; apply sigmoid"
    fails(metric, [0, 1], [-2.0, 3.0], ValueError, words)
    fails(metric, [0, 1], [-0.5, 0.5], ValueError, "y_prob ranges from -0.5 to 0.5")
    fails(metric, [0, 1], [0.5, 1.5], ValueError, "y_prob ranges from 0.5 to 1.5")


@pytest.mark.parametrize("metric", [metrics.roc_curve, metrics.roc_auc, metrics.choose_threshold])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_no_roc(metric, label):
    words = rf"{metric.__name__}: y_true holds class {label} only \(3 cases\), expected both"
    with pytest.raises(metrics.UndefinedMetricError, match=words):
        metric([label] * 3, [0.1, 0.2, 0.3])


def test_a_constant_has_no_r2_even_where_its_mean_is_rounded():
    with pytest.raises(metrics.UndefinedMetricError, match=r"r2: y_true holds the value 0\.1 only"):
        metrics.r2([0.1] * 3, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("metric", [metrics.precision_recall_curve, metrics.average_precision])
def test_precision_recall_needs_a_positive(metric):
    with pytest.raises(metrics.UndefinedMetricError, match=r"class 0 only .* a positive case"):
        metric([0, 0], [0.1, 0.2])
    metric([1, 1], [0.1, 0.2])


def test_balanced_accuracy_and_roc_need_two_classes_but_one_case_has_an_accuracy():
    with pytest.raises(
        metrics.UndefinedMetricError, match="balanced_accuracy: y_true holds class 2"
    ):
        metrics.balanced_accuracy([2], [2])
    assert metrics.accuracy([2], [2]) == 1.0


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: metrics.recall([1], [1], average="micro"), ValueError,
         "recall: average is 'micro', expected 'binary' or 'macro'"),
        (lambda: metrics.confusion_matrix([1], [1], num_classes=1), ValueError,
         "confusion_matrix: num_classes is 1, expected at least 2"),
        (lambda: metrics.confusion_matrix([1], [1], num_classes=2.5), TypeError,
         "num_classes is 2.5, expected an integer"),
        (lambda: metrics.confusion_matrix([0, 3], [1, 1], num_classes=3), ValueError,
         "y_true holds 3 at index 1, expected class indices 0 .. 2"),
        (lambda: metrics.confusion_matrix([10**6], [1]), ValueError,
         "the largest label is 1000000, expected less than 4096"),
        (lambda: metrics.accuracy([1e300], [1]), ValueError, "holds 1e\\+300 at index 0"),
        (lambda: metrics.roc_auc([0, 3, 1], np.eye(3)), ValueError,
         "roc_auc: y_true holds 3 at index 1, expected class indices 0 .. 2"),
        (lambda: metrics.roc_auc([0, 1], np.eye(3)), ValueError, "y_true has 2 .* y_score has 3"),
        (lambda: metrics.roc_auc_per_class([0, 1], [0.1, 0.2]), ValueError,
         r"roc_auc_per_class: y_score has shape \(2,\), expected \(n, C\)"),
        (lambda: metrics.reliability_curve([0, 1], [0, 1], n_bins=0), ValueError,
         "n_bins is 0, expected at least 1"),
        (lambda: metrics.choose_threshold([0, 1], [0, 1], "accuracy"), ValueError,
         "choose_threshold: criterion is 'accuracy', expected 'youden', 'f1'"),
        (lambda: metrics.choose_threshold([0, 1], [0, 1], "specificity"), ValueError,
         "expected min_sensitivity with it"),
        (lambda: metrics.choose_threshold([0, 1], [0, 1], min_sensitivity=95), ValueError,
         r"min_sensitivity is 95, expected a share in \(0, 1\]"),
        (lambda: metrics.MulticlassMetrics(1), ValueError, "num_classes is 1, expected at least 2"),
    ],
)  # fmt: skip
def test_settings_are_checked(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"level": 95}, ValueError, r"level is 95, expected a share in \(0, 1\)"),
        ({"resamples": 0}, ValueError, "resamples is 0, expected at least 1"),
        ({"resamples": 1e3}, TypeError, "resamples is 1000.0, expected an integer"),
        ({"generator": 0}, TypeError, "generator is 0, expected a numpy.random.Generator"),
        ({"groups": [1, 2]}, ValueError, "y_true has 4 cases, groups has 2"),
        ({"groups": [1, 2, np.nan, 3]}, TypeError, "groups has dtype float64, expected integers"),
        ({"groups": ["a", None, "b", "c"]}, TypeError, "groups has dtype object"),
        ({"groups": np.zeros((4, 2), int)}, ValueError, r"groups has shape \(4, 2\)"),
        ({"y_score": [0.1]}, ValueError, "bootstrap_interval: y_true has 4 cases, y_score has 1"),
        ({"y_score": 0.1}, ValueError, "a single number, expected"),
        ({"y_score": [0.1, np.nan, 0.2, 0.3]}, ValueError, "roc_auc: y_score holds nan"),
        ({"y_true": [1] * 4}, metrics.UndefinedMetricError, "roc_auc: y_true holds class 1 only"),
    ],
)
def test_bootstrap_arguments_are_checked(change, kind, words):
    arguments = {"y_true": [0, 1, 0, 1], "y_score": [0.1, 0.2, 0.3, 0.4]} | change
    with pytest.raises(kind, match=words):
        metrics.bootstrap_interval(metrics.roc_auc, **arguments)


@pytest.mark.parametrize(
    ("y_score", "words"),
    [
        ([[2.0, -1.0, 0.5]], "y_score ranges from -1 to 2, .*apply softmax"),
        ([[0.5, 0.5, 0.5]], "y_score row 0 sums to 1.5, expected 1; apply softmax"),
        ([[0.5, 0.5]], r"y_score has shape \(1, 2\), expected 3 columns"),
        ([0.5], r"y_score has shape \(1,\), expected \(n, C\)"),
        ([[0.5, 0.5, np.nan]], r"y_score holds nan at index \(0, 2\), expected finite"),
        ([[1.0, 0.0, 0.0]] * 2, "y_true has 1 cases, y_score has 2"),
    ],
)
def test_multiclass_update_is_checked(y_score, words):
    with pytest.raises(ValueError, match=r"^MulticlassMetrics\.update: " + words):
        metrics.MulticlassMetrics(3).update([1], y_score)


@pytest.mark.parametrize(
    ("y_true", "y_score", "words"),
    [
        ([0, 1], [-2.0, 3.0], "y_score ranges from -2 to 3, .*apply sigmoid"),
        ([0, 2], [0.1, 0.2], "y_true holds 2 at index 1, expected labels 0 or 1"),
        ([0, 1], [[0.9, 0.1], [0.5, 0.5]], r"pass column 1: y_score\[:, 1\]"),
        ([], [], "y_true is empty"),
    ],
)
def test_binary_update_is_checked(y_true, y_score, words):
    with pytest.raises(ValueError, match=r"^BinaryMetrics\.update: .*" + words):
        metrics.BinaryMetrics().update(y_true, y_score)


def test_compute_needs_cases_and_a_finite_threshold():
    for empty in (metrics.BinaryMetrics(), metrics.MulticlassMetrics(2)):
        with pytest.raises(ValueError, match=r"Metrics\.compute: no case yet"):
            empty.compute()
    collected = metrics.BinaryMetrics()
    collected.update([0, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="threshold is nan, expected a finite number"):
        collected.compute(float("nan"))
