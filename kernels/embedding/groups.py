"""Places brought together by their ids: a radix sort, which takes O(n) whatever the ids are.

Digit by digit, the lowest first, places are dealt out to the piles of their digit and taken up
again, pile after pile. Within a pile they keep their order, so that at the end equal ids are
together, and their places ascend: the order in which their gradients are added.

Source: Knuth (1998), "The art of computer programming", vol. 3, section 5.2.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled

__all__ = ["group"]

BITS = 11  # of a digit: the counters of its piles, 16 KiB, stay in the fastest cache
PILES = 1 << BITS


@compiled
def group(ids: Any, order: Any, different: Any, starts: Any) -> int:
    """Sort places by their ids, and return how many different ids there are.

    Parameters
    ----------
    ids : (n,) int64, none negative
    order : (n,) int64, written
        Places in the order of their ids; those of equal ids ascend.
    different : (n,) int64, written
        The different ids in ascending order.
    starts : (n + 1,) int64, written
        Where the places of each begin in ``order``, and where the last one's end.
    """
    n, highest = ids.size, 0
    for i in range(n):
        order[i] = i
        highest = max(highest, ids[i])
    counts, other = np.empty(PILES, np.int64), np.empty(n, np.int64)
    source, target, shift = order, other, 0
    while highest >> shift:
        counts[:] = 0
        for i in range(n):
            counts[(ids[i] >> shift) & (PILES - 1)] += 1
        start = 0
        for pile in range(PILES):
            counts[pile], start = start, start + counts[pile]
        for i in range(n):
            place = source[i]
            pile = (ids[place] >> shift) & (PILES - 1)
            target[counts[pile]] = place
            counts[pile] += 1
        source, target, shift = target, source, shift + BITS
    if (shift // BITS) % 2:
        order[:] = other
    found = 0
    for i in range(n):
        if i == 0 or ids[order[i]] != ids[order[i - 1]]:
            different[found], starts[found] = ids[order[i]], i
            found += 1
    starts[found] = n
    return found
