"""Connectionist temporal classification in CUDA: a walk along each sequence, and the gradient.

See ctc.cu. Going back, beta comes by the same walk, and each step's gradient from alpha and beta.
"""

from __future__ import annotations

import math

import numpy as np

from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.cuda import Grid, Variant, blocks, empty, launch

__all__ = ["VARIANTS", "forward", "grad"]

MOST_THREADS = 512  # of a walk, as ctc.cu has them, and up to 4 states of each
WARPS = 8  # of a block of the gradient: steps of sequences
OF_DTYPE = {
    dtype: Variant(
        f"ctc/{dtype}",
        "ctc/ctc.cu",
        ("walk", "sort", "gradient"),
        (("SCALAR", scalar),),
        threads=MOST_THREADS,
    )
    for dtype, scalar in (("float32", "float"), ("float64", "double"))
}
VARIANTS = tuple(OF_DTYPE.values())


def _walk(
    given: tuple[Array, Array, Array, Array], blank: int, found: Array, losses: Array | None
) -> None:
    """Leave alpha in ``found`` and the losses, or beta and what is emitted, without losses."""
    log_probs, targets = given[:2]
    (steps, batch, classes), states = log_probs.shape, found.shape[2]
    threads = min(MOST_THREADS, 32 * blocks(states, 32))
    variant = OF_DTYPE[found.dtype.name].with_shared(2 * states * found.dtype.itemsize)
    launch(variant, Grid(batch), *given, found, losses, steps, classes, targets.shape[1], blank,
           entry="walk", threads=threads)  # fmt: skip


def _flat(*arrays: Array) -> tuple[Array, ...]:
    return tuple(array_module(a).ascontiguousarray(a) for a in arrays)


def forward(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int
) -> tuple[Array, Array]:
    """Return -log p(targets) (N,), inf where no alignment fits, and alpha (T, N, 2S+1)."""
    steps, batch, _ = log_probs.shape
    alpha = empty((steps, batch, 2 * targets.shape[1] + 1), log_probs.dtype, log_probs)
    losses = empty((batch,), log_probs.dtype, log_probs)
    given = _flat(log_probs, targets, input_lengths, target_lengths)
    _walk(given, blank, alpha, losses)
    return losses, alpha


def grad(
    grad_output: Array,
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int,
    losses: Array,
    alpha: Array,
) -> Array:
    """Return (exp(log_probs) - occupancy of each class) * grad_output, 0 after a sequence's end."""
    steps, batch, classes = log_probs.shape
    given = _flat(log_probs, targets, input_lengths, target_lengths)
    grad_output, losses, alpha = _flat(grad_output, losses, alpha)
    _, targets, _, target_lengths = given
    beta = empty(alpha.shape, alpha.dtype, alpha)
    _walk(given, blank, beta, None)
    variant = OF_DTYPE[alpha.dtype.name]
    order = empty(targets.shape, np.int32, targets)
    launch(variant, Grid(batch), targets, target_lengths, order, targets.shape[1],
           entry="sort", threads=32 * WARPS)  # fmt: skip
    gradient = empty(log_probs.shape, log_probs.dtype, log_probs)
    rows = math.prod((steps, batch))
    launch(variant, Grid(blocks(rows, WARPS)), grad_output, *given, losses, alpha, beta, order,
           gradient, np.int64(rows), batch, classes, targets.shape[1], blank,
           entry="gradient", threads=32 * WARPS)  # fmt: skip
    return gradient
