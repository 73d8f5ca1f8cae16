"""The network of the main job: a small CNN for patches of CT."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["NoduleCNN"]


class NoduleCNN(nn.Module):
    """Pairs of 3x3 convolutions, each pair at half the resolution of the one before.

    (N, 1, H, W) -> [conv, norm, relu, conv, norm, relu, max-pool] per width -> mean over the
    plane -> dropout -> fully connected -> (N, classes) logits. The last pair keeps its resolution:
    it is the plane that heat-maps look at. With ``centre`` the classifier is also given the mean
    over the middle third of the plane: what lies there is what was asked about.

    Parameters
    ----------
    in_channels : int
    classes : int
    widths : tuple of int
        Channels of each pair.
    dropout : float in [0, 1)
    centre : bool

    References
    ----------
    Simonyan, Zisserman (2015), pairs of 3x3 convolutions; Lin, Chen, Yan (2014), the mean over the
    plane instead of a large fully connected layer.

    Examples
    --------
    >>> NoduleCNN()(tm.zeros(2, 1, 50, 50)).shape
    (2, 2)
    """

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 2,
        widths: tuple[int, ...] = (16, 32, 64),
        dropout: float = 0.2,
        centre: bool = False,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for depth, (before, width) in enumerate(zip((in_channels, *widths), widths, strict=False)):
            if depth:
                layers.append(nn.MaxPool2d(2))
            for channels in (before, width):
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1, bias=False),  # the norm has a bias
                    nn.BatchNorm2d(width),
                    nn.ReLU(),
                ]
        self.frozen = False
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.centre = centre
        self.classifier = nn.Linear(widths[-1] * (1 + centre), classes)

    def freeze_features(self) -> None:
        """Let only the classifier learn: the features keep their parameters and statistics."""
        self.frozen = True
        for parameter in self.features.parameters():
            parameter.requires_grad = False
        self.features.eval()

    def train(self, mode: bool = True) -> NoduleCNN:
        """Set the mode; frozen features stay in eval mode."""
        super().train(mode)
        if self.frozen:
            self.features.eval()
        return self

    def forward(self, x: Any) -> Any:
        """Return logits, (N, C, H, W) -> (N, classes)."""
        planes = self.features(x)
        x = self.flatten(self.pool(planes))
        if self.centre:
            height, width = planes.shape[-2:]
            rows, columns = (slice(n // 3, n - n // 3) for n in (height, width))
            x = tm.cat([x, planes[:, :, rows, columns].mean((2, 3))], dim=1)
        return self.classifier(self.dropout(x))
