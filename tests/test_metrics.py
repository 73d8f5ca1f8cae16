"""Metrics, thresholds and intervals against scikit-learn, plain loops and closed forms."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tinymed import metrics

sk = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is the oracle: pip install tinymed[test]"
)
calibration = pytest.importorskip("sklearn.calibration")

EXAMPLES = settings(max_examples=50, deadline=None)  # a shared machine may pause
EXACT = {"rtol": 0, "atol": 1e-12}


@st.composite
def binary_cases(draw, both_classes=False):
    """Labels and probabilities, few levels (many ties) or any float, balanced or rare."""
    n = draw(st.integers(1, 40))
    rare = draw(st.sampled_from([1, 4, 20]))
    y_true = np.array(draw(st.lists(st.integers(0, rare), min_size=n, max_size=n))) == 0
    levels = st.integers(0, 8).map(lambda i: i / 8)
    score = draw(st.sampled_from([levels, st.floats(0, 1), st.floats(0, 1, width=32)]))
    y_score = np.array(draw(st.lists(score, min_size=n, max_size=n)))
    if both_classes:
        assume(y_true.any() and not y_true.all())
    return y_true.astype(np.int64), y_score


@st.composite
def class_cases(draw, num_classes=4):
    """Class indices and predicted ones; some classes may be absent from either."""
    n = draw(st.integers(1, 40))
    index = st.lists(st.integers(0, num_classes - 1), min_size=n, max_size=n)
    return np.array(draw(index)), np.array(draw(index))


@EXAMPLES
@given(binary_cases(), st.sampled_from([0.0, 0.5, 0.75, 1.0]))
def test_binary_decisions_equal_scikit_learn(case, threshold):
    y_true, y_score = case
    y_pred = (y_score >= threshold).astype(int)
    assert metrics.accuracy(y_true, y_pred) == sk.accuracy_score(y_true, y_pred)
    expected = sk.precision_score(y_true, y_pred, zero_division=0)
    undefined = pytest.raises(metrics.UndefinedMetricError, match=r"y_true holds class \d only")
    if y_true.any():
        np.testing.assert_allclose(metrics.precision(y_true, y_pred), expected, **EXACT)
        np.testing.assert_allclose(
            metrics.recall(y_true, y_pred), sk.recall_score(y_true, y_pred), **EXACT
        )
        np.testing.assert_allclose(
            metrics.f1(y_true, y_pred), sk.f1_score(y_true, y_pred, zero_division=0), **EXACT
        )
    else:
        assert metrics.precision(y_true, y_pred) == expected == 0.0
        for metric in (metrics.recall, metrics.f1):
            with undefined:
                metric(y_true, y_pred)
    if y_true.all():
        with undefined:
            metrics.specificity(y_true, y_pred)
    else:
        expected = sk.recall_score(y_true, y_pred, pos_label=0)
        np.testing.assert_allclose(metrics.specificity(y_true, y_pred), expected, **EXACT)


@EXAMPLES
@given(class_cases())
def test_class_decisions_equal_scikit_learn(case):
    y_true, y_pred = case
    matrix = metrics.confusion_matrix(y_true, y_pred, num_classes=4)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(y_true, y_pred, labels=range(4)))
    present = np.unique(y_true)
    average = {"labels": present, "average": "macro", "zero_division": 0}
    for metric, oracle in (
        (metrics.recall, sk.recall_score),
        (metrics.precision, sk.precision_score),
        (metrics.f1, sk.f1_score),
    ):
        expected = oracle(y_true, y_pred, **average)
        np.testing.assert_allclose(metric(y_true, y_pred, average="macro"), expected, **EXACT)
    if len(present) == 1:
        for metric in (metrics.balanced_accuracy, metrics.roc_auc):
            with pytest.raises(metrics.UndefinedMetricError, match="only"):
                metric(y_true, y_pred if metric is metrics.balanced_accuracy else np.eye(4)[y_pred])
        with pytest.raises(metrics.UndefinedMetricError, match="two classes or more"):
            metrics.specificity(y_true, y_pred, average="macro")
        return
    recall = sk.recall_score(y_true, y_pred, **average)
    np.testing.assert_allclose(metrics.balanced_accuracy(y_true, y_pred), recall, **EXACT)
    one_vs_rest = sk.multilabel_confusion_matrix(y_true, y_pred, labels=present)  # (P, 2, 2)
    expected = np.mean(one_vs_rest[:, 0, 0] / one_vs_rest[:, 0].sum(axis=1))
    specificity = metrics.specificity(y_true, y_pred, average="macro")
    np.testing.assert_allclose(specificity, expected, **EXACT)


@EXAMPLES
@given(class_cases())
def test_per_class_is_each_class_against_the_rest(case):
    y_true, y_pred = case
    table = metrics.per_class(y_true, y_pred, num_classes=4)
    for c in range(4):
        truth, predicted = y_true == c, y_pred == c
        assert table.support[c] == truth.sum()
        for name in ("recall", "specificity", "precision", "f1"):
            try:
                expected = getattr(metrics, name)(truth, predicted)
            except metrics.UndefinedMetricError:
                expected = np.nan
            np.testing.assert_allclose(getattr(table, name)[c], expected, **EXACT)


@EXAMPLES
@given(binary_cases(both_classes=True))
def test_ranking_equals_scikit_learn(case):
    y_true, y_score = case
    for drop in (True, False):
        expected = sk.roc_curve(y_true, y_score, drop_intermediate=drop)
        for ours, theirs in zip(
            metrics.roc_curve(y_true, y_score, drop_intermediate=drop), expected, strict=True
        ):
            np.testing.assert_allclose(ours, theirs, **EXACT)
    for ours, theirs in zip(
        metrics.precision_recall_curve(y_true, y_score),
        sk.precision_recall_curve(y_true, y_score),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, **EXACT)
    expected = sk.average_precision_score(y_true, y_score)
    np.testing.assert_allclose(metrics.average_precision(y_true, y_score), expected, **EXACT)
    auc = metrics.roc_auc(y_true, y_score)
    np.testing.assert_allclose(auc, sk.roc_auc_score(y_true, y_score), **EXACT)
    pairs = np.sign(y_score[y_true == 1][:, None] - y_score[y_true == 0])  # (P, N)
    np.testing.assert_allclose(auc, np.mean((pairs + 1) / 2), **EXACT)


@EXAMPLES
@given(st.integers(0, 2**32 - 1), st.integers(3, 5), st.sampled_from([2, 50]))
def test_class_auc_is_the_mean_of_one_against_the_rest(seed, num_classes, levels):
    rng = np.random.default_rng(seed)
    y_true = np.concatenate([np.arange(num_classes), rng.integers(num_classes, size=20)])
    weight = rng.integers(1, levels, size=(len(y_true), num_classes), endpoint=True)
    y_score = weight / weight.sum(axis=1, keepdims=True)
    expected = sk.roc_auc_score(y_true, y_score, multi_class="ovr", average="macro")
    np.testing.assert_allclose(metrics.roc_auc(y_true, y_score), expected, **EXACT)
    areas = [sk.roc_auc_score(y_true == c, y_score[:, c]) for c in range(num_classes)]
    np.testing.assert_allclose(metrics.roc_auc_per_class(y_true, y_score), areas, **EXACT)
    with pytest.raises(metrics.UndefinedMetricError, match=r"roc_auc: y_true holds classes \[0, 1"):
        metrics.roc_auc(np.minimum(y_true, num_classes - 2), y_score)


def test_auc_survives_extreme_scores():
    tiny, huge = np.nextafter(0, 1), np.finfo(np.float64).max
    assert metrics.roc_auc([0, 0, 1, 1], [-huge, 0.0, tiny, huge]) == 1.0
    y_score = np.array([0.0, 0.0, tiny, tiny])
    assert metrics.roc_auc([0, 1, 0, 1], y_score) == 0.5
    for low in (-huge, huge / 2):  # neither the sum nor the difference overflows
        assert low < metrics.choose_threshold([0, 1], [low, huge]) <= huge


@EXAMPLES
@given(binary_cases(), st.sampled_from([1, 2, 5, 10]))
def test_calibration_equals_scikit_learn_and_a_loop(case, n_bins):
    y_true, y_prob = case
    expected = sk.brier_score_loss(y_true, y_prob, pos_label=1)
    np.testing.assert_allclose(metrics.brier(y_true, y_prob), expected, **EXACT)
    curve = metrics.reliability_curve(y_true, y_prob, n_bins=n_bins)
    expected = calibration.calibration_curve(y_true, y_prob, n_bins=n_bins, pos_label=1)
    np.testing.assert_allclose(curve.fraction_positive, expected[0], **EXACT)
    np.testing.assert_allclose(curve.mean_predicted, expected[1], **EXACT)

    edges = np.linspace(0, 1, n_bins + 1)
    error, counts = 0.0, []
    for b in range(n_bins):
        inside = (y_prob <= edges[b + 1]) & ((y_prob > edges[b]) | (b == 0))
        if inside.any():
            counts.append(inside.sum())
            error += inside.mean() * abs(y_true[inside].mean() - y_prob[inside].mean())
    np.testing.assert_array_equal(curve.support, counts)
    ece = metrics.expected_calibration_error(y_true, y_prob, n_bins=n_bins)
    np.testing.assert_allclose(ece, error, **EXACT)


@EXAMPLES
@given(st.lists(st.tuples(*[st.floats(-100, 100, width=32)] * 2), min_size=1, max_size=30))
def test_regression_equals_scikit_learn(pairs):
    y_true, y_pred = np.array(pairs).T
    expected = sk.root_mean_squared_error(y_true, y_pred)
    np.testing.assert_allclose(metrics.rmse(y_true, y_pred), expected, **EXACT)
    expected = sk.mean_absolute_error(y_true, y_pred)
    np.testing.assert_allclose(metrics.mae(y_true, y_pred), expected, **EXACT)
    if len(set(y_true)) == 1:
        with pytest.raises(metrics.UndefinedMetricError, match="r2: y_true holds the value"):
            metrics.r2(y_true, y_pred)
    elif np.ptp(y_true) > 1e-3:
        np.testing.assert_allclose(metrics.r2(y_true, y_pred), sk.r2_score(y_true, y_pred), 1e-12)


def best_by_trial(y_true, y_score, quality, min_sensitivity):
    """Return the best quality and the labels of the lowest of the best thresholds."""
    trials = []
    for cut in np.unique(y_score):
        y_pred = (y_score >= cut).astype(int)
        if sk.recall_score(y_true, y_pred) >= min_sensitivity:
            trials.append((quality(y_true, y_pred), y_pred))
    top = max(value for value, _ in trials)
    return top, next(y_pred for value, y_pred in trials if value >= top - 1e-12)


@EXAMPLES
@given(
    binary_cases(both_classes=True),
    st.sampled_from(["youden", "balanced_accuracy", "f1", "specificity"]),
    st.sampled_from([None, 0.5, 0.9, 1.0]),
)
def test_chosen_threshold_is_the_best_of_all_and_between_scores(case, criterion, demand):
    assume(criterion != "specificity" or demand is not None)
    y_true, y_score = case
    quality = {
        "f1": sk.f1_score,
        "specificity": lambda truth, predicted: sk.recall_score(truth, predicted, pos_label=0),
    }.get(criterion, sk.balanced_accuracy_score)
    threshold = metrics.choose_threshold(y_true, y_score, criterion, min_sensitivity=demand)
    assert type(threshold) is float
    y_pred = (y_score >= threshold).astype(int)
    top, lowest = best_by_trial(y_true, y_score, quality, demand or 0.0)
    assert abs(quality(y_true, y_pred) - top) <= 1e-12
    np.testing.assert_array_equal(y_pred, lowest)
    if not y_pred.all():
        low, high = y_score[y_pred == 0].max(), y_score[y_pred == 1].min()
        assert low < threshold <= high
        np.testing.assert_allclose(threshold, (low + high) / 2, **EXACT)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_threshold_between_neighbouring_floats_splits_them_in_their_dtype(dtype):
    for low in np.linspace(0.3, 0.9, 50).astype(dtype):
        y_score = np.array([low, np.nextafter(low, dtype(1))])
        threshold = metrics.choose_threshold([0, 1], y_score)
        assert (y_score >= threshold).tolist() == [False, True]
        assert (y_score.astype(np.float64) >= threshold).tolist() == [False, True]


def test_an_edge_belongs_to_the_lower_bin():
    assert metrics.reliability_curve([0, 1], [0.5, 0.75], n_bins=2).support.tolist() == [1, 1]


def test_threshold_between_whole_numbers():
    assert metrics.choose_threshold([0, 0, 1], [1, 2, 5]) == 3.5


def noisy_cases(n, seed=0):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(2, size=n)
    return y_true, y_true + 1.5 * rng.normal(size=n)


def test_interval_of_a_share_is_the_normal_one():
    y_true, y_pred = np.ones(400, int), np.repeat([1, 1, 1, 0], 100)
    for level, z in ((0.95, 1.960), (0.5, 0.674)):
        low, high, estimate, redrawn = metrics.bootstrap_interval(
            metrics.accuracy, y_true, y_pred, level=level, generator=np.random.default_rng(1)
        )
        half = z * np.sqrt(0.75 * 0.25 / 400)
        assert estimate == 0.75
        assert redrawn == 0
        np.testing.assert_allclose([low, high], [0.75 - half, 0.75 + half], atol=0.1 * half)


def test_interval_resamples_patients_not_slices():
    y_true, y_score = noisy_cases(60)
    patient = np.arange(60)
    once = metrics.bootstrap_interval(
        metrics.roc_auc, y_true, y_score, generator=np.random.default_rng(5)
    )
    copies = [np.repeat(a, 4) for a in (y_true, y_score, patient)]  # four equal slices a patient
    shuffled = np.random.default_rng(0).permutation(240)
    for order in (slice(None), shuffled):
        grouped = metrics.bootstrap_interval(
            metrics.roc_auc, *(a[order] for a in copies), generator=np.random.default_rng(5)
        )
        np.testing.assert_allclose(grouped, once, **EXACT)
    names = np.array([f"patient {p:02}" for p in copies[2]], dtype=object)
    named = metrics.bootstrap_interval(
        metrics.roc_auc, *copies[:2], names[:, None], generator=np.random.default_rng(5)
    )
    assert named == metrics.bootstrap_interval(
        metrics.roc_auc, *copies, generator=np.random.default_rng(5)
    )
    ungrouped = metrics.bootstrap_interval(metrics.roc_auc, *copies[:2], resamples=300)
    assert ungrouped.high - ungrouped.low < 0.7 * (once.high - once.low)


def test_interval_works_for_class_scores():
    rng = np.random.default_rng(2)
    y_true = rng.integers(3, size=90)
    y_score = rng.dirichlet(np.ones(3), size=90) + 0.3 * np.eye(3)[y_true]
    interval = metrics.bootstrap_interval(metrics.roc_auc, y_true, y_score, generator=rng)
    assert interval.low < interval.estimate == metrics.roc_auc(y_true, y_score) < interval.high


@pytest.mark.parametrize("undefined", ["raises", "nan"])
def test_resamples_with_one_class_are_drawn_again_and_counted(undefined):
    def auc(y_true, y_score):
        if undefined == "nan" and len(set(y_true)) == 1:
            return float("nan")
        return metrics.roc_auc(y_true, y_score)

    interval = metrics.bootstrap_interval(
        auc, [1, 0, 0], [0.5, 0.2, 0.7], generator=np.random.default_rng(0)
    )
    share = interval.redrawn / (interval.redrawn + 1000)  # (2/3)^3 + (1/3)^3 of all draws
    assert abs(share - 1 / 3) < 0.05
    assert (interval.low, interval.estimate, interval.high) == (0.0, 0.5, 1.0)


def test_interval_gives_up_where_nearly_no_resample_can_be_measured():
    y_true = np.arange(8)  # all eight classes in one resample: 8! / 8^8 = 0.0024
    with pytest.raises(metrics.UndefinedMetricError, match=r"undefined on .* of 8 groups"):
        metrics.bootstrap_interval(
            metrics.roc_auc, y_true, np.eye(8), resamples=20, generator=np.random.default_rng(0)
        )
    with pytest.raises(metrics.UndefinedMetricError, match="NaN on the data themselves"):
        metrics.bootstrap_interval(lambda y_true, y_pred: float("nan"), [0, 1], [0, 1])
    with pytest.raises(metrics.UndefinedMetricError, match="4 cases are one group"):
        metrics.bootstrap_interval(metrics.accuracy, [0, 1, 0, 1], [0, 1, 1, 1], groups=[7] * 4)
