"""The page of an image diagnosis: cases with heat-maps, subgroups by simple measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.medical.report.cases import galleries, heat_maps, random_cases, worst_cases
from tinymed.medical.report.evidence import Evidence
from tinymed.medical.report.page import Table
from tinymed.medical.report.run_page import write_page
from tinymed.medical.report.summary import card_facts

__all__ = ["write_image_page"]

Array = np.ndarray[Any, Any]
Facts = Mapping[str, Any]
Measures = Mapping[str, Callable[[Array], Array]]


def write_image_page(
    folder: Path,
    network: nn.Module,
    about: Facts,
    metrics: Facts,
    labels: Array,
    scores: Array,
    groups: Array | None,
    planes: Array,
    measures: Measures,
) -> None:
    """Write report.html beside the model.

    Parameters
    ----------
    folder : existing folder
        Holds log.jsonl.
    network : Module
    about : what is kept with the model
    metrics : of the split that was judged
    labels, scores : (n,)
        Of that split: classes 0 and 1, probabilities of 1.
    groups : (n,) or None
        The patients, where they are known.
    planes : (n, 1, H, W)
        What the network is given.
    measures : mapping of str to callable
        What parts cases in thirds: grey values (n, H, W) in 0 .. 1 -> numbers (n,).

    Raises
    ------
    ImportError
        Without the extra ``report``.
    """
    known = about["preprocessing"]
    images = planes[:, 0] * known["std"] + known["mean"]  # grey values again
    evidence = Evidence(
        labels,
        scores,
        about["classes"],
        about["threshold"],
        groups,
        subgroups={name: measure(images).astype(np.float64) for name, measure in measures.items()},
    )
    chosen = np.concatenate([worst_cases(evidence), random_cases(evidence)])
    cases = galleries(evidence, images, heat_maps(network, planes[chosen]))
    write_page(
        folder,
        card_facts(about, metrics),
        evidence,
        cases=cases,
        leakage=_leakage(about["data"]["shared"]),
    )


def _leakage(shared: list[Facts]) -> Table:
    columns = ("splits", "patients in both", "equal images", "nearly equal", "with another label")
    rows = [
        (f"{each['first']} and {each['second']}", *(each[name] for name in COUNTED))
        for each in shared
    ]
    return Table(columns, rows, "What splits have in common")


COUNTED = ("groups", "exact", "near", "relabelled")
