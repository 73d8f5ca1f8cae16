"""Linear regression on the character n-grams of texts: the simple thing a network has to beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["NGramRegression"]

Array = np.ndarray[Any, Any]


class NGramRegression:
    """Several outputs from the tf-idf of all n-grams of 1 to ``longest`` characters.

    tf-idf of an n-gram seen k times is (1 + log k) (log((1 + n) / (1 + n_i)) + 1), n_i of n texts
    having it; rows have unit length. Weights minimise the loss summed over the targets that are
    known, plus penalty / 2 * |weights|^2 without the bias, by L-BFGS.

    Parameters
    ----------
    logistic : bool
        Targets are 0 or 1 and the loss is the cross-entropy; else they are numbers, and it is half
        the squared error.
    longest : int
    penalty : float

    Raises
    ------
    ImportError
        SciPy is not installed.
    """

    def __init__(self, logistic: bool, longest: int = 4, penalty: float = 0.3) -> None:
        self.logistic, self.longest, self.penalty = logistic, longest, penalty

    def fit(self, texts: Sequence[str], targets: Array) -> NGramRegression:
        """Learn from texts (n,) and targets (n, outputs), NaN where unknown; return itself."""
        try:
            from scipy.optimize import minimize
        except ImportError as error:
            raise ImportError("the baseline needs SciPy: pip install tinymed[medical]") from error
        seen = Counter(gram for text in texts for gram in set(self.grams(text)))
        kept = sorted(gram for gram, count in seen.items() if count > 1)
        self.index = {gram: i for i, gram in enumerate(kept)}
        self.rarity = np.array([np.log((1 + len(texts)) / (1 + seen[gram])) + 1 for gram in kept])
        x = self.features(texts)
        known = np.isfinite(targets)
        y = np.where(known, targets, 0.0)
        shape = (x.shape[1] + 1, targets.shape[1])

        def objective(flat: Array) -> tuple[float, Array]:
            weight = flat.reshape(shape)
            scores = x @ weight[:-1] + weight[-1]
            if self.logistic:
                losses = np.logaddexp(0, scores) - y * scores
                slope = (self.mean_of(scores) - y) * known
            else:
                losses, slope = 0.5 * (scores - y) ** 2, (scores - y) * known
            gradient = np.vstack([x.T @ slope + self.penalty * weight[:-1], slope.sum(axis=0)])
            ridge = 0.5 * self.penalty * (weight[:-1] ** 2).sum()
            return float((losses * known).sum() + ridge), gradient.ravel()

        found = minimize(
            objective, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B",
            options={"maxiter": 200},
        )  # fmt: skip
        self.weight = found.x.reshape(shape)
        return self

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return probabilities, or numbers, (n, outputs)."""
        scores = self.features(texts) @ self.weight[:-1] + self.weight[-1]
        return self.mean_of(scores)

    def mean_of(self, scores: Array) -> Array:
        """Return what is expected at a linear score."""
        if not self.logistic:
            return scores
        return 0.5 * (1 + np.tanh(scores / 2))  # the sigmoid, without overflow

    def grams(self, text: str) -> list[str]:
        """Return all n-grams of a text."""
        sizes = range(1, self.longest + 1)
        return [text[i : i + n] for n in sizes for i in range(len(text) - n + 1)]

    def features(self, texts: Sequence[str]) -> Any:
        """Return the tf-idf of texts, a sparse matrix (n, n-grams); unknown ones are left out."""
        from scipy.sparse import csr_array

        columns: list[int] = []
        values: list[float] = []
        ends = [0]
        for text in texts:
            counts = Counter(gram for gram in self.grams(text) if gram in self.index)
            own = np.array([self.index[gram] for gram in counts], np.int64)
            row = (1 + np.log(list(counts.values()))) * self.rarity[own]
            columns += own.tolist()
            values += (row / max(float(np.linalg.norm(row)), 1e-12)).tolist()
            ends.append(len(columns))
        return csr_array((values, columns, ends), shape=(len(texts), len(self.index)))
