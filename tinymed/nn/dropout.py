"""Dropout layers: random zeros while training, nothing otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.nn.in_place import InPlace

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _Dropout(InPlace):
    """What the layers share: a probability, and what draws."""

    def __init__(
        self, p: float = 0.5, inplace: bool = False, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__(inplace)
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p={p} is not a probability")
        self.p, self.generator = p, generator

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ", ".join(filter(None, (f"p={self.p}", super().extra_repr())))


class Dropout(_Dropout):
    """Set each element to 0 with probability ``p`` while training, and scale the others up.

    Parameters
    ----------
    p : float in [0, 1]
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.

    References
    ----------
    Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def forward(self, x: Any) -> Any:
        """Return x with elements dropped, when training."""
        return ops.dropout(x, self.p, self.training, self.generator)


class Dropout1d(_Dropout):
    """Set each channel of (N, C, L) or (C, L) to 0 with probability ``p``; see `Dropout`."""

    def forward(self, x: Any) -> Any:
        """Return x with channels dropped, when training."""
        return ops.dropout1d(x, self.p, self.training, self.generator)


class Dropout2d(_Dropout):
    """Set each channel of (N, C, H, W) to 0 with probability ``p``; see `Dropout`.

    Three axes are (N, C, L), as in PyTorch.

    References
    ----------
    Tompson et al. (2015), "Efficient object localization using convolutional networks".
    """

    def forward(self, x: Any) -> Any:
        """Return x with channels dropped, when training."""
        return ops.dropout2d(x, self.p, self.training, self.generator)


class Dropout3d(_Dropout):
    """Set each channel of (N, C, D, H, W) or (C, D, H, W) to 0 with probability ``p``."""

    def forward(self, x: Any) -> Any:
        """Return x with channels dropped, when training."""
        return ops.dropout3d(x, self.p, self.training, self.generator)


class AlphaDropout(_Dropout):
    """Dropout for networks of selu: elements go to its lower limit; mean 0 and variance 1 stay.

    References
    ----------
    Klambauer, Unterthiner, Mayr, Hochreiter (2017), "Self-normalizing neural networks".
    """

    def forward(self, x: Any) -> Any:
        """Return x with elements dropped, when training."""
        return ops.alpha_dropout(x, self.p, self.training, self.generator)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels of (N, C, ...)."""

    def forward(self, x: Any) -> Any:
        """Return x with channels dropped, when training."""
        return ops.feature_alpha_dropout(x, self.p, self.training, self.generator)
