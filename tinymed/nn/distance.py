"""How far apart two batches of points are, or how alike their directions."""

from __future__ import annotations

from typing import Any

from tinymed import ops
from tinymed.nn.module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """y = x1 . x2 / (max(|x1|, eps) max(|x2|, eps)): the cosine of the angle between them.

    Parameters
    ----------
    dim : int
        Axis of the vectors; on the others x1 and x2 broadcast.
    eps : float
        The least length: a vector of 0 is like nothing.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """Return the cosines, (..., D, ...) twice -> the shape without the axis."""
        return ops.cosine_similarity(x1, x2, self.dim, self.eps)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"dim={self.dim}, eps={self.eps}"


class PairwiseDistance(Module):
    """y = |x1 - x2 + eps|_p along the last axis; see `tinymed.ops.pairwise_distance`.

    Parameters
    ----------
    p : float
        2 is Euclid's distance, 1 the sum of the differences, inf the largest.
    eps : float
        Added to each difference, since the distance has no derivative where all are 0.
    keepdim : bool
        Keep the last axis with length 1.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.p, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """Return the distances, (N, D) or (D,) twice -> (N,) or ()."""
        return ops.pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"p={self.p}, eps={self.eps}, keepdim={self.keepdim}"
