"""The networks whose steps are timed, in tinymed.

Peers build the same layers in the same order, and take their parameters from `start`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import nn
from tinymed.tensor import Tensor

__all__ = ["HIDDEN", "WIDTHS", "Block", "RecurrentClassifier", "ResNet18", "build", "start"]

HIDDEN = 32  # numbers of the recurrent classifier's state
WIDTHS = {  # channels of the four stages; the narrow one is what memory is measured after
    "resnet18": (64, 128, 256, 512),
    "narrow resnet18": (8, 16, 16, 32),
}


class Block(nn.Module):
    """y = relu(bn(conv(relu(bn(conv(x))))) + x), x through a 1x1 convolution where sizes change."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if before != after or stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Tensor) -> Any:
        """Return y for x (N, C, H, W)."""
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """He, Zhang, Ren, Sun (2016), table 1, but small images: a first layer of 3x3, no pooling."""

    def __init__(self, channels: int, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        before = widths[0]
        self.conv1 = nn.Conv2d(channels, before, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(before)
        blocks = []
        for stage, after in enumerate(widths):
            blocks += [Block(before, after, 2 if stage else 1), Block(after, after, 1)]
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.fc = nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Any:
        """Return the logits of x (N, C, H, W)."""
        x = self.blocks(nn.functional.relu(self.bn1(self.conv1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class RecurrentClassifier(nn.Module):
    """A layer "GRU", "LSTM" or "RNN", and a linear one on its last output."""

    def __init__(self, kind: str, features: int, classes: int) -> None:
        super().__init__()
        self.layer = getattr(nn, kind)(features, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Tensor) -> Any:
        """Return the logits of x (N, T, D)."""
        output, _ = self.layer(x)
        return self.fc(output[:, -1])


def build(model: str, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Return the network of this name for inputs of ``shape``."""
    if model == "mlp":
        return nn.Sequential(
            nn.Linear(shape[0], 64, activation="relu"),
            nn.Linear(64, 32, activation="relu"),
            nn.Linear(32, classes),
        )
    if model in WIDTHS:
        return ResNet18(shape[0], classes, WIDTHS[model])
    if model in ("gru", "lstm"):
        return RecurrentClassifier(model.upper(), shape[1], classes)
    layers: list[nn.Module] = [nn.ConvPool2d(shape[0], 16, padding=1)]
    for before, after in ((16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1, activation="relu"), nn.MaxPool2d(2)]
    flat = 64 * (shape[1] // 8) * (shape[2] // 8)
    layers += [nn.Flatten(), nn.Linear(flat, 128, activation="relu"), nn.Linear(128, classes)]
    return nn.Sequential(*layers)


def start(model: str, shape: tuple[int, ...], classes: int) -> list[Any]:
    """Return the values, the same each time, that a network's parameters begin with."""
    rng = np.random.default_rng(0)
    values = []
    for name, parameter in build(model, shape, classes).named_parameters():
        value = np.ones(parameter.shape, np.float32)  # the weight of a batch norm
        if value.ndim > 1 or "bias" in name:
            scale = (2 / value[0].size) ** 0.5 if value.ndim > 1 else 0.1
            value = rng.standard_normal(value.shape, np.float32) * np.float32(scale)
        values.append(value)
    return values
