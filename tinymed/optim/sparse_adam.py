"""SparseAdam: Adam for embeddings, that touches only the rows that have a gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_betas, slots
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """param -= lr m^ / (sqrt(v^) + eps) in the rows that have a gradient, m and v moved in these.

    For parameters whose gradients are RowGradients: embeddings with ``sparse=True``. A step costs
    what its rows cost, not the table. `Adam` would also let m and v of the other rows decay, and
    move these rows on.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    betas : (float, float)
        How much of m and v is kept at each step.
    eps : float
    maximize : bool
        Go up instead of down.

    References
    ----------
    Kingma, Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_betas("SparseAdam", group)

    def check_gradient(self, param: Tensor, group: Group) -> None:
        """Raise for a dense gradient, or one of another shape."""
        super().check_gradient(param, group)
        if not isinstance(param.grad, RowGradient | None):
            raise RuntimeError(
                f"SparseAdam: the gradient of a parameter {param.shape} is dense; use Adam, or an "
                "embedding with sparse=True"
            )

    def update_rows(self, param: Array, grad: RowGradient, state: State, group: Group) -> None:
        """Change the rows that have a gradient, in place."""
        means = (slots([state], name, [param])[0] for name in ("exp_avg", "exp_avg_sq"))
        whole = param, *means
        rows, mean, square = ([array[grad.rows]] for array in whole)
        kernels.sparse_adam(
            rows,
            [grad.values],
            mean,
            square,
            state["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
        )
        for array, (part,) in zip(whole, (rows, mean, square), strict=True):
            array[grad.rows] = part
