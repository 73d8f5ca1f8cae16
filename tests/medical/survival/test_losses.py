"""Survival losses against plain loops, finite differences and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinymed as tm
from tests.medical.survival import plain
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.medical.survival import (
    cox_loss,
    discrete_hazard_loss,
    discrete_survival,
    discrete_targets,
)

TIES = pytest.mark.parametrize("ties", ["efron", "breslow"])
CUTS = [2.0, 4.0, 7.5, 11.0]


@TIES
@given(n=st.integers(2, 40), distinct=st.integers(2, 50), seed=st.integers(0, 2**32))
def test_cox_loss_is_the_plain_sum(ties, n, distinct, seed):
    time, event, h = plain.patients(n, seed, distinct)
    found = cox_loss(tm.tensor(h), time, event, ties, "sum").item()
    assert found == pytest.approx(plain.cox_loss(h, time, event, ties), rel=1e-10)
    mean = cox_loss(tm.tensor(h), time, event, ties).item()
    assert mean == pytest.approx(found / event.sum(), rel=1e-12)


@TIES
@pytest.mark.parametrize("n", [2, 9, 30])
def test_cox_gradients_are_finite_differences(ties, n):
    time, event, h = plain.patients(n, n)
    x = tm.tensor(h, requires_grad=True)
    assert gradcheck(lambda x: cox_loss(x, time, event, ties), [x])
    assert gradgradcheck(lambda x: cox_loss(x, time, event, ties), [x])


@TIES
def test_cox_loss_stands_shifts_and_large_hazards(ties):
    time, event, h = plain.patients(30, 1)
    base = cox_loss(tm.tensor(h), time, event, ties).item()
    for shift in (700.0, -5000.0):
        moved = cox_loss(tm.tensor(h + shift), time, event, ties).item()
        assert moved == pytest.approx(base, rel=1e-9)
    far = tm.tensor(h * 400, requires_grad=True)
    loss = cox_loss(far, time, event, ties)
    loss.backward()
    assert np.isfinite(loss.item())
    assert np.isfinite(far.grad.numpy()).all()


def test_efron_differs_from_breslow_only_where_events_are_tied():
    h = tm.tensor([0.3, -0.2, 0.5, 0.1])
    one, other = (cox_loss(h, [1, 2, 2, 3], [1, 1, 0, 1], t).item() for t in ("efron", "breslow"))
    assert one == other  # tied with someone censored
    one, other = (cox_loss(h, [1, 2, 2, 3], [1, 1, 1, 1], t).item() for t in ("efron", "breslow"))
    assert one < other


def test_cox_loss_without_an_event_is_0_and_teaches_nothing():
    x = tm.tensor([1.0, 2.0], requires_grad=True)
    loss = cox_loss(x, [1, 2], [0, 0])
    loss.backward()
    assert loss.item() == 0
    assert (x.grad.numpy() == 0).all()


def test_cox_loss_keeps_float32_and_takes_tensors():
    time, event, h = plain.patients(20, 3)
    found = cox_loss(tm.tensor(h.astype(np.float32)), tm.tensor(time), tm.tensor(event))
    assert found.dtype == np.float32
    assert found.item() == pytest.approx(cox_loss(tm.tensor(h), time, event).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0], [1, 2, 3], [1, 1, 1]), r"log_hazard has shape \(2,\), \(3,\) expected"),
        (([1.0, 2.0], [1, np.nan], [1, 1]), "time holds nan at index 1"),
        (([1.0, 2.0], [1, -2], [1, 1]), "time holds -2.0 at index 1"),
        (([1.0, 2.0], [1, 2], [1, 2]), "event holds 2 at index 1"),
        (([1.0, 2.0], [1, 2], [1]), "expected the same number"),
        (([1.0, 2.0], [1, 2], [1, 1], "exact"), "ties='exact'"),
        (([1.0, 2.0], [1, 2], [1, 1], "efron", "none"), "reduction='none'"),
    ],
)
def test_cox_loss_says_what_is_wrong(arguments, message):
    h, *rest = arguments
    with pytest.raises(ValueError, match=message):
        cox_loss(tm.tensor(h), *rest)


@given(n=st.integers(2, 25), seed=st.integers(0, 2**32))
def test_discrete_loss_is_the_plain_sum(n, seed):
    draw = np.random.default_rng(seed)
    time, event = draw.integers(0, 14, n) / 1.0, draw.random(n) < 0.5
    logits = draw.normal(0, 2, (n, len(CUTS)))
    found = discrete_hazard_loss(tm.tensor(logits), time, event, CUTS).item()
    assert found == pytest.approx(plain.discrete_loss(logits, time, event, CUTS), rel=1e-9)


def test_discrete_gradients_are_finite_differences():
    time, event, _ = plain.patients(8, 5)
    x = tm.tensor(np.random.default_rng(0).normal(0, 1, (8, 4)), requires_grad=True)
    assert gradcheck(lambda x: discrete_hazard_loss(x, time, event, CUTS), [x])
    assert gradgradcheck(lambda x: discrete_hazard_loss(x, time, event, CUTS), [x])


def test_nobody_counts_in_an_interval_after_the_event_and_fails_at_most_once():
    time, event, _ = plain.patients(60, 7)
    counted, failed = discrete_targets(time, event, CUTS)
    assert (failed.sum(1) == (event & (time <= CUTS[-1]))).all()
    assert not (np.diff(counted.astype(int), axis=1) > 0).any()
    assert (counted >= failed).all()


def test_discrete_hazards_that_fit_the_data_give_their_kaplan_meier_curve():
    time = np.repeat([1.0, 2.0, 3.0, 4.0], 5)
    event = np.ones(20)
    hazards = np.array([1 / 4, 1 / 3, 1 / 2])
    logits = np.log(hazards / (1 - hazards))
    for cut, share in ((1, 0.75), (2, 0.5), (3, 0.25)):
        assert discrete_survival(logits, [1, 2, 3], cut) == pytest.approx(share)
    x = tm.tensor(np.tile(logits, (20, 1)), requires_grad=True)
    discrete_hazard_loss(x, time, event, [1, 2, 3]).backward()
    np.testing.assert_allclose(x.grad.numpy().sum(0), 0, atol=1e-12)  # it is their maximum


@pytest.mark.parametrize(
    ("cuts", "message"),
    [([2, 1], "do not rise"), ([0, 1], "do not rise from above 0"), ([], "k >= 1")],
)
def test_cuts_that_are_none(cuts, message):
    with pytest.raises(ValueError, match=message):
        discrete_targets([1.0], [1], cuts)


def test_discrete_shapes_and_times_are_checked():
    with pytest.raises(ValueError, match=r"logits have shape \(1, 3\)"):
        discrete_hazard_loss(tm.zeros(1, 3), [1], [1], [1, 2])
    with pytest.raises(ValueError, match="at=3, 0 to the last cut"):
        discrete_survival([0.0], [2.0], 3)
