"""What word2vec's two ways around a softmax over all words need: a noise to draw from, a tree."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["alias_table", "huffman_tree"]

Array = np.ndarray[Any, np.dtype[Any]]

DRAWS = 1 << 31  # how many different numbers a draw can be


def alias_table(weights: ArrayLike) -> Array:
    """Return a table (V, 2) int32 from which a number is drawn in one step, whatever V is.

    Draw a column i evenly, and r from 0 ... 2^31 - 1: it is i if ``r <= table[i, 0]``, otherwise
    ``table[i, 1]``. Each has its share of the weights, to 2^-31.

    Parameters
    ----------
    weights : array_like (V,)
        Finite and >= 0, one > 0 at least.

    References
    ----------
    Vose (1991), "A linear algorithm for generating random numbers with a given distribution".

    Examples
    --------
    >>> (alias_table([3, 1])[:, 0] + 1.0) / 2**31  # a second 1/2 goes to number 0
    array([1. , 0.5])
    """
    given = np.asarray(weights, np.float64)
    if given.ndim != 1 or not len(given) or not np.isfinite(given).all():
        raise ValueError(f"alias_table: weights {given.shape}, finite numbers (V,) expected")
    if (given < 0).any() or not given.any():
        raise ValueError("alias_table: weights are negative or all 0, one > 0 expected")
    left = (given * (len(given) / given.sum())).tolist()  # 1 is a full column
    share, alias = [1.0] * len(left), list(range(len(left)))
    poor = [i for i, weight in enumerate(left) if weight < 1]
    rich = [i for i, weight in enumerate(left) if weight >= 1]
    while poor and rich:
        i, donor = poor.pop(), rich[-1]
        share[i], alias[i] = left[i], donor
        left[donor] -= 1 - left[i]
        if left[donor] < 1:
            poor.append(rich.pop())
    threshold = np.minimum(np.floor(np.array(share) * DRAWS), DRAWS) - 1
    return np.stack([threshold, alias], axis=1).astype(np.int32)


def huffman_tree(counts: ArrayLike) -> tuple[Array, Array, Array]:
    """Return the way from the root to each word in the binary tree of shortest mean way.

    Parameters
    ----------
    counts : array_like (V,)
        How frequent the words are, V >= 2.

    Returns
    -------
    nodes : (P,) int64
        Inner nodes 0 ... V - 2, those of word w from ``paths[w]`` on.
    labels : (P,) float32
        1 where the way goes on to the left, 0 to the right.
    paths : (V + 1,) int64

    References
    ----------
    Huffman (1952), "A method for the construction of minimum-redundancy codes"; with two queues in
    O(V) after sorting: van Leeuwen (1976).

    Examples
    --------
    >>> nodes, labels, paths = huffman_tree([5, 1, 2])
    >>> np.diff(paths).tolist()  # the length of each code
    [1, 2, 2]
    """
    numbers = np.asarray(counts)
    if numbers.ndim != 1 or len(numbers) < 2 or (numbers < 0).any():
        raise ValueError(f"huffman_tree: counts {numbers.shape}, two or more >= 0 expected")
    size = len(numbers)
    leaves = deque((numbers[i].item(), int(i)) for i in np.argsort(numbers, kind="stable"))
    inner: deque[tuple[float, int]] = deque()  # made in the order of their counts
    above = np.zeros((2 * size - 1, 2), np.int64)  # inner node above, and the label of the edge

    def rarest() -> tuple[float, int]:
        first = not inner or bool(leaves and leaves[0][0] <= inner[0][0])
        return leaves.popleft() if first else inner.popleft()

    for node in range(size - 1):
        (n, left), (m, right) = rarest(), rarest()
        above[left], above[right] = (node, 1), (node, 0)
        inner.append((n + m, size + node))
    parents, edges = above.T.tolist()
    nodes: list[int] = []
    labels: list[int] = []
    paths = [0]
    for word in range(size):
        way, at = [], word
        while at != 2 * size - 2:  # the root is the last that was made
            way.append((parents[at], edges[at]))
            at = size + parents[at]
        nodes += [node for node, _ in reversed(way)]
        labels += [label for _, label in reversed(way)]
        paths.append(len(nodes))
    return np.array(nodes, np.int64), np.array(labels, np.float32), np.array(paths, np.int64)
