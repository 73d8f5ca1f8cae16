"""The states that steps began with: the gradient of U needs them for all steps at once."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled

__all__ = ["states_before"]


@compiled
def states_before(first: int, last: int, found: Any, states: Any, state: Any, order: Any) -> None:
    """Copy the rows of sequences first to last - 1, in the order of the steps.

    ``order`` holds the first row and the number of rows of each; ``state`` is the initial one, and
    is overwritten.
    """
    for step in range(len(order)):
        start, count = order[step]
        for sequence in range(first, min(last, count)):
            found[start + sequence] = state[sequence]
            state[sequence] = states[start + sequence]
