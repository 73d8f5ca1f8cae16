"""How often words stand near each other, as a sparse matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.medical.text.corpus import Corpus, encode_corpus
from tinymed.medical.text.vocabulary import Document, Vocabulary

__all__ = ["Cooccurrences", "count_cooccurrences"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 20  # words that are counted together before their counts are added to the rest


@dataclass(frozen=True)
class Cooccurrences:
    """A sparse matrix X (V, V) in compressed rows.

    Parameters
    ----------
    indptr : (V + 1,) int64
        Where each row begins.
    columns : (n,) int64
        Ascending in each row.
    counts : (n,) float64
        Sums of 1 / distance, or of 1; all positive.
    """

    indptr: Array
    columns: Array
    counts: Array

    def __len__(self) -> int:
        """Return the number of rows, V."""
        return len(self.indptr) - 1

    @property
    def rows(self) -> Array:
        """The row of each count (n,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def dense(self) -> Array:
        """Return X as an array (V, V)."""
        found = np.zeros((len(self), len(self)))
        found[self.rows, self.columns] = self.counts
        return found

    def to_scipy(self) -> Any:
        """Return X as a `scipy.sparse.csr_array`.

        Raises
        ------
        ImportError
            SciPy is not installed.
        """
        try:
            from scipy.sparse import csr_array
        except ImportError as error:
            raise ImportError(
                "Cooccurrences.to_scipy: needs scipy; pip install tinymed[medical]"
            ) from error
        return csr_array((self.counts, self.columns, self.indptr), shape=(len(self),) * 2)


def count_cooccurrences(
    documents: Iterable[Document] | Corpus,
    vocabulary: Vocabulary,
    window: int = 10,
    *,
    weighted: bool = True,
    symmetric: bool = True,
) -> Cooccurrences:
    """Count for each word the words near it.

    Parameters
    ----------
    documents : iterable of sequences of str, or Corpus
        Words that are not in the vocabulary are left out before distances are taken.
    vocabulary : Vocabulary
    window : int
        The largest distance that counts, at least 1.
    weighted : bool
        Words d places apart count 1 / d, otherwise 1.
    symmetric : bool
        Count words before and after; otherwise only those before.

    Returns
    -------
    Cooccurrences

    Raises
    ------
    ValueError
        ``window`` is below 1, or no word has another near it.

    Examples
    --------
    >>> documents = [["a", "b", "a"]]
    >>> vocabulary = Vocabulary.from_documents(documents)
    >>> count_cooccurrences(documents, vocabulary).dense()
    array([[1., 2.],
           [2., 0.]])
    """
    if window < 1:
        raise ValueError(f"count_cooccurrences: window {window}, 1 at least expected")
    corpus = documents if isinstance(documents, Corpus) else encode_corpus(documents, vocabulary)
    size = len(vocabulary)
    keys, counts = np.empty(0, np.int64), np.empty(0)
    for block in corpus.jobs(BLOCK):
        more = _pairs(block, size, window, weighted)
        keys, counts = _summed(np.r_[keys, more[0]], np.r_[counts, more[1]])
    if not len(keys):
        raise ValueError(
            f"count_cooccurrences: none of {len(corpus)} documents has two words of the vocabulary"
        )
    if symmetric:
        mirrored = keys % size * size + keys // size
        keys, counts = _summed(np.r_[keys, mirrored], np.r_[counts, counts])
    indptr = np.searchsorted(keys, np.arange(size + 1) * size)
    return Cooccurrences(indptr, keys % size, counts)


def _pairs(corpus: Corpus, size: int, window: int, weighted: bool) -> tuple[Array, Array]:
    """Return word * V + word before it, and what each such pair counts."""
    keys, counts = [], []
    document = np.repeat(np.arange(len(corpus)), np.diff(corpus.starts))
    for distance in range(1, min(window, len(corpus.words) - 1) + 1):
        same = document[distance:] == document[:-distance]
        key = corpus.words[distance:][same] * size + corpus.words[:-distance][same]
        key, number = np.unique(key, return_counts=True)
        keys.append(key)
        counts.append(number / distance if weighted else number.astype(np.float64))
    if not keys:
        return np.empty(0, np.int64), np.empty(0)
    return np.concatenate(keys), np.concatenate(counts)


def _summed(keys: Array, counts: Array) -> tuple[Array, Array]:
    """Return the different keys in order, and the sums of their counts."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[first], np.add.reduceat(counts[order], first) if len(first) else counts
