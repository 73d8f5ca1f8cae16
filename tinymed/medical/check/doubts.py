"""Labels to look at again, by what simple models that have not seen a case say of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.data import grouped_stratified_kfold
from tinymed.medical.check.collection import Collection
from tinymed.medical.imaging.checks import shrunk
from tinymed.medical.tasks.ngram_regression import NGramRegression
from tinymed.medical.tasks.sparse_regression import mean_of, sparse_regression
from tinymed.metrics import LabelErrors, accuracy, label_errors

__all__ = ["Doubts", "doubts"]

Array = np.ndarray[Any, Any]
Fold = tuple[Array, Array]
FOLDS = 5
FEWEST = 20  # cases of a class: of fewer, no model learns what is usual
PENALTY = 10.0  # of the weights on standardised features
QUANTILES = np.linspace(0.05, 0.95, 9)
SIDE = 8  # pixels of the shrunk image


@dataclass(frozen=True)
class Doubts:
    """What the simple model found, or why it could not be asked."""

    errors: LabelErrors | None
    accuracy: float | None  # out of fold: a model that knows little doubts at random
    reason: str  # why there is nothing, else empty


def doubts(found: Collection, seed: int = 0) -> Doubts:
    """Return the labels that are likely wrong.

    Logistic regression on the letters at each place of sequences of one length, on n-grams of
    other texts, on grey values, shrunk images and radial means of images; out of five folds of
    groups, then confident learning.

    Raises
    ------
    ImportError
        SciPy is not installed.
    """
    labels = found.labels
    if labels is None:
        return Doubts(None, None, "there are no classes")
    counts = np.bincount(labels, minlength=len(found.classes))
    present = np.flatnonzero(counts)
    if len(present) < 2 or counts[present].min() < FEWEST:
        return Doubts(None, None, f"a class has fewer than {FEWEST} cases")
    groups = np.arange(len(found)) if found.groups is None else found.groups
    if len(np.unique(groups)) < FOLDS:
        return Doubts(None, None, f"there are fewer than {FOLDS} groups")
    numbers = np.searchsorted(present, labels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            folds = grouped_stratified_kfold(
                numbers, groups, FOLDS, generator=np.random.default_rng(seed)
            )
    except UserWarning as warning:  # a class that sits in few groups
        return Doubts(None, None, str(warning))
    probability = _out_of_fold(found.inputs, numbers, len(present), folds)
    errors = label_errors(numbers, probability)
    named = errors._replace(suggested=present[errors.suggested])
    return Doubts(named, accuracy(numbers, probability.argmax(axis=1)), "")


def _out_of_fold(inputs: Array, labels: Array, classes: int, folds: list[Fold]) -> Array:
    """Return probabilities (n, C), of each case by a model that has not seen its group."""
    wanted = np.eye(classes)[labels]
    found = np.zeros(wanted.shape)
    texts = inputs.dtype.kind in "US"
    lengths = {len(text) for text in inputs.tolist()} if texts else set()
    if len(lengths) > 1:
        for kept, left in folds:
            model = NGramRegression("softmax").fit(inputs[kept].tolist(), wanted[kept])
            found[left] = model(inputs[left].tolist())
        return found
    x = _places(inputs) if texts else _features(inputs)
    for kept, left in folds:
        mean, scale = x[kept].mean(axis=0), np.maximum(x[kept].std(axis=0), 1e-6)
        standard = (x - mean) / scale
        weight = sparse_regression(standard[kept], wanted[kept], "softmax", PENALTY)
        found[left] = mean_of(standard[left] @ weight[:-1] + weight[-1], "softmax")
    return found


def _places(texts: Array) -> Array:
    """Return the letters at each place of texts of one length, one-hot (n, T * K)."""
    letters = np.array([list(text) for text in texts.tolist()])  # (n, T)
    return np.concatenate([letters == letter for letter in np.unique(letters)], axis=1) * 1.0


def _features(inputs: Array) -> Array:
    """Return (n, F): rows of numbers as they are; of images what does not need learning."""
    if inputs.ndim == 2:
        return inputs.astype(np.float64)
    planes = inputs
    if inputs.ndim == 4:  # colours are joined; of a volume the middle slice counts
        colour = inputs.shape[-1] in (1, 3, 4)
        planes = inputs.mean(axis=-1) if colour else inputs[:, inputs.shape[1] // 2]
    rows = planes.reshape(len(inputs), -1).astype(np.float64)
    small = shrunk(planes[:, None], SIDE).reshape(len(inputs), -1)
    height, width = planes.shape[1:]
    y, x = np.mgrid[:height, :width]
    radius = np.hypot((y + 0.5) / height - 0.5, (x + 0.5) / width - 0.5)
    ring = np.minimum((radius * 2 * SIDE).astype(int), SIDE).ravel()
    shares = np.eye(SIDE + 1)[ring] / np.maximum(np.bincount(ring, minlength=SIDE + 1), 1)
    parts = (np.quantile(rows, QUANTILES, axis=1).T, small, rows @ shares)
    return np.concatenate(parts, axis=1).astype(np.float64)
