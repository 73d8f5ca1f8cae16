"""Alphabets of DNA and proteins: letters as one-hot rows, ambiguous letters as mixtures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["DNA", "PROTEIN", "Alphabet"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Alphabet:
    """K letters, and the codes that stand for one of several.

    Parameters
    ----------
    name : str
    letters : str
        One column each.
    mixtures : mapping of str to str
        Code -> the letters it may stand for, each as likely as the others.
    """

    name: str
    letters: str
    mixtures: Mapping[str, str]

    @cached_property
    def rows(self) -> Array:
        """A row for each byte: (256, K) float32 that sum to 1, NaN for what is no letter."""
        rows = np.full((256, len(self.letters)), np.nan, np.float32)
        for code, meant in {**{each: each for each in self.letters}, **self.mixtures}.items():
            row = np.zeros(len(self.letters), np.float32)
            row[[self.letters.index(letter) for letter in meant]] = 1 / len(meant)
            rows[ord(code)] = rows[ord(code.lower())] = row
        return rows

    def encode(self, sequence: str) -> Array:
        """Return (L, K) float32: one-hot rows, for an ambiguous code the mean of its letters.

        Parameters
        ----------
        sequence : str
            Upper or lower case.

        Raises
        ------
        ValueError
            A letter that is not of the alphabet; the message names it and its place.

        Examples
        --------
        >>> DNA.encode("AR").tolist()
        [[1.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0]]
        """
        codes = np.frombuffer(sequence.encode("latin-1", "replace"), np.uint8)
        encoded = self.rows[codes]
        wrong = np.flatnonzero(np.isnan(encoded[:, 0]))
        if len(wrong):
            raise ValueError(
                f"{self.name}: {sequence[wrong[0]]!r} at letter {wrong[0] + 1}, one of "
                f"{self.letters} or of the codes {''.join(self.mixtures)} expected"
            )
        return encoded


# Cornish-Bowden (1985), Nomenclature for incompletely specified bases in nucleic acid sequences.
DNA = Alphabet(
    "DNA",
    "ACGT",
    {
        "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
        "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
    },
)  # fmt: skip
# IUPAC-IUB (1984), Nomenclature and symbolism for amino acids and peptides. Selenocysteine (U) and
# pyrrolysine (O) stand in for what they are made from, cysteine and lysine.
PROTEIN = Alphabet(
    "protein",
    "ACDEFGHIKLMNPQRSTVWY",
    {"B": "DN", "Z": "EQ", "J": "IL", "U": "C", "O": "K", "X": "ACDEFGHIKLMNPQRSTVWY"},
)
