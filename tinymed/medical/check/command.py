"""``tinymed check``: the findings as text, JSON and a page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import serialization
from tinymed.medical.check.collection import Collection, collect, forms
from tinymed.medical.check.findings import Findings, Share, examine
from tinymed.medical.report.cases import CAUTION, png
from tinymed.medical.report.page import Picture, Section, Table, html
from tinymed.medical.report.run_page import NEEDED
from tinymed.medical.tasks.options import check_installed

__all__ = ["add_check", "check", "sections"]

Array = np.ndarray[Any, Any]
LISTED = 20  # of duplicates and of doubted labels
LONGEST = 100  # characters of an input
NOTICE = (
    "What a program found by itself. It shows where to look; whether a label is wrong, or a "
    "duplicate one, is for people to say."
)


def add_check(command: argparse.ArgumentParser) -> None:
    """Declare ``tinymed check``."""
    command.add_argument("data", type=Path, metavar="DATA", help="what a task takes as --data")
    command.add_argument(
        "--as", dest="form", choices=forms(), help="how to read it (default: what fits first)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the folds (0)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the findings here")
    command.add_argument("--page", type=Path, metavar="FILE", help="write a page, HTML, here")
    command.set_defaults(run=check)


def check(options: argparse.Namespace) -> None:
    """Read, examine, print, and write what was asked for.

    Raises
    ------
    ImportError
        Without SciPy; with ``--page`` without the extra ``report``.
    """
    if options.seed < 0:
        raise ValueError(f"check: --seed {options.seed} is negative")
    if options.page is not None:
        check_installed("check --page", NEEDED, "report")
        serialization.check_writable(options.page)
    found = collect(options.data, options.form)
    findings = examine(found, options.seed)
    parts = sections(findings, found)
    print("\n".join(lines(findings, parts)))
    if options.json is not None:
        text = json.dumps(findings.to_dict(), indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), options.json)
    if options.page is not None:
        parts += galleries(findings, found)
        page = html(f"tinymed check: {findings.name}", NOTICE, parts)
        serialization.write_bytes(page.encode(), options.page)


def sections(findings: Findings, found: Collection) -> list[Section]:
    """Return the findings as tables."""
    counted = {
        "exact duplicates": [d for d in findings.duplicates if d.kind == "exact"],
        "near duplicates": [d for d in findings.duplicates if d.kind == "near"],
    }
    rows = [
        (
            name,
            len(some),
            sum(d.other_split for d in some),
            sum(d.other_group for d in some),
            sum(d.other_label for d in some),
        )
        for name, some in counted.items()
    ]
    columns = ("", "cases", "in two splits", "in two groups", "with another label")
    shown = ("input",) if found.inputs.dtype.kind in "US" else ()
    listed = [
        (d.kind, d.first, d.second, *_input(found, d.second)) for d in findings.duplicates[:LISTED]
    ]
    leaks = [(pair, len(shared)) for pair, shared in findings.shared_groups.items()]
    doubted = [
        (d.case, d.label, d.suggested, d.margin, *_input(found, d.case))
        for d in findings.doubts[:LISTED]
    ]
    verdict = [f"problem: {each}" for each in findings.problems]
    verdict += [f"warning: {each}" for each in findings.warnings]
    return [
        Section(
            "Findings",
            [f"{findings.cases} cases, read as {findings.form}", *(verdict or ["nothing found"])],
        ),
        Section("Splits and classes", tables=[_shares("split", findings.splits)]),
        Section(
            "Leakage",
            () if leaks else ["no group is in two splits"] * (found.groups is not None),
            [Table(("splits", "groups in both"), leaks), Table(columns, rows)],
        ),
        Section(
            "Duplicates",
            _told(listed, len(findings.duplicates)),
            [Table(("kind", "first", "repeated", *shown), listed)],
        ),
        Section(
            "Labels to look at again",
            [findings.doubter, *_told(doubted, len(findings.doubts))],
            [Table(("case", "label", "looks like", "margin", *shown), doubted)],
        ),
        Section("Sites", _tie(findings), [_shares("site", findings.sites)]),
    ]


def galleries(findings: Findings, found: Collection) -> list[Section]:
    """Return doubted images and duplicates as pictures; none of what are no images."""
    if not found.are_images:
        return []
    low, high = float(found.inputs.min()), float(found.inputs.max())

    def panel(case: int) -> Array:
        image = (_plane(found.inputs[case]) - low) / max(high - low, 1e-12)
        return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)

    doubted = []
    for d in findings.doubts[:LISTED]:
        text = f"case {d.case}: labelled {d.label}, looks like {d.suggested}"
        doubted.append(Picture(png([panel(d.case)]), text, text, marked=True))
    twice = []
    for pair in findings.duplicates[:LISTED]:
        text = f"cases {pair.first} and {pair.second}: {pair.kind}"
        pictures = png([panel(pair.first), panel(pair.second)])
        twice.append(Picture(pictures, text, text, marked=pair.other_split))
    shown = (("Doubted labels", doubted), ("Duplicates, side by side", twice))
    return [
        Section(title, (CAUTION,), pictures=some, gallery=True) for title, some in shown if some
    ]


def lines(findings: Findings, parts: Sequence[Section]) -> Iterator[str]:
    """Yield sections as lines of text, their tables aligned."""
    yield findings.name
    for part in parts:
        rows = [table for table in part.tables if table.rows]
        if part.notes or rows:
            yield f"\n{part.title}"
        yield from part.notes
        for table in rows:
            yield from aligned(table)


def aligned(table: Table) -> Iterator[str]:
    """Yield the header and rows of a table, columns under each other."""
    cells = [[str(name) for name in table.columns], *table.cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()


def _shares(what: str, shares: list[Share]) -> Table:
    classes = list(dict.fromkeys(name for share in shares for name in share.classes))
    rows = [(s.name, s.cases, s.groups, *(s.classes.get(c) for c in classes)) for s in shares]
    return Table((what, "cases", "groups", *(f"class {c}" for c in classes)), rows)


def _tie(findings: Findings) -> list[str]:
    if not findings.sites:
        return ["the data name no sites (a column 'site' of a CSV file)"]
    tied = findings.site_and_class
    return [] if tied is None else [f"site and class: Cramer's V {tied:.2f}, 0 nothing .. 1 all"]


def _told(listed: list[Any], of: int) -> list[str]:
    return [f"{len(listed)} of {of}"] if of else ["none"]


def _input(found: Collection, case: int) -> tuple[str, ...]:
    """Return the cell that shows a text, no cell for what is none."""
    if found.inputs.dtype.kind not in "US":
        return ()
    text = "".join(c if c.isprintable() else " " for c in str(found.inputs[case]))
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]} ...",)


def _plane(image: Array) -> Array:
    """Return a picture (H, W) or (H, W, 3): of a volume the middle slice."""
    if image.ndim == 2:
        return image
    if image.shape[-1] in (3, 4):
        return image[..., :3]
    return image[..., 0] if image.shape[-1] == 1 else image[image.shape[0] // 2]
