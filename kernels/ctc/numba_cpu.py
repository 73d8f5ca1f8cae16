"""Connectionist temporal classification on the CPU: threads take sequences, lanes their states."""

from __future__ import annotations

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.copying import contiguous
from tinymed.kernels.ctc import walks
from tinymed.kernels.parallel import parallel

ENOUGH = 1 << 11  # states of steps worth a thread of their own: some 10 ns each


def _least(steps: int, width: int) -> int:
    """Return how many sequences are worth a thread of their own."""
    return ENOUGH // max(1, steps * (2 * width + 1)) + 1


def _flat(*arrays: Array) -> tuple[Array, ...]:
    return tuple(contiguous(array).reshape(-1) for array in arrays)


def forward(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int
) -> tuple[Array, Array]:
    """Return -log p(targets) (N,), inf where no alignment fits, and alpha (T, N, 2S+1)."""
    (steps, batch, classes), width = log_probs.shape, targets.shape[1]
    alpha = empty((steps, batch, 2 * width + 1), log_probs.dtype)
    losses = empty((batch,), log_probs.dtype)
    given = _flat(log_probs, targets, input_lengths, target_lengths)
    sizes = steps, classes, width, blank
    parallel(walks.forth, batch, _least(steps, width), losses, alpha.reshape(-1), *given, *sizes)
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
    (steps, batch, classes), width = log_probs.shape, targets.shape[1]
    gradient = empty(log_probs.shape, log_probs.dtype)
    given = _flat(grad_output, log_probs, targets, input_lengths, target_lengths)
    sizes, known = (steps, classes, width, blank), _flat(losses, alpha)
    least = _least(steps, width + classes)
    parallel(walks.back, batch, least, gradient.reshape(-1), *given, *sizes, *known)
    return gradient
