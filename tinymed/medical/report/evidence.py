"""What a model was judged by, case by case: what a page of the result is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Evidence"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Evidence:
    """Truth and prediction of each case that was judged.

    Parameters
    ----------
    truth : array (n,)
        Class indices, or numbers where ``classes`` is empty.
    found : array (n,) or (n, C)
        The probability of class 1, the probabilities of all classes, or the predicted numbers.
    classes : sequence of str
        Names of the classes; empty for numbers.
    threshold : float
        From which probability class 1 is said; of two classes only.
    groups : array (n,), optional
        The patient, family or scaffold of each case: intervals are over these.
    names : sequence of n str, optional
        What a case is called: its text, its sequence.
    subgroups : mapping of str to array (n,)
        What is known of each case, see `tinymed.interpret.subgroup_table`: texts and whole
        numbers are parts, floats are cut in thirds.
    threshold_seen : bool
        Whether the threshold was chosen on these very cases.

    Raises
    ------
    ValueError
        Columns of unequal length, or probabilities that do not fit the classes.
    """

    truth: Array
    found: Array
    classes: Sequence[str] = ()
    threshold: float = 0.5
    groups: Array | None = None
    names: Sequence[str] | None = None
    subgroups: Mapping[str, Array] = field(default_factory=dict)
    threshold_seen: bool = False

    def __post_init__(self) -> None:
        columns = {
            "found": self.found,
            "groups": self.groups,
            "names": self.names,
            **{f"subgroups {name!r}": column for name, column in self.subgroups.items()},
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.truth):
                raise ValueError(f"Evidence: {len(column)} {name} for {len(self.truth)} cases")
        binary = len(self.classes) == 2 and self.found.ndim == 1
        several = self.found.shape[1:] == (len(self.classes),) and len(self.classes) >= 2
        if not (binary or several or (not self.classes and self.found.ndim == 1)):
            raise ValueError(
                f"Evidence: found {self.found.shape} for {len(self.classes)} classes; (n,) of "
                "two classes or of numbers, or (n, classes) expected"
            )

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def kind(self) -> str:
        """Return "binary", "classes" or "numbers"."""
        if not self.classes:
            return "numbers"
        return "binary" if self.found.ndim == 1 else "classes"

    @property
    def decided(self) -> Array:
        """Return the class (n,) that is said of each case; the numbers, where there are none."""
        if self.kind == "numbers":
            return self.found
        if self.kind == "binary":
            return (self.found >= self.threshold).astype(np.int64)
        decided: Array = self.found.argmax(axis=1)
        return decided

    @property
    def error(self) -> Array:
        """Return how wrong each prediction is (n,): 1 - p(true class), or the distance."""
        if self.kind == "classes":
            wrong: Array = 1 - self.found[np.arange(len(self)), self.truth]
            return wrong
        return np.abs(self.found - self.truth)
