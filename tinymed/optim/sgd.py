"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, slots
from tinymed.row_gradient import RowGradient

__all__ = ["SGD"]


class SGD(Optimizer):
    """param -= lr v, v = momentum v + (1 - dampening) (grad + weight_decay param).

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr, momentum, dampening, weight_decay : float
    nesterov : bool
        Look ahead along v; needs momentum and no dampening.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton (2013), "On the importance of initialization and momentum".
    """

    kernel = kernels.sgd

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0")

    def alike(self, state: State) -> Hashable:
        """Return what must be equal in the states of parameters that are changed together."""
        return "momentum_buffer" in state

    def arguments(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> tuple[Any, ...]:
        """Return what the kernel is called with."""
        first = "momentum_buffer" not in states[0]
        return (
            params,
            grads,
            slots(states, "momentum_buffer", params) if group["momentum"] else None,
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["nesterov"],
            first,
            group["weight_decay"],
        )

    def update_rows(self, param: Array, grad: RowGradient, state: State, group: Group) -> None:
        """Change the rows that have a gradient; with momentum, all that v still moves."""
        if group["momentum"]:
            self.update_all([param], [grad.to_dense()], [state], group)
            return
        rows = param[grad.rows]
        kernels.sgd([rows], [grad.values], None, group["lr"], 0.0, 0.0, False, True, 0.0)
        param[grad.rows] = rows
