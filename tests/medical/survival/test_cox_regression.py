"""Cox's regression: at the maximum, and with lifelines' numbers."""

import numpy as np
import pytest

import tinymed as tm
from tests.medical.survival import plain
from tinymed.medical.survival import cox_loss, cox_regression

TIES = pytest.mark.parametrize("ties", ["efron", "breslow"])


def trial(n=200, seed=0):
    draw = np.random.default_rng(seed)
    x = np.column_stack([draw.normal(50, 10, n), draw.integers(0, 2, n), draw.normal(0, 1, n)])
    hazard = np.exp(0.03 * (x[:, 0] - 50) - 0.5 * x[:, 1])
    dies, leaves = draw.exponential(20 / hazard), draw.exponential(30, n)
    return x, np.ceil(np.minimum(dies, leaves)), dies <= leaves


@TIES
@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_likelihood_gradient_and_information_are_those_of_the_loss(ties, ridge):
    """The loss is made of recorded ops: its derivatives are found another way."""
    x, time, event = trial()
    fit = cox_regression(x, time, event, ties=ties, ridge=ridge)
    b = tm.tensor(fit.coefficients, requires_grad=True)
    centred = tm.tensor(x - x.mean(0))

    def penalised(b):
        return cox_loss(centred @ b, time, event, ties, "sum") + ridge / 2 * (b * b).sum()

    (slope,) = tm.grad([penalised(b)], [b], create_graph=True)
    np.testing.assert_allclose(slope.detach().numpy(), 0, atol=1e-6)
    rows = [tm.grad([slope[k]], [b], retain_graph=True)[0].numpy() for k in range(3)]
    np.testing.assert_allclose(np.linalg.inv(np.stack(rows)), fit.covariance, rtol=1e-5)
    expected = -plain.cox_loss(fit(x - x.mean(0)), time, event, ties)
    assert fit.log_likelihood == pytest.approx(expected, rel=1e-9)


def test_coefficients_are_those_of_lifelines():
    lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
    pandas = pytest.importorskip("pandas")
    x, time, event = trial(seed=3)
    frame = pandas.DataFrame(x, columns=list("abc")).assign(time=time, event=event)
    other = lifelines.CoxPHFitter().fit(frame, "time", "event", fit_options={"precision": 1e-12})
    fit = cox_regression(x, time, event)
    np.testing.assert_allclose(fit.coefficients, other.params_.to_numpy(), atol=1e-6)
    np.testing.assert_allclose(
        np.sqrt(np.diag(fit.covariance)), other.standard_errors_.to_numpy(), atol=1e-6
    )
    assert fit.log_likelihood == pytest.approx(other.log_likelihood_, abs=1e-6)


def test_a_ridge_decides_where_covariates_depend_on_each_other():
    x, time, event = trial()
    twice = np.column_stack([x[:, 2], x[:, 2]])
    fit = cox_regression(twice, time, event, ridge=1e-3)
    alone = cox_regression(x[:, 2:], time, event)
    np.testing.assert_allclose(fit.coefficients, np.tile(alone.coefficients / 2, 2), atol=1e-4)


def test_what_cannot_be_fitted():
    x, time, event = trial()
    with pytest.raises(ValueError, match="no event among 200 patients"):
        cox_regression(x, time, np.zeros(200))
    with pytest.raises(ValueError, match="199 rows of covariates for 200 times"):
        cox_regression(x[:-1], time, event)
    with pytest.raises(ValueError, match=r"finite numbers \(n, d\)"):
        cox_regression(np.where(x > 60, np.nan, x), time, event)
    with pytest.raises(ValueError, match="ridge=-1"):
        cox_regression(x, time, event, ridge=-1)
    never = (~event)[:, None].astype(float)  # those who have it never have the event
    with pytest.raises(np.linalg.LinAlgError, match=r"give a ridge|[Ss]ingular"):
        cox_regression(never, time, event)
