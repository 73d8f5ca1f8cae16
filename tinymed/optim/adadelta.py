"""Adadelta: Adagrad that forgets, and takes the unit of its steps from the steps before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_not_negative, slots

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """param -= lr d, d = sqrt(D + eps) / sqrt(v + eps) grad: running means v of grad^2, D of d^2.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    rho : float
        How much of v and D is kept at each step.
    eps : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Zeiler (2012), "ADADELTA: an adaptive learning rate method", algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_not_negative("Adadelta", group, "rho")
        if group["rho"] > 1:
            raise ValueError(f"Adadelta: rho={group['rho']} is above 1")

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        kernels.adadelta(
            params,
            grads,
            slots(states, "square_avg", params),
            slots(states, "acc_delta", params),
            group["lr"],
            group["rho"],
            group["eps"],
            group["weight_decay"],
        )
