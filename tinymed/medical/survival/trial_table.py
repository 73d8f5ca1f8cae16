"""Tables of trials: a CSV file with a row for each patient.

``time,event[,arm][,group][,split]`` and any covariates known before the arm was drawn. Columns that
begin with ``outcome_`` were measured later: they are predicted, never used to predict. Columns that
begin with ``truth_`` hold the effect of an arm where it is known, in simulations: its log hazard
ratio to the first arm. Two published tables are known by their own columns.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.tables import check_group_column

__all__ = [
    "MISSING",
    "TrialTable",
    "covariates_of",
    "number",
    "outcomes_of",
    "parse_trial",
    "read_trial",
]

Array = NDArray[Any]
MISSING = ("", "na", "nan", "null")  # in lower case
OUTCOME, TRUTH = "outcome_", "truth_"


@dataclass(frozen=True)
class Layout:
    """Which column of a published table is what."""

    known_by: tuple[str, ...]
    roles: Mapping[str, str]  # its column -> ours
    left_out: tuple[str, ...]  # known only after the arm was drawn, or no covariates
    arms: Mapping[str, str] = field(default_factory=dict)


LAYOUTS = (
    # Hammer et al. (1996), N. Engl. J. Med. 335: AIDS Clinical Trials Group, protocol 175
    Layout(
        ("pidnum", "days", "cens", "arms"),
        {
            "pidnum": "group", "days": "time", "cens": "event", "arms": "arm",
            "cd420": "outcome_cd420", "cd496": "outcome_cd496",
        },
        ("", "treat", "offtrt", "r", "cd820"),
        {
            "0": "zidovudine", "1": "zidovudine + didanosine", "2": "zidovudine + zalcitabine",
            "3": "didanosine",
        },
    ),
    # Loprinzi et al. (1994), J. Clin. Oncol. 12: advanced lung cancer; no arms
    Layout(("inst", "time", "status", "ph.ecog"), {"status": "event"}, ("inst",)),
)  # fmt: skip


class TrialTable(NamedTuple):
    """What a table holds: a record for each patient.

    ``patients`` has the fields ``place`` (file and line) and each covariate, as text.
    ``endpoints``, or None, has ``time``, ``event``, ``arm`` ("" where there is one only) and the
    columns ``outcome_`` (NaN where it was not measured) and ``truth_``.
    """

    patients: Array
    endpoints: Array | None
    groups: Array | None
    splits: Array | None


def covariates_of(patients: Array) -> list[str]:
    """Return the names of the covariates."""
    return [name for name in patients.dtype.names or () if name != "place"]


def outcomes_of(endpoints: Array, kind: str = OUTCOME) -> list[str]:
    """Return the later measurements by name, or with "truth_" the columns of known effects."""
    return sorted(name for name in endpoints.dtype.names or () if name.startswith(kind))


def read_trial(path: str | Path) -> TrialTable:
    """Read a table.

    Raises
    ------
    FileNotFoundError
    DataError
        What is not a table of this kind, naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"csv: no file {str(path)!r}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"csv: {path} is not UTF-8; save the table as UTF-8 text") from error
    return parse_trial(text, str(path))


def parse_trial(text: str, source: str) -> TrialTable:
    r"""Return what the text of a table holds; ``source`` is what errors call it.

    Examples
    --------
    >>> table = parse_trial("time,event,age\n3,1,60\n5,0,NA\n", "x.csv")
    >>> table.endpoints["time"].tolist(), table.patients["age"].tolist()
    ([3.0, 5.0], ['60', 'NA'])
    """
    header, rows = _lines(text, source)
    layout = next((each for each in LAYOUTS if set(each.known_by) <= set(header)), None)
    roles = {} if layout is None else layout.roles
    left_out = () if layout is None else layout.left_out
    columns = {
        roles.get(name, name): [cells[i] for _, cells in rows]
        for i, name in enumerate(header)
        if name not in left_out
    }
    check_group_column(source, columns, also=("id",))  # else a number of patients is a covariate
    places = [f"{source}, line {line}" for line, _ in rows]
    if layout is not None and "arm" in columns:
        columns["arm"] = [layout.arms.get(arm, arm) for arm in columns["arm"]]
    groups, splits = columns.pop("group", None), columns.pop("split", None)
    for role, cells in (("group", groups), ("split", splits)):
        if cells is not None and "" in cells:
            raise DataError(f"csv: {places[cells.index('')]}: {role} is empty")
    endpoints = _endpoints(source, columns, places)
    names = [name for name in columns if not name.startswith((OUTCOME, TRUTH))]
    if not names:
        raise DataError(f"csv: {source}, line 1: no covariates beside {', '.join(header)}")
    return TrialTable(
        _records({"place": np.array(places)} | {name: np.array(columns[name]) for name in names}),
        endpoints,
        None if groups is None else np.array(groups),
        None if splits is None else np.array(splits),
    )


def number(cell: str, place: str, name: str) -> float:
    """Return a cell as a number, NaN where it is missing; anything else is a DataError."""
    if cell.lower() in MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise DataError(f"csv: {place}: {name} is {cell!r}, a finite number expected")
    return value


def _endpoints(source: str, columns: dict[str, list[str]], places: list[str]) -> Array | None:
    """Take time, event, arm and what was measured later out of the columns; None without them."""
    there = [name for name in ("time", "event") if name in columns]
    arms = columns.pop("arm", None)
    if not there:
        return None
    if len(there) == 1:
        missing = "event" if there == ["time"] else "time"
        raise DataError(f"csv: {source}, line 1: column {there[0]!r} without {missing!r}")
    found: dict[str, Array] = {}
    for name in ("time", "event"):
        values = _numbers(columns.pop(name), places, name)
        if np.isnan(values).any():
            raise DataError(f"csv: {places[int(np.argmax(np.isnan(values)))]}: {name} is missing")
        found[name] = values
    for name, wrong, expected in (
        ("time", found["time"] < 0, ">= 0"),
        ("event", ~np.isin(found["event"], (0, 1)), "0 (censored) or 1"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise DataError(
                f"csv: {places[at]}: {name} is {found[name][at]:g}, {expected} expected"
            )
    found["event"] = found["event"].astype(bool)
    if arms is not None and any(arm.lower() in MISSING for arm in arms):
        at = next(i for i, arm in enumerate(arms) if arm.lower() in MISSING)
        raise DataError(f"csv: {places[at]}: arm is missing")
    found["arm"] = np.array([""] * len(places) if arms is None else arms)
    for name in [each for each in columns if each.startswith((OUTCOME, TRUTH))]:
        found[name] = _numbers(columns[name], places, name)
    return _records(found)


def _numbers(cells: list[str], places: list[str], name: str) -> NDArray[np.float64]:
    return np.array([number(cell, at, name) for cell, at in zip(cells, places, strict=True)])


def _records(columns: dict[str, Array]) -> Array:
    """Return arrays (n,) as one array of records, which is split and shuffled as a whole."""
    first = next(iter(columns.values()))
    records = np.empty(len(first), [(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values
    return records


def _lines(text: str, source: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header, and the rows with their line numbers; cells are stripped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise DataError(f"csv: {source}, line {reader.line_num}: {error}") from error
    if len(found) < 2:
        raise DataError(f"csv: {source} has {len(found)} lines, a header and patients expected")
    header = found[0][1]
    for name in header:
        if header.count(name) > 1:
            raise DataError(f"csv: {source}, line 1: column {name!r} is there twice")
    for line, cells in found[1:]:
        if len(cells) != len(header):
            raise DataError(
                f"csv: {source}, line {line}: {len(cells)} cells, {len(header)} expected"
            )
    for name in header:  # R writes row names below an empty name
        if not name and not any(set(each.known_by) <= set(header) for each in LAYOUTS):
            raise DataError(f"csv: {source}, line 1: a column without a name")
    return header, found[1:]
