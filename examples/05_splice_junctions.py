"""Splice junctions in one screen: one-hot letters, families kept together, a network, a baseline.

Run: python examples/05_splice_junctions.py   (about half a minute; synthetic genes)
"""

import numpy as np

import tinymed as tm
from tinymed import nn, optim
from tinymed.data import grouped_stratified_holdout
from tinymed.medical.models.sequence_network import SequenceNetwork
from tinymed.medical.sequences import DNA, synthesise_junctions
from tinymed.medical.tasks.softmax_regression import SoftmaxRegression

# Read: windows of 60 bases. Copies of one gene differ by a few mutations and are never parted.
tm.manual_seed(0)
genes = synthesise_junctions(500, np.random.default_rng(0))
classes = sorted(set(genes.labels))
labels = np.array([classes.index(label) for label in genes.labels])
letters = np.array([DNA.encode(text) for text in genes.sequences])  # (n, 60, 4)
there = np.ones((*letters.shape[:2], 1), np.float32)
inputs = np.concatenate([letters, there], axis=2)  # the last column: a letter, not padding
train, test = grouped_stratified_holdout(
    labels, genes.groups, 0.25, generator=np.random.default_rng(0)
)

# Train with AdamW and cross-entropy.
model = SequenceNetwork(4, len(classes), widths=[16, 16], length=60)
optimizer = optim.AdamW(model.parameters(), lr=4e-3)
loss_of, generator = nn.CrossEntropyLoss(), np.random.default_rng(0)
for epoch in range(8):
    total, order = 0.0, generator.permutation(train)
    batches = np.array_split(order, len(order) // 32)
    for batch in batches:
        optimizer.zero_grad()
        loss = loss_of(model(tm.tensor(inputs[batch])), tm.tensor(labels[batch]))
        loss.backward()
        optimizer.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch + 1}: loss {total:.3f}")

# Evaluate beside a weight matrix: softmax regression on the letters at each place.
model.eval()
with tm.no_grad():
    found = model(tm.tensor(inputs[test])).numpy().argmax(1)
flat = letters.reshape(len(letters), -1)
simple = SoftmaxRegression.fitted(flat[train], labels[train], np.ones(3), penalty=30.0)
print(f"network {np.mean(found == labels[test]):.3f}", end=", ")
print(f"softmax regression {np.mean(simple(flat[test]).argmax(1) == labels[test]):.3f}")
