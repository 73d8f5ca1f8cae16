"""Tables of subgroups and of shifts equal their rows, measured alone."""

import math

import numpy as np
import pytest
from hypothesis import settings

from tinymed import interpret, metrics

RANDOM = np.random.default_rng(11)
EXAMPLES = settings(max_examples=40, deadline=None)


def test_subgroups_are_measured_as_if_they_were_alone():
    y = RANDOM.integers(0, 2, 90)
    score, size = y + RANDOM.normal(size=90), RANDOM.uniform(3, 30, 90)
    texture, patient = RANDOM.choice(["solid", "part", "ground"], 90), np.arange(90) // 3
    draws = {"resamples": 50}
    rows = interpret.subgroup_table(
        metrics.roc_auc, y, score, {"texture": texture, "size": size, "one": y == 1}, patient,
        generator=np.random.default_rng(0), **draws,
    )  # fmt: skip
    names = [(row.column, row.value) for row in rows]
    assert names[:4] == [
        ("all", ""), ("texture", "ground"), ("texture", "part"), ("texture", "solid"),
    ]  # fmt: skip
    whole = metrics.bootstrap_interval(
        metrics.roc_auc, y, score, patient, generator=np.random.default_rng(0), **draws
    )
    assert rows[0][2:6] == (90, whole.estimate, whole.low, whole.high)
    for row in rows[1:4]:
        own = texture == row.value
        assert (row.n, row.estimate) == (own.sum(), metrics.roc_auc(y[own], score[own]))
        assert row.low <= row.estimate <= row.high
    sizes = [row for row in rows if row.column == "size"]
    assert [row.n for row in sizes] == [30, 30, 30]
    ends = [tuple(map(float, row.value.split(" to "))) for row in sizes]
    assert ends[0][1] < ends[1][0] < ends[1][1] < ends[2][0]
    undefined = [row for row in rows if row.column == "one"]
    assert all(math.isnan(row.estimate) and "only" in row.remark for row in undefined)


def test_columns_that_do_not_fit_are_refused():
    y = np.array([0, 1, 0, 1])
    for column, words in (
        (np.zeros(3), "column has 3|texture has 3"),
        (np.zeros((4, 2)), r"column 'texture' is \(4, 2\)"),
        (np.array([1, 2, np.nan, 3]), "not finite"),
    ):
        with pytest.raises(ValueError, match=words):
            interpret.subgroup_table(metrics.accuracy, y, y, {"texture": column}, resamples=5)
    constant = interpret.subgroup_table(
        metrics.accuracy, y, y, {"noise": np.full(4, 0.5)}, resamples=5
    )
    assert [(row.value, row.n) for row in constant] == [("", 4), ("0.5 to 0.5", 4)]


def test_shifts_are_measured_beside_the_cases_as_they_are():
    y = RANDOM.integers(0, 2, 60)
    x, patient = y[:, None] + RANDOM.normal(0, 0.7, (60, 3)), np.arange(60) // 2
    shifts = {"same": lambda x: x, "noisy": lambda x: x + np.linspace(-3, 3, 60)[::-1, None]}

    def predict(x):
        return x.mean(axis=1)

    draws, given = {"resamples": 60}, x.copy()
    rows = interpret.shift_table(
        metrics.roc_auc, predict, x, y, shifts, patient, generator=np.random.default_rng(0), **draws
    )
    assert [row.shift for row in rows] == ["none", "same", "noisy"]
    assert rows[0][1:] == rows[1][1:]
    assert rows[1][4:] == (0, 0, 0)
    noisy = predict(shifts["noisy"](x))
    difference = metrics.roc_auc(y, noisy) - metrics.roc_auc(y, predict(x))
    assert rows[2].difference == pytest.approx(difference)
    assert rows[2].estimate == metrics.roc_auc(y, noisy)
    assert rows[2].difference_low < difference < rows[2].difference_high < 0
    np.testing.assert_array_equal(x, given)
    again = interpret.shift_table(
        metrics.roc_auc, predict, x, y, shifts, patient, generator=np.random.default_rng(0), **draws
    )
    assert again == rows
    with pytest.raises(ValueError, match=r"'cut' makes \(60, 2\) of \(60, 3\)"):
        interpret.shift_table(metrics.roc_auc, predict, x, y, {"cut": lambda x: x[:, 1:]}, **draws)
    with pytest.raises(ValueError, match="called 'none'"):
        interpret.shift_table(metrics.roc_auc, predict, x, y, {"none": np.array})


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_image_shifts_do_what_they_are_called(dtype):
    pytest.importorskip("scipy", reason="smoothing needs the extra `medical`")
    disc = np.hypot(*(np.indices((33, 33)) - 16)) < 6.2
    x = (40 + 120 * np.broadcast_to(disc, (2, 1, 33, 33))).astype(dtype)
    shifts = interpret.image_shifts(5.0, generator=np.random.default_rng(0))
    found = {name: shift(x) for name, shift in shifts.items()}
    assert all(y.shape == x.shape and y.dtype == dtype for y in found.values())
    area = {name: (y[0, 0] > 100).sum() for name, y in found.items()}
    assert area["larger pixels"] == pytest.approx(disc.sum() / 1.25**2, rel=0.1)
    assert area["smaller pixels"] == pytest.approx(disc.sum() * 1.25**2, rel=0.1)
    assert (found["lower dose"] - x.astype(float)).std() == pytest.approx(5, rel=0.1)
    steep = {name: abs(np.diff(y[0, 0, 16].astype(float))).max() for name, y in found.items()}
    assert steep["softer kernel"] < 120 < steep["sharper kernel"]
    assert found["sharper kernel"].max() > 160 > 40 > found["sharper kernel"].min()
    with pytest.raises(ValueError, match=r"spacing is 0\.8"):
        interpret.image_shifts(5.0, spacing=0.8)
