"""Learning rates that follow a plan: call ``scheduler.step()`` after ``optimizer.step()``.

Each rate is a closed formula of the number of steps, so a scheduler's whole state is that number
and the rates it started from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tinymed.optim.optimizer import Group, Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "OneCycleLR", "StepLR"]


class LRScheduler:
    """Sets ``lr`` of every group to what `rate` says of the step; the first when it is made."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self._go_to(0)

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step, counted from 0."""
        raise NotImplementedError(f"{type(self).__name__} has no rate")

    def momentum(self, step: int) -> float | None:
        """Return the momentum at a step, or None to leave it alone."""
        return None

    def step(self) -> None:
        """Go to the next step."""
        self._go_to(self.last_epoch + 1)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        self.base_lrs = list(state["base_lrs"])
        self._go_to(state["last_epoch"])

    def _go_to(self, step: int) -> None:
        groups, momentum = self.optimizer.param_groups, self.momentum(step)
        if len(groups) != len(self.base_lrs):
            raise ValueError(
                f"{type(self).__name__}: the optimizer has {len(groups)} groups, the plan is for "
                f"{len(self.base_lrs)}"
            )
        rates = [self.rate(step, base_lr) for base_lr in self.base_lrs]
        self.last_epoch = step
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
            if momentum is not None:
                set_momentum(group, momentum)


def set_momentum(group: Group, momentum: float) -> None:
    """Set what a group calls momentum: beta1 in Adam."""
    if "betas" in group:
        group["betas"] = (momentum, group["betas"][1])
    elif "momentum" in group:
        group["momentum"] = momentum
    else:
        raise ValueError("OneCycleLR: the optimizer has no momentum; use cycle_momentum=False")


class StepLR(LRScheduler):
    """lr = base gamma^floor(step / step_size)."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size={step_size} is not positive")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step."""
        return base_lr * self.gamma ** (step // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (base - eta_min) (1 + cos(pi step / T_max)) / 2.

    References
    ----------
    Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", eq. 5.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max={T_max} is not positive")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step."""
        return (
            self.eta_min
            + (base_lr - self.eta_min) * (1 + math.cos(math.pi * step / self.T_max)) / 2
        )


class OneCycleLR(LRScheduler):
    """Up from max_lr / div_factor to max_lr, then down to far below where it began.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or a list with one for each group
    total_steps : int
        Number of steps of the plan; or ``epochs`` and ``steps_per_epoch``.
    pct_start : float
        Part of the steps that go up.
    anneal_strategy : "cos" or "linear"
    cycle_momentum : bool
        Move the momentum (beta1 in Adam) between ``base_momentum`` and ``max_momentum``, against
        the learning rate.
    div_factor, final_div_factor : float
        The first rate is max_lr / div_factor, the last that / final_div_factor.

    References
    ----------
    Smith, Topin (2019), "Super-convergence: very fast training using large learning rates".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps < 1:
            raise ValueError(f"OneCycleLR: total_steps={total_steps} is not positive")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start={pct_start} is not in [0, 1]")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: {anneal_strategy=} is not 'cos' or 'linear'")
        groups = optimizer.param_groups
        highest = list(max_lr) if isinstance(max_lr, Sequence) else [max_lr] * len(groups)
        if len(highest) != len(groups):
            raise ValueError(f"OneCycleLR: {max_lr=} is not one for each of {len(groups)} groups")
        self.total_steps, self.peak = total_steps, pct_start * total_steps - 1
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.anneal = anneal_strategy
        self.momenta = (max_momentum, base_momentum) if cycle_momentum else None
        for group, rate in zip(groups, highest, strict=True):
            group["lr"] = rate  # what this plan counts from
        super().__init__(optimizer)

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step."""
        first = base_lr / self.div_factor
        return self._between(step, first, base_lr, first / self.final_div_factor)

    def momentum(self, step: int) -> float | None:
        """Return the momentum at a step."""
        if self.momenta is None:
            return None
        return self._between(step, self.momenta[0], self.momenta[1], self.momenta[0])

    def _between(self, step: int, start: float, middle: float, end: float) -> float:
        """Return a value on the way from start to middle to end."""
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: step {step} of {self.total_steps}; the plan is over")
        if step <= self.peak:
            return self._annealed(start, middle, step, self.peak)
        return self._annealed(middle, end, step - self.peak, self.total_steps - 1 - self.peak)

    def _annealed(self, start: float, end: float, step: float, steps: float) -> float:
        part = step / steps if steps else 1.0
        if self.anneal == "cos":
            return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
        return (end - start) * part + start
