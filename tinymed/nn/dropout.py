"""Dropout as a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.errors import refuse
from tinymed.nn.module import Module

__all__ = ["Dropout"]


class Dropout(Module):
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

    def __init__(
        self, p: float = 0.5, inplace: bool = False, generator: np.random.Generator | None = None
    ) -> None:
        super().__init__()
        refuse("Dropout", inplace=(inplace, False))
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p={p} is not a probability")
        self.p, self.generator = p, generator

    def forward(self, x: Any) -> Any:
        """Return x with elements dropped, when training."""
        return ops.dropout(x, self.p, self.training, self.generator)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"p={self.p}"
