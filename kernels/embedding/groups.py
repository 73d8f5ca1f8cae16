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

__all__ = ["group", "group_all"]

BITS = 11  # of a digit: the counters of its piles, 16 KiB, stay in the fastest cache
PILES = 1 << BITS


@compiled
def deal(ids: Any, source: Any, target: Any, shift: int, piles: Any) -> None:
    """Put places from ``source`` into ``target``, ordered by the digit of their ids at a bit."""
    for pile in range(PILES):
        piles[pile] = 0
    for i in range(ids.size):
        piles[(ids[i] >> shift) & (PILES - 1)] += 1
    start = 0
    for pile in range(PILES):
        start += piles[pile]
        piles[pile] = start - piles[pile]  # where it begins
    for i in range(ids.size):
        pile = (ids[source[i]] >> shift) & (PILES - 1)
        target[piles[pile]] = source[i]
        piles[pile] += 1


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
    piles, other = np.empty(PILES, np.int64), np.empty(n, np.int64)
    for shift in range(0, 63, 2 * BITS):
        if highest >> shift:  # two digits: back in ``order``
            deal(ids, order, other, shift, piles)
            deal(ids, other, order, shift + BITS, piles)
    found = 0
    for i in range(n):
        if i == 0 or ids[order[i]] != ids[order[i - 1]]:
            different[found] = ids[order[i]]
            starts[found] = i
            found += 1
    starts[found] = n
    return found


@compiled
def group_all(
    first: int, last: int, ids: Any, order: Any, different: Any, starts: Any, found: Any
) -> None:
    """Sort places as `group` does, and write how many different ids there are into ``found``."""
    found[0] = group(ids, order, different, starts)
