"""How well vectors agree with what people say of words: similarity and analogies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinymed.medical.text.vectors import WordVectors

__all__ = [
    "Analogies",
    "PairCorrelation",
    "evaluate_word_analogies",
    "evaluate_word_pairs",
    "spearman",
]

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 256  # analogies that are looked up together


@dataclass(frozen=True)
class PairCorrelation:
    """What `evaluate_word_pairs` found."""

    spearman: float  # of the ranks, -1 to 1
    pearson: float
    pairs: int  # how many were compared
    unknown: int  # how many had a word without a vector, and were not


@dataclass(frozen=True)
class Analogies:
    """What `evaluate_word_analogies` found."""

    correct: int
    total: int  # how many were asked
    unknown: int  # how many had a word without a vector, and were not
    sections: dict[str, tuple[int, int]]  # name -> correct, total

    @property
    def accuracy(self) -> float:
        """The share of those asked that were right; NaN if none was."""
        return self.correct / self.total if self.total else float("nan")


def evaluate_word_pairs(vectors: WordVectors, path: str | Path) -> PairCorrelation:
    """Correlate cosines with the scores that people gave to pairs of words.

    Parameters
    ----------
    vectors : WordVectors
    path : str or Path
        Lines of two words and a score, separated by tabs; lines that begin with # are not read.
        gensim ships ``wordsim353.tsv`` and ``simlex999.txt`` in this format.

    Raises
    ------
    ValueError
        A line is of another format, or fewer than two pairs have vectors.

    Notes
    -----
    A word that has no vector as it is written is looked up in lower case.
    """
    scores, cosines, unknown = [], [], 0
    for number, line in _lines(path):
        fields = line.split("\t")
        try:
            first, second, score = fields[0].strip(), fields[1].strip(), float(fields[2])
        except (IndexError, ValueError):
            raise ValueError(
                f"evaluate_word_pairs: {path}, line {number}: {line[:50]!r}, two words and a "
                "score separated by tabs expected"
            ) from None
        words = [_known(vectors, word) for word in (first, second)]
        if None in words:
            unknown += 1
            continue
        a, b = (vectors.units[row] for row in words)
        scores.append(score)
        cosines.append(float(a @ b))
    if len(scores) < 2:
        raise ValueError(
            f"evaluate_word_pairs: {len(scores)} pairs of {path} have vectors, {unknown} do not; "
            "two at least expected"
        )
    ranks = spearman(cosines, scores)
    return PairCorrelation(ranks, _pearson(cosines, scores), len(scores), unknown)


def evaluate_word_analogies(vectors: WordVectors, path: str | Path) -> Analogies:
    """Ask "a is to b as c is to ...", and count how often the nearest word is the expected one.

    Parameters
    ----------
    vectors : WordVectors
    path : str or Path
        Lines of four words; a line ``: name`` begins a section. gensim ships
        ``questions-words.txt`` in this format.

    Raises
    ------
    ValueError
        A line has not four words.

    Notes
    -----
    The nearest word is that to b - a + c, without these three (Mikolov, Yih, Zweig, 2013). A word
    that has no vector as it is written is looked up in lower case.
    """
    section, asked, unknown = "", [], 0
    names: dict[str, None] = {}
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        fields = line.split()
        if len(fields) != 4:
            raise ValueError(
                f"evaluate_word_analogies: {path}, line {number}: {len(fields)} words, 4 expected"
            )
        rows = [_known(vectors, word) for word in fields]
        if None in rows:
            unknown += 1
            continue
        names.setdefault(section)
        asked.append((section, rows))
    right = _answered(vectors, np.array([rows for _, rows in asked], np.int64).reshape(-1, 4))
    sections = dict.fromkeys(names, (0, 0))
    for (name, _), correct in zip(asked, right.tolist(), strict=True):
        found, total = sections[name]
        sections[name] = found + correct, total + 1
    return Analogies(int(right.sum()), len(asked), unknown, sections)


def _answered(vectors: WordVectors, questions: Array) -> Array:
    """Return which questions (n, 4) are answered by their last word."""
    units, right = vectors.units, np.zeros(len(questions), bool)
    for first in range(0, len(questions), ROWS):
        a, b, c, expected = questions[first : first + ROWS].T
        cosines = (units[b] - units[a] + units[c]) @ units.T  # (rows, V)
        for given in (a, b, c):
            cosines[np.arange(len(given)), given] = -np.inf
        right[first : first + ROWS] = cosines.argmax(axis=1) == expected
    return right


def spearman(a: ArrayLike, b: ArrayLike) -> float:
    """Return the correlation of ranks; equal numbers share the mean of theirs.

    >>> round(spearman([1, 2, 3, 4], [10, 30, 20, 40]), 3)
    0.8
    """
    return _pearson(_ranks(a), _ranks(b))


def _ranks(values: ArrayLike) -> Array:
    numbers = np.asarray(values, np.float64)
    _, group, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def _pearson(a: ArrayLike, b: ArrayLike) -> float:
    x, y = (np.asarray(values, np.float64) for values in (a, b))
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread else float("nan")


def _known(vectors: WordVectors, word: str) -> int | None:
    """Return the row of a word, or of it in lower case."""
    found = vectors.ids.get(word)
    return vectors.ids.get(word.lower()) if found is None else found


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not empty or a comment."""
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip() and not line.startswith("#"):
                yield number, line.rstrip("\n")
