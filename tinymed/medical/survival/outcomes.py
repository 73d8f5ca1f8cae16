"""What is known of survival: a time for each patient, and whether the event came then.

Patients without the event are censored: they were event-free until their time, and no more is
known. Everything in this package takes ``time`` (n,) and ``event`` (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed.metrics.inputs import column, same_length

__all__ = ["RiskSets", "checked_outcomes"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Indices = NDArray[np.int64]


def checked_outcomes(name: str, time: ArrayLike, event: ArrayLike) -> tuple[Floats, Bools]:
    """Return time (n,), finite and >= 0, and event (n,), True where it came; or raise ValueError.

    Examples
    --------
    >>> checked_outcomes("f", [3, 1], [0, 1])
    (array([3., 1.]), array([False,  True]))
    """
    times = column(name, "time", time).astype(np.float64)
    events = column(name, "event", event)
    same_length(name, time=times, event=events)
    if (times < 0).any():
        at = int(np.argmax(times < 0))
        raise ValueError(f"{name}: time holds {times[at]} at index {at}, expected >= 0")
    strange = (events != 0) & (events != 1)
    if strange.any():
        at = int(np.argmax(strange))
        raise ValueError(
            f"{name}: event holds {events[at]} at index {at}, expected 0 (censored) or 1"
        )
    return times, events.astype(bool)


@dataclass(frozen=True)
class RiskSets:
    """Who was at risk at each event: patients by falling time, so that a risk set is a prefix.

    Attributes
    ----------
    order : array (n,)
        Patients by falling time: ``x[order]`` is sorted.
    events : array (m,)
        Places in that order of the m events.
    last : array (m,)
        Place of the last patient at risk at each event; those censored at its time are among them.
    tie : array (m,)
        Number of the distinct time of each event, 0 for the latest.
    fraction : array (m,)
        What of the other events at its time an event no longer has at risk: l / d for the l-th of
        d (Efron), always 0 (Breslow).
    """

    order: Indices
    events: Indices
    last: Indices
    tie: Indices
    fraction: Floats

    @classmethod
    def of(cls, name: str, time: ArrayLike, event: ArrayLike, ties: str) -> RiskSets:
        """Return the risk sets; ``ties`` is "efron" or "breslow"."""
        if ties not in ("efron", "breslow"):
            raise ValueError(f"{name}: ties={ties!r}, 'efron' or 'breslow' expected")
        times, happened = checked_outcomes(name, time, event)
        order = np.argsort(-times, kind="stable")
        falling = -times[order]
        places = np.flatnonzero(happened[order])
        last = np.searchsorted(falling, falling[places], side="right") - 1
        first, tie, tied = np.unique(last, return_inverse=True, return_counts=True)
        fraction = np.zeros(len(places))
        if ties == "efron":
            started = np.searchsorted(last, first)  # the first event of each distinct time
            fraction = (np.arange(len(places)) - started[tie]) / tied[tie]
        return cls(order, places, last, tie.astype(np.int64), fraction)

    def per_tie(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sums (m, ...) of ``values`` (m, ...) over the events at each event's time."""
        count = int(self.tie[-1]) + 1 if len(self.tie) else 0
        sums = np.zeros((count, *values.shape[1:]), values.dtype)
        np.add.at(sums, self.tie, values)
        found: NDArray[Any] = sums[self.tie]
        return found
