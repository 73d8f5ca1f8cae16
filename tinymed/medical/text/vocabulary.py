"""A vocabulary: tokens and the numbers that stand for them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

__all__ = ["Document", "Vocabulary", "checked_documents", "nearest"]

Document: TypeAlias = Sequence[str]  # its tokens

FORMAT = "tinymed vocabulary 1"


class Vocabulary:
    """Tokens in a fixed order: specials first, then frequent before rare.

    Parameters
    ----------
    tokens : sequence of str
        All different; a token's place is its id.
    counts : sequence of int, optional
        How often each was seen; 0 each if not given.
    unknown : str, optional
        The token, one of ``tokens``, that stands for all that are not there. Without it, to encode
        such a token is an error.

    Raises
    ------
    ValueError
        No tokens, a token twice, counts of another length, an ``unknown`` that is no token.

    Examples
    --------
    >>> documents = [["pain", "in", "left", "arm"], ["pain", "in", "chest"]]
    >>> vocabulary = Vocabulary.from_documents(documents, min_count=2, unknown="<unk>")
    >>> vocabulary.tokens
    ('<unk>', 'in', 'pain')
    >>> vocabulary.encode(["pain", "in", "arm"])
    array([2, 1, 0])
    """

    def __init__(
        self,
        tokens: Sequence[str],
        counts: Sequence[int] | None = None,
        unknown: str | None = None,
    ) -> None:
        self.tokens = tuple(tokens)
        if not self.tokens:
            raise ValueError("Vocabulary: no tokens, at least one expected")
        self.counts = np.array(counts if counts is not None else [0] * len(tokens), np.int64)
        if self.counts.shape != (len(self.tokens),) or (self.counts < 0).any():
            raise ValueError(
                f"Vocabulary: counts {self.counts.shape} for {len(self.tokens)} tokens, one number "
                ">= 0 for each expected"
            )
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self.ids) < len(self.tokens):
            twice = next(token for token, n in Counter(self.tokens).items() if n > 1)
            raise ValueError(f"Vocabulary: token {twice!r} is there twice")
        if unknown is not None and unknown not in self.ids:
            raise ValueError(f"Vocabulary: unknown {unknown!r} is not one of the tokens")
        self.unknown = unknown

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
        unknown: str | None = None,
    ) -> Vocabulary:
        """Return the tokens seen ``min_count`` times or more, of equal counts in ABC order.

        Parameters
        ----------
        counts : mapping from token to int
        min_count : int
            Rarer tokens are left out.
        max_size : int, optional
            At most so many tokens, specials among them.
        specials : sequence of str
            Tokens that are there whatever their counts, the first ids in this order.
        unknown : str, optional
            As in `Vocabulary`; it is added to the specials if it is not one.

        Raises
        ------
        ValueError
            No token is left.
        """
        first = list(dict.fromkeys(specials))
        if unknown is not None and unknown not in first:
            first.insert(0, unknown)
        special = set(first)
        frequent = [t for t, n in counts.items() if n >= min_count and t not in special]
        if not frequent:
            most = max(counts.values(), default=0)
            raise ValueError(
                f"Vocabulary: none of {len(counts)} tokens was seen min_count={min_count} times, "
                f"the most frequent {most} times; give more text or a smaller min_count"
            )
        frequent.sort(key=lambda token: (-counts[token], token))
        if max_size is not None:
            frequent = frequent[: max(0, max_size - len(first))]
        tokens = first + frequent
        return cls(tokens, [counts.get(token, 0) for token in tokens], unknown)

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        *,
        min_count: int = 1,
        max_size: int | None = None,
        specials: Sequence[str] = (),
        unknown: str | None = None,
    ) -> Vocabulary:
        """Count the tokens of documents; see `from_counts`.

        Raises
        ------
        TypeError
            A document is a string instead of its tokens.
        ValueError
            A document is empty, or no token is left.
        """
        counts: Counter[str] = Counter()
        for document in checked_documents(documents):
            counts.update(document)
        return cls.from_counts(
            counts, min_count=min_count, max_size=max_size, specials=specials, unknown=unknown
        )

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        """Return whether a token has an id of its own."""
        return token in self.ids

    def __getitem__(self, token: str) -> int:
        """Return the id of a token, that of ``unknown`` for one that is not there."""
        found = self.ids.get(token)
        if found is not None:
            return found
        if self.unknown is not None:
            return self.ids[self.unknown]
        raise KeyError(f"Vocabulary: no token {token!r}{nearest(token, self.tokens)}")

    def encode(self, document: Document) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the ids (n,) int64 of a document's tokens."""
        return np.array([self[token] for token in document], np.int64)

    def encode_known(self, document: Document) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the ids of those tokens that have one; the others are left out."""
        known = self.ids
        return np.array([known[token] for token in document if token in known], np.int64)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids.

        Raises
        ------
        IndexError
            An id is not below the number of tokens.
        """
        numbers = [int(i) for i in ids]
        wrong = next((i for i in numbers if not 0 <= i < len(self)), None)
        if wrong is not None:
            raise IndexError(f"Vocabulary.decode: id {wrong}, 0 to {len(self) - 1} expected")
        return [self.tokens[i] for i in numbers]

    def to_json(self) -> str:
        """Return all of it as JSON."""
        fields = {"tokens": self.tokens, "counts": self.counts.tolist(), "unknown": self.unknown}
        return json.dumps({"format": FORMAT, **fields}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Vocabulary:
        """Return the vocabulary that `to_json` described."""
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"Vocabulary.from_json: no JSON: {error}") from None
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise ValueError(f"Vocabulary.from_json: no JSON of the format {FORMAT!r}")
        return cls(fields["tokens"], fields["counts"], fields["unknown"])

    def save(self, path: str | Path) -> None:
        """Write `to_json` into a file."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a file that `save` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))


def checked_documents(documents: Iterable[Document]) -> Iterator[Document]:
    """Yield the documents; raise, with its number, at one that is a string or empty."""
    if isinstance(documents, str):
        raise TypeError("documents: a string, documents of tokens expected; give [words(text)]")
    for number, document in enumerate(documents):
        if isinstance(document, (str, bytes)):
            raise TypeError(
                f"documents: document {number} is the string {document[:30]!r}, its tokens "
                "expected; split it with tinymed.medical.text.words"
            )
        if not len(document):
            raise ValueError(f"documents: document {number} is empty, one token at least expected")
        yield document


def nearest(token: str, tokens: Iterable[str]) -> str:
    """Return words for an error: which tokens are written nearly the same."""
    import difflib  # 5 ms, for those who mistype

    if not isinstance(token, str):
        return f"; it is of type {type(token).__name__}, str expected"
    found = difflib.get_close_matches(token, tokens, 3)
    return f"; near it are {', '.join(map(repr, found))}" if found else ""
