"""What a task learns from: examples in splits, and the check that no group is in two of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinymed.data import grouped_stratified_kfold
from tinymed.errors import DataError

__all__ = [
    "SPLITS",
    "Examples",
    "by_split",
    "dealt",
    "judged_by_chooser",
    "leaks",
    "told",
    "with_variants",
]

Array = np.ndarray[Any, Any]
SPLITS = ("train", "val", "test")
PARTS = 5  # of what is dealt: one to validate, one to test, the others to train


@dataclass(frozen=True)
class Examples:
    """Examples in the order of their file.

    Parameters
    ----------
    inputs : array (n, ...)
        Numbers, or texts (dtype object or str).
    targets : array (n, ...) or None
        Classes 0 .. or numbers; None where only a prediction is wanted.
    groups : array (n,) or None
        The patient, family or scaffold of each; None if it is not known.
    splits : array (n,) of str or None
        "train", "val" or "test" of each, where the file says so.
    strata : array (n,) or None
        What splits that are dealt should hold alike, where that is not the targets themselves.
    rows : array (n,) of int or None
        Where each stands in what was read, from 0: for an error about one of a split.
    variants : array (n,) of tuples, or None
        Other inputs that have the same target: more to learn from, nothing to be judged by.
    """

    inputs: Array
    targets: Array | None = None
    groups: Array | None = None
    splits: Array | None = None
    strata: Array | None = None
    rows: Array | None = None
    variants: Array | None = None

    def __post_init__(self) -> None:
        for name in ("targets", "groups", "splits", "strata", "rows", "variants"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.inputs):
                raise DataError(f"{len(column)} {name} for {len(self.inputs)} inputs")

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: Any) -> Examples:
        """Return some of the examples, by a mask, a slice or indices."""
        columns = {
            name: column[chosen] for name, column in vars(self).items() if column is not None
        }
        return replace(self, **columns)


def by_split(examples: Examples) -> dict[str, Examples]:
    """Return the splits that the file names, in the order train, val, test.

    Raises
    ------
    DataError
        A split of another name.
    """
    if examples.splits is None:
        raise DataError("the examples are in no splits")
    strange = sorted({str(name) for name in examples.splits} - set(SPLITS))
    if strange:
        raise DataError(f"splits {strange}, {', '.join(SPLITS)} expected")
    found = {name: examples[examples.splits == name] for name in SPLITS}
    return {name: part for name, part in found.items() if len(part)}


def dealt(examples: Examples, seed: int) -> dict[str, Examples]:
    """Return train, val and test of 3, 1 and 1 fifths; a group is never in two of them.

    Where targets are classes, or there are strata, each part has them in about the same proportion.

    Raises
    ------
    DataError
        Fewer than five groups, or no targets.
    """
    if examples.targets is None:
        raise DataError("the examples have no targets to learn")
    groups = np.arange(len(examples)) if examples.groups is None else examples.groups
    count = len(np.unique(groups))
    if count < PARTS:
        raise DataError(f"{count} groups in {len(examples)} examples, at least {PARTS} expected")
    strata = examples.targets if examples.strata is None else examples.strata
    generator = np.random.default_rng(seed)
    if strata.ndim > 1 or strata.dtype.kind not in "biuUS" or len(np.unique(strata)) < 2:
        _, member = np.unique(groups, return_inverse=True)  # several targets, or a measured one
        part = (generator.permutation(count) % PARTS)[member]
        folds = [np.flatnonzero(part == number) for number in range(PARTS)]
    else:
        pairs = grouped_stratified_kfold(strata, groups, PARTS, generator=generator)
        folds = [held for _, held in pairs]
    parts = {"train": np.concatenate(folds[2:]), "val": folds[0], "test": folds[1]}
    return {name: examples[np.sort(chosen)] for name, chosen in parts.items()}


def with_variants(examples: Examples) -> Examples:
    """Return texts and behind them their variants, each text once for a target.

    Examples
    --------
    >>> variants = np.array([("calf", "ox"), ("cow", "calf")], object)
    >>> cattle = Examples(np.array(["cow", "bull"]), np.array([1, 1]), variants=variants)
    >>> with_variants(cattle).inputs.tolist()
    ['cow', 'bull', 'calf', 'ox']
    """
    if examples.variants is None:
        return examples
    of = np.repeat(np.arange(len(examples)), [len(texts) for texts in examples.variants])
    every = examples[np.concatenate([np.arange(len(examples)), of])]
    inputs = np.array([*examples.inputs, *itertools.chain(*examples.variants)])
    targets = inputs if every.targets is None else every.targets
    seen = {key: i for i, key in reversed(list(enumerate(zip(inputs, targets, strict=True))))}
    return replace(every, inputs=inputs, variants=None)[sorted(seen.values())]


def judged_by_chooser(split: str, threshold: bool) -> list[str]:
    """Return a warning if the split that judges is "val", which has chosen the epoch.

    ``threshold``: whether it has chosen that, too.

    Examples
    --------
    >>> judged_by_chooser("val", threshold=False)
    ['no test split: val chose the epoch and judges, so the result is too good']
    >>> judged_by_chooser("test", threshold=False)
    []
    """
    chosen = "the epoch and the threshold" if threshold else "the epoch"
    told = f"no test split: val chose {chosen} and judges, so the result is too good"
    return [told] if split == "val" else []


def leaks(splits: Mapping[str, Examples]) -> list[str]:
    """Return a sentence for each pair of splits that share groups: results would be too good."""
    found = []
    known = {name: part.groups for name, part in splits.items() if part.groups is not None}
    for first, second in itertools.combinations(known, 2):
        shared = np.intersect1d(known[first], known[second])
        if len(shared):
            some = ", ".join(map(str, shared[:3])) + (" ..." if len(shared) > 3 else "")
            found.append(f"{len(shared)} groups are in {first} and in {second}: {some}")
    return found


def told(examples: Examples) -> dict[str, int | None]:
    """Return how many examples and groups there are, and of each class."""
    facts: dict[str, int | None] = {
        "examples": len(examples),
        "groups": None if examples.groups is None else len(np.unique(examples.groups)),
    }
    targets = examples.targets
    if targets is not None and targets.ndim == 1 and targets.dtype.kind in "iub":
        classes, counts = np.unique(targets, return_counts=True)
        if len(classes) <= 25:
            facts |= {f"of class {c}": int(n) for c, n in zip(classes, counts, strict=True)}
    return facts
