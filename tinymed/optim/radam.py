"""RAdam: Adam that waits until its mean of squares can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_betas, slots

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """param -= lr r m^ / (sqrt(v^) + eps), r from 0 to 1 as v is of more gradients; lr m^ before.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    betas : (float, float)
        How much of the running means m, v of the gradient and of its square is kept.
    eps : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    decoupled_weight_decay : bool
        Instead of adding to the gradient, begin with param *= 1 - lr * weight_decay.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Liu, Jiang, He, Chen, Liu, Gao, Han (2020), "On the variance of the adaptive learning rate and
    beyond", algorithm 2.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_betas("RAdam", group)

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        kernels.radam(
            params,
            grads,
            slots(states, "exp_avg", params),
            slots(states, "exp_avg_sq", params),
            states[0]["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
        )
