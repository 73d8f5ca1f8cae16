"""The main job in one screen: what `tinymed lung` does, step by step, on synthetic CT patches.

Run: python examples/02_lung_from_scratch.py   (about half a minute; needs the extra `medical`)
"""

import numpy as np

import tinymed as tm
from tinymed import nn, optim
from tinymed.data import Augment, DataLoader, TensorDataset
from tinymed.medical.imaging.phantoms import synthesise
from tinymed.metrics import BinaryMetrics, choose_threshold

# Read: patches of 50 x 50 pixels by patient, split so that no patient is on two sides.
tm.manual_seed(0)
data = synthesise(100, np.random.default_rng(0))
train, val, test = data["train"], data["val"], data["test"]

# Preprocess: bytes over the window -1000..400 HU -> mean 0, deviation 1 of the training images.
mean, std = train.images.mean() / 255, train.images.std() / 255


def prepare(images):
    return ((images / np.float32(255) - mean) / std)[:, None].astype(np.float32)


# Augment: every epoch sees each patch turned, scaled and shifted differently.
augment = Augment(rotate=180, scale=(0.9, 1.1), shift=2)
batches = DataLoader(
    TensorDataset(prepare(train.images), train.labels),
    batch_size=32,
    shuffle=True,
    augment=augment.on_image,
    generator=np.random.default_rng(0),
)

# Build: convolution, pooling, fully connected.
layers = []
for before, width in ((1, 8), (8, 16), (16, 32)):
    layers += [
        nn.Conv2d(before, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]
model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 2))
print(nn.summary(model, (1, 1, 50, 50)))

# Train with Adam and cross-entropy.
optimizer = optim.Adam(model.parameters(), lr=1e-2)
loss_of = nn.CrossEntropyLoss()
for epoch in range(12):
    total = 0.0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch + 1}: loss {total:.3f}")


# Evaluate: the threshold is chosen on validation, the test patients are seen once.
def scores(split):
    model.eval()
    with tm.no_grad():
        return model(tm.tensor(prepare(split.images))).softmax(1).numpy()[:, 1].astype(float)


threshold = choose_threshold(val.labels, scores(val))
metrics = BinaryMetrics()
metrics.update(test.labels, scores(test), test.groups)
found = metrics.compute(threshold=threshold)
print(f"accuracy {found['accuracy']:.3f}, recall {found['recall']:.3f}, AUC {found['auc']:.3f}")
