"""``report.html``: everything a run found, on one page that opens from disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tinymed import serialization
from tinymed.medical.report import pictures
from tinymed.medical.report.cases import case_tables
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.judgement import judgement, subgroup_section
from tinymed.medical.report.model_card import metric_rows
from tinymed.medical.report.page import Section, Table, drawn, html
from tinymed.training import LOG

__all__ = ["PAGE", "can_be_drawn", "write_page"]

Facts = Mapping[str, Any]
PAGE = "report.html"
NOTICE = (
    "Not for clinical use. Research software, not a medical device: it must not be used to "
    "diagnose, to treat, or to decide for or against either."
)
SHIFTED = (
    "The same cases, changed to what another scanner might have shown: a sharper and a softer "
    "kernel, larger and smaller pixels, a lower dose. A difference whose interval does not reach 0 "
    "is a loss, or a gain, that chance does not explain."
)
NEEDED = ("jinja2", "matplotlib")


def can_be_drawn() -> bool:
    """Return whether what a page needs is installed; if not, say what to install."""
    lacking = [name for name in NEEDED if find_spec(name) is None]
    if lacking:
        print(f"no {PAGE}: it needs {' and '.join(lacking)}; pip install tinymed[report]")
    return not lacking


def write_page(
    folder: Path,
    card: Facts,
    evidence: Evidence | None = None,
    *,
    cases: Sequence[Section] | None = None,
    leakage: Table | None = None,
    shifts: Table | None = None,
    quantity: str = "value",
) -> None:
    """Write the page of a run into its folder, where the learning curves are read.

    Parameters
    ----------
    folder : existing folder
        Holds log.jsonl, or one folder for each fold that does.
    card : dict
        The facts of the model card, see `tinymed.medical.report.model_card`.
    evidence : Evidence, optional
        None: metrics are all that is told of the result.
    cases : sequence of Section, optional
        Single cases; default: those of ``evidence``, as text.
    leakage : Table, optional
        What splits have in common.
    shifts : Table, optional
        What another scanner costs.
    quantity : str
        What the predicted numbers are.

    Raises
    ------
    ImportError
        Without jinja2 or matplotlib; ask `can_be_drawn` first.
    """
    sections = [_results(card), _data(card, leakage), _learning(folder, card)]
    if evidence is not None:
        sections += judgement(evidence, quantity)
        sections.append(subgroup_section(evidence))
        sections += [] if shifts is None else [Section("Other scanners", [SHIFTED], [shifts])]
        cases = [case_tables(evidence)] if cases is None else cases
    sections += cases or ()
    sections.append(_model(card))
    text = html(str(card["name"]), NOTICE, sections)
    serialization.write_bytes(text.encode(), folder / PAGE)


def _results(card: Facts) -> Section:
    rows = list(metric_rows(card["metrics"]))
    for name, value in card.get("baseline", {}).items():
        rows.append((f"AUC of the baseline, {name}", value, ""))
    notes = [str(card["purpose"]), f"Measured on: {card.get('results_on', 'not known')}."]
    notes += [f"Warning: {warning}" for warning in card.get("warnings", ())]
    return Section("Results", notes, [Table(("metric", "value", "95 % interval"), rows)])


def _data(card: Facts, leakage: Table | None) -> Section:
    splits = card["splits"]
    columns = list(dict.fromkeys(key for split in splits.values() for key in split))
    rows = [(name, *(split.get(key) for key in columns)) for name, split in splits.items()]
    what = card["split_by"]
    checked = (
        f"Checked before training: no {what} is in two splits; a run with one stops."
        if what
        else "It is not known which cases are of one group, so leakage between splits cannot be "
        "ruled out, and the results may be too good."
    )
    tables = [Table(("split", *columns), rows, "Splits")]
    return Section("Data and leakage", [checked], tables + ([] if leakage is None else [leakage]))


def _learning(folder: Path, card: Facts) -> Section:
    logs = [folder / LOG] if (folder / LOG).exists() else sorted(folder.glob(f"fold-*/{LOG}"))
    drawings = []
    for path in logs:
        log = [json.loads(line) for line in path.read_text().splitlines()]
        where = "" if path.parent == folder else f" of {path.parent.name}"
        best = None if where else dict(card["training"]).get("best_epoch")
        if log:
            alt = f"what was logged in each epoch{where}"
            drawings.append(drawn(pictures.draw_training, alt, log, best_epoch=best))
    notes = [] if drawings else ["There is no log of the training."]
    return Section("Learning curves", notes, pictures=drawings)


def _model(card: Facts) -> Section:
    tables = [
        Table((title, ""), list(part.items()), "")
        for title, part in (("network", card["network"]), ("training", card["training"]))
    ]
    known = card["preprocessing"]
    steps = known.items() if isinstance(known, Mapping) else enumerate(known, 1)
    tables.append(Table(("preprocessing", ""), list(steps)))
    notes = [
        f"What a label means. {card['data']['label']}",
        f"Source of the data: {card['data'].get('source', 'not known')}.",
        "Licence. The program: Apache-2.0. The data and what was learned from them stay under the "
        "terms of whoever gave the data, which no data file records; data made by tinymed itself "
        "are under those of the program.",
        "The results hold for data like these: another scanner, hospital, laboratory or share of "
        "positive cases changes them. The intervals say how much a test of this size can vary, "
        "not what other data would give.",
        *([f"Threshold: {card['threshold']}."] if "threshold" in card else []),
        *(f"To reproduce: {command}" for command in card.get("reproduce", ())),
    ]
    return Section("Model card", notes, tables)
