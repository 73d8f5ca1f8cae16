"""GloVe: vectors of words whose products are the logarithms of co-occurrences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinymed.data.sampler import checked_count
from tinymed.kernels import glove as kernels
from tinymed.medical.text.cooccurrence import Cooccurrences, count_cooccurrences
from tinymed.medical.text.vectors import WordVectors
from tinymed.medical.text.vocabulary import Document, Vocabulary

__all__ = ["GloVe"]

Array = np.ndarray[Any, np.dtype[Any]]

SIDE = 8  # blocks of co-occurrences on a diagonal: so many threads can work at the same time


class GloVe:
    r"""Weighted least squares on the logarithms of co-occurrences, by AdaGrad.

    J = 1/2 sum over X_ij > 0 of min(1, (X_ij / x_max)^power) (w_i c_j + b_i + d_j - log X_ij)^2

    A word's vector is w_i + c_i. The same seed gives the same bits with any number of threads.

    Parameters
    ----------
    vector_size : int
        Numbers in each vector, D.
    window : int
        The largest distance of words that counts; words d apart count 1 / d.
    min_count : int
        Rarer words are left out.
    x_max : float
        Co-occurrences that are more frequent than this have full weight.
    power : float
        How weights fall below it.
    learning_rate : float
        AdaGrad's, whose sums of squares begin with 1.
    epochs : int
        Passes over the co-occurrences, in a new order each.
    seed : int
        Of the first vectors and the orders.

    Attributes
    ----------
    losses : list of float
        The mean of J over the co-occurrences in each epoch.

    References
    ----------
    Pennington, Socher, Manning (2014), "GloVe: global vectors for word representation".

    Examples
    --------
    >>> documents = [["fracture", "of", "femur"], ["fracture", "of", "tibia"]] * 20
    >>> model = GloVe(vector_size=8, min_count=1, epochs=5)
    >>> vectors = model.train(documents)
    >>> model.losses[-1] < model.losses[0]
    True
    """

    def __init__(
        self,
        *,
        vector_size: int = 100,
        window: int = 10,
        min_count: int = 5,
        x_max: float = 100.0,
        power: float = 0.75,
        learning_rate: float = 0.05,
        epochs: int = 25,
        seed: int = 1,
    ) -> None:
        self.vector_size = checked_count("GloVe", "vector_size", vector_size)
        self.window = checked_count("GloVe", "window", window)
        self.min_count = checked_count("GloVe", "min_count", min_count)
        self.epochs = checked_count("GloVe", "epochs", epochs)
        self.seed = checked_count("GloVe", "seed", seed, minimum=0)
        positive = {"x_max": x_max, "learning_rate": learning_rate}
        for name, value in positive.items():
            if not 0 < value < np.inf:
                raise ValueError(f"GloVe: {name}={value}, a finite number > 0 expected")
        if not 0 <= power < np.inf:
            raise ValueError(f"GloVe: power={power}, 0 or more expected")
        self.x_max, self.power, self.learning_rate = x_max, power, learning_rate
        self.losses: list[float] = []

    def train(
        self, documents: Iterable[Document], vocabulary: Vocabulary | None = None
    ) -> WordVectors:
        """Count the co-occurrences of documents and learn vectors from them.

        Parameters
        ----------
        documents : iterable of sequences of str
        vocabulary : Vocabulary, optional
            The words that get vectors, instead of those seen ``min_count`` times.

        Raises
        ------
        TypeError, ValueError
            A document is a string, or empty; no word is frequent enough; no document has two words.
        FloatingPointError
            The vectors ran away to infinity.
        """
        texts = documents if isinstance(documents, list) else list(documents)
        known = vocabulary or Vocabulary.from_documents(texts, min_count=self.min_count)
        return self.train_on(count_cooccurrences(texts, known, self.window), known)

    def train_on(self, cooccurrences: Cooccurrences, vocabulary: Vocabulary) -> WordVectors:
        """Learn vectors from co-occurrences that have been counted; see `train`."""
        if len(cooccurrences) != len(vocabulary):
            raise ValueError(
                f"GloVe: {len(cooccurrences)} rows of co-occurrences for {len(vocabulary)} words"
            )
        counts = cooccurrences.counts
        if not (np.isfinite(counts) & (counts > 0)).all():
            raise ValueError("GloVe: a co-occurrence is not finite and positive, which log needs")
        draws = np.random.default_rng(self.seed)
        tables = self._tables(len(vocabulary), draws)
        rows, columns = cooccurrences.rows, cooccurrences.columns
        targets = np.log(counts).astype(np.float32)
        weights = np.minimum(1.0, (counts / self.x_max) ** self.power).astype(np.float32)
        block = (rows % SIDE * SIDE + columns % SIDE).astype(np.int16)
        starts = np.searchsorted(np.sort(block), np.arange(SIDE * SIDE + 1))
        self.losses = []
        for epoch in range(self.epochs):
            order = draws.permutation(len(counts))
            order = order[np.argsort(block[order], kind="stable")]
            given = rows[order], columns[order], targets[order], weights[order], starts
            loss = float(kernels.adagrad(*tables, *given, self.learning_rate)) / len(counts)
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"GloVe: the loss is {loss} in epoch {epoch}; learning_rate="
                    f"{self.learning_rate} is too large"
                )
            self.losses.append(loss)
        return WordVectors(vocabulary.tokens, tables[0] + tables[1])

    def _tables(self, rows: int, draws: np.random.Generator) -> list[Array]:
        """Return vectors and biases of words and of contexts, and AdaGrad's sums, in that order."""
        shapes: list[tuple[int, ...]] = [(rows, self.vector_size)] * 2
        shapes += [(rows,)] * 2
        drawn = [draws.random(shape, np.float32) - np.float32(0.5) for shape in shapes]
        values = [array / np.float32(self.vector_size) for array in drawn]
        return values + [np.ones(shape, np.float32) for shape in shapes]
