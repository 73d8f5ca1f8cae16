"""Adam, and AdamW with weight decay that is not part of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.optim.optimizer import Group, Optimizer, check_not_negative

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

    References
    ----------
    Kingma, Ba (2015), "Adam: a method for stochastic optimization", algorithm 1.
    """

    decoupled: ClassVar[bool] = False

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
    ) -> None:
        settings = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, settings)

    def check(self, group: Group) -> None:
        """Raise `ValueError` for a setting out of range."""
        super().check(group)
        name = type(self).__name__
        betas = group["betas"]
        pair = isinstance(betas, (tuple, list)) and len(betas) == 2
        if not pair or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{name}: {betas=} are not two numbers in [0, 1)")
        check_not_negative(name, group, "eps")

    def update(self, param: Array, grad: Array, state: dict[str, Any], group: Group) -> None:
        """Change ``param`` in place."""
        if "exp_avg" not in state:
            zeros_like = array_module(param).zeros_like
            state["exp_avg"], state["exp_avg_sq"] = zeros_like(param), zeros_like(param)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(param)
        if self.decoupled:
            param *= 1 - group["lr"] * group["weight_decay"]
        elif group["weight_decay"]:
            grad = grad + group["weight_decay"] * param
        kernels.adam(
            param,
            grad,
            state["exp_avg"],
            state["exp_avg_sq"],
            state["step"],
            group["lr"],
            *group["betas"],
            group["eps"],
            state.get("max_exp_avg_sq"),
        )


class AdamW(Adam):
    """Adam with param *= 1 - lr * weight_decay before each step; see `Adam`.

    References
    ----------
    Loshchilov, Hutter (2019), "Decoupled weight decay regularization", algorithm 2.
    """

    decoupled = True

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
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
