"""The other strand of DNA: the same molecule, read from its other end.

Use it where the label belongs to both strands (a binding site, the species, a coding region of
unknown direction). A splice junction or a promoter has a direction: on the other strand it is
another pattern, and ``tinymed dna`` does not turn its sequences.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.medical.sequences.alphabets import DNA

__all__ = ["RandomStrand", "reverse_complement", "reverse_complement_rows"]

Array = np.ndarray[Any, Any]
PARTNER = {"A": "T", "C": "G", "G": "C", "T": "A"}
COMPLEMENT = [DNA.letters.index(PARTNER[letter]) for letter in DNA.letters]


def _partners() -> dict[int, str]:
    """Return the code that pairs with each code of `DNA`, in both cases, by its number."""
    meanings = {letter: letter for letter in DNA.letters} | dict(DNA.mixtures)
    codes = {frozenset(meant): code for code, meant in reversed(meanings.items())}  # T, not U
    found: dict[int, str] = {}
    for code, meant in meanings.items():
        partner = codes[frozenset(PARTNER[letter] for letter in meant)]
        found |= {ord(code): partner, ord(code.lower()): partner.lower()}
    return found


PARTNERS = _partners()


def reverse_complement(sequence: str) -> str:
    """Return the other strand, read in its own direction.

    Parameters
    ----------
    sequence : str
        Letters of `DNA` in either case, which stays; codes for one of several bases too. U is read
        as T.

    Raises
    ------
    ValueError
        A letter that is none; the message names it and its place.

    Examples
    --------
    >>> reverse_complement("ATGCRn")
    'nYGCAT'
    """
    DNA.encode(sequence)  # refuses what is no base
    return sequence[::-1].translate(PARTNERS)


def reverse_complement_rows(encoded: Array) -> Array:
    """Return the other strand of an encoded sequence.

    Parameters
    ----------
    encoded : numpy.ndarray (..., T, 4 or more)
        The columns of `DNA` (A, C, G, T), then any that stay with their place, such as a mark for
        padding. T is without padding, which would come first.

    Returns
    -------
    numpy.ndarray
        A new array of the same shape.

    Examples
    --------
    >>> same = reverse_complement_rows(DNA.encode("GATC")) == DNA.encode("GATC")
    >>> bool(same.all())   # what many enzymes cut reads the same on both strands
    True
    """
    if encoded.ndim < 2 or encoded.shape[-1] < len(COMPLEMENT):
        raise ValueError(
            f"reverse_complement_rows: shape {encoded.shape}, (..., T, {len(COMPLEMENT)} or more) "
            "expected"
        )
    columns = COMPLEMENT + list(range(len(COMPLEMENT), encoded.shape[-1]))
    turned: Array = encoded[..., ::-1, columns]
    return turned


@dataclass(frozen=True)
class RandomStrand:
    """Turns a sequence to its other strand: ``augment=`` of a `tinymed.data.DataLoader`.

    A sample is (encoded (T, 4 or more), what else there is); only the sequence is changed.

    Parameters
    ----------
    probability : float
        In [0, 1].
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"RandomStrand: probability {self.probability} is not in 0 to 1")

    def __call__(self, sample: tuple[Any, ...], generator: np.random.Generator) -> tuple[Any, ...]:
        """Return the sample, or its other strand."""
        encoded, *rest = sample
        turned = generator.random() < self.probability
        return reverse_complement_rows(encoded) if turned else encoded, *rest
