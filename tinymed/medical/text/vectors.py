"""Vectors of words: neighbours, similarity, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinymed.medical.text import vector_files
from tinymed.medical.text.vocabulary import nearest

__all__ = ["WordVectors"]

Array = np.ndarray[Any, np.dtype[Any]]


class WordVectors:
    """Words and their vectors.

    Parameters
    ----------
    words : sequence of str (V,)
        All different; frequent ones first, where it is known.
    vectors : array_like (V, D)
        Kept as float32.

    Raises
    ------
    ValueError
        Not one vector for each word, a word twice, a number that is not finite.

    Examples
    --------
    >>> vectors = WordVectors(["femur", "tibia", "asthma"], [[1, 0], [0.9, 0.1], [0, 1]])
    >>> vectors.most_similar("femur", topn=1)[0][0]
    'tibia'
    >>> round(vectors.similarity("femur", "asthma"), 3)
    0.0
    """

    def __init__(self, words: Sequence[str], vectors: ArrayLike) -> None:
        self.words = list(words)
        self.vectors: Array = np.ascontiguousarray(vectors, np.float32)
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors) or not self.words:
            raise ValueError(
                f"WordVectors: vectors {self.vectors.shape} for {len(self.words)} words, one row "
                "for each word expected"
            )
        self.ids = {word: i for i, word in enumerate(self.words)}
        if len(self.ids) < len(self.words):
            raise ValueError("WordVectors: a word is there twice")
        wrong = np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))
        if wrong.size:
            word = self.words[wrong[0]]
            raise ValueError(f"WordVectors: the vector of {word!r} holds NaN or infinity")
        self._units: Array | None = None

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Return whether a word has a vector."""
        return word in self.ids

    def __getitem__(self, word: str) -> Array:
        """Return the vector (D,) of a word."""
        return self.vectors[self.id_of(word)]

    def id_of(self, word: str) -> int:
        """Return the row of a word.

        Raises
        ------
        KeyError
            It has no vector; words that are written nearly the same are named.
        """
        if word not in self.ids:
            raise KeyError(f"WordVectors: no word {word!r}{nearest(word, self.words)}")
        return self.ids[word]

    @property
    def units(self) -> Array:
        """The vectors (V, D) at length 1; those of length 0 stay 0."""
        if self._units is None:
            lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
            self._units = self.vectors / np.where(lengths > 0, lengths, 1)
        return self._units

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine of the angle between two words, -1 to 1."""
        return float(self.units[self.id_of(a)] @ self.units[self.id_of(b)])

    def most_similar(
        self,
        positive: str | Sequence[str] = (),
        negative: str | Sequence[str] = (),
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """Return the words nearest to the sum of some directions minus others, and the cosines.

        "man is to king as woman is to ...": ``most_similar(["king", "woman"], ["man"])``. The words
        that are given are not among the results.

        Raises
        ------
        KeyError
            A word has no vector.
        ValueError
            No word is given, or ``topn`` is below 1.

        References
        ----------
        Mikolov, Yih, Zweig (2013), "Linguistic regularities in continuous space word
        representations", section 4.
        """
        added = [positive] if isinstance(positive, str) else list(positive)
        taken = [negative] if isinstance(negative, str) else list(negative)
        if not added and not taken:
            raise ValueError("most_similar: no word given, positive or negative ones expected")
        if topn < 1:
            raise ValueError(f"most_similar: topn {topn}, 1 at least expected")
        rows = [self.id_of(word) for word in added + taken]
        signs = np.array([1.0] * len(added) + [-1.0] * len(taken), np.float32)
        return self.nearest_to(signs @ self.units[rows], topn, without=rows)

    def nearest_to(
        self, vector: ArrayLike, topn: int = 10, without: Sequence[int] = ()
    ) -> list[tuple[str, float]]:
        """Return the words nearest to a vector (D,), without the rows ``without``."""
        direction = np.asarray(vector, np.float32)
        length = float(np.linalg.norm(direction))
        if direction.shape != self.vectors.shape[1:] or not np.isfinite(length):
            raise ValueError(
                f"nearest_to: vector {direction.shape}, finite numbers "
                f"({self.vectors.shape[1]},) expected"
            )
        cosines = self.units @ (direction / (length or 1))
        cosines[list(without)] = -np.inf
        order = np.argsort(-cosines, kind="stable")[: min(topn, len(self) - len(set(without)))]
        return [(self.words[i], float(cosines[i])) for i in order]

    def save(self, path: str | Path, *, binary: bool = False) -> None:
        """Write word2vec's text or binary format, as the original program and gensim read it."""
        vector_files.save(path, self.words, self.vectors, binary=binary)

    @classmethod
    def load(
        cls, path: str | Path, *, binary: bool = False, no_header: bool = False
    ) -> WordVectors:
        """Read word2vec's text or binary format; GloVe's text files have ``no_header``.

        Raises
        ------
        ValueError
            The file is not of this format, with the line or word where it is not.
        """
        return cls(*vector_files.load(path, binary=binary, no_header=no_header))
