"""Molecules as numbers: the symbols of a SMILES, each with the surroundings of its atom."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import numpy as np

from tinymed.medical.molecules.molecule import Molecule, environments
from tinymed.medical.molecules.smiles import spell

__all__ = ["RADIUS", "SURROUNDINGS", "SYMBOLS", "EncodedMolecule"]

Array = np.ndarray[Any, Any]
RADIUS = 2
# The tables are of fixed size and rows are found by hashing: nothing is learned from the training
# data here, and no symbol or surrounding is unknown (Weinberger et al. 2009, Feature hashing).
SYMBOLS, SURROUNDINGS = 1024, 16384


class EncodedMolecule:
    """A molecule whose surroundings are found once, to be spelled in any order.

    Examples
    --------
    >>> from tinymed.medical.molecules import parse_smiles
    >>> ids = EncodedMolecule(parse_smiles("C=O")).ids()
    >>> ids.shape, ids[1, 1:].tolist()  # "=" has no surroundings
    ((3, 3), [0, 0])
    """

    def __init__(self, molecule: Molecule) -> None:
        self.molecule = molecule
        rounds = np.array(environments(molecule, RADIUS)[1:], np.uint64)
        # a last row of zeros is what index -1, "no atom", finds
        self.surroundings = np.zeros((len(molecule.atoms) + 1, RADIUS), np.int64)
        self.surroundings[:-1] = 1 + rounds.T % (SURROUNDINGS - 1)

    def __repr__(self) -> str:
        """Return what it was made of: by that a stopped run knows its molecules again."""
        return f"EncodedMolecule({self.molecule!r})"

    def ids(self, generator: np.random.Generator | None = None) -> Array:
        """Return (T, 1 + `RADIUS`) int64: rows of the tables, symbols in the order of `spell`."""
        told = spell(self.molecule, generator)
        ids = np.empty((len(told), 1 + RADIUS), np.int64)
        ids[:, 0] = [_row(symbol) for symbol, _ in told]
        ids[:, 1:] = self.surroundings[[atom for _, atom in told]]
        return ids


@lru_cache(maxsize=4096)
def _row(symbol: str) -> int:
    """Return a symbol's row of the table."""
    return 1 + zlib.crc32(symbol.encode()) % (SYMBOLS - 1)
