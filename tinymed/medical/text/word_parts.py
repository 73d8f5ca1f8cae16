"""Words by their parts: ids of the words themselves, and of hashed n-grams of their letters."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.text.tokens import words

__all__ = ["WordParts"]

Array = np.ndarray[Any, Any]
PADDING, UNKNOWN, FIRST = 0, 1, 2
OWN = 4.0  # times as much as an n-gram of its own, of which it has about 4^2, a word counts


class WordParts:
    """Ids of texts (T, P): for each word its own id, then those of its n-grams, 0 behind them.

    Two n-grams may share an id: that is the price of a table that never grows. A word that is not
    known has the id 1 and its n-grams; "unknown" of words is nothing to learn from.

    Parameters
    ----------
    vocabulary : sequence of str
        Known words, which have ids 2, 3 ...
    buckets : int
        Ids for n-grams.
    shortest, longest : int
        Letters of an n-gram; "<" and ">" around the word are letters too.

    References
    ----------
    Bojanowski, Grave, Joulin, Mikolov (2017), "Enriching word vectors with subword information",
    section 3.2.

    Examples
    --------
    >>> parts = WordParts(["femur"], buckets=50, shortest=3, longest=3)
    >>> parts.encode("Femur, left").shape, parts.encode("Femur, left")[:, 0]
    ((2, 6), array([2, 1]))
    """

    def __init__(
        self, vocabulary: Sequence[str], buckets: int, shortest: int = 3, longest: int = 5
    ) -> None:
        if buckets < 1 or not 1 <= shortest <= longest:
            raise ValueError(
                f"WordParts: buckets={buckets}, n-grams of {shortest} to {longest} letters; both "
                "at least 1 and in order expected"
            )
        self.ids = {word: FIRST + i for i, word in enumerate(vocabulary)}
        self.buckets, self.shortest, self.longest = buckets, shortest, longest
        self._known: dict[str, Array] = {}

    def __len__(self) -> int:
        """Return the number of ids."""
        return FIRST + len(self.ids) + self.buckets

    def of_word(self, word: str) -> Array:
        """Return the ids (P,) of a word."""
        if word not in self._known:
            letters, first = f"<{word}>", FIRST + len(self.ids)
            grams = {
                first + zlib.crc32(letters[i : i + n].encode()) % self.buckets
                for n in range(self.shortest, self.longest + 1)
                for i in range(len(letters) - n + 1)
            }
            own = self.ids.get(word, UNKNOWN)
            self._known[word] = np.array([own, *sorted(grams)], np.int64)
        return self._known[word]

    def encode(self, text: str) -> Array:
        """Return the ids (T, P) of a text, or raise `DataError` where it has no word."""
        rows = [self.of_word(word) for word in words(text)]
        if not rows:
            raise DataError(f"the text {text!r} has no word")
        found = np.full((len(rows), max(map(len, rows))), PADDING, np.int64)
        for row, ids in zip(found, rows, strict=True):
            row[: len(ids)] = ids
        return found

    def frequencies(self, texts: Iterable[str]) -> Array:
        """Return inverse document frequencies (ids,) float32: log((1 + n) / (1 + n_i)) + 1.

        Those of words are `OWN` times that, so that words and their n-grams have equal parts in a
        text's length; those of ids in none of the n texts, of padding and of unknown words are 0.
        """
        counts, number = np.zeros(len(self)), 0
        for text in texts:
            counts[np.unique(self.encode(text))] += 1
            number += 1
        found = np.where(counts > 0, np.log((1 + number) / (1 + counts)) + 1, 0)
        found[FIRST : FIRST + len(self.ids)] *= OWN
        found[:FIRST] = 0
        return found.astype(np.float32)
