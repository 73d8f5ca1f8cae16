"""Sequences that are alike, found by the words they share: what must not be split apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["similarity_groups"]

Array = np.ndarray[Any, Any]


def similarity_groups(sequences: Sequence[str], k: int, share: float) -> Array:
    """Return a group for each sequence, the same for all that a chain of likeness joins.

    Two sequences are alike if, of the different words of k letters in the one with fewer of them,
    at least ``share`` are in the other too. A sequence shorter than k is one word.

    Parameters
    ----------
    sequences : sequence of str (n,)
    k : int
        At least 1: about 8 for DNA, 3 for proteins; too short words join what is alike by chance.
    share : float
        In (0, 1].

    Returns
    -------
    (n,) int64
        Groups 0 .. in the order of their first sequence.

    Notes
    -----
    Identical sequences, one inside another and shifted windows are found; distant relatives with
    other letters at every second place are not. Time and memory grow with the number of pairs that
    share a word.

    References
    ----------
    Edgar (2004), Nucleic Acids Research 32: words of k letters in common go with identity.

    Examples
    --------
    >>> similarity_groups(["GATTACA", "CCCCCCC", "ATTACAG"], k=3, share=0.5).tolist()
    [0, 1, 0]
    """
    if k < 1 or not 0 < share <= 1:
        raise ValueError(
            f"similarity_groups: k={k}, share={share}; k >= 1, 0 < share <= 1 expected"
        )
    vocabulary: dict[str, list[int]] = {}
    words = [{s[i : i + k] for i in range(max(len(s) - k, 0) + 1)} for s in sequences]
    for index, found in enumerate(words):
        for word in found:
            vocabulary.setdefault(word, []).append(index)
    holders = {word: np.array(indices) for word, indices in vocabulary.items()}
    sizes = np.array([len(found) for found in words])
    parents = list(range(len(words)))
    for index, found in enumerate(words):
        others = np.concatenate([holders[word] for word in found])
        shared = np.bincount(others, minlength=len(words))[:index]
        for other in np.flatnonzero(shared >= share * np.minimum(sizes[:index], sizes[index])):
            first, second = _root(parents, int(other)), _root(parents, index)
            parents[max(first, second)] = min(first, second)
    roots = [_root(parents, index) for index in range(len(words))]
    groups: Array = np.unique(roots, return_inverse=True)[1].astype(np.int64)
    return groups


def _root(parents: list[int], index: int) -> int:
    """Return the first member of a group; the paths to it are halved on the way (union-find)."""
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index
