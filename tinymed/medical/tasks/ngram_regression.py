"""Linear regression on the character n-grams of texts: the simple thing a network has to beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.medical.tasks.sparse_regression import Loss, mean_of, sparse_regression

__all__ = ["NGramRegression"]

Array = np.ndarray[Any, Any]


class NGramRegression:
    """Several outputs from the tf-idf of all n-grams of 1 to ``longest`` characters.

    tf-idf of an n-gram seen k times is (1 + log k) (log((1 + n) / (1 + n_i)) + 1), n_i of n texts
    having it; rows have unit length. The weights are those of `sparse_regression`.

    Parameters
    ----------
    loss : "squared" or "logistic"
        Of `sparse_regression`.
    longest : int
    penalty : float

    Raises
    ------
    ImportError
        SciPy is not installed.
    """

    def __init__(self, loss: Loss, longest: int = 4, penalty: float = 0.3) -> None:
        self.loss, self.longest, self.penalty = loss, longest, penalty

    def fit(self, texts: Sequence[str], targets: Array) -> NGramRegression:
        """Learn from texts (n,) and targets (n, outputs), NaN where unknown; return itself."""
        seen = Counter(gram for text in texts for gram in set(self.grams(text)))
        kept = sorted(gram for gram, count in seen.items() if count > 1)
        self.index = {gram: i for i, gram in enumerate(kept)}
        self.rarity = np.array([np.log((1 + len(texts)) / (1 + seen[gram])) + 1 for gram in kept])
        x = self.features(texts)
        self.weight = sparse_regression(x, targets, self.loss, self.penalty)
        return self

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return probabilities, or numbers, (n, outputs)."""
        scores = self.features(texts) @ self.weight[:-1] + self.weight[-1]
        return mean_of(scores, self.loss)

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
