"""A network that draws what was hidden of an image: how features are learned without labels."""

from __future__ import annotations

from typing import Any

from tinymed import nn, ops
from tinymed.medical.models.nodule_cnn import NoduleCNN

__all__ = ["MaskedImageNetwork"]


class MaskedImageNetwork(nn.Module):
    """The features of a `NoduleCNN`, and a small decoder that makes the image from them.

    (N, C, H, W) -> features (N, widths[-1], h, w) -> [conv, relu, resized to H x W, conv, relu,
    conv] -> (N, C, H, W). No connection leads past the features: what is drawn, they must hold.

    Parameters
    ----------
    in_channels : int
    widths : tuple of int
        Of `NoduleCNN`.
    hidden : int
        Channels of the decoder.

    References
    ----------
    Pathak et al. (2016), "Context Encoders"; He et al. (2022), "Masked Autoencoders Are Scalable
    Vision Learners": features from a heavy encoder, a decoder that is thrown away.

    Examples
    --------
    >>> import tinymed as tm
    >>> MaskedImageNetwork()(tm.zeros(2, 1, 50, 50)).shape
    (2, 1, 50, 50)
    """

    def __init__(
        self, in_channels: int = 1, widths: tuple[int, ...] = (16, 32, 64), hidden: int = 8
    ) -> None:
        super().__init__()
        self.features = NoduleCNN(in_channels, widths=widths).features
        self.from_features = nn.Conv2d(widths[-1], hidden, 3, padding=1)
        self.finer = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.to_image = nn.Conv2d(hidden, in_channels, 1)

    def forward(self, x: Any) -> Any:
        """Return the image, (N, C, H, W) -> (N, C, H, W)."""
        coarse = ops.relu(self.from_features(self.features(x)))
        fine = ops.interpolate(coarse, x.shape[2:], mode="bilinear")
        return self.to_image(ops.relu(self.finer(fine)))
