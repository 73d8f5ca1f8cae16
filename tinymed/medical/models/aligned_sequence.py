"""A network for sequences in which a place means the same: words at places, beside a deep view."""

from __future__ import annotations

import math
from typing import Any

import tinymed as tm
from tinymed import nn
from tinymed.medical.models.sequence_network import SequenceNetwork
from tinymed.medical.models.sparse_linear import SparseLinear

__all__ = ["AlignedSequenceNetwork", "PlacedWords"]

CERTAIN = 0.99  # a letter of less is ambiguous or hidden: no word holds it


class PlacedWords(SparseLinear):
    """A weight for each word at each place and class: linear regression on a degree kernel.

    (N, T, K + 1) -> the words of 1 .. D letters at each place -> (N, classes), the sum of their
    weights. A word of d letters counts sqrt(2 (D - d + 1) / (D (D + 1))): two sequences are then
    as alike as their weighted degree kernel says. Words of which a letter is not certain are left
    out.

    Parameters
    ----------
    letters : int
        K, columns of the alphabet.
    classes : int
    length : int
        T.
    longest : int
        D, at most T.

    References
    ----------
    Ratsch, Sonnenburg (2004), "Accurate splice site detection for Caenorhabditis elegans".

    Examples
    --------
    >>> PlacedWords(4, 3, length=6, longest=2)(tm.ones(2, 6, 5)).tolist()[0]
    [0.0, 0.0, 0.0]
    """

    def __init__(self, letters: int, classes: int, length: int, longest: int = 6) -> None:
        if not 1 <= longest <= length:
            raise ValueError(f"PlacedWords: longest {longest}, 1 to length = {length} expected")
        rows = sum((length - d + 1) * letters**d for d in range(1, longest + 1))
        super().__init__(rows, classes)
        self.letters, self.length, self.longest = letters, length, longest

    def features(self, x: Any) -> tuple[Any, Any]:
        """Return words at places and what they count, (N, T, K + 1) -> (N, words) each."""
        shares = x[:, :, : self.letters]
        certain, letter = shares.amax(2) > CERTAIN, shares.argmax(2)
        code, whole, start = tm.zeros_like(letter), tm.ones_like(certain), 0
        rows, counts = [], []
        for d in range(1, self.longest + 1):  # a word of d letters: one of d - 1, and the next
            last, words = self.length - d + 1, self.letters**d
            code = code[:, :last] * self.letters + letter[:, d - 1 :]
            whole = whole[:, :last] & certain[:, d - 1 :]
            place = tm.ones_like(code).cumsum(1) - 1
            rows.append(start + place * words + code)
            count = 2 * (self.longest - d + 1) / (self.longest * (self.longest + 1))
            counts.append(whole.to(x.dtype) * math.sqrt(count))
            start += last * words
        return tm.cat(rows, 1), tm.cat(counts, 1)


class AlignedSequenceNetwork(nn.Module):
    """Two views of a sequence, each with logits of its own; a prediction is a mean of both.

    `PlacedWords` remembers which words stood where, `SequenceNetwork` generalises over motifs and
    their distance: they err on different sequences.

    Parameters
    ----------
    letters, classes, length : int
        Of both.
    longest : int
        Of `PlacedWords`.
    widths, kernel, hidden, dropout
        Of `SequenceNetwork`.

    Examples
    --------
    >>> AlignedSequenceNetwork(4, 3, length=60)(tm.ones(2, 60, 5)).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        letters: int,
        classes: int,
        length: int,
        longest: int = 6,
        widths: list[int] | tuple[int, ...] = (32, 32),
        kernel: int = 7,
        hidden: int = 16,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.wide = PlacedWords(letters, classes, length, longest)
        self.deep = SequenceNetwork(letters, classes, widths, kernel, hidden, length, dropout)

    def forward(self, x: Any) -> Any:
        """Return the logits of both views, (N, T, K + 1) -> (N, 2, classes)."""
        return tm.stack([self.wide(x), self.deep(x)], 1)
