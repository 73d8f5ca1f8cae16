"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.optim.optimizer import Group, Optimizer, check_not_negative

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
        check_not_negative("SGD", group, "momentum")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening = 0")

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: Group) -> None:
        """Change ``param`` in place."""
        if group["weight_decay"]:
            grad = grad + group["weight_decay"] * param
        first = "momentum_buffer" not in state
        if group["momentum"] and first:
            state["momentum_buffer"] = array_module(param).empty_like(param)
        kernels.sgd(
            param,
            grad,
            state.get("momentum_buffer"),
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["nesterov"],
            first,
        )
