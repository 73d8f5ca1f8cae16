"""Linear regression on sparse features, several outputs at once, some of them unknown."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from tinymed.medical.models.sparse_linear import SparseLinear

__all__ = ["Loss", "fit_view", "mean_of", "sparse_regression"]

Array = np.ndarray[Any, Any]
Loss = Literal["squared", "logistic", "softmax"]
STEPS = 200  # of L-BFGS, at most


def sparse_regression(x: Any, targets: Array, loss: Loss, penalty: float) -> Array:
    """Return weights (F + 1, outputs), the bias last.

    They minimise the loss summed over the targets that are known, plus penalty / 2 * |weights|^2
    without the bias, by L-BFGS.

    Parameters
    ----------
    x : sparse array (n, F)
    targets : array (n, outputs)
        NaN where unknown.
    loss : "squared", "logistic" or "softmax"
        Half the squared error of numbers; the cross-entropy of outputs that are 0 or 1 each, or
        of classes, one of which is 1 in each row.
    penalty : float

    Raises
    ------
    ImportError
        SciPy is not installed.
    """
    minimize = _scipy("optimize").minimize
    known = np.isfinite(targets)
    y = np.where(known, targets, 0.0)
    shape = (x.shape[1] + 1, targets.shape[1])

    def objective(flat: Array) -> tuple[float, Array]:
        weight = flat.reshape(shape)
        scores = x @ weight[:-1] + weight[-1]
        slope = (mean_of(scores, loss) - y) * known
        gradient = np.vstack([x.T @ slope + penalty * weight[:-1], slope.sum(axis=0)])
        ridge = 0.5 * penalty * (weight[:-1] ** 2).sum()
        return float(_losses(scores, y, known, loss) + ridge), gradient.ravel()

    found = minimize(
        objective, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B", options={"maxiter": STEPS}
    )
    weights: Array = found.x.reshape(shape)
    return weights


def mean_of(scores: Array, loss: Loss) -> Array:
    """Return what is expected at linear scores (n, outputs): numbers or probabilities."""
    if loss == "squared":
        return scores
    if loss == "logistic":
        return 0.5 * (1 + np.tanh(scores / 2))  # the sigmoid, without overflow
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = odds / odds.sum(axis=1, keepdims=True)
    return shares


def fit_view(
    view: SparseLinear, batches: Iterable[Any], targets: Array, loss: Loss, penalty: float
) -> None:
    """Set the weights of a view to those that fit inputs, in batches ``(x, ...)``, to targets.

    The other arguments, and what is raised, are those of `sparse_regression`.
    """
    sparse = _scipy("sparse")
    blocks = []
    for x, *_ in batches:
        rows, shares = (found.numpy() for found in view.features(x))
        there = shares != 0
        places = (np.nonzero(there)[0], rows[there])
        blocks.append(
            sparse.csr_array((shares[there], places), shape=(len(rows), len(view.weight)))
        )
    weights = sparse_regression(sparse.vstack(blocks).tocsr(), targets, loss, penalty)
    view.weight.data[...], view.bias.data[...] = weights[:-1], weights[-1]


def _scipy(name: str) -> Any:
    """Return a part of SciPy, which is loaded where it is needed."""
    try:
        return importlib.import_module(f"scipy.{name}")
    except ImportError as error:
        raise ImportError("regression needs SciPy: pip install tinymed[medical]") from error


def _losses(scores: Array, y: Array, known: Array, loss: Loss) -> Any:
    if loss == "squared":
        return (0.5 * (scores - y) ** 2 * known).sum()
    if loss == "logistic":
        return ((np.logaddexp(0, scores) - y * scores) * known).sum()
    top = scores.max(axis=1, keepdims=True)
    return (np.log(np.exp(scores - top).sum(axis=1)) - (y * (scores - top)).sum(axis=1)).sum()
