"""Adamax: Adam with the largest gradient in place of the mean of squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_betas, slots

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """param -= lr m^ / u: m a running mean of the gradient, u its largest size, slowly forgotten.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    betas : (float, float)
        How much of m and u is kept at each step.
    eps : float
        Added to the size of the gradient.
    weight_decay : float
        Added to the gradient as weight_decay * param.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Kingma, Ba (2015), "Adam: a method for stochastic optimization", algorithm 2.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_betas("Adamax", group)

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        kernels.adamax(
            params,
            grads,
            slots(states, "exp_avg", params),
            slots(states, "exp_inf", params),
            states[0]["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
        )
