"""NAdam: Adam that looks ahead, as Nesterov's momentum does."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import (
    Group,
    Optimizer,
    State,
    check_betas,
    check_not_negative,
    slots,
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

    def alike(self, state: State) -> Hashable:
        """Return what must be equal in the states of parameters that are changed together."""
        return state["step"], state.get("mu_product", 1.0)

    def update_all(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> None:
        """Change ``params`` in place."""
        step, decay, (beta1, beta2) = states[0]["step"], group["momentum_decay"], group["betas"]
        mu, mu_next = (beta1 * (1 - WARM_UP ** (t * decay) / 2) for t in (step, step + 1))
        mu_product = states[0].get("mu_product", 1.0) * mu
        for state in states:
            state["mu_product"] = mu_product
        kernels.nadam(
            params,
            grads,
            slots(states, "exp_avg", params),
            slots(states, "exp_avg_sq", params),
            step,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            mu,
            mu_next,
            mu_product,
            group["weight_decay"],
            group["decoupled_weight_decay"],
        )
