"""Which labels are likely wrong: confident learning."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import class_scores, labels, same_length

__all__ = ["LabelErrors", "label_errors"]


class LabelErrors(NamedTuple):
    """Cases whose label is doubted, the most doubtful first."""

    cases: NDArray[np.int64]  # (m,), indices
    suggested: NDArray[np.int64]  # (m,), the class that they look like
    margin: NDArray[np.float64]  # (m,), p(suggested) - p(label)
    joint: NDArray[np.int64]  # (C, C): row = label, column = the class that it confidently is


def label_errors(y_true: ArrayLike, y_prob: ArrayLike) -> LabelErrors:
    """Return the cases that a model is confident belong to another class than their label says.

    The bar of a class is the mean of its probability over the cases that are labelled so. A case is
    counted for the most probable class whose bar it reaches; where that is not its label, the
    label is doubted.

    Parameters
    ----------
    y_true : array (n,)
        Labels 0 .. C - 1.
    y_prob : array (n, C)
        Probabilities of a model that has **not** seen the case: out of fold.

    Returns
    -------
    LabelErrors

    Notes
    -----
    The bars undo classes that are predicted too often or too sure. What is found is a list for
    people to look at: hard cases are among it, and a weak model finds little.

    References
    ----------
    Northcutt, Jiang and Chuang (2021), "Confident learning: estimating uncertainty in dataset
    labels", J. Artif. Intell. Res. 70, equations 1 and 2 and "prune by class noise rate".

    Examples
    --------
    >>> sure = [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.05, 0.95]]
    >>> label_errors([0, 0, 1, 1, 0], sure).cases      # the last is labelled 0
    array([4])
    """
    probability = class_scores("label_errors", "y_prob", y_prob, normalized=True)
    classes = probability.shape[1]
    truth = labels("label_errors", "y_true", y_true, classes)
    same_length("label_errors", y_true=truth, y_prob=probability)
    counts = np.bincount(truth, minlength=classes)
    own = probability[np.arange(len(truth)), truth]
    bars = np.bincount(truth, weights=own, minlength=classes) / np.maximum(counts, 1)
    bars[counts == 0] = np.inf  # a class that nobody has is suggested to nobody
    reaching = np.where(probability >= bars, probability, -1.0)
    confident = reaching.argmax(axis=1)
    counted = reaching.max(axis=1) >= 0
    joint = np.zeros((classes, classes), np.int64)
    np.add.at(joint, (truth[counted], confident[counted]), 1)
    cases = np.flatnonzero(counted & (confident != truth))
    margin = probability[cases, confident[cases]] - own[cases]
    order = np.argsort(-margin, kind="stable")
    return LabelErrors(cases[order], confident[cases][order], margin[order], joint)
