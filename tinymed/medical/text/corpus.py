"""Documents as one row of ids, which is what compiled code reads."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.medical.text.vocabulary import Document, Vocabulary, checked_documents

__all__ = ["Corpus", "encode_corpus"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Corpus:
    """The ids of all documents.

    Parameters
    ----------
    words : (n,) int64
    starts : (S + 1,) int64
        Where each document begins in ``words``, and where the last one ends.
    """

    words: Array
    starts: Array

    def __len__(self) -> int:
        """Return the number of documents, S."""
        return len(self.starts) - 1

    def jobs(self, words: int) -> Iterator[Corpus]:
        """Yield the documents in parts of about that many words; a longer document is one part."""
        first = 0
        while first < len(self):
            end = self.starts[first] + words
            last = max(first + 1, int(np.searchsorted(self.starts, end, "right")) - 1)
            starts = self.starts[first : last + 1]
            yield Corpus(self.words[starts[0] : starts[-1]], starts - starts[0])
            first = last


def encode_corpus(documents: Iterable[Document], vocabulary: Vocabulary) -> Corpus:
    """Return the ids of documents; tokens without an id stand for ``unknown`` or are left out.

    Raises
    ------
    TypeError, ValueError
        A document is a string, or empty.
    """
    known, starts, words = vocabulary.ids, [0], array("q")
    other = None if vocabulary.unknown is None else known[vocabulary.unknown]
    for document in checked_documents(documents):
        if other is None:
            words.extend([known[token] for token in document if token in known])
        else:
            words.extend([known.get(token, other) for token in document])
        starts.append(len(words))
    return Corpus(np.array(words, np.int64), np.array(starts, np.int64))
