"""The four passes: arrays are flat, a row has ``width`` elements, draws are those of a counter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.loops import elementwise
from tinymed.kernels.simd.prefetch import prefetch_to_write
from tinymed.kernels.word2vec.prediction import predict

__all__ = ["cbow_hierarchical", "cbow_negative", "skip_gram_hierarchical", "skip_gram_negative"]

GAMMA = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
BY_27, BY_30, BY_31, BY_32 = (np.uint64(bits) for bits in (27, 30, 31, 32))
LOW = np.uint64((1 << 31) - 1)

fill = elementwise(lambda code, value: value)
scale = elementwise(lambda code, x, factor: x * factor)
add = elementwise(lambda code, x, y: x + y)
add_scaled = elementwise(lambda code, x, y, factor: code.fma(y, factor, x))


@compiled
def draw(seed: Any, number: int) -> Any:
    """Return number 1, 2, ... of splitmix64, as reference.Draws has it."""
    z = seed + np.uint64(number) * GAMMA
    z = (z ^ (z >> BY_30)) * FIRST
    z = (z ^ (z >> BY_27)) * SECOND
    return z ^ (z >> BY_31)


@compiled
def below(z: Any, n: int) -> int:
    """Return a number of 0 ... n - 1 from the first half of a draw's bits."""
    found: int = (np.int64(z >> BY_32) * n) >> 32  # type: ignore[assignment]
    return found


@compiled
def longest(starts: Any) -> int:
    """Return the number of words of the longest sentence."""
    most = 0
    for s in range(starts.size - 1):
        most = max(most, starts[s + 1] - starts[s])
    return most


@compiled
def keep_some(
    words: Any, first: int, last: int, keep: Any, kept: Any, seed: Any, drawn: int
) -> int:
    """Write the words that are left into ``kept`` and return how many; one draw for each."""
    count = 0
    for i in range(first, last):
        drawn += 1
        kept[count] = words[i]
        count += np.int64(draw(seed, drawn) & LOW) <= keep[words[i]]
    return count


@compiled
def reach_of(window: int, shrink: bool, seed: Any, drawn: int) -> int:
    """Return how many words on each side belong to a window."""
    return window - below(draw(seed, drawn), window) if shrink else window


@compiled
def draw_targets(
    word: int, noise: Any, negative: int, rows: Any, at: int, seed: Any, drawn: int
) -> int:
    """Write the word and drawn others into ``rows``, and return how many there are."""
    rows[at], count = word, 1
    for _ in range(negative):
        drawn += 1
        z = draw(seed, drawn)
        column = below(z, noise.shape[0])
        other = column if np.int64(z & LOW) <= noise[column, 0] else noise[column, 1]
        rows[at + count] = other
        count += other != word
    return count


@compiled
def skip_gram_negative(
    first: int,
    last: int,
    inputs: Any,
    outputs: Any,
    width: int,
    words: Any,
    starts: Any,
    keep: Any,
    noise: Any,
    window: int,
    shrink: bool,
    negative: int,
    alpha: float,
    start: int,
    left: Any,
) -> None:
    """Train; the targets of a whole window are drawn, and their rows asked for, ahead."""
    seed, drawn, most = np.uint64(start), 0, negative + 1
    kept = np.empty(longest(starts), np.int64)
    rows = np.empty(2 * window * most, np.int64)
    sizes = np.empty(2 * window, np.int64)
    labels, gains = np.zeros(most, inputs.dtype), np.empty(most, inputs.dtype)
    labels[0] = 1
    for s in range(starts.size - 1):
        count = keep_some(words, starts[s], starts[s + 1], keep, kept, seed, drawn)
        drawn += starts[s + 1] - starts[s]
        left[0] += count
        for i in range(count):
            drawn += shrink
            reach = reach_of(window, shrink, seed, drawn)
            low, high = max(0, i - reach), min(count, i + reach + 1)
            for pair in range(high - low - 1):
                at = pair * most
                sizes[pair] = draw_targets(kept[i], noise, negative, rows, at, seed, drawn)
                drawn += negative
                for t in range(at + 1, at + sizes[pair]):
                    prefetch_to_write(outputs, rows[t] * width, width)
            for pair in range(high - low - 1):
                j = low + pair
                row = kept[j + (j >= i)] * width
                predict(
                    *(outputs, rows, pair * most, sizes[pair], labels, 0),
                    *(inputs, row, inputs, row, width, alpha, gains),
                )


@compiled
def skip_gram_hierarchical(
    first: int,
    last: int,
    inputs: Any,
    outputs: Any,
    width: int,
    words: Any,
    starts: Any,
    keep: Any,
    nodes: Any,
    labels: Any,
    paths: Any,
    window: int,
    shrink: bool,
    alpha: float,
    start: int,
    left: Any,
) -> None:
    """Train; a target is a node on the way to the word."""
    seed, drawn = np.uint64(start), 0
    kept = np.empty(longest(starts), np.int64)
    gains = np.empty(longest(paths), inputs.dtype)
    for s in range(starts.size - 1):
        count = keep_some(words, starts[s], starts[s + 1], keep, kept, seed, drawn)
        drawn += starts[s + 1] - starts[s]
        left[0] += count
        for i in range(count):
            drawn += shrink
            reach = reach_of(window, shrink, seed, drawn)
            way = paths[kept[i]]
            length = paths[kept[i] + 1] - way
            for j in range(max(0, i - reach), min(count, i + reach + 1)):
                if j != i:
                    row = kept[j] * width
                    predict(
                        *(outputs, nodes, way, length, labels, way),
                        *(inputs, row, inputs, row, width, alpha, gains),
                    )


@compiled
def gather(hidden: Any, inputs: Any, width: int, kept: Any, low: int, i: int, high: int) -> None:
    """Set ``hidden`` to the sum of the rows of the words around word i."""
    fill(((hidden, 0),), (), width, (0.0,))
    for j in range(low, high):
        if j != i:
            add(((hidden, 0),), ((hidden, 0), (inputs, kept[j] * width)), width, ())


@compiled
def spread(
    step: Any, inputs: Any, width: int, kept: Any, low: int, i: int, high: int, share: float
) -> None:
    """Add ``share`` times the step to the rows of the words around word i."""
    for j in range(low, high):
        if j != i:
            row = (inputs, kept[j] * width)
            add_scaled((row,), (row, (step, 0)), width, (share,))


@compiled
def cbow_negative(
    first: int,
    last: int,
    inputs: Any,
    outputs: Any,
    width: int,
    words: Any,
    starts: Any,
    keep: Any,
    noise: Any,
    window: int,
    shrink: bool,
    mean: bool,
    negative: int,
    alpha: float,
    start: int,
    left: Any,
) -> None:
    """Train; the rows of the targets are asked for before those of the window are summed."""
    seed, drawn, most = np.uint64(start), 0, negative + 1
    kept = np.empty(longest(starts), np.int64)
    rows = np.empty(most, np.int64)
    labels, gains = np.zeros(most, inputs.dtype), np.empty(most, inputs.dtype)
    hidden, change = np.empty(width, inputs.dtype), np.empty(width, inputs.dtype)
    labels[0] = 1
    for s in range(starts.size - 1):
        count = keep_some(words, starts[s], starts[s + 1], keep, kept, seed, drawn)
        drawn += starts[s + 1] - starts[s]
        left[0] += count
        for i in range(count):
            drawn += shrink
            reach = reach_of(window, shrink, seed, drawn)
            low, high = max(0, i - reach), min(count, i + reach + 1)
            if high - low == 1:
                continue
            targets = draw_targets(kept[i], noise, negative, rows, 0, seed, drawn)
            drawn += negative
            for t in range(targets):
                prefetch_to_write(outputs, rows[t] * width, width)
            share = 1 / (high - low - 1) if mean else 1.0
            gather(hidden, inputs, width, kept, low, i, high)
            scale(((hidden, 0),), ((hidden, 0),), width, (share,))
            fill(((change, 0),), (), width, (0.0,))
            predict(
                *(outputs, rows, 0, targets, labels, 0),
                *(hidden, 0, change, 0, width, alpha, gains),
            )
            spread(change, inputs, width, kept, low, i, high, share)


@compiled
def cbow_hierarchical(
    first: int,
    last: int,
    inputs: Any,
    outputs: Any,
    width: int,
    words: Any,
    starts: Any,
    keep: Any,
    nodes: Any,
    labels: Any,
    paths: Any,
    window: int,
    shrink: bool,
    mean: bool,
    alpha: float,
    start: int,
    left: Any,
) -> None:
    """Train; a target is a node on the way to the word."""
    seed, drawn = np.uint64(start), 0
    kept = np.empty(longest(starts), np.int64)
    gains = np.empty(longest(paths), inputs.dtype)
    hidden, change = np.empty(width, inputs.dtype), np.empty(width, inputs.dtype)
    for s in range(starts.size - 1):
        count = keep_some(words, starts[s], starts[s + 1], keep, kept, seed, drawn)
        drawn += starts[s + 1] - starts[s]
        left[0] += count
        for i in range(count):
            drawn += shrink
            reach = reach_of(window, shrink, seed, drawn)
            low, high = max(0, i - reach), min(count, i + reach + 1)
            if high - low == 1:
                continue
            share = 1 / (high - low - 1) if mean else 1.0
            way = paths[kept[i]]
            length = paths[kept[i] + 1] - way
            gather(hidden, inputs, width, kept, low, i, high)
            scale(((hidden, 0),), ((hidden, 0),), width, (share,))
            fill(((change, 0),), (), width, (0.0,))
            predict(
                *(outputs, nodes, way, length, labels, way),
                *(hidden, 0, change, 0, width, alpha, gains),
            )
            spread(change, inputs, width, kept, low, i, high, share)
