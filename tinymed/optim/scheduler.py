"""What every learning-rate plan does: steps, groups, saving and loading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinymed.kernels.recording import action
from tinymed.optim.optimizer import Group, Optimizer, check_state

__all__ = ["LRScheduler", "check_optimizer", "check_positive", "for_each_group"]


class LRScheduler:
    """Sets ``lr`` of every group at each step, the first time when it is made.

    A subclass writes `rate`, or `rates` where groups differ in more than where they start.

    Parameters
    ----------
    optimizer : Optimizer
        Its groups keep the rate they had before the first scheduler as ``initial_lr``.
    last_epoch : int
        -1 begins. The number of a step goes on behind it, with an optimizer whose state was
        loaded; `load_state_dict` does the same for a whole scheduler.

    Raises
    ------
    KeyError
        If the plan is to go on, and a group has no ``initial_lr``.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        name = type(self).__name__
        check_optimizer(name, optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{name}: {last_epoch=} goes on with a plan, but group {number} has no "
                    "initial_lr to count from; load the state of its optimizer first"
                )
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch + 1
        self._set(self.last_epoch, self.first_rates(self.last_epoch))

    # ------------------------------------------------------------------------------- the plan

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step, counted from 0, of a group that began at a rate."""
        raise NotImplementedError(f"{type(self).__name__} has no rate")

    def rates(self, step: int) -> list[float]:
        """Return the learning rate of each group at a step, whatever it is now."""
        return [self.rate(step, base_lr) for base_lr in self.base_lrs]

    def next_rates(self, step: int) -> list[float]:
        """Return the learning rate of each group at a step, from what it is at the one before."""
        return self.rates(step)

    def first_rates(self, step: int) -> list[float]:
        """Return the learning rate of each group when the scheduler is made."""
        return self.rates(step)

    def momenta(self, step: int) -> list[float] | None:
        """Return the momentum of each group at a step, or None to leave it alone."""
        return None

    def check_step(self, step: int) -> None:
        """Raise `ValueError` if the plan is over before ``step``."""
        self.rates(step)

    # ------------------------------------------------------------------------------- going on

    @action
    def step(self) -> None:
        """Go to the next step."""
        self._check_groups(len(self.base_lrs))
        self._set(self.last_epoch + 1, self.next_rates(self.last_epoch + 1))

    def jump(self, step: int) -> None:
        """Go to a step of the plan, whatever the rate is now."""
        self._set(step, self.rates(step))

    def restart(self) -> None:
        """Begin, where another plan has ended."""
        self.jump(0)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on; functions and settings are not in it."""
        return {
            "last_epoch": self.last_epoch,
            "base_lrs": list(self.base_lrs),
            "lrs": self.get_last_lr(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        check_state(type(self).__name__, state, *self.state_dict())
        self._check_groups(len(state["base_lrs"]))
        self.base_lrs = list(state["base_lrs"])
        self._set(state["last_epoch"], state["lrs"])

    def _check_groups(self, planned: int) -> None:
        groups = len(self.optimizer.param_groups)
        if groups != planned:
            raise ValueError(
                f"{type(self).__name__}: the optimizer has {groups} groups, the plan is for "
                f"{planned}"
            )

    def _set(self, step: int, rates: Sequence[float]) -> None:
        """Be at a step, with these rates."""
        momenta = self.momenta(step)
        if momenta is not None:
            for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
                set_momentum(group, momentum)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self.last_epoch = step


def check_optimizer(name: str, optimizer: Any) -> None:
    """Raise unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: {type(optimizer).__name__} is not an Optimizer")


def check_positive(name: str, **numbers: Any) -> None:
    """Raise unless every number is above 0."""
    for argument, value in numbers.items():
        if not value > 0:
            raise ValueError(f"{name}: {argument}={value} is not positive")


def for_each_group(name: str, argument: str, value: Any, optimizer: Optimizer) -> list[Any]:
    """Return a list with one value for each group, from such a list or from one value for all."""
    check_optimizer(name, optimizer)
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"{name}: {argument}={value} is not one for each of {groups} groups")
    return list(value)


def set_momentum(group: Group, momentum: float) -> None:
    """Set what a group calls momentum: beta1 in Adam."""
    if "betas" in group:
        group["betas"] = (momentum, group["betas"][1])
    else:
        group["momentum"] = momentum
