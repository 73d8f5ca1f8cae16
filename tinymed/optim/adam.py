"""Adam, and AdamW with weight decay that is not part of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array
from tinymed.optim.optimizer import Group, Optimizer, State, check_betas, slots

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """param -= lr m^ / (sqrt(v^) + eps): running means m, v of the gradient and of its square.

    Parameters
    ----------
    params : iterable of Tensor, or of groups
    lr : float
    betas : (float, float)
        How much of m and v is kept at each step.
    eps : float
    weight_decay : float
        Added to the gradient as weight_decay * param.
    amsgrad : bool
        Divide by the largest v so far.
    maximize : bool
        Go up instead of down.
    decoupled_weight_decay : bool
        Instead of adding to the gradient, begin with param *= 1 - lr * weight_decay: AdamW.

    References
    ----------
    Kingma, Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
    """

    kernel = kernels.adam

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        check_betas(type(self).__name__, group)

    def arguments(
        self, params: list[Array], grads: list[Array], states: list[State], group: Group
    ) -> tuple[Any, ...]:
        """Return what the kernel is called with."""
        return (
            params,
            grads,
            slots(states, "exp_avg", params),
            slots(states, "exp_avg_sq", params),
            states[0]["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
            slots(states, "max_exp_avg_sq", params) if group["amsgrad"] else None,
            group["weight_decay"],
            group["decoupled_weight_decay"],
        )


class AdamW(Adam):
    """Adam with param *= 1 - lr * weight_decay before each step; see `Adam`.

    References
    ----------
    Loshchilov, Hutter (2019), "Decoupled weight decay regularization", algorithm 2.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )
