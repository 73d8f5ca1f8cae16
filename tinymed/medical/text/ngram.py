"""The n-gram model with Kneser-Ney's smoothing: what a network that writes has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.data.sampler import checked_count
from tinymed.medical.text.generation import perplexity

__all__ = ["NGramModel"]

Array = np.ndarray[Any, np.dtype[Any]]

NONE = -1  # the number of an n-gram that was never seen


@dataclass(frozen=True)
class _Order:
    """All n-grams of one length that were seen, by number.

    An n-gram's key is the number of its first n - 1 tokens times (V + 1), plus the last token; the
    numbers follow the order of the keys, so those that continue the same tokens stand together.
    """

    keys: Array  # (N,) ascending
    counts: Array  # (N,) how often, or after how many different tokens
    discount: float
    total: Array  # (shorter ones,) sum of the counts of those that continue it
    kinds: Array  # (shorter ones,) how many continue it

    def numbers(self, keys: Array) -> Array:
        """Return the number of each key, `NONE` where it is not there."""
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where((keys >= 0) & (self.keys[place] == keys), place, NONE)


class NGramModel:
    r"""Interpolated Kneser-Ney: the chance of a token after the n - 1 before it.

    p_n(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) p_{n-1}(w | h'),  p_0 = 1 / V

    where h' is h without its first token, c(h) the sum of c(h w) over w, and N(h) how many
    different w there are. c counts at the highest order; below, it is the number of different
    tokens seen before h w, except at the beginning of a sequence, where there is none to see.

    Parameters
    ----------
    order : int
        n, at least 1.
    size : int
        V: tokens are 0 ... V - 1, the one that ends a sequence among them.

    References
    ----------
    Kneser, Ney (1995), "Improved backing-off for m-gram language modeling"; Chen, Goodman (1999),
    "An empirical study of smoothing techniques for language modeling", section 3.4, with
    D = n_1 / (n_1 + 2 n_2) of each order.

    Examples
    --------
    >>> model = NGramModel(order=2, size=3).fit([[0, 1, 2], [0, 1, 2], [1, 0, 2]])
    >>> model.distribution([0]).round(3)
    array([0.074, 0.63 , 0.296])
    """

    def __init__(self, order: int, size: int) -> None:
        self.order = checked_count("NGramModel", "order", order)
        self.size = checked_count("NGramModel", "size", size)
        self.orders: list[_Order] = []

    def fit(self, sequences: Iterable[Sequence[int]]) -> NGramModel:
        """Count the n-grams of sequences of tokens, and return the model.

        Raises
        ------
        ValueError
            There is no sequence, one is empty, or a token is not 0 ... V - 1.
        """
        tokens, depth = self._joined("NGramModel.fit", sequences)
        levels: list[tuple[Array, Array, Array]] = []  # of each token, keys, where they first stand
        shorter = np.zeros(len(tokens), np.int64)
        for n in range(1, self.order + 1):
            seen = np.flatnonzero(depth + 1 >= n)
            keys = shorter[seen] * (self.size + 1) + tokens[seen]
            known, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
            numbers = np.full(len(tokens), NONE)
            numbers[seen] = inverse
            levels.append((numbers, known, seen[first]))
            shorter = np.r_[NONE, numbers[:-1]]
        self.orders, contexts = [], 1
        for n, (numbers, known, first) in enumerate(levels, 1):
            counts = np.bincount(numbers[numbers != NONE], minlength=len(known))
            if n < self.order:
                longer = levels[n][2]
                different = np.bincount(numbers[longer], minlength=len(known))
                counts = np.where(depth[first] + 1 == n, counts, different)
            counts[tokens[first] == self.size] = 0  # the start is never predicted
            self.orders.append(self._counted(known, counts, contexts))
            contexts = len(known)
        return self

    def _joined(self, name: str, sequences: Iterable[Sequence[int]]) -> tuple[Array, Array]:
        """Return all sequences in a row, V before each, and how far each token is from its V."""
        tokens: list[Array] = []
        depth: list[Array] = []
        for number, sequence in enumerate(sequences):
            row = np.asarray(sequence)
            if row.ndim != 1 or not len(row) or row.dtype.kind not in "iu":
                raise ValueError(
                    f"{name}: sequence {number} is {row.dtype} {row.shape}, whole numbers (n,) "
                    "with n > 0 expected"
                )
            if row.min() < 0 or row.max() >= self.size:
                raise ValueError(
                    f"{name}: sequence {number} has tokens {row.min()} to {row.max()}, 0 to "
                    f"{self.size - 1} expected"
                )
            tokens += [np.array([self.size]), row]
            depth.append(np.arange(len(row) + 1))
        if not tokens:
            raise ValueError(f"{name}: no sequences, one at least expected")
        return np.concatenate(tokens).astype(np.int64), np.concatenate(depth)

    def _counted(self, keys: Array, counts: Array, contexts: int) -> _Order:
        """Return the n-grams of one length with their discount and sums."""
        parents = keys // (self.size + 1)
        once, twice = ((counts == times).sum() for times in (1, 2))
        # Without any n-gram that was seen once nothing says how much to leave for others.
        discount = float(once / (once + 2 * twice)) if once else 0.5
        total = np.bincount(parents, counts, contexts)
        kinds = np.bincount(parents, counts > 0, contexts)
        return _Order(keys, counts, discount, total, kinds)

    def log_probabilities(self, sequence: Sequence[int]) -> Array:
        """Return the natural logarithm of each token's probability (n,), given those before it."""
        self._check_fitted("log_probabilities")
        tokens, depth = self._joined("NGramModel.log_probabilities", [sequence])
        chance = np.full(len(tokens), 1 / self.size)
        context = np.zeros(len(tokens), np.int64)
        for n, order in enumerate(self.orders, 1):
            known = (context != NONE) & (depth + 1 >= n)
            keys = np.where(known, context * (self.size + 1) + tokens, NONE)
            numbers = order.numbers(keys)
            counts = np.where(numbers == NONE, 0, order.counts[numbers])
            at = np.where(known, context, 0)
            total = order.total[at]
            mixed = np.maximum(counts - order.discount, 0)
            mixed = mixed + order.discount * order.kinds[at] * chance
            chance = np.where(known & (total > 0), mixed / np.maximum(total, 1), chance)
            context = np.r_[NONE, numbers[:-1]]
        return np.log(chance[1:])

    def distribution(self, context: Sequence[int]) -> Array:
        """Return the probabilities (V,) of the next token after a sequence's beginning."""
        self._check_fitted("distribution")
        before = [self.size]
        if len(context):
            before = self._joined("NGramModel.distribution", [context])[0].tolist()
        chance = np.full(self.size, 1 / self.size)
        for n, order in enumerate(self.orders, 1):
            number = self._number(before[len(before) - n + 1 :]) if n <= len(before) + 1 else NONE
            if number == NONE or not order.total[number]:
                break  # longer contexts were not seen either
            first, last = np.searchsorted(
                order.keys, [number * (self.size + 1), (number + 1) * (self.size + 1)]
            )
            counts = order.counts[first:last]
            following = order.keys[first:last][counts > 0] % (self.size + 1)
            chance *= order.discount * order.kinds[number] / order.total[number]
            chance[following] += (counts[counts > 0] - order.discount) / order.total[number]
        return chance

    def _number(self, tokens: Sequence[int]) -> int:
        """Return the number of an n-gram, `NONE` if it was not seen."""
        number = 0
        for token, order in zip(tokens, self.orders, strict=False):
            if number != NONE:
                number = int(order.numbers(np.array([number * (self.size + 1) + token]))[0])
        return number

    def perplexity(self, sequences: Iterable[Sequence[int]]) -> float:
        """Return the perplexity of all tokens of sequences."""
        found = [self.log_probabilities(sequence) for sequence in sequences]
        return perplexity(np.concatenate([np.empty(0), *found]))

    def _check_fitted(self, name: str) -> None:
        if not self.orders:
            raise RuntimeError(f"NGramModel.{name}: nothing counted yet; call fit first")
