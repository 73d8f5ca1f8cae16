"""Linear in features of which an example has few: the wide views of networks."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["SparseLinear"]


class SparseLinear(nn.Module):
    """outputs = sum of share * weight[row] over the features that an example has, + bias.

    Weights are fitted, not learned by gradient: the problem is convex, and steps of Adam would
    make as much of a feature that was met once as of a common one. They begin at zero, so that a
    feature that training never met says nothing.

    Parameters
    ----------
    rows, outputs : int

    Attributes
    ----------
    weight, bias : Tensor (rows, outputs), (outputs,)

    See Also
    --------
    tinymed.medical.tasks.sparse_regression.fit_view
    """

    weight: Any
    bias: Any

    def __init__(self, rows: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("weight", tm.zeros(rows, outputs))
        self.register_buffer("bias", tm.zeros(outputs))

    def features(self, x: Any) -> tuple[Any, Any]:
        """Return the rows of features and the share of each, (N, M) both; share 0 for none."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """Return (N, outputs)."""
        rows, shares = self.features(x)
        total = tm.embedding_bag(rows, self.weight, mode="sum", per_sample_weights=shares)
        return total + self.bias
