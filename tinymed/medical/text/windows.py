"""Windows over sequences of ids, and the subsampling of frequent words."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinymed.random import or_default

__all__ = ["context_windows", "keep_probability", "skip_gram_pairs", "subsample"]

Array = np.ndarray[Any, np.dtype[Any]]


def keep_probability(counts: ArrayLike, sample: float) -> Array:
    r"""Return the probability with which an occurrence of each word is kept.

    p = sqrt(t / n) + t / n, 1 at most, for a word seen n times, with t = sample * sum of n: a word
    that makes up a share of ``sample`` or less is always kept. 0 keeps all.

    Parameters
    ----------
    counts : array_like (V,)
    sample : float
        1e-5 to 1e-3 for large corpora.

    References
    ----------
    Mikolov et al. (2013), "Distributed representations of words and phrases and their
    compositionality", section 2.3, in the form of their program.

    Examples
    --------
    >>> keep_probability([900, 90, 10], sample=0.01).round(3)
    array([0.117, 0.444, 1.   ])
    """
    numbers = np.asarray(counts, np.float64)
    if not 0 <= sample < np.inf:
        raise ValueError(f"keep_probability: sample {sample}, 0 or more expected")
    if sample == 0:
        return np.ones_like(numbers)
    share = sample * numbers.sum() / np.maximum(numbers, 1)
    return np.minimum(1.0, np.sqrt(share) + share)


def subsample(
    ids: ArrayLike, probability: Array, generator: np.random.Generator | None = None
) -> Array:
    """Return those of the ids (n,) that a draw keeps, each with ``probability[id]``."""
    numbers, source = np.asarray(ids), or_default(generator)
    kept: Array = numbers[source.random(len(numbers)) < probability[numbers]]
    return kept


def skip_gram_pairs(
    ids: ArrayLike, window: int, generator: np.random.Generator | None = None
) -> Array:
    """Return the pairs (P, 2) of a word and one beside it, word by word.

    Parameters
    ----------
    ids : array_like (n,)
        One sequence; no pair reaches out of it.
    window : int
        How many words on each side, at least 1.
    generator : numpy.random.Generator, optional
        If given, each word's window is drawn evenly from 1 ... ``window``, which gives near words
        more weight.

    Examples
    --------
    >>> skip_gram_pairs([5, 6, 7], 1).tolist()
    [[5, 6], [6, 5], [6, 7], [7, 6]]
    """
    contexts = context_windows(ids, window, generator)
    rows, columns = np.nonzero(contexts >= 0)
    return np.stack([np.asarray(ids)[rows], contexts[rows, columns]], axis=1)


def context_windows(
    ids: ArrayLike, window: int, generator: np.random.Generator | None = None
) -> Array:
    """Return the words around each word (n, 2 * window), -1 where there is none.

    Parameters and windows are those of `skip_gram_pairs`; ids are 0 or more.

    Examples
    --------
    >>> context_windows([5, 6, 7], 1).tolist()
    [[-1, 6], [5, 7], [6, -1]]
    """
    numbers = np.asarray(ids, np.int64)
    if numbers.ndim != 1:
        raise ValueError(f"context_windows: ids {numbers.shape}, one sequence (n,) expected")
    if window < 1:
        raise ValueError(f"context_windows: window {window}, 1 at least expected")
    n = len(numbers)
    distances = np.r_[-window:0, 1 : window + 1]
    places = np.arange(n)[:, None] + distances  # (n, 2 window)
    inside = (places >= 0) & (places < n)
    if generator is not None:
        inside &= abs(distances) <= generator.integers(1, window + 1, n)[:, None]
    found: Array = np.where(inside, numbers[np.clip(places, 0, max(0, n - 1))] if n else -1, -1)
    return found
