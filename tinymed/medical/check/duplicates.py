"""Cases that are there twice: equal, or the same in other words or another light."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.medical.check.collection import Collection
from tinymed.medical.imaging.checks import near_duplicates
from tinymed.medical.sequences.similarity import similarity_groups

__all__ = ["Duplicate", "constant_cases", "duplicates"]

Array = np.ndarray[Any, Any]
WORD, SHARE = 8, 0.9  # letters of a word, and of the words of one sequence in the other


@dataclass(frozen=True)
class Duplicate:
    """Two cases that are one: ``second`` repeats ``first``, which comes before it."""

    first: int
    second: int
    kind: str  # "exact" or "near"
    other_split: bool
    other_group: bool
    other_label: bool


def duplicates(found: Collection) -> list[Duplicate]:
    """Return each case that repeats an earlier one, beside that; constant images are left out.

    Near are images as `tinymed.medical.imaging.checks` says, turned and mirrored ones among them;
    sequences that share nine tenths of their words of eight letters; texts that differ in case or
    space; molecules of one structure.
    """
    exact = _repeated([_key(each) for each in found.inputs])
    if found.are_images:
        constant = set(constant_cases(found).tolist())
        exact = {j: i for j, i in exact.items() if j not in constant}
        near = {j: i for i, j in near_duplicates(found.inputs)}
    elif found.keys is None:
        near = {}
    elif found.form.startswith("dna"):
        near = _repeated(similarity_groups(found.inputs.tolist(), WORD, SHARE).tolist())
    else:
        near = _repeated(found.keys.tolist())
    pairs = [(i, j, "exact") for j, i in exact.items()]
    pairs += [(i, j, "near") for j, i in near.items() if j not in exact]
    return [_described(found, *pair) for pair in sorted(pairs)]


def constant_cases(found: Collection) -> Array:
    """Return the images of one grey value, or the texts without a letter."""
    if found.inputs.dtype.kind in "US":
        return np.flatnonzero([not text.strip() for text in found.inputs.tolist()])
    rows = found.inputs.reshape(len(found), -1)
    return np.flatnonzero((rows == rows[:, :1]).all(axis=1))


def _key(each: Any) -> Hashable:
    return each.tobytes() if isinstance(each, np.ndarray) else each


def _repeated(keys: Sequence[Hashable]) -> dict[int, int]:
    """Return, for each case whose key was there before, the first that has it."""
    first: dict[Hashable, int] = {}
    return {j: first[key] for j, key in enumerate(keys) if first.setdefault(key, j) != j}


def _described(found: Collection, i: int, j: int, kind: str) -> Duplicate:
    def differ(column: Array | None) -> bool:
        return column is not None and bool(column[i] != column[j])

    return Duplicate(i, j, kind, differ(found.splits), differ(found.groups), differ(found.labels))
