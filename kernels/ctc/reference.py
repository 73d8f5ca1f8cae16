"""The forward-backward algorithm in logarithms, all sequences and states at once, step by step.

A labelling abc becomes the states -a-b-c- (- is the blank), 2S + 1 of them. An alignment begins in
one of the first two, ends in one of the last two, and at each step stays, moves on by one, or skips
a blank between different labels. alpha_t(s) sums over the ways to be in state s at step t, with
what was emitted up to t; beta_t(s) over the ways on from there, with what is emitted after t. So
exp(alpha_t(s) + beta_t(s)) / p is the probability of being in s at step t: the occupancy.

Graves et al. (2006), Connectionist temporal classification, equations 5 to 15.
"""

from __future__ import annotations

import numpy as np

from tinymed.kernels.arrays import Array, array_module


def forward(
    log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array, blank: int
) -> tuple[Array, Array]:
    """Return -log p(targets) (N,), inf where no alignment fits, and alpha (T, N, 2S+1).

    Alpha is -inf where a sequence has no step or no state.
    """
    xp = array_module(log_probs)
    states, skips = states_of(targets, target_lengths, blank)
    emitted = emissions(log_probs, states, input_lengths, target_lengths)  # (T, N, 2S+1)
    alpha = xp.full_like(emitted, -np.inf)
    steps, sequences = len(emitted), xp.arange(len(states))
    if steps:
        alpha[0, :, :2] = emitted[0, :, :2]
    for t in range(1, steps):
        arrived = xp.logaddexp(alpha[t - 1], shifted(alpha[t - 1], 1))
        skipped = xp.where(skips, shifted(alpha[t - 1], 2), -np.inf)
        alpha[t] = xp.logaddexp(arrived, skipped) + emitted[t]

    losses = xp.where(target_lengths == 0, 0, np.inf)  # of sequences without steps
    if steps:
        at_the_end = alpha[xp.maximum(input_lengths, 1) - 1, sequences]  # (N, 2S+1)
        last = 2 * target_lengths
        on_label = at_the_end[sequences, xp.maximum(last - 1, 0)]
        on_label = xp.where(target_lengths == 0, -np.inf, on_label)
        found = -xp.logaddexp(at_the_end[sequences, last], on_label)
        losses = xp.where(input_lengths == 0, losses, found)
    return losses.astype(log_probs.dtype), alpha


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
    """Return (exp(log_probs) - occupancy of each class) * grad_output, 0 after a sequence's end.

    Impossible sequences (a loss of inf) have no occupancy.
    """
    xp = array_module(log_probs)
    states, skips = states_of(targets, target_lengths, blank)
    emitted = emissions(log_probs, states, input_lengths, target_lengths)
    places, sequences = xp.arange(states.shape[1]), xp.arange(len(states))[:, None]
    last = 2 * target_lengths[:, None]
    final = xp.where((places == last) | (places == last - 1), 0, -np.inf).astype(log_probs.dtype)
    may_leave = shifted(skips, -2, fill=False)  # skips says where a skip arrives
    log_total = xp.where(losses == np.inf, 0, -losses)[:, None]

    gradient = xp.zeros_like(log_probs)
    beta = xp.full_like(final, -np.inf)  # (N, 2S+1)
    for t in range(len(log_probs) - 1, -1, -1):
        if t + 1 < len(log_probs):
            ahead = beta + emitted[t + 1]
            skipped = xp.where(may_leave, shifted(ahead, -2), -np.inf)
            beta = xp.logaddexp(xp.logaddexp(ahead, shifted(ahead, -1)), skipped)
        beta = xp.where((input_lengths == t + 1)[:, None], final, beta)
        occupancy = xp.exp(alpha[t] + beta - log_total)
        xp.add.at(gradient[t], (sequences, states), -occupancy)
    running = xp.arange(len(log_probs))[:, None] < input_lengths  # (T, N)
    gradient += xp.exp(log_probs)
    gradient *= grad_output[:, None]
    return xp.where(running[:, :, None], gradient, 0)


def states_of(targets: Array, target_lengths: Array, blank: int) -> tuple[Array, Array]:
    """Return the class of each state (N, 2S+1), and where a skip over a blank may arrive."""
    xp = array_module(targets)
    own = xp.arange(targets.shape[1]) < target_lengths[:, None]  # (N, S)
    states = xp.full((len(targets), 2 * targets.shape[1] + 1), blank, targets.dtype)
    states[:, 1::2] = xp.where(own, targets, blank)
    skips = xp.zeros(states.shape, bool)
    skips[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    return states, skips


def emissions(
    log_probs: Array, states: Array, input_lengths: Array, target_lengths: Array
) -> Array:
    """Return log_probs of the class of each state, (T, N, C) (N, 2S+1) -> (T, N, 2S+1).

    Steps after a sequence's end, and states after its last, emit nothing: -inf.
    """
    xp = array_module(states)
    emitted = log_probs[:, xp.arange(len(states))[:, None], states]
    running = xp.arange(len(log_probs))[:, None] < input_lengths  # (T, N)
    own = xp.arange(states.shape[1]) <= 2 * target_lengths[:, None]  # (N, 2S+1)
    return xp.where(running[:, :, None] & own, emitted, -np.inf).astype(log_probs.dtype, copy=False)


def shifted(states: Array, by: int, fill: float = -np.inf) -> Array:
    """Return values moved on by ``by`` states (back if negative), ``fill`` coming in."""
    moved = array_module(states).full_like(states, fill)
    if by > 0:
        moved[:, by:] = states[:, :-by]
    else:
        moved[:, :by] = states[:, -by:]
    return moved
