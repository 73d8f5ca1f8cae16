"""Molecules: SMILES read into graphs and written from any atom, scaffolds, environments."""

from tinymed.medical.molecules.molecule import (
    AROMATIC,
    Atom,
    Bond,
    Molecule,
    environments,
    fingerprint,
)
from tinymed.medical.molecules.scaffold import scaffold, scaffold_key
from tinymed.medical.molecules.smiles import parse_smiles, spell, write_smiles

__all__ = [
    "AROMATIC",
    "Atom",
    "Bond",
    "Molecule",
    "environments",
    "fingerprint",
    "parse_smiles",
    "scaffold",
    "scaffold_key",
    "spell",
    "write_smiles",
]
