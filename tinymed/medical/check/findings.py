"""What is found in a data set: leakage, duplicates, dead cases, doubted labels, imbalance."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinymed.medical.check.collection import Collection
from tinymed.medical.check.doubts import doubts
from tinymed.medical.check.duplicates import Duplicate, constant_cases, duplicates
from tinymed.medical.tasks.examples import SPLITS

__all__ = ["Doubt", "Findings", "Share", "examine"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Any]
UNEVEN = 10.0  # the largest class over the smallest
LARGE = 0.2  # share of all cases that are of one group
TIED = 0.3  # Cramer's V of class and site: about where a site alone gives the class away
SOME = 5


@dataclass(frozen=True)
class Share:
    """How many cases a split, or a site, has: in all, groups, and of each class."""

    name: str
    cases: int
    groups: int | None
    classes: dict[str, int]


@dataclass(frozen=True)
class Doubt:
    """A label that a simple model would not have given."""

    case: int
    label: str
    suggested: str
    margin: float  # p(suggested) - p(label)


@dataclass(frozen=True)
class Findings:
    """All that was found; ``problems`` make a result worthless, ``warnings`` are to be judged."""

    name: str
    form: str
    cases: int
    splits: list[Share]
    sites: list[Share]  # empty where the data name none
    site_and_class: float | None  # Cramer's V, 0 .. 1
    shared_groups: dict[str, list[str]]  # "train/test" -> groups in both
    duplicates: list[Duplicate]
    constant: list[int]
    doubts: list[Doubt]
    doubter: str  # how good the simple model is, or why there is none
    problems: list[str]
    warnings: list[str]

    def to_dict(self) -> Facts:
        """Return the findings in types that JSON knows."""
        return asdict(self)


def examine(found: Collection, seed: int = 0) -> Findings:
    """Look for what makes a result on these data wrong or weak.

    Parameters
    ----------
    found : Collection
    seed : int
        Of the folds of the simple model.

    Raises
    ------
    ImportError
        SciPy is not installed.
    """
    names = np.full(len(found), "all") if found.splits is None else found.splits.astype(np.str_)
    order = [n for n in (*SPLITS, *sorted(set(names) - set(SPLITS))) if n in set(names)]
    splits = [_share(found, name, names == name) for name in order]
    sites: list[Share] = []
    if found.sites is not None:
        sites = [_share(found, str(s), found.sites == s) for s in np.unique(found.sites)]
    twice, constant = duplicates(found), constant_cases(found).tolist()
    suspected = doubts(found, seed)
    doubted: list[Doubt] = []
    doubter = f"labels were not doubted: {suspected.reason}"
    if suspected.errors is not None and found.labels is not None:
        doubter = f"the simple model is right in {suspected.accuracy:.1%} of the cases"
        doubted = [
            Doubt(int(i), found.classes[found.labels[i]], found.classes[k], float(m))
            for i, k, m in zip(*suspected.errors[:3], strict=True)
        ]
    facts: Facts = {
        "name": found.name,
        "form": found.form,
        "cases": len(found),
        "splits": splits,
        "sites": sites,
        "site_and_class": cramers_v(found.sites, found.labels),
        "shared_groups": _shared(found.groups, names, order),
        "duplicates": twice,
        "constant": constant,
        "doubts": doubted,
        "doubter": doubter,
    }
    return Findings(
        **facts, problems=list(_problems(facts)), warnings=list(_warnings(facts, found))
    )


def cramers_v(sites: Array | None, labels: Array | None) -> float | None:
    """Return how much two columns say of each other, 0 nothing .. 1 all; None for one value.

    V = sqrt(chi^2 / (n (min(rows, columns) - 1))).

    Examples
    --------
    >>> cramers_v(np.array(["a", "a", "b", "b"]), np.array([0, 0, 1, 1]))
    1.0
    """
    if sites is None or labels is None:
        return None
    rows, of = np.unique(sites, return_inverse=True)
    columns, has = np.unique(labels, return_inverse=True)
    if min(len(rows), len(columns)) < 2:
        return None
    counts = np.zeros((len(rows), len(columns)))
    np.add.at(counts, (of, has), 1)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    chi2 = ((counts - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (counts.sum() * (min(counts.shape) - 1))))


def _share(found: Collection, name: str, chosen: Array) -> Share:
    classes: dict[str, int] = {}
    if found.labels is not None:
        counts = np.bincount(found.labels[chosen], minlength=len(found.classes))
        classes = dict(zip(found.classes, counts.tolist(), strict=True))
    groups = None if found.groups is None else len(np.unique(found.groups[chosen]))
    return Share(str(name), int(chosen.sum()), groups, classes)


def _shared(groups: Array | None, names: Array, order: list[str]) -> dict[str, list[str]]:
    if groups is None:
        return {}
    members = {name: set(groups[names == name].astype(np.str_).tolist()) for name in order}
    pairs = itertools.combinations(order, 2)
    both = {f"{a}/{b}": sorted(members[a] & members[b]) for a, b in pairs}
    return {pair: shared for pair, shared in both.items() if shared}


def _problems(facts: Facts) -> Iterator[str]:
    for pair, shared in facts["shared_groups"].items():
        yield f"{pair}: {len(shared)} groups are in both: {_some(shared)}"
    crossing = [d for d in facts["duplicates"] if d.other_split]
    for kind in ("exact", "near"):
        pairs = [(d.first, d.second) for d in crossing if d.kind == kind]
        if pairs:
            yield f"{len(pairs)} {kind} duplicates lie in two splits, as cases {_some(pairs)}"
    for share in facts["splits"]:
        if share.classes and sum(n > 0 for n in share.classes.values()) < 2:
            yield f"{share.name}: all cases are of one class"


def _warnings(facts: Facts, found: Collection) -> Iterator[str]:
    for kind in ("exact", "near"):
        inside = [d for d in facts["duplicates"] if d.kind == kind and not d.other_split]
        if inside:
            pairs = [(d.first, d.second) for d in inside]
            yield f"{len(inside)} {kind} duplicates within a split, as cases {_some(pairs)}"
    other = [(d.first, d.second) for d in facts["duplicates"] if d.other_label]
    if other:
        yield f"{len(other)} duplicates carry another label, as cases {_some(other)}"
    if facts["constant"]:
        yield f"{len(facts['constant'])} cases are constant or empty: {_some(facts['constant'])}"
    if facts["doubts"]:
        some = _some([doubt.case for doubt in facts["doubts"]])
        yield f"{len(facts['doubts'])} labels are doubted ({facts['doubter']}): {some}"
    if found.groups is None:
        yield "no groups are named, so it cannot be checked that each patient is in one split"
    elif len(found):
        largest = np.unique(found.groups, return_counts=True)[1].max() / len(found)
        if largest > LARGE:
            yield f"one group has {largest:.0%} of all cases"
    counts = [n for n in np.bincount([] if found.labels is None else found.labels).tolist() if n]
    if counts and max(counts) > UNEVEN * min(counts):
        yield f"classes are uneven: from {min(counts)} to {max(counts)} cases"
    yield from _site_warnings(facts)


def _site_warnings(facts: Facts) -> Iterator[str]:
    sites = facts["sites"]
    if not sites:
        return
    counts = [site.cases for site in sites]
    if max(counts) > UNEVEN * min(counts):
        yield f"sites are uneven: from {min(counts)} to {max(counts)} cases"
    single = [s.name for s in sites if s.classes and sum(n > 0 for n in s.classes.values()) < 2]
    if single and len(sites) > 1:
        yield f"sites with one class only: {_some(single)}"
    tied = facts["site_and_class"]
    if tied is not None and tied > TIED:
        yield f"the site says much about the class (Cramer's V {tied:.2f}); a model may learn it"


def _some(items: list[Any]) -> str:
    shown = ", ".join(str(item) for item in items[:SOME])
    return shown + (f" and {len(items) - SOME} more" if len(items) > SOME else "")
