"""word2vec in one compiled pass that lets go of the GIL: several threads may run on one table.

A pass is sequential, since each prediction sees what the one before has learnt. What two passes
write to the same rows at the same time is lost or not, as it comes (Recht, Re, Wright, Niu (2011),
"Hogwild!"); one pass after the other gives the same bits each time.
"""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.word2vec import loops


def text(words: Array, starts: Array, keep: Array) -> tuple[Array, Array, Array]:
    """Return the arrays that describe the sentences, contiguous."""
    return contiguous(words), contiguous(starts), contiguous(keep)


def signed(seed: int) -> int:
    """Return a seed as the int64 that has its last 64 bits."""
    return (seed + (1 << 63)) % (1 << 64) - (1 << 63)


def tree(nodes: Array, labels: Array, paths: Array) -> tuple[Array, Array, Array]:
    """Return the arrays that describe the tree, contiguous."""
    return contiguous(nodes), contiguous(labels), contiguous(paths)


def skip_gram_negative(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    noise: Array,
    window: int,
    shrink: bool,
    negative: int,
    alpha: float,
    seed: int,
) -> int:
    """Train skip-gram with negative sampling in place; return the words that were left."""
    left = np.zeros(1, np.int64)
    tables = inputs.reshape(-1), outputs.reshape(-1), inputs.shape[1], *text(words, starts, keep)
    how = contiguous(noise), window, bool(shrink), negative, float(alpha), signed(seed)
    parallel(loops.skip_gram_negative, 1, 2, *tables, *how, left)
    return int(left[0])


def cbow_negative(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    noise: Array,
    window: int,
    shrink: bool,
    mean: bool,
    negative: int,
    alpha: float,
    seed: int,
) -> int:
    """Train continuous bags of words with negative sampling in place; return the words left."""
    left = np.zeros(1, np.int64)
    tables = inputs.reshape(-1), outputs.reshape(-1), inputs.shape[1], *text(words, starts, keep)
    how = contiguous(noise), window, bool(shrink), bool(mean), negative, float(alpha)
    parallel(loops.cbow_negative, 1, 2, *tables, *how, signed(seed), left)
    return int(left[0])


def skip_gram_hierarchical(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    nodes: Array,
    labels: Array,
    paths: Array,
    window: int,
    shrink: bool,
    alpha: float,
    seed: int,
) -> int:
    """Train skip-gram with hierarchical softmax in place; return the words that were left."""
    left = np.zeros(1, np.int64)
    tables = inputs.reshape(-1), outputs.reshape(-1), inputs.shape[1], *text(words, starts, keep)
    how = *tree(nodes, labels, paths), window, bool(shrink), float(alpha)
    parallel(loops.skip_gram_hierarchical, 1, 2, *tables, *how, signed(seed), left)
    return int(left[0])


def cbow_hierarchical(
    inputs: Array,
    outputs: Array,
    words: Array,
    starts: Array,
    keep: Array,
    nodes: Array,
    labels: Array,
    paths: Array,
    window: int,
    shrink: bool,
    mean: bool,
    alpha: float,
    seed: int,
) -> int:
    """Train continuous bags of words with hierarchical softmax in place; return the words left."""
    left = np.zeros(1, np.int64)
    tables = inputs.reshape(-1), outputs.reshape(-1), inputs.shape[1], *text(words, starts, keep)
    how = *tree(nodes, labels, paths), window, bool(shrink), bool(mean), float(alpha)
    parallel(loops.cbow_hierarchical, 1, 2, *tables, *how, signed(seed), left)
    return int(left[0])
