"""Heartbeats in a row: what `tinymed ecg` does, step by step, on synthetic patients.

A beat is judged by its shape, by its time, and by the beats about it: convolutions within a beat, a
recurrent network over beats, and both measured against the patient's own usual beat.

Run: python examples/04_heartbeats.py   (about twenty seconds)
"""

import numpy as np

import tinymed as tm
from tinymed import nn, optim
from tinymed.data import DataLoader, grouped_stratified_holdout
from tinymed.medical.models import BeatSequenceNetwork
from tinymed.medical.signals.beat_features import beat_features
from tinymed.medical.signals.beat_windows import BeatAugment, BeatWindows, windows
from tinymed.medical.signals.rhythm import synthesise
from tinymed.metrics import balanced_accuracy
from tinymed.training import predict

T = 48  # beats of a window

# Read: 20 patients, each with a heart of its own; a quarter of them is held out.
tm.manual_seed(0)
beats = synthesise(20, 240, np.random.default_rng(1))
train, test = grouped_stratified_holdout(
    beats.label, beats.patient, 0.25, generator=np.random.default_rng(0)
)

# Describe: each beat beside the others of its patient. No labels are used, so new patients can be.
shapes, described = beat_features(beats.samples, beats.rr, beats.patient)
inputs = np.hstack([shapes.reshape(len(shapes), -1), described])
labels = beats.label.astype(np.int64)

# Windows of consecutive beats of one patient, cropped and disturbed differently in every epoch.
batches = DataLoader(
    BeatWindows(inputs[train], labels[train], windows(beats.patient[train], T + 16, 16)),
    batch_size=16,
    shuffle=True,
    drop_last=True,
    augment=BeatAugment(T),
    generator=np.random.default_rng(0),
)

# Train: ectopic beats are rare, so each class gets the same weight in all.
counts = np.bincount(labels[train], minlength=3)
loss_of = nn.CrossEntropyLoss(weight=tm.tensor((len(train) / (3 * counts)).astype(np.float32)))
model = BeatSequenceNetwork(widths=(8, 16, 16))
EPOCHS = 8
optimizer = optim.AdamW(model.parameters(), lr=4e-3)
schedule = optim.OneCycleLR(optimizer, 4e-3, EPOCHS * len(batches))
for epoch in range(EPOCHS):
    total = 0.0
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_of(model(x).reshape(-1, 3), y.reshape(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch + 1}: loss {total:.3f}")

# Evaluate: windows without overlap that cover the patients who were held out.
rows = windows(beats.patient[test], T, T)
logits = predict(model, DataLoader(BeatWindows(inputs[test], None, rows), 32))[0]
found = np.zeros(len(test), np.int64)
found[rows[rows >= 0]] = logits.argmax(axis=2)[rows >= 0]
print(f"balanced accuracy {balanced_accuracy(labels[test], found):.3f} on unseen patients")
for number, name in enumerate(("normal", "supraventricular", "ventricular")):
    of_class = labels[test] == number
    print(f"sensitivity, {name}: {(found[of_class] == number).mean():.3f} of {of_class.sum()}")
