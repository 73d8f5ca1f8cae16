"""Sequences from FASTA and CSV files, with what is known of each: class, group, split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinymed.errors import DataError
from tinymed.medical.sequences.alphabets import Alphabet
from tinymed.medical.tables import Table, as_table, read_table, read_text, records

__all__ = ["SequenceRecords", "read_sequences"]

FASTA = (".fasta", ".fa", ".fna", ".faa", ".fas")
TAGS = ("label", "group", "split")  # of a FASTA header: ">name label=ei group=gene7 split=test"


@dataclass(frozen=True)
class SequenceRecords:
    """Sequences (n,) in upper case; labels, groups, splits (n,), None where not told."""

    sequences: list[str]
    labels: list[str] | None = None
    groups: list[str] | None = None
    splits: list[str] | None = None


def read_sequences(
    path: Path, alphabet: Alphabet, classes: Sequence[str], shortest: int, longest: int
) -> SequenceRecords:
    """Read the sequences of a file and check each.

    Parameters
    ----------
    path : Path
        FASTA (.fasta, .fa, .fna, .faa, .fas; .gz too), whose headers may say ``label=``,
        ``group=`` and ``split=``; or CSV with a column ``seq`` and, as far as known, ``cls``,
        ``group`` and ``split``; or the CSV of the package modlAMP (first line: number of
        sequences, of features, names).
    alphabet : Alphabet
    classes : sequence of str
        The labels that are allowed.
    shortest, longest : int
        Letters of a sequence.

    Raises
    ------
    FileNotFoundError
    DataError
        A letter that is not of the alphabet, another length, an unknown class, a missing column;
        with file and row.
    """
    name = path.with_suffix("") if path.suffix == ".gz" else path
    table = fasta_table(path) if name.suffix.lower() in FASTA else csv_table(path)
    sequences = [cell.upper() for cell in table.require("seq", "sequence")]
    for row, sequence in enumerate(sequences):
        if not shortest <= len(sequence) <= longest:
            raise table.error(row, f"{len(sequence)} letters, {shortest} to {longest} expected")
        try:
            alphabet.encode(sequence)
        except ValueError as error:
            raise table.error(row, str(error)) from error
    labels = table.column("cls", "label", "class")
    for row, label in enumerate(labels or ()):
        if label not in classes:
            raise table.error(row, f"class {label!r}, one of {', '.join(classes)} expected")
    for column in ("group", "split"):
        for row, cell in enumerate(table.column(column) or ()):
            if not cell:
                raise table.error(row, f"{column} is empty")
    return SequenceRecords(sequences, labels, table.column("group"), table.column("split"))


def fasta_table(path: Path) -> Table:
    """Return a FASTA file as a table of name, seq and the tags that all headers have.

    Raises
    ------
    DataError
        Text before the first header, a header without a sequence, tags in some headers only.
    """
    headers: list[tuple[int, str]] = []
    bodies: list[list[str]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.strip()
        if text.startswith(">"):
            headers.append((number, text[1:].strip()))
            bodies.append([])
        elif text and not headers:
            raise DataError(f"fasta: {path}, line {number}: a sequence without a header '>name'")
        elif text:
            bodies[-1].append("".join(text.split()))
    if not headers:
        raise DataError(f"fasta: {path} has no sequence, '>name' and letters expected")
    lines = tuple(number for number, _ in headers)
    told = [_tags(header) for _, header in headers]
    tags = tuple(tag for tag in TAGS if any(tag in each for each in told))
    rows = []
    for number, body, each in zip(lines, bodies, told, strict=True):
        lacking = [tag for tag in tags if tag not in each]
        if lacking or not body:
            what = f"no {lacking[0]}= as other headers have" if lacking else "no sequence"
            raise DataError(f"fasta: {path}, line {number}: {what}")
        rows.append(("".join(body), *(each[tag] for tag in tags)))
    return Table(path, ("seq", *tags), tuple(rows), lines)


def _tags(header: str) -> dict[str, str]:
    """Return the words ``name=value`` of a header."""
    pairs = (word.split("=", 1) for word in header.split() if "=" in word)
    return {name: value for name, value in pairs if name in TAGS}


def csv_table(path: Path) -> Table:
    """Return a CSV file as a table; that of modlAMP with its columns named seq and cls."""
    header, *body = records(path) or [(1, [])]
    if len(header[1]) == 4 and all(cell.isdigit() for cell in header[1][:2]):
        return as_table(path, [(header[0], ["seq", "cls"]), *body])
    return read_table(path)
