"""Splits: no group on two sides, all samples once, classes in balance (scikit-learn as the bar)."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from tinymed.data import grouped_stratified_holdout, grouped_stratified_kfold, random_split
from tinymed.random import manual_seed

LUNA = Path(__file__).parents[2] / ".." / "shared" / "data" / "luna16_nodules.npz"


def patients(
    seed: int, count: int, classes: int = 2, samples: int = 7
) -> tuple[np.ndarray, np.ndarray]:
    """Labels and groups of patients with so many samples on average, each with its own mix."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(count), rng.geometric(1 / samples, count))
    mix = rng.dirichlet(np.full(classes, 0.5), count)
    labels = np.array([rng.choice(classes, p=mix[group]) for group in groups])
    labels[:classes] = np.arange(classes)
    order = rng.permutation(len(groups))
    return labels[order], groups[order]


def quietly(split: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Split small random data, where a side may well lack a class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return split(*arguments, **settings)


def spread(labels: np.ndarray, tests: list[np.ndarray]) -> float:
    """Mean over classes of the standard deviation between folds of their share of the class."""
    shares = [
        [np.mean(np.isin(np.flatnonzero(labels == c), test)) for c in np.unique(labels)]
        for test in tests
    ]
    return float(np.std(shares, axis=0).mean())


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 40), st.integers(2, 4), st.integers(2, 6))
def test_folds_part_the_samples_and_keep_groups_whole(
    seed: int, count: int, classes: int, k: int
) -> None:
    labels, groups = patients(seed, count, classes)
    folds = quietly(
        grouped_stratified_kfold, labels, groups, k, generator=np.random.default_rng(seed)
    )
    assert len(folds) == k
    np.testing.assert_array_equal(
        np.sort(np.concatenate([test for _, test in folds])), np.arange(len(labels))
    )
    for train, test in folds:
        assert len(test)
        assert not set(groups[train]) & set(groups[test])
        np.testing.assert_array_equal(np.union1d(train, test), np.arange(len(labels)))
        assert np.all(np.diff(train) > 0)
        assert np.all(np.diff(test) > 0)


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(3, 40),
    st.sampled_from([0.2, 0.5, 0.01, 0.9, (0.1, 0.2), (0.05, 0.9)]),
)
def test_holdout_parts_the_samples_and_keeps_groups_whole(
    seed: int, count: int, fraction: Any
) -> None:
    labels, groups = patients(seed, count)
    sides = quietly(grouped_stratified_holdout, labels, groups, fraction)
    assert len(sides) == 1 + np.size(fraction)
    assert all(len(side) for side in sides)
    np.testing.assert_array_equal(np.sort(np.concatenate(sides)), np.arange(len(labels)))
    members = [set(groups[side]) for side in sides]
    assert sum(map(len, members)) == len(set.union(*members))


def test_as_balanced_as_scikit_learn_or_better() -> None:
    ours, theirs = [], []
    for seed in range(12):
        labels, groups = patients(seed, 15 + 8 * seed, classes=3)
        folds = quietly(
            grouped_stratified_kfold, labels, groups, 5, generator=np.random.default_rng(0)
        )
        ours.append(spread(labels, [test for _, test in folds]))
        other = quietly(lambda x, g: list(StratifiedGroupKFold(5).split(x, x, g)), labels, groups)
        theirs.append(spread(labels, [test for _, test in other]))
    assert np.mean(ours) < np.mean(theirs)
    assert np.mean(np.array(ours) <= np.array(theirs) + 1e-12) >= 0.75


def test_equal_groups_give_exact_balance() -> None:
    groups = np.repeat(np.arange(100), 3)
    labels = (groups % 5 == 0).astype(int)
    train, val, test = grouped_stratified_holdout(labels, groups, (0.1, 0.2))
    assert [len(side) for side in (train, val, test)] == [210, 30, 60]
    assert [labels[side].mean() for side in (train, val, test)] == [0.2, 0.2, 0.2]


def test_exchanges_improve_on_dealing(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinymed.data import split

    def mean_spread() -> float:
        found = []
        for seed in range(10):
            labels, groups = patients(seed, 60, samples=70)
            folds = grouped_stratified_kfold(labels, groups, 3, np.random.default_rng(0))
            found.append(spread(labels, [test for _, test in folds]))
        return float(np.mean(found))

    with_exchanges = mean_spread()
    monkeypatch.setattr(split, "MOST_GROUPS_TO_EXCHANGE", 0)
    assert with_exchanges < 0.7 * mean_spread()


def test_many_groups_are_split_fast_and_well() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(5000, size=20_000)
    labels = (rng.random(20_000) < 0.03).astype(int)
    train, test = grouped_stratified_holdout(labels, groups, 0.2, rng)
    assert abs(len(test) / 20_000 - 0.2) < 1e-3
    assert abs(labels[test].mean() - labels[train].mean()) < 1e-3


@pytest.mark.parametrize("kind", [str, bool, float, np.uint8])
def test_labels_and_groups_of_any_kind(kind: Any) -> None:
    labels = np.array([0, 1] * 10).astype(kind)
    groups = np.array([f"patient {i // 2}" for i in range(20)], dtype=object)
    train, test = grouped_stratified_holdout(labels, list(groups), 0.5)
    assert len(train) == len(test) == 10
    assert not set(groups[train]) & set(groups[test])


def test_the_seed_decides() -> None:
    labels, groups = patients(0, 60)
    first, again, other = (
        grouped_stratified_holdout(labels, groups, 0.3, generator=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    manual_seed(4)
    default = grouped_stratified_kfold(labels, groups, 3)[0][1]
    manual_seed(4)
    np.testing.assert_array_equal(grouped_stratified_kfold(labels, groups, 3)[0][1], default)


def test_a_class_in_too_few_groups_warns() -> None:
    labels, groups = [0] * 9 + [1], np.arange(10)
    with pytest.warns(UserWarning, match=r"part \d has no sample of class \[1\]: too few groups"):
        grouped_stratified_kfold(labels, groups, 2)


@pytest.mark.skipif(not LUNA.exists(), reason="the LUNA16 patches are not on this machine")
def test_real_scan_blocks_in_balance() -> None:
    with np.load(LUNA) as file:
        labels, groups = file["train_labels"].ravel(), file["train_groups"]
    folds = grouped_stratified_kfold(labels, groups, 5, np.random.default_rng(0))
    positives = [labels[test].mean() for _, test in folds]
    sizes = [len(test) / len(labels) for _, test in folds]
    np.testing.assert_allclose(positives, labels.mean(), rtol=0.01)
    np.testing.assert_allclose(sizes, 0.2, rtol=0.01)


GOOD = ([0, 1, 0, 1], [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("labels", "groups", "kind", "message"),
    [
        ([0, 1, 0], [1, 2, 3, 4], ValueError, "3 labels and 4 groups"),
        ([1, 1, 1, 1], [1, 2, 3, 4], ValueError, r"one class only \(.*1.*\), at least two"),
        ([0, 1, 0, 1], [1, 1, 1, 1], ValueError, "1 groups for 2 sides"),
        ([0, 1, np.nan, 1], [1, 2, 3, 4], ValueError, r"labels\[2\] is nan, a value expected"),
        ([0, None, 1, None], [1, 2, 3, 4], ValueError, r"labels\[1\] is None.* \(2 are missing"),
        ([0, 1, 0, 1], [1, 2, 3, np.nan], ValueError, r"groups\[3\] is nan"),
        ([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], ValueError, "0.1 are continuous"),
        ([[0], [1], [0], [1]], [1, 2, 3, 4], ValueError, r"\(4, 1\).*use labels.ravel\(\)"),
        ([0, 1, 0, 1], np.ones((2, 2)), ValueError, r"groups have shape \(2, 2\)"),
        ([], [], ValueError, r"labels have shape \(0,\)"),
        (np.array([0, "a", 0, 1], object), [1, 2, 3, 4], TypeError, "labels cannot be sorted"),
    ],
)
def test_labels_and_groups_that_cannot_be_split(
    labels: Any, groups: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=f"grouped_stratified_holdout: .*{message}"):
        grouped_stratified_holdout(labels, groups, 0.5)
    with pytest.raises(kind, match=f"grouped_stratified_kfold: .*{message}"):
        grouped_stratified_kfold(labels, groups, 2)


@pytest.mark.parametrize(
    ("fraction", "message"),
    [
        (-0.1, "numbers between 0 and 1"),
        (0, "numbers between 0 and 1"),
        (1.0, "numbers between 0 and 1"),
        (np.nan, "numbers between 0 and 1"),
        ((0.2, -0.1), "numbers between 0 and 1"),
        ((), "numbers between 0 and 1"),
        ((0.5, 0.5), "sum to 1, less than 1"),
        ((0.3, 0.3, 0.3), "4 groups|3 sides|at least as many"),
    ],
)
def test_fractions_that_leave_nothing(fraction: Any, message: str) -> None:
    labels, groups = GOOD if np.size(fraction) < 3 else ([0, 1, 0], [1, 2, 3])
    with pytest.raises(ValueError, match=message):
        grouped_stratified_holdout(labels, groups, fraction)


@pytest.mark.parametrize(
    ("k", "kind", "message"),
    [
        (1, ValueError, "k is 1, at least 2"),
        (5, ValueError, "4 groups for 5 sides"),
        (2.0, TypeError, "k is 2.0, an integer"),
    ],
)
def test_folds_that_cannot_be(k: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        grouped_stratified_kfold(*GOOD, k)


@settings(deadline=None)
@given(st.integers(2, 50), st.integers(0, 99), st.data())
def test_random_split_parts_the_samples(size: int, seed: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size - 1))
    parts = random_split(range(size), [first, size - first], np.random.default_rng(seed))
    assert [len(part) for part in parts] == [first, size - first]
    assert sorted([*parts[0], *parts[1]]) == list(range(size))
    again = random_split(range(size), [first, size - first], np.random.default_rng(seed))
    assert list(parts[0]) == list(again[0])


def test_fractions_give_what_is_left_over_to_the_first_parts() -> None:
    assert [len(part) for part in random_split(range(10), [0.33, 0.33, 0.34])] == [4, 3, 3]
    assert [len(part) for part in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    assert [len(part) for part in random_split(range(10), [0.1] * 10)] == [1] * 10


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([], "numbers > 0 expected"),
        ([5, -1, 6], "numbers > 0 expected"),
        ([0.5, np.nan], "numbers > 0 expected"),
        ([4, 5], r"sum to 9, 10 \(the samples"),
        ([0.5, 0.4], "sum to 0.9, 1 expected"),
        ([10, 0], "none may be empty"),
        ([0.95, 0.05, 0.0], "none may be empty"),
    ],
)
def test_lengths_that_do_not_part_ten(lengths: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_split(range(10), lengths)
