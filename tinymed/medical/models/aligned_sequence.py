"""A network for sequences in which a place means the same: words at places, beside a deep view."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinymed as tm
from tinymed import nn
from tinymed.medical.models.sequence_network import SequenceNetwork

__all__ = ["AlignedSequenceNetwork", "PlacedWords"]

CERTAIN = 0.99  # a letter of less is ambiguous or hidden: no word holds it


class PlacedWords(nn.Module):
    """A weight for each word at each place and class: linear regression on a degree kernel.

    (N, T, K + 1) -> the words of 1 .. D letters at each place -> (N, classes), the sum of their
    weights. A word of d letters counts sqrt(2 (D - d + 1) / (D (D + 1))): two sequences are then
    as alike as their weighted degree kernel says. Words of which a letter is not certain are left
    out, and all weights begin at zero: a word that training never met says nothing.

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

    def __init__(self, letters: int, classes: int, length: int, longest: int = 5) -> None:
        super().__init__()
        if not 1 <= longest <= length:
            raise ValueError(f"PlacedWords: longest {longest}, 1 to length = {length} expected")
        self.letters, self.length, self.longest = letters, length, longest
        rows = sum((length - d + 1) * letters**d for d in range(1, longest + 1))
        self.table = nn.EmbeddingBag(1 + rows, classes, mode="sum", padding_idx=0)
        nn.init.zeros_(self.table.weight)
        self.bias = nn.Parameter(tm.zeros(classes))

    def forward(self, x: Any) -> Any:
        """Return logits, (N, T, K + 1) -> (N, classes)."""
        ids, weights = self.words(x.data)
        return self.table(tm.tensor(ids), None, tm.tensor(weights)) + self.bias

    def words(self, x: Any) -> tuple[Any, Any]:
        """Return rows of the table and what they count, (N, words) each; row 0 is "left out"."""
        share, letter = x[:, :, : self.letters].max(2), x[:, :, : self.letters].argmax(2)
        certain = share > CERTAIN
        code, whole, start = 0 * letter, np.ones_like(certain), 1
        ids, weights = [], []
        for d in range(1, self.longest + 1):  # a word of d letters: one of d - 1, and the next
            last = self.length - d + 1
            code = code[:, :last] * self.letters + letter[:, d - 1 :]
            whole = whole[:, :last] & certain[:, d - 1 :]
            places = start + np.arange(last) * self.letters**d
            ids.append(np.where(whole, places + code, 0))
            counts = 2 * (self.longest - d + 1) / (self.longest * (self.longest + 1))
            weights.append(np.full(code.shape, np.sqrt(counts), x.dtype))
            start += last * self.letters**d
        return np.hstack(ids), np.hstack(weights)


class AlignedSequenceNetwork(nn.Module):
    """Two views of a sequence, each with logits of its own; a prediction is the mean of both.

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
        longest: int = 5,
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
