"""Tables of text: CSV files, plain or gzipped, whose rows know their line in the file."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tinymed.errors import DataError

__all__ = [
    "GROUP_NAMES",
    "Table",
    "as_table",
    "check_group_column",
    "read_table",
    "read_text",
    "records",
]

MOST_BYTES = 2**30
# What people call the column of the patient. Not taken for it in silence, and not ignored: unread
# it would put one patient on both sides of a split.
GROUP_NAMES = frozenset(
    {
        "groups", "patient", "patients", "patient_id", "patient_ids", "patientid", "patient_no",
        "patient_number", "pid", "mrn", "subject", "subjects", "subject_id", "subject_ids",
        "subjectid",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The columns of a CSV file with a header, as stripped text.

    ``lines`` holds the line of each row: what an error names.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, *names: str) -> list[str] | None:
        """Return the cells of the first of these columns that is there, None without any."""
        for name in names:
            if name in self.columns:
                index = self.columns.index(name)
                return [row[index] for row in self.rows]
        return None

    def require(self, *names: str) -> list[str]:
        """Return `column`, or raise `DataError` where none of the names is a column."""
        found = self.column(*names)
        if found is None:
            raise DataError(
                f"csv: {self.path} has columns {', '.join(self.columns)}, "
                f"{' or '.join(map(repr, names))} expected"
            )
        return found

    def error(self, row: int, text: str) -> DataError:
        """Return the exception about a row, counted from 0."""
        return DataError(f"csv: {self.path}, row {row + 1} (line {self.lines[row]}): {text}")


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, unpacked if its name ends in .gz.

    Raises
    ------
    FileNotFoundError
    DataError
        Not UTF-8, a damaged gzip file, zero bytes, or more than a gibibyte.
    """
    if not path.is_file():
        raise FileNotFoundError(f"read: no file {str(path)!r}")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"read: {path} is no whole gzip file: {error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"read: {path} holds more than {MOST_BYTES} bytes, a table expected")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"read: {path}, line {line}: not UTF-8 text") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"read: {path}, line {line}: a zero byte, text expected")
    return text


def read_table(path: Path) -> Table:
    """Read a CSV file with a header; empty lines are skipped.

    Raises
    ------
    FileNotFoundError
    DataError
        What `read_text` refuses; no header or no row; a row of another length; broken quotes.
    """
    return as_table(path, records(path))


def as_table(path: Path, lines: list[tuple[int, list[str]]]) -> Table:
    """Return rows, the header first, as a table; or raise `DataError` as `read_table` does."""
    if not lines:
        raise DataError(f"csv: {path} is empty, a header and rows expected")
    columns = tuple(lines[0][1])
    if len(set(columns)) < len(columns) or "" in columns:
        raise DataError(f"csv: {path} has columns {', '.join(columns)}, each a name of its own")
    if len(lines) == 1:
        raise DataError(f"csv: {path} has no row after its header")
    for row, (line, cells) in enumerate(lines[1:], 1):
        if len(cells) != len(columns):
            raise DataError(
                f"csv: {path}, row {row} (line {line}): {len(cells)} cells, {len(columns)} "
                f"expected ({', '.join(columns)})"
            )
    check_group_column(str(path), columns)
    numbers, rows = zip(*lines[1:], strict=True)
    return Table(path, columns, tuple(map(tuple, rows)), numbers)


def check_group_column(source: str, columns: Iterable[str], also: Iterable[str] = ()) -> None:
    """Raise `DataError` if a column seems to name patients, and none is called "group".

    Parameters
    ----------
    source : str
        What errors call the table.
    columns : names
    also : names
        More that would mean patients.

    Examples
    --------
    >>> check_group_column("x.csv", ["text", "Patient ID", "group"])
    >>> check_group_column("x.csv", ["text", "Patient ID"])
    Traceback (most recent call last):
    tinymed.errors.DataError: csv: x.csv: column 'Patient ID' is not known; call it 'group'
    """
    names = list(columns)
    if "group" in names:
        return
    for name in names:
        plain = name.lower().replace(" ", "_").replace("-", "_").replace(".", "_")
        if plain in GROUP_NAMES.union(also, ["group"]):
            raise DataError(f"csv: {source}: column {name!r} is not known; call it 'group'")


def records(path: Path) -> list[tuple[int, list[str]]]:
    """Return the rows that are not empty, as stripped cells, by their line."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        return [
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise DataError(f"csv: {path}, line {reader.line_num}: {error}") from error
