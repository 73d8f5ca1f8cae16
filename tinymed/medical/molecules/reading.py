"""Molecules from CSV files, and synthetic ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinymed.medical.molecules.molecule import Molecule
from tinymed.medical.molecules.smiles import parse_smiles
from tinymed.medical.tables import Table, read_table

__all__ = ["MoleculeTable", "read_molecules"]

LONGEST = 2000  # characters of a SMILES


@dataclass(frozen=True)
class MoleculeTable:
    """A table with a column of SMILES, and the molecules in its rows."""

    table: Table
    molecules: list[Molecule]


def read_molecules(path: Path) -> MoleculeTable:
    """Read a CSV file, plain or .gz, with a column ``smiles``.

    Raises
    ------
    FileNotFoundError
    DataError
        No such column; an empty, too long or unreadable SMILES; with file and row.
    """
    table = read_table(path)
    molecules = []
    for row, text in enumerate(table.require("smiles")):
        if len(text) > LONGEST:
            raise table.error(
                row, f"a SMILES of {len(text)} characters, at most {LONGEST} expected"
            )
        try:
            molecules.append(parse_smiles(text))
        except ValueError as error:
            raise table.error(row, str(error)) from error
    return MoleculeTable(table, molecules)
