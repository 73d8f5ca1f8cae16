"""Lesson 3: train a recurrent network on a series that is too long to go back through at once.

Run: python examples/03_truncated_backpropagation.py   (a few seconds)

Backpropagation through time must remember every step it will go back through: memory grows with the
length of the series, and there is one update of the weights per pass over all of it. Truncated
backpropagation (Williams, Peng 1990) cuts the series into windows. The state goes on from window to
window, so the network remembers; `detach()` cuts its graph, so gradients, and with them memory, end
where the window began. What is lost: a dependence longer than a window can still be used, by way of
the state, but no gradient says directly how to build it up.
"""

import tracemalloc

import numpy as np

import tinymed as tm
from tinymed import nn, ops, optim

WINDOW, STEPS, SERIES, HIDDEN = 10, 3000, 8, 24

# Eight breathing-like waves, (T, N, 1): a slow and a fast sine, each with a phase of its own, and
# noise. To predict the next value one must know the phases, which takes more than a few samples.
rng = np.random.default_rng(0)
time = np.arange(STEPS + 1)[:, None, None]
phase = rng.uniform(0, 2 * np.pi, (2, 1, SERIES, 1))
wave = np.sin(2 * np.pi * time / 70 + phase[0]) + 0.5 * np.sin(2 * np.pi * time / 11 + phase[1])
wave = (wave + 0.1 * rng.standard_normal(wave.shape)).astype(np.float32)
windows = [(t, t + WINDOW) for t in range(0, STEPS, WINDOW)]


def train(carry):
    """Return the mean squared error of the last third of the series, predicted one step ahead."""
    recurrent = nn.GRU(1, HIDDEN, generator=np.random.default_rng(1))
    readout = nn.Linear(HIDDEN, 1, generator=np.random.default_rng(2))
    parameters = [*recurrent.parameters(), *readout.parameters()]
    optimizer = optim.Adam(parameters, lr=5e-3)
    state, losses = None, []
    for start, end in windows:
        output, state = recurrent(tm.tensor(wave[start:end]), state if carry else None)
        loss = ops.mse_loss(readout(output), tm.tensor(wave[start + 1 : end + 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = state.detach()  # the same numbers, and no way back into the window they came from
        losses.append(loss.item())
    return np.mean(losses[2 * len(losses) // 3 :])


print(f"{STEPS} steps in windows of {WINDOW}: {len(windows)} updates in one pass")
print(f"error, state carried on:   {train(carry=True):.4f}")
print(f"error, state begun anew:   {train(carry=False):.4f}")
print(f"error, value as it was:    {np.mean((wave[1:] - wave[:-1]) ** 2):.4f}")


# What `detach` does, seen at the input: the loss of the second window reaches no further back.
def reach(cut):
    """Return how many of the first window's inputs get a gradient from the second one's loss."""
    recurrent = nn.GRU(1, HIDDEN, generator=np.random.default_rng(1))
    x = tm.tensor(wave[: 2 * WINDOW], requires_grad=True)
    _, state = recurrent(x[:WINDOW])
    output, _ = recurrent(x[WINDOW:], state.detach() if cut else state)
    output.sum().backward()
    return np.count_nonzero(x.grad.numpy()[:WINDOW].any(axis=(1, 2)))


print(f"steps before the window that its loss reaches: {reach(cut=False)}, detached: {reach(True)}")


# And what it saves: the memory that is held for `backward` after a run over the whole series.
def held(cut):
    """Return bytes, as NumPy reports them to tracemalloc."""
    recurrent, state = nn.GRU(1, HIDDEN, generator=np.random.default_rng(1)), None
    tracemalloc.start()
    for start, end in windows:
        _, state = recurrent(tm.tensor(wave[start:end]), state)
        state = state.detach() if cut and end < STEPS else state
    found, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return found


print(f"held for backward: {held(cut=False) / 1e6:.1f} MB, detached: {held(cut=True) / 1e6:.2f} MB")
