"""Small texts with everything that can go wrong for proof; one with Zipf's frequencies to time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.case import Case, Make

ALWAYS = (1 << 31) - 1  # a word is kept at every draw
SENTENCES = [7, 0, 1, 2, 12, 5]


def corpus(
    rng: np.random.Generator, dtype: np.dtype[Any], rows: int, width: int, lengths: list[int]
) -> tuple[Any, ...]:
    """Return input vectors, words as frequent as 1 / rank, starts; every third word is rare."""
    inputs = np.asarray(rng.standard_normal((rows, width)) / width**0.5, dtype)
    words = np.minimum(rows ** rng.random(sum(lengths)), rows - 1).astype(np.int64)
    keep = np.full(rows, ALWAYS, np.int32)
    keep[::3] = ALWAYS // 2
    return inputs, words, np.cumsum([0, *lengths]), keep


def negative(
    rows: int, width: int, lengths: list[int], *settings: Any, alpha: float = 0.05
) -> Make:
    """Return what makes the arguments of negative sampling; settings are those from ``window``."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        inputs, words, starts, keep = corpus(rng, dtype, rows, width, lengths)
        outputs = np.asarray(rng.standard_normal((rows, width)) / width**0.5, dtype)
        thresholds = rng.integers(0, ALWAYS, rows)
        noise = np.stack([thresholds, rng.permutation(rows)], axis=1).astype(np.int32)
        return inputs, outputs, words, starts, keep, noise, *settings, alpha, -5

    return make


def hierarchical(
    rows: int, width: int, lengths: list[int], *settings: Any, alpha: float = 0.05
) -> Make:
    """Return what makes the arguments of hierarchical softmax, for a balanced tree."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        inputs, words, starts, keep = corpus(rng, dtype, rows, width, lengths)
        outputs = np.asarray(rng.standard_normal((rows - 1, width)) / width**0.5, dtype)
        nodes, labels, paths = [], [], [0]
        for leaf in range(rows, 2 * rows):  # a heap: node k has the children 2 k and 2 k + 1
            way = [leaf >> level for level in range(leaf.bit_length())][::-1]
            nodes += [node - 1 for node in way[:-1]]
            labels += [1 - (node & 1) for node in way[1:]]
            paths.append(len(nodes))
        tree = np.array(nodes, np.int64), np.array(labels, dtype), np.array(paths, np.int64)
        return inputs, outputs, words, starts, keep, *tree, *settings, alpha, 1 << 62

    return make


KINDS = [
    ("skip_gram_negative", negative, (), (3,)),
    ("cbow_negative", negative, (True,), (3,)),
    ("skip_gram_hierarchical", hierarchical, (), ()),
    ("cbow_hierarchical", hierarchical, (True,), ()),
]

PROOFS = [
    *(
        Case(f"word2vec.{kernel}", name, make(rows, width, lengths, *how, *mean, *targets), width)
        for kernel, make, mean, targets in KINDS
        for name, rows, width, lengths, how in (
            ("shrinking windows", 9, 33, SENTENCES, (3, True)),
            ("whole windows", 5, 16, SENTENCES, (2, False)),
            ("width 1", 9, 1, SENTENCES, (1, True)),
            ("longer than the text", 40, 5, SENTENCES, (20, False)),
            ("no sentences", 4, 5, [], (2, True)),
            ("empty sentences", 4, 5, [0, 1, 0], (2, True)),
        )
    ),
    *(
        Case(f"word2vec.cbow_{kind}", "sums", make(9, 20, SENTENCES, 3, True, False, *targets), 20)
        for kind, make, targets in (
            ("negative", negative, (4,)),
            ("hierarchical", hierarchical, ()),
        )
    ),
    *(
        Case(f"word2vec.{kernel}", "21 negatives", make(7, 20, SENTENCES, 3, True, *mean, 21), 20)
        for kernel, make, mean, targets in KINDS
        if targets
    ),
    Case("word2vec.skip_gram_negative", "no negatives", negative(7, 20, SENTENCES, 3, True, 0), 20),
]

ROWS, WIDTH, WORDS = 30000, 100, [20] * 500
PAIRS = 6.0 * sum(WORDS)  # windows of 1 ... 5 words on each side
ROW = 4.0 * WIDTH  # bytes

BENCHES = [
    Case(
        "word2vec.skip_gram_negative",
        "10000 words of 30000, 100 numbers, 5 negatives",
        negative(ROWS, WIDTH, WORDS, 5, True, 5),
        1,
        PAIRS * 6 * 6 * WIDTH,
        PAIRS * 7 * 2 * ROW,
    ),
    Case(
        "word2vec.cbow_negative",
        "10000 words of 30000, 100 numbers, 5 negatives",
        negative(ROWS, WIDTH, WORDS, 5, True, True, 5),
        1,
        sum(WORDS) * (6 * 6 + 12) * WIDTH,
        sum(WORDS) * 12 * 2 * ROW,
    ),
    Case(
        "word2vec.skip_gram_hierarchical",
        "10000 words of 30000, 100 numbers",
        hierarchical(ROWS, WIDTH, WORDS, 5, True),
        1,
        PAIRS * 15 * 6 * WIDTH,
        PAIRS * 16 * 2 * ROW,
    ),
    Case(
        "word2vec.cbow_hierarchical",
        "10000 words of 30000, 100 numbers",
        hierarchical(ROWS, WIDTH, WORDS, 5, True, True),
        1,
        sum(WORDS) * (15 * 6 + 12) * WIDTH,
        sum(WORDS) * 22 * 2 * ROW,
    ),
]
