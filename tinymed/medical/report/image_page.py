"""The page of an image diagnosis: cases with heat-maps, subgroups by simple measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.medical.imaging.dataset import Split
from tinymed.medical.report.cases import galleries, random_cases, worst_cases
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.page import Table
from tinymed.medical.report.run_page import write_page
from tinymed.medical.report.summary import card_facts

__all__ = ["Judged", "write_image_page"]

Array = np.ndarray[Any, Any]
Facts = Mapping[str, Any]
Measures = Mapping[str, Callable[[Array], Array]]


@dataclass(frozen=True)
class Judged:
    """Images, and what a network says of them.

    Parameters
    ----------
    split : Split
        Images, labels, patients.
    scores : (n,)
        Probabilities of class 1.
    planes : (n, 1, H, W)
        What the network is given.
    maps : callable, optional
        Indices (m,) -> heat-maps (m, H, W) of these images, each of the network that judged it;
        None without a convolution.
    asked_again : callable, optional
        The planes, changed, in the same order (n, 1, H, W) -> scores (n,), each by the network that
        judged it.
    """

    split: Split
    scores: Array
    planes: Array
    maps: Callable[[Array], Array | None] = lambda chosen: None
    asked_again: Callable[[Array], Array] | None = None


def write_image_page(
    folder: Path, about: Facts, metrics: Facts, cases: Judged, measures: Measures
) -> None:
    """Write report.html beside the model.

    Parameters
    ----------
    folder : existing folder
        Holds log.jsonl, or one folder for each fold that does.
    about : what is kept with the model
    metrics : of the cases
    cases : Judged
        Labelled.
    measures : mapping of str to callable
        What parts cases in thirds: grey values (n, H, W) in 0 .. 1 -> numbers (n,).

    Raises
    ------
    ImportError
        Without the extra ``report``.
    """
    known = about["preprocessing"]
    images = cases.planes[:, 0] * known["std"] + known["mean"]  # grey values again
    evidence = Evidence(
        np.asarray(cases.split.labels),
        cases.scores,
        about["classes"],
        about["threshold"],
        cases.split.groups,
        subgroups={name: measure(images).astype(np.float64) for name, measure in measures.items()},
        threshold_seen=about["threshold_split"] == metrics["split"],
    )
    chosen = np.concatenate([worst_cases(evidence), random_cases(evidence)])
    shown = galleries(evidence, images, cases.maps(chosen))
    write_page(
        folder,
        card_facts(about, metrics),
        evidence,
        cases=shown,
        leakage=_leakage(about["data"]["shared"]),
        shifts=_shifts(metrics.get("shifts", ())),
    )


def _leakage(shared: list[Facts]) -> Table:
    columns = ("splits", "patients in both", "equal images", "nearly equal", "with another label")
    rows = [
        (f"{each['first']} and {each['second']}", *(each[name] for name in COUNTED))
        for each in shared
    ]
    return Table(columns, rows, "What splits have in common")


def _shifts(found: Sequence[Facts]) -> Table | None:
    rows = [
        (
            row["shift"],
            row["auc"],
            _between(row["auc_ci"]),
            row["difference"],
            _between(row["difference_ci"]),
        )
        for row in found
    ]
    columns = ("shown with", "AUC", "95 % interval", "difference", "95 % interval")
    return Table(columns, rows) if rows else None


def _between(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{low:.3f} to {high:.3f}"


COUNTED = ("groups", "exact", "near", "relabelled")
