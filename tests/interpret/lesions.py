"""Phantoms with a lesion planted at a known place, and a small network that has learned to tell."""

import functools

import numpy as np

import tinymed as tm
from tinymed import nn, optim

SIZE, EPOCHS, BATCHES = 32, 8, 16


def phantoms(count, generator):
    """Return images (n, 1, 32, 32), whether there is a lesion (n,), and where (n, 1, 32, 32).

    Soft ground, vessels as bright lines that cross the image, grain; the lesion is a disc of radius
    3 to 4.5, anywhere.
    """
    rows, columns = np.indices((SIZE, SIZE))
    images, masks = np.zeros((2, count, 1, SIZE, SIZE))
    labels = np.arange(count) % 2
    for image, mask, label in zip(images[:, 0], masks[:, 0], labels, strict=True):
        tilt = generator.normal(0, 0.2, 2)
        image += (tilt[0] * rows + tilt[1] * columns) / SIZE
        for _ in range(3):
            angle, away = generator.uniform(0, np.pi), generator.uniform(4, SIZE - 4)
            across = (rows - away) * np.cos(angle) + (columns - away) * np.sin(angle)
            image += 0.7 * np.exp(-0.5 * (across / 0.8) ** 2)
        if label:
            place = generator.uniform(6, SIZE - 6, 2)
            far = np.hypot(rows - place[0], columns - place[1])
            radius = generator.uniform(3, 4.5)
            image[:] = np.maximum(image, np.clip(radius + 0.5 - far, 0, 1))
            mask[:] = far <= radius
        image += generator.normal(0, 0.1, image.shape)
    return images.astype(np.float32), labels, masks.astype(bool)


class LesionCNN(nn.Module):
    """Convolutions, two of them at half resolution, the largest of each plane, a linear layer."""

    def __init__(self):
        super().__init__()
        layers = []
        for before, after in ((1, 8), (8, 16), (16, 16)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        layers.insert(3, nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(16, 2)

    def forward(self, x):
        return self.classifier(self.features(x).amax((2, 3)))


@functools.cache
def trained():
    """Return the network after some seconds of training, and its accuracy on new phantoms."""
    generator = np.random.default_rng(0)
    tm.manual_seed(0)
    model, loss_of = LesionCNN(), nn.CrossEntropyLoss()
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    plan = optim.lr_scheduler.OneCycleLR(optimizer, 2e-2, total_steps=EPOCHS * BATCHES)
    images, labels, _ = phantoms(512, generator)
    for _ in range(EPOCHS):
        for rows in np.split(generator.permutation(512), BATCHES):
            optimizer.zero_grad()
            loss_of(model(tm.tensor(images[rows])), tm.tensor(labels[rows])).backward()
            optimizer.step()
            plan.step()
    model.eval()
    images, labels, _ = phantoms(200, generator)
    with tm.no_grad():
        return model, float(np.mean(model(tm.tensor(images)).numpy().argmax(1) == labels))
