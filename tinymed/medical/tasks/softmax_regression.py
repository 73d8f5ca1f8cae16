"""Softmax regression, by Newton's method: the simple thing a network has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["SoftmaxRegression"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SoftmaxRegression:
    """p(class) = softmax(standardised x @ weight + bias).

    Parameters
    ----------
    mean, scale : array (F,)
        Of the features in training.
    weight : array (1 + F, C)
        The bias first.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> SoftmaxRegression.fitted(x, np.array([0, 0, 1, 1]), np.ones(2))(x).argmax(1)
    array([0, 0, 1, 1])
    """

    mean: Array
    scale: Array
    weight: Array

    @classmethod
    def fitted(
        cls, x: Array, y: Array, weights: Array, penalty: float = 1.0, steps: int = 30
    ) -> SoftmaxRegression:
        """Return the regression of least weighted cross-entropy plus penalty / 2 * |weight|^2.

        Parameters
        ----------
        x : array (n, F)
        y : array (n,) of int
            Classes 0 .. C - 1.
        weights : array (C,)
            Of the classes.
        penalty : float
            On all but the bias, > 0.
        steps : int
            At most, of Newton's method; each is halved until the objective falls.
        """
        x = x.astype(np.float64)
        mean, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        design = np.hstack([np.ones((len(x), 1)), (x - mean) / scale])
        wanted = np.eye(len(weights))[y]
        each = weights[y]
        ridge = np.full(design.shape[1], penalty)
        ridge[0] = 1e-6  # the bias is as good as free; the classes' common part is held at 0
        weight = np.zeros((design.shape[1], len(weights)))
        value = _objective(design, wanted, each, ridge, weight)
        for _ in range(steps):
            step = _newton(design, wanted, each, ridge, weight)
            size = 1.0
            while size > 1e-4:
                moved = _objective(design, wanted, each, ridge, weight - size * step)
                if moved <= value:
                    break
                size /= 2
            if size <= 1e-4 or value - moved <= 1e-9 * abs(value):
                break
            weight, value = weight - size * step, moved
        return cls(mean, scale, weight)

    def __call__(self, x: Array) -> Array:
        """Return probabilities, (n, F) -> (n, C)."""
        return _softmax((x - self.mean) / self.scale @ self.weight[1:] + self.weight[0])


def _softmax(scores: Array) -> Array:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Array = odds / odds.sum(axis=1, keepdims=True)
    return found


def _objective(design: Array, wanted: Array, each: Array, ridge: Array, weight: Array) -> float:
    scores = design @ weight
    top = scores.max(axis=1)
    entropy = (
        np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top - (scores * wanted).sum(axis=1)
    )
    return float(each @ entropy + 0.5 * (ridge[:, None] * weight**2).sum())


def _newton(design: Array, wanted: Array, each: Array, ridge: Array, weight: Array) -> Array:
    """Return Hessian^-1 gradient: of blocks sum of w (p_a [a = b] - p_a p_b) x x^T."""
    features, classes = weight.shape
    p = _softmax(design @ weight)
    gradient = design.T @ (each[:, None] * (p - wanted)) + ridge[:, None] * weight
    hessian = np.zeros((classes, features, classes, features))
    for a in range(classes):
        for b in range(classes):
            share = each * p[:, a] * ((a == b) - p[:, b])
            hessian[a, :, b] = design.T @ (share[:, None] * design)
        hessian[a, :, a] += np.diag(ridge)
    flat = hessian.reshape(classes * features, -1)
    return np.linalg.solve(flat, gradient.T.ravel()).reshape(classes, features).T
