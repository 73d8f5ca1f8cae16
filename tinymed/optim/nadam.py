"""NAdam: Adam that looks ahead, as Nesterov's momentum does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import (
    Group,
    Optimizer,
    check_betas,
    check_not_negative,
    slot,
    with_decay,
)

__all__ = ["NAdam"]

WARM_UP = 0.96  # the momentum of step t is beta1 (1 - 0.96^(t momentum_decay) / 2)


class NAdam(Optimizer):
    """param -= lr (share of g + share of m) / (sqrt(v^) + eps): Adam with Nesterov's momentum.

    The shares are those of a momentum mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2) that grows to
    beta1: (1 - mu_t) / (1 - M_t) of the gradient g, mu_(t+1) / (1 - M_(t+1)) of its running mean m,
    with M_t = mu_1 ... mu_t.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    betas : (float, float)
        How much of m and v is kept at each step.
    eps : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    momentum_decay : float
        How fast mu grows to beta1.
    decoupled_weight_decay : bool
        Instead of adding to the gradient, begin with param *= 1 - lr * weight_decay.
    maximize : bool
        Go up instead of down.

    References
    ----------
    Dozat (2016), "Incorporating Nesterov momentum into Adam", algorithm 2.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_betas("NAdam", group)
        check_not_negative("NAdam", group, "momentum_decay")

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: Group) -> None:
        """Change ``param`` in place."""
        step, decay, (beta1, beta2) = state["step"], group["momentum_decay"], group["betas"]
        mu, mu_next = (beta1 * (1 - WARM_UP ** (t * decay) / 2) for t in (step, step + 1))
        state["mu_product"] = state.get("mu_product", 1.0) * mu
        kernels.nadam(
            param,
            with_decay(param, grad, group),
            slot(state, "exp_avg", param),
            slot(state, "exp_avg_sq", param),
            step,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            mu,
            mu_next,
            state["mu_product"],
        )
