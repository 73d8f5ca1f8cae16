"""Notes with labels: a CSV, or the descriptions of ICD-10-CM from an installed package."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.tables import check_group_column
from tinymed.medical.text.tokens import words

__all__ = ["FAMILY", "ICD10", "Notes", "read_icd10", "read_notes"]

Array = np.ndarray[Any, Any]
ICD10 = "icd10"  # what stands for the installed package instead of a file
FAMILY = 3  # characters of a code that name its category: E11 of E11.65
SPECIAL = "22"  # a chapter of two categories: not enough for three splits
LONGEST = 5_000  # characters; a file that is one note has a quotation mark left open


@dataclass(frozen=True)
class Notes:
    """Texts in the order of their file, and what the file says of each.

    Parameters
    ----------
    texts : array (n,) of str
        None is empty.
    labels, groups, splits : array (n,) of str, or None
    wordings : array (n,) of tuples of str, or None
        Other texts that say as much or more generally the same: terms that a code includes, the
        heading above it.
    """

    texts: Array
    labels: Array | None = None
    groups: Array | None = None
    splits: Array | None = None
    wordings: Array | None = None


def read_notes(path: Path) -> Notes:
    """Read a CSV with the columns text, and label, group, split and wordings where it has them.

    Wordings of one note stand between "|", and there may be none.

    A file named .txt has a note in each line and nothing else; `ICD10` stands for `read_icd10`.

    Raises
    ------
    DataError
        A column is missing, a note or a label is empty; with the file and its line.
    FileNotFoundError
        There is no such file.
    """
    if str(path) == ICD10:
        return read_icd10()
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            if path.suffix == ".txt":
                rows = [({"text": line.rstrip("\r\n")}, n) for n, line in enumerate(file, 1)]
                names: Sequence[str] = ["text"]
            else:
                table = csv.DictReader(file, strict=True)
                rows = [(row, table.line_num) for row in table]
                names = table.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: {error}; a CSV in UTF-8 expected") from error
    if "text" not in names:
        raise DataError(f"{path}: columns {', '.join(names) or 'none'}, one named text expected")
    check_group_column(str(path), names)
    if not rows:
        raise DataError(f"{path}: no note, one at least expected")
    for row, line in rows:
        check_row(row, f"{path}, line {line}")
    columns = {
        field: np.array([row[name].strip() for row, _ in rows])
        for field, name in (
            ("texts", "text"), ("labels", "label"), ("groups", "group"), ("splits", "split")
        )
        if name in names
    }  # fmt: skip
    if "wordings" in names:
        columns["wordings"] = column_of([said(row["wordings"]) for row, _ in rows])
    return Notes(**columns)


def said(wordings: str) -> tuple[str, ...]:
    """Return the texts between "|" that have words."""
    return tuple(text.strip() for text in wordings.split("|") if words(text))


def column_of(tuples: Sequence[tuple[str, ...]]) -> Array:
    """Return an array (n,) of tuples, of whatever lengths."""
    found = np.empty(len(tuples), object)
    found[:] = tuples
    return found


def check_row(row: dict[str, str], where: str) -> None:
    """Raise `DataError` if a row of a table lacks something, or has too much."""
    if None in row:
        raise DataError(f"{where}: more fields than columns; quote a text that has commas")
    for name, value in row.items():
        if name in ("text", "label", "group", "split") and not (value or "").strip():
            raise DataError(f"{where}: the {name} is empty")
    if not words(row["text"]):
        raise DataError(f"{where}: the text {row['text']!r} has no word")
    if len(row["text"]) > LONGEST:
        raise DataError(
            f"{where}: a text of {len(row['text'])} characters, at most {LONGEST} expected; "
            "is a quotation mark left open?"
        )


def read_icd10() -> Notes:
    """Return the descriptions of ICD-10-CM: label the chapter, group the category (E11 of E11.65).

    Wordings are the terms that a code includes; of a category also the headings of its blocks and
    of its chapter, and what these include.

    Codes that add only an encounter (a seventh character) to another one are left out: their
    descriptions repeat it. So is chapter 22, codes for special purposes, which has two categories.

    Raises
    ------
    ImportError
        The package `simple-icd-10-cm` is not installed.

    References
    ----------
    The National Center for Health Statistics' ICD-10-CM, by S. Travasci, simple-icd-10-cm (MIT).
    """
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks setuptools for its files, which is deprecated
            import simple_icd_10_cm as icd
    except ImportError as error:
        raise ImportError(
            "read_icd10: needs simple-icd-10-cm; pip install tinymed[datasets]"
        ) from error
    texts, labels, groups, wordings = [], [], [], []
    for code in icd.get_all_codes():
        if icd.is_chapter_or_block(code) or icd.is_extended_subcategory(code):
            continue
        *_, chapter = above = icd.get_ancestors(code)
        if chapter == SPECIAL:
            continue
        texts.append(icd.get_description(code))
        labels.append(chapter)
        groups.append(code[:FAMILY])
        found = [*icd.get_inclusion_term(code), *icd.get_includes(code)]
        if len(code) == FAMILY:
            for heading in above:
                found += [icd.get_description(heading), *icd.get_includes(heading)]
        wordings.append(tuple(text for text in found if words(text)))
    return Notes(np.array(texts), np.array(labels), np.array(groups), wordings=column_of(wordings))
