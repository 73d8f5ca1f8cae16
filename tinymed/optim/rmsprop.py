"""RMSprop: each element's step divided by the size of its recent gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_not_negative, slots

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """param -= lr b, b = momentum b + grad / (sqrt(v) + eps), v a running mean of grad^2.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    alpha : float
        How much of v is kept at each step.
    eps : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    momentum : float
    centered : bool
        Take v around the running mean of the gradient: an estimate of its variance.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Tieleman, Hinton (2012), "Lecture 6.5: rmsprop"; Graves (2013), "Generating sequences with
    recurrent neural networks", eq. 38-45.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_not_negative("RMSprop", group, "alpha")
        if group["alpha"] > 1:
            raise ValueError(f"RMSprop: alpha={group['alpha']} is above 1")

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        kernels.rmsprop(
            params,
            grads,
            slots(states, "square_avg", params),
            slots(states, "momentum_buffer", params) if group["momentum"] else None,
            slots(states, "grad_avg", params) if group["centered"] else None,
            group["lr"],
            group["alpha"],
            group["eps"],
            group["momentum"],
            group["weight_decay"],
        )
