"""What a network remembered, and when: the gates of an LSTM over a signal, drawn as text.

A signal has two pulses; only whether the first went up or down is asked, at the end. Time is warped
and noise added in training, so that neither the place of a pulse nor its exact form can be learned.

Run: python examples/11_gates.py   (some seconds)
"""

import numpy as np

import tinymed as tm
from tinymed import nn, optim
from tinymed.data import DataLoader
from tinymed.medical.signals.augmentation import SignalAugment
from tinymed.nn.gates import gate_maps

T, FIRST, SECOND = 48, 12, 30
generator = np.random.default_rng(0)
tm.manual_seed(0)


def signals(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return signals (n, 1, T) and whether the first pulse goes up."""
    up = generator.integers(0, 2, (count, 2))
    time, places = np.arange(T), np.array([FIRST, SECOND]) + generator.normal(0, 2, (count, 2))
    pulses = np.exp(-0.5 * ((time - places[..., None]) / 1.5) ** 2)  # (n, 2, T)
    drawn = ((2 * up - 1)[..., None] * pulses).sum(axis=1, keepdims=True)
    return drawn.astype(np.float32), up[:, 0]


class Memory(nn.Module):
    """An LSTM that is asked once, at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.memory, self.answer = nn.LSTM(1, 8, batch_first=True), nn.Linear(8, 2)
        with tm.no_grad():  # forget gates begin open, or nothing reaches the end to be learned
            self.memory.bias_ih_l0[8:16] = 3.0

    def forward(self, x):
        states, _ = self.memory(x.transpose(1, 2))  # (N, 1, T) -> (N, T, 8)
        return self.answer(states[:, -1])


model, loss_of = Memory(), nn.CrossEntropyLoss()
optimizer = optim.AdamW(model.parameters(), lr=2e-2)
batches = DataLoader(
    list(zip(*signals(512), strict=True)),
    batch_size=32,
    shuffle=True,
    augment=SignalAugment(warp=0.2, noise=0.2),
    generator=generator,
)
for epoch in range(8):
    total = 0.0
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch + 1}: loss {total:.3f}")

x, y = signals(200)
model.eval()
with tm.no_grad():
    found = model(tm.tensor(x)).numpy().argmax(axis=1)
print(f"accuracy {np.mean(found == y):.3f}")


def drawn(values: np.ndarray) -> str:
    """Return values from low to high as characters from light to dark."""
    share = (values - values.min()) / (np.ptp(values) or 1)
    return "".join(" .:-=+*#%@"[round(9 * float(s))] for s in share)


# Look inside: what each gate did at each step, the mean over the signals and the units.
maps = gate_maps(model.memory, x.swapaxes(1, 2))["l0"]  # each (N, T, 8)
print(f"{'pulses':>8} {drawn(abs(x).mean(axis=(0, 1)))}")
for name in ("input", "forget", "output"):
    print(f"{name:>8} {drawn(maps[name].mean(axis=(0, 2)))}")

# What is kept: how far the memory tells the first pulse from the second, unit by unit.
apart = maps["cell"][y == 1].mean(axis=0) - maps["cell"][y == 0].mean(axis=0)  # (T, 8)
print(f"{'memory':>8} {drawn(abs(apart).max(axis=1))}")
before, after = abs(apart[FIRST - 8]).max(), abs(apart[-1]).max()
print(
    f"the memory of up and of down: {before:.2f} apart before the first pulse, {after:.2f} at end"
)
