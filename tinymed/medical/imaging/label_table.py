"""Label tables: CSV files that say which images or scans there are, and what is known of each.

One header row, then one row for each sample; commas between cells, UTF-8. Every complaint is one
`DataError` that names file and line.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.dataset import SPLITS
from tinymed.medical.tables import GROUP_NAMES

__all__ = ["COLUMNS", "LabelTable", "Row", "read_label_table"]

COLUMNS = ("image", "series", "x", "y", "z", "label", "group", "split")
# What people call them; for patients see `GROUP_NAMES`.
_MEANT = {
    **dict.fromkeys(GROUP_NAMES, "group"),
    "images": "image", "file": "image", "filename": "image", "path": "image",
    "seriesuid": "series", "seriesinstanceuid": "series", "series_uid": "series",
    "coordx": "x", "coordy": "y", "coordz": "z",
    "labels": "label", "class": "label", "target": "label", "y_true": "label",
    "splits": "split", "fold": "split", "set": "split",
}  # fmt: skip
_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Row:
    """One line of a table: its number in the file, its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class LabelTable:
    """A table that has been read: its file, its columns, its rows (at least one)."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def error(self, row: Row | None, text: str) -> DataError:
        """Return the exception that says what is wrong with a row, or with the header (None)."""
        return DataError(f"csv: {self.path}, line {row.line if row else 1}: {text}")

    def require(self, *columns: str) -> None:
        """Raise `DataError` unless the table has these columns."""
        for column in columns:
            if column not in self.columns:
                raise self.error(None, f"columns {', '.join(self.columns)}, no column {column!r}")

    def place(self, row: Row, column: str) -> Path:
        """Return the file or folder a cell names, which must lie in the folder of the table."""
        cell, root = row.cells[column], self.path.parent.resolve()
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(cell).anchor or ".." in kind(cell).parts:
                raise self.error(row, f"{cell!r} leads out of the folder of the table")
        try:
            target = (root / cell).resolve()
            there = target.exists()
        except (OSError, RuntimeError):  # a name too long, links in a circle
            there = False
        if not there:
            raise self.error(row, f"{column} {cell!r} does not exist")
        if not target.is_relative_to(root):
            raise self.error(row, f"{cell!r} is a link that leads out of the folder of the table")
        return root / cell

    def number(self, row: Row, column: str) -> float:
        """Return a cell as a finite number."""
        try:
            value = float(row.cells[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(row, f"{column} {row.cells[column]!r}, a number expected")
        return value

    def labels(self, classes: int) -> NDArray[np.int64]:
        """Return the labels (n,), integers from 0 to ``classes - 1``."""
        self.require("label")
        allowed = {str(label): label for label in range(classes)}
        for row in self.rows:
            if row.cells["label"] not in allowed:
                raise self.error(
                    row, f"label {row.cells['label']!r}, one of {', '.join(allowed)} expected"
                )
        return np.array([allowed[row.cells["label"]] for row in self.rows], np.int64)

    def groups(self) -> NDArray[np.str_] | None:
        """Return the groups (n,), None if the table does not say."""
        if "group" not in self.columns:
            return None
        return np.array([row.cells["group"] for row in self.rows])

    def splits(self) -> list[str] | None:
        """Return the split of each row, None if the table does not say."""
        if "split" not in self.columns:
            return None
        for row in self.rows:
            if row.cells["split"] not in SPLITS:
                raise self.error(
                    row, f"split {row.cells['split']!r}, one of {', '.join(SPLITS)} expected"
                )
        return [row.cells["split"] for row in self.rows]

    def check_unique(self, keys: Sequence[Hashable]) -> None:
        """Raise `DataError` if two rows are about the same: ``keys[i]`` is what row i is about."""
        lines: dict[Hashable, int] = {}
        for row, key in zip(self.rows, keys, strict=True):
            line = lines.setdefault(key, row.line)
            if line != row.line:
                raise self.error(row, f"the same image as on line {line}")

    @property
    def name(self) -> str:
        """The name of the folder that the table is in."""
        return self.path.resolve().parent.name


def read_label_table(path: Path) -> LabelTable:
    """Read a table; a byte order mark is allowed, empty lines are skipped, cells are stripped.

    Raises
    ------
    FileNotFoundError
    DataError
        Another encoding or separator; a header with a column twice, misnamed or empty; lines of
        another length; empty cells; no rows.
    """
    if not path.is_file():
        raise FileNotFoundError(f"csv: no file {str(path)!r}")
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"csv: {path} is larger than {_MOST_BYTES} bytes, a table expected")
    lines = _lines(path)
    if not lines:
        raise DataError(f"csv: {path}, line 1: no header; expected {_FORMS}")
    columns = _header(path, lines[0])
    rows = []
    for line, cells in lines[1:]:
        if len(cells) != len(columns):
            raise DataError(
                f"csv: {path}, line {line}: {len(cells)} cells, {len(columns)} expected "
                f"({', '.join(columns)})"
            )
        named = dict(zip(columns, cells, strict=True))
        for column in columns:
            if column in COLUMNS and not named[column]:
                raise DataError(f"csv: {path}, line {line}: {column} is empty")
        rows.append(Row(line, named))
    if not rows:
        raise DataError(f"csv: {path}, line 2: no row after the header")
    return LabelTable(path, columns, tuple(rows))


_FORMS = "image,label[,group][,split] or series[,x,y,z],label[,group][,split]"


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Return the lines that are not empty, by number, as stripped cells."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"csv: {path}, line {line}: not UTF-8; save the table as UTF-8 text"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataError(f"csv: {path}, line {line}: a zero byte; save the table as UTF-8 text")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise DataError(f"csv: {path}, line {reader.line_num}: {error}") from error
    return found


def _header(path: Path, first: tuple[int, list[str]]) -> tuple[str, ...]:
    line, cells = first
    columns = tuple(cell.lower() for cell in cells)

    def wrong(text: str) -> DataError:
        return DataError(f"csv: {path}, line {line}: {text}")

    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(columns) == 1 and separator in columns[0]:
            raise wrong(f"{name} between the columns, commas expected")
    for column in columns:
        if not column:
            raise wrong("a column without a name")
        if columns.count(column) > 1:
            raise wrong(f"column {column!r} is there twice")
        meant = _MEANT.get(column)
        if meant and meant not in columns:
            raise wrong(f"column {column!r} is not known; call it {meant!r}")
    if ("image" in columns) == ("series" in columns):
        raise wrong(f"columns {', '.join(columns)}; expected {_FORMS}")
    return columns
