"""The simple method for texts: weighted counts of words, and a linear softmax on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinymed.medical.text.tokens import words

__all__ = ["TfidfClassifier"]

Array = np.ndarray[Any, Any]


class TfidfClassifier:
    """p(class) = softmax(x W + b), x the tf-idf of the words: a sparse unit vector.

    tf-idf of a word seen k times is (1 + log k) (log((1 + n) / (1 + n_i)) + 1), n_i of n texts
    having it. W and b minimise C * cross-entropy summed + |W|^2 / 2, by L-BFGS.

    Parameters
    ----------
    strength : float
        C > 0: the larger, the less W is held down.
    iterations : int
        Of L-BFGS, at most.

    Raises
    ------
    ImportError
        SciPy is not installed.

    References
    ----------
    Salton, Buckley (1988), "Term-weighting approaches in automatic text retrieval".

    Examples
    --------
    >>> texts = ["fracture of femur", "fracture of tibia", "acute asthma", "asthma, mild"]
    >>> TfidfClassifier().fit(texts, ["bone", "bone", "lung", "lung"]).predict(["femur", "asthma"])
    array(['bone', 'lung'], dtype='<U4')
    """

    def __init__(self, strength: float = 10.0, iterations: int = 300) -> None:
        if not strength > 0 or iterations < 1:
            raise ValueError(
                f"TfidfClassifier: strength={strength}, iterations={iterations}; both above 0 "
                "expected"
            )
        self.strength, self.iterations = strength, iterations

    def fit(self, texts: Sequence[str], labels: Sequence[str] | Array) -> TfidfClassifier:
        """Learn from texts and their labels, and return the classifier."""
        try:
            from scipy.optimize import minimize
        except ImportError as error:
            raise ImportError(
                "TfidfClassifier: needs scipy; pip install tinymed[medical]"
            ) from error
        self.classes, target = np.unique(np.asarray(labels), return_inverse=True)
        seen = Counter(word for text in texts for word in set(words(text)))
        self.columns = {word: i for i, word in enumerate(sorted(seen))}
        documents = np.array([seen[word] for word in self.columns])
        self.idf = np.log((1 + len(texts)) / (1 + documents)) + 1
        x = self.features(texts)
        transposed = x.T.tocsr()
        rows, shape = np.arange(len(target)), (x.shape[1] + 1, len(self.classes))

        def objective(flat: Array) -> tuple[float, Array]:
            weight = flat.reshape(shape)
            scores = x @ weight[:-1] + weight[-1]
            scores -= scores.max(axis=1, keepdims=True)
            odds = np.exp(scores)
            total = odds.sum(axis=1)
            loss = np.log(total).sum() - scores[rows, target].sum()
            odds /= total[:, None]
            odds[rows, target] -= 1
            gradient = np.vstack([transposed @ odds, odds.sum(axis=0)]) * self.strength
            gradient[:-1] += weight[:-1]
            return float(self.strength * loss + 0.5 * (weight[:-1] ** 2).sum()), gradient.ravel()

        start = np.zeros(shape[0] * shape[1])
        settings = {"maxiter": self.iterations, "ftol": 1e-9, "gtol": 1e-3}
        found = minimize(objective, start, jac=True, method="L-BFGS-B", options=settings)
        self.weight = found.x.reshape(shape)
        return self

    def features(self, texts: Sequence[str]) -> Any:
        """Return the tf-idf of texts as a sparse matrix (n, V); unknown words count nothing."""
        from scipy.sparse import csr_array

        columns, values, starts = [], [], [0]
        for text in texts:
            counts = Counter(word for word in words(text) if word in self.columns)
            row = np.array([self.columns[word] for word in counts], np.int64)
            value = (1 + np.log([*counts.values()])) * self.idf[row] if counts else np.zeros(0)
            columns.append(row)
            values.append(value / (np.sqrt((value**2).sum()) or 1.0))
            starts.append(starts[-1] + len(row))
        arrays = np.concatenate(values), np.concatenate(columns), starts
        return csr_array(arrays, shape=(len(texts), len(self.columns)))

    def predict(self, texts: Sequence[str]) -> Array:
        """Return the most probable label of each text (n,)."""
        scores = self.features(texts) @ self.weight[:-1] + self.weight[-1]
        found: Array = self.classes[np.asarray(scores).argmax(axis=1)]
        return found
