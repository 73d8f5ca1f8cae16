"""Positional encodings: attention does not see the order of its inputs by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import empty
from tinymed.nn import init
from tinymed.nn.dropout import Dropout
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.tensor import Tensor

__all__ = ["LearnedPositionalEncoding", "PositionalEncoding", "sinusoids"]


def sinusoids(length: int, features: int, base: float = 10_000.0) -> np.ndarray[Any, Any]:
    """Return sin and cos of position / base^(2 i / features) in turns, (length, features) float64.

    Examples
    --------
    >>> sinusoids(2, 4).round(2).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.84, 0.54, 0.01, 1.0]]
    """
    rates = base ** (-np.arange(0, features, 2) / features)
    angles = (
        np.arange(length)[:, None] * rates
    )  # (length, 1)(ceil(E / 2),) -> (length, ceil(E / 2))
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(length, -1)[:, :features]


class _Positional(Module):
    """What both encodings share: adding the first rows of a table (max_len, E)."""

    def __init__(
        self, embed_dim: int, max_len: int, dropout: float, batch_first: bool,
        generator: np.random.Generator | None,
    ) -> None:  # fmt: skip
        super().__init__()
        check_sizes(type(self).__name__, embed_dim=embed_dim, max_len=max_len)
        self.embed_dim, self.max_len, self.batch_first = embed_dim, max_len, batch_first
        self.dropout = Dropout(dropout, generator=generator)

    def table(self) -> Any:
        """Return the rows that are added, (max_len, E)."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """Return x + table[position], x (L, N, E), with ``batch_first`` (N, L, E), or (L, E)."""
        name = type(self).__name__
        if x.ndim not in (2, 3) or x.shape[-1] != self.embed_dim:
            raise ValueError(
                f"{name}: x {x.shape} must have 2 or 3 axes and {self.embed_dim} features"
            )
        steps = x.shape[1] if x.ndim == 3 and self.batch_first else x.shape[0]
        if steps > self.max_len:
            raise ValueError(
                f"{name}: x {x.shape} has {steps} steps, more than max_len={self.max_len}"
            )
        rows = self.table()[:steps]
        if x.ndim == 3 and not self.batch_first:
            rows = ops.unsqueeze(rows, 1)
        return self.dropout(x + rows)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.embed_dim}, max_len={self.max_len}, batch_first={self.batch_first}"


class PositionalEncoding(_Positional):
    """Add fixed sines and cosines of the position: nothing to learn, any length up to ``max_len``.

    Parameters
    ----------
    embed_dim : int
        E.
    max_len : int
    dropout : float
        Of the sum, while training.
    batch_first : bool
        (N, L, E) instead of (L, N, E).

    References
    ----------
    Vaswani et al. (2017), "Attention is all you need", section 3.5.
    """

    def __init__(
        self,
        embed_dim: int,
        max_len: int = 5000,
        dropout: float = 0.0,
        batch_first: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(embed_dim, max_len, dropout, batch_first, generator)
        rows = sinusoids(max_len, embed_dim).astype(dtype or ops.default_dtype())
        self.register_buffer("rows", Tensor(rows).to(device), persistent=False)

    def table(self) -> Any:
        """Return the sines and cosines, (max_len, E)."""
        return self.rows


class LearnedPositionalEncoding(_Positional):
    """Add a learned row for each position, started from N(0, 0.02^2).

    Parameters are those of `PositionalEncoding`.

    References
    ----------
    Devlin et al. (2019), "BERT", section 3 and its code's initialisation.
    """

    def __init__(
        self,
        embed_dim: int,
        max_len: int = 512,
        dropout: float = 0.0,
        batch_first: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(embed_dim, max_len, dropout, batch_first, generator)
        self.weight = Parameter(empty(max_len, embed_dim, dtype=dtype, device=device))
        init.normal_(self.weight, 0.0, 0.02, generator)

    def table(self) -> Any:
        """Return the learned rows, (max_len, E)."""
        return self.weight
