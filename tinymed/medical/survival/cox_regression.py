"""Cox's regression, linear in the covariates: the simple method that networks have to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.medical.survival.outcomes import RiskSets

__all__ = ["CoxRegression", "cox_regression"]

Floats = NDArray[np.float64]
STEPS = 60
ENOUGH = 1e-10  # of the likelihood, per event
FLAT = 1e3  # a standard error, per deviation of the covariate: there is no maximum
SMALLEST = 2.0**-30  # part of a step


@dataclass(frozen=True)
class CoxRegression:
    """A fitted model: log hazard = covariates @ coefficients, but for a constant."""

    coefficients: Floats  # (d,)
    log_likelihood: float  # partial, without the ridge
    covariance: Floats  # (d, d), the inverse of the information

    def __call__(self, covariates: ArrayLike) -> Floats:
        """Return log hazards (n,)."""
        found: Floats = np.asarray(covariates, np.float64) @ self.coefficients
        return found


def cox_regression(
    covariates: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    ridge: float = 0.0,
    ties: str = "efron",
) -> CoxRegression:
    """Fit Cox's model by Newton's method.

    Maximises the log partial likelihood - ridge / 2 |coefficients|^2.

    Parameters
    ----------
    covariates : array (n, d)
    time, event : array (n,)
    ridge : float
        >= 0; above 0 there is a solution even if covariates depend on each other.
    ties : "efron" or "breslow"

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite; no event.
    numpy.linalg.LinAlgError
        The likelihood has no single maximum; give a ridge.

    Notes
    -----
    O(n d + m d^2) for m events per step: with weights w_j = sum of what patient j adds to each risk
    set, the information is X' diag(w) X - M' M, M the means of the risk sets.

    Examples
    --------
    >>> fit = cox_regression([[0.0], [1.0], [0.0], [1.0]], [1, 2, 3, 4], [1, 1, 1, 1])
    >>> fit.coefficients.round(4)
    array([-0.9406])
    """
    name = "cox_regression"
    x = np.asarray(covariates, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"{name}: covariates {x.shape}, finite numbers (n, d) expected")
    if not ridge >= 0:
        raise ValueError(f"{name}: ridge={ridge} is not >= 0")
    sets = RiskSets.of(name, time, event, ties)
    if len(sets.order) != len(x):
        raise ValueError(f"{name}: {len(x)} rows of covariates for {len(sets.order)} times")
    if not len(sets.events):
        raise ValueError(f"{name}: no event among {len(x)} patients; at least one is expected")
    x = (x - x.mean(0))[sets.order]
    b = np.zeros(x.shape[1])
    value, slope, information = _likelihood(x, b, sets)
    for _ in range(STEPS):
        full = information + ridge * np.eye(len(b))
        step = np.linalg.solve(full, slope - ridge * b)
        gain = (slope - ridge * b) @ step
        if gain < ENOUGH * len(sets.events):
            covariance = np.asarray(np.linalg.inv(full), np.float64)
            errors = np.sqrt(np.diag(covariance)) * x.std(0)
            if not ridge and not (errors < FLAT).all():
                break
            return CoxRegression(b + step, value, covariance)
        penalised, size = value - ridge / 2 * b @ b, 1.0
        while size > SMALLEST:
            new = b + size * step
            with np.errstate(all="ignore"):  # a step too far: the value says so
                value, slope, information = _likelihood(x, new, sets)
            better = value - ridge / 2 * new @ new >= penalised - 1e-9 * abs(penalised)
            if better and np.isfinite(value):
                break
            size /= 2  # Newton may overshoot far from the maximum
        else:
            break
        b = new
    raise np.linalg.LinAlgError(
        f"{name}: the likelihood has no maximum that is found: covariates that separate the events "
        "or depend on each other; give a ridge"
    )


def _likelihood(x: Floats, b: Floats, sets: RiskSets) -> tuple[float, Floats, Floats]:
    """Return the log partial likelihood, its gradient (d,) and the information (d, d)."""
    h = x @ b
    shift = h.max()
    risk = np.exp(h - shift)  # (n,)
    own, f = risk[sets.events], sets.fraction
    total = np.cumsum(risk)[sets.last] - f * sets.per_tie(own)  # (m,)
    sums = np.cumsum(risk[:, None] * x, 0)[sets.last]  # (m, d)
    means = (sums - f[:, None] * sets.per_tie(own[:, None] * x[sets.events])) / total[:, None]
    value = float((h[sets.events] - shift - np.log(total)).sum())
    slope = (x[sets.events] - means).sum(0)
    # Patient j is in the risk set of each event whose set ends at or behind its place.
    ends = np.zeros(len(x))
    np.add.at(ends, sets.last, 1 / total)
    weight = risk * np.cumsum(ends[::-1])[::-1]
    weight[sets.events] -= own * sets.per_tie(f / total)
    return value, slope, (x * weight[:, None]).T @ x - means.T @ means
