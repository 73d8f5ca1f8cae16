"""Byte-pair encoding: frequent sequences of bytes become tokens, and any text can be written."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

__all__ = ["BytePairEncoding"]

CHUNK = re.compile(r"\s*\S+|\s+")  # no token reaches over the beginning of a word
BYTES = 256
FORMAT = "tinymed byte pairs 1"

Pair = tuple[int, int]
Symbols = list[int]


class BytePairEncoding:
    """Ids 0 to 255 are bytes of UTF-8; id 256 + i is the i-th merge of two ids before it.

    Parameters
    ----------
    merges : sequence of (int, int)
        In the order in which they are applied.

    References
    ----------
    Sennrich, Haddow, Birch (2016), "Neural machine translation of rare words with subword units",
    section 3.2; on bytes: Radford et al. (2019), "Language models are unsupervised multitask
    learners", section 2.2.

    Examples
    --------
    >>> encoding = BytePairEncoding.train(["fracture of femur", "fracture of tibia"], 270)
    >>> ids = encoding.encode("fracture of fibula")
    >>> [encoding.decode([i]) for i in ids][:3]
    ['fracture', ' of', ' ']
    >>> encoding.decode(ids)  # exactly
    'fracture of fibula'
    """

    def __init__(self, merges: Sequence[Pair]) -> None:
        self.merges = [(int(a), int(b)) for a, b in merges]
        self.parts = [bytes([value]) for value in range(BYTES)]
        for i, (a, b) in enumerate(self.merges):
            if not (0 <= a < BYTES + i and 0 <= b < BYTES + i):
                raise ValueError(
                    f"BytePairEncoding: merge {i} is of {a} and {b}, ids below {BYTES + i} expected"
                )
            self.parts.append(self.parts[a] + self.parts[b])
        self.ranks = {pair: BYTES + i for i, pair in enumerate(self.merges)}
        if len(self.ranks) < len(self.merges):
            raise ValueError("BytePairEncoding: a merge is there twice")
        self._known: dict[str, Symbols] = {}

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> BytePairEncoding:
        """Merge the most frequent pair until there are ``size`` ids, or no pair is there twice.

        Of pairs that are equally frequent the one of the smallest ids is taken, so that the same
        texts give the same merges in any order.

        Raises
        ------
        ValueError
            ``size`` is below 256, or there is no text.
        """
        if size < BYTES:
            raise ValueError(f"BytePairEncoding.train: size {size}, {BYTES} at least expected")
        chunks = Counter(chunk for text in texts for chunk in CHUNK.findall(text))
        if not chunks:
            raise ValueError("BytePairEncoding.train: no text, one that is not empty expected")
        return cls(_Merging(chunks).run(size - BYTES))

    def __len__(self) -> int:
        """Return the number of ids."""
        return len(self.parts)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; `decode` returns it exactly."""
        return [i for chunk in CHUNK.findall(text) for i in self._encode_chunk(chunk)]

    def _encode_chunk(self, chunk: str) -> Symbols:
        """Return the ids of a chunk: the merge that was made first is applied first."""
        if chunk not in self._known:
            symbols = list(chunk.encode())
            while len(symbols) > 1:
                rank, pair = min(
                    (self.ranks.get(pair, len(self)), pair) for pair in pairwise(symbols)
                )
                if rank == len(self):
                    break
                symbols = merged(symbols, pair, rank)
            self._known[chunk] = symbols
        return self._known[chunk]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8, as of half a letter, become U+FFFD.

        Raises
        ------
        IndexError
            An id is not there.
        """
        numbers = [int(i) for i in ids]
        wrong = next((i for i in numbers if not 0 <= i < len(self)), None)
        if wrong is not None:
            raise IndexError(f"BytePairEncoding.decode: id {wrong}, 0 to {len(self) - 1} expected")
        return b"".join(self.parts[i] for i in numbers).decode(errors="replace")

    def save(self, path: str | Path) -> None:
        """Write the merges into a JSON file."""
        Path(path).write_text(json.dumps({"format": FORMAT, "merges": self.merges}))

    @classmethod
    def load(cls, path: str | Path) -> BytePairEncoding:
        """Read a file that `save` wrote."""
        fields = json.loads(Path(path).read_text())
        if not isinstance(fields, dict) or fields.get("format") != FORMAT:
            raise ValueError(f"BytePairEncoding.load: {path} is not of the format {FORMAT!r}")
        return cls(fields["merges"])


class _Merging:
    """The chunks of a corpus while they are merged, and how often each pair is in them."""

    def __init__(self, chunks: Counter[str]) -> None:
        self.chunks = [list(chunk.encode()) for chunk in chunks]
        self.counts = list(chunks.values())
        self.pairs: Counter[Pair] = Counter()
        self.places: dict[Pair, set[int]] = {}  # the chunks that have a pair
        for number in range(len(self.chunks)):
            self._count(number, 1)

    def _count(self, number: int, sign: int) -> None:
        """Add the pairs of a chunk to the counts, or take them out."""
        symbols = self.chunks[number]
        for pair in pairwise(symbols):
            self.pairs[pair] += sign * self.counts[number]
            self.places.setdefault(pair, set()).add(number)

    def run(self, most: int) -> list[Pair]:
        """Return ``most`` merges at most."""
        merges: list[Pair] = []
        while len(merges) < most and self.pairs:
            pair = min(self.pairs, key=lambda pair: (-self.pairs[pair], pair))
            if self.pairs[pair] < 2:
                break
            for number in self.places.pop(pair):
                self._count(number, -1)
                self.chunks[number] = merged(self.chunks[number], pair, BYTES + len(merges))
                self._count(number, 1)
            self.pairs = +self.pairs  # those that are left
            merges.append(pair)
        return merges


def merged(symbols: Symbols, pair: Pair, new: int) -> Symbols:
    """Return the symbols with each ``pair`` replaced, from left to right."""
    found, i = [], 0
    while i < len(symbols):
        if (symbols[i], symbols[i + 1] if i + 1 < len(symbols) else -1) == pair:
            found.append(new)
            i += 2
        else:
            found.append(symbols[i])
            i += 1
    return found
