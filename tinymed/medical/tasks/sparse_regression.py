"""Linear regression on sparse features, several outputs at once, some of them unknown."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["mean_of", "sparse_regression"]

Array = np.ndarray[Any, Any]
STEPS = 200  # of L-BFGS, at most


def sparse_regression(x: Any, targets: Array, logistic: bool, penalty: float) -> Array:
    """Return weights (F + 1, outputs), the bias last.

    They minimise the loss summed over the targets that are known, plus penalty / 2 * |weights|^2
    without the bias, by L-BFGS.

    Parameters
    ----------
    x : sparse array (n, F)
    targets : array (n, outputs)
        NaN where unknown.
    logistic : bool
        Targets are 0 or 1 and the loss is the cross-entropy; else they are numbers, and it is half
        the squared error.
    penalty : float

    Raises
    ------
    ImportError
        SciPy is not installed.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError("regression needs SciPy: pip install tinymed[medical]") from error
    known = np.isfinite(targets)
    y = np.where(known, targets, 0.0)
    shape = (x.shape[1] + 1, targets.shape[1])

    def objective(flat: Array) -> tuple[float, Array]:
        weight = flat.reshape(shape)
        scores = x @ weight[:-1] + weight[-1]
        if logistic:
            losses = np.logaddexp(0, scores) - y * scores
        else:
            losses = 0.5 * (scores - y) ** 2
        slope = (mean_of(scores, logistic) - y) * known
        gradient = np.vstack([x.T @ slope + penalty * weight[:-1], slope.sum(axis=0)])
        ridge = 0.5 * penalty * (weight[:-1] ** 2).sum()
        return float((losses * known).sum() + ridge), gradient.ravel()

    found = minimize(
        objective, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}
    )
    weights: Array = found.x.reshape(shape)
    return weights


def mean_of(scores: Array, logistic: bool) -> Array:
    """Return what is expected at linear scores."""
    return 0.5 * (1 + np.tanh(scores / 2)) if logistic else scores  # no overflow in the sigmoid
