"""Adagrad: each element's step divided by the size of all its gradients so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_not_negative, slots
from tinymed.row_gradient import RowGradient

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """param -= lr / (1 + (step - 1) lr_decay) grad / (sqrt(G) + eps), G the sum of all grad^2.

    Of an embedding with ``sparse=True``, only the rows that have a gradient are touched.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr, lr_decay : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    initial_accumulator_value : float
        What G starts from.
    eps : float
    maximize : bool
        Go up instead of down.

    References
    ----------
    Duchi, Hazan, Singer (2011), "Adaptive subgradient methods for online learning and stochastic
    optimization".
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_not_negative("Adagrad", group, "lr_decay", "initial_accumulator_value")

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        totals = slots(states, "sum", params, group["initial_accumulator_value"])
        lr = rate(states[0], group)
        kernels.adagrad(params, grads, totals, lr, group["eps"], group["weight_decay"])

    def update_rows(self, param: Array, grad: RowGradient, state: State, group: Group) -> None:
        """Change the rows that have a gradient; the others have one of 0, which changes nothing."""
        (total,) = slots([state], "sum", [param], group["initial_accumulator_value"])
        rows, sums = param[grad.rows], total[grad.rows]
        kernels.adagrad([rows], [grad.values], [sums], rate(state, group), group["eps"], 0.0)
        param[grad.rows], total[grad.rows] = rows, sums


def rate(state: State, group: Group) -> float:
    """Return the learning rate of this step of a parameter."""
    slowed: float = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
    return slowed
