"""Learning rates that follow a plan: call ``scheduler.step()`` after ``optimizer.step()``.

Each plan is a closed formula of the number of steps. Most multiply the rate that stands in the
optimizer: with several of them on one optimizer, the factors multiply, and a rate that was set by
hand is gone on from. The others set the rate whatever it was. Both as in PyTorch.

`schedulers_cyclic` has the plans that go up and down, `schedulers_combined` those made of others,
`schedulers_plateau` the one that watches a metric.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tinymed.optim.optimizer import Optimizer
from tinymed.optim.scheduler import LRScheduler, check_positive, for_each_group

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "PolynomialLR",
    "StepLR",
]


class Multiplying(LRScheduler):
    """lr = floor + (base - floor) factor(step): what the plans that multiply share."""

    floor = 0.0  # where the rate falls to, if the factor does to 0

    def factor(self, step: int) -> float:
        """Return what the rate above the floor is multiplied with, from the beginning."""
        raise NotImplementedError(f"{type(self).__name__} has no factor")

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step, if nothing else changes it."""
        return self.floor + (base_lr - self.floor) * self.factor(step)

    def next_rates(self, step: int) -> list[float]:
        """Return the rates now, multiplied with what the factor grows by."""
        before, after = self.factor(step - 1) if step else 1.0, self.factor(step)
        if before == 0:
            added = [(base_lr - self.floor) * after for base_lr in self.base_lrs]
            return [lr + more for lr, more in zip(self.get_last_lr(), added, strict=True)]
        return [self.floor + (lr - self.floor) * (after / before) for lr in self.get_last_lr()]

    def first_rates(self, step: int) -> list[float]:
        """Begin with the rates there are; they are right already where a plan goes on."""
        return self.next_rates(0) if step == 0 else self.get_last_lr()


class StepLR(Multiplying):
    """lr = base gamma^floor(step / step_size)."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        check_positive("StepLR", step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return gamma once for each ``step_size`` steps."""
        return self.gamma ** (step // self.step_size)


class MultiStepLR(Multiplying):
    """lr = base gamma^(number of milestones reached); one that is given twice counts twice."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        if self.milestones and self.milestones[0] < 0:
            raise ValueError(f"MultiStepLR: milestones={self.milestones} are not all >= 0")
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return gamma once for each milestone up to ``step``."""
        return self.gamma ** bisect_right(self.milestones, step)


class ConstantLR(Multiplying):
    """lr = base factor for the first ``total_iters`` steps, then base."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_positive("ConstantLR", total_iters=total_iters)
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: {factor=} is not in [0, 1]")
        self.first, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return ``factor`` as it was given, then 1."""
        return self.first if step < self.total_iters else 1.0


class LinearLR(Multiplying):
    """lr = base times what goes from start_factor to end_factor in a line, and stays: a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        check_positive("LinearLR", total_iters=total_iters)
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: {start_factor=} is not in (0, 1]")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: {end_factor=} is not in [0, 1]")
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return a point on the line."""
        part = min(step, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * part


class ExponentialLR(Multiplying):
    """lr = base gamma^step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return gamma once for each step."""
        return self.gamma**step


class PolynomialLR(Multiplying):
    """lr = base (1 - step / total_iters)^power down to 0, where it stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        check_positive("PolynomialLR", total_iters=total_iters)
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return the part of the steps that is left, to the power."""
        left: float = (1 - min(step, self.total_iters) / self.total_iters) ** self.power
        return left


class CosineAnnealingLR(Multiplying):
    """lr = eta_min + (base - eta_min) (1 + cos(pi step / T_max)) / 2.

    References
    ----------
    Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", eq. 5.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        check_positive("CosineAnnealingLR", T_max=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        self.floor = eta_min
        super().__init__(optimizer, last_epoch)

    def factor(self, step: int) -> float:
        """Return half a wave down in ``T_max`` steps, half a wave up in the next."""
        return (1 + math.cos(math.pi * step / self.T_max)) / 2


class LambdaLR(LRScheduler):
    """lr = base lr_lambda(step).

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of a step, or a list with one for each group
        Of the step alone: what else it depends on is not saved.
    last_epoch : int
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = functions("LambdaLR", optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def rates(self, step: int) -> list[float]:
        """Return the learning rates at a step."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * function(step) for base_lr, function in pairs]


class MultiplicativeLR(LRScheduler):
    """lr = lr before times lr_lambda(step); see `LambdaLR`."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = functions("MultiplicativeLR", optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def rates(self, step: int) -> list[float]:
        """Return the base rates times the functions at 1 .. step."""
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * math.prod(map(f, range(1, step + 1))) for base_lr, f in pairs]

    def next_rates(self, step: int) -> list[float]:
        """Return the rates now times the functions at ``step``."""
        pairs = zip(self.get_last_lr(), self.lr_lambdas, strict=True)
        return [lr * function(step) for lr, function in pairs]

    def first_rates(self, step: int) -> list[float]:
        """Begin with the rates there are."""
        return self.get_last_lr()

    def restart(self) -> None:
        """Begin with the rates that the other plan has come to, times the functions at 0."""
        self._set(0, self.next_rates(0))


def functions(name: str, optimizer: Optimizer, given: Any) -> list[Callable[[int], float]]:
    """Return one function of the step for each group."""
    for function in given if isinstance(given, (list, tuple)) else [given]:
        if not callable(function):
            raise TypeError(f"{name}: lr_lambda is {type(function).__name__}, expected a function")
    return for_each_group(name, "lr_lambda", given, optimizer)
