"""Plans made of plans: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from tinymed.kernels.recording import action
from tinymed.optim.optimizer import Optimizer, check_state
from tinymed.optim.scheduler import LRScheduler
from tinymed.optim.schedulers_plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR"]


class Combined(LRScheduler):
    """What plans made of plans share."""

    def __init__(self, name: str, schedulers: Sequence[LRScheduler], optimizer: Any) -> None:
        self.schedulers = list(schedulers)
        if not self.schedulers:
            raise ValueError(f"{name}: no schedulers given")
        for number, scheduler in enumerate(self.schedulers):
            if not isinstance(scheduler, LRScheduler):
                kind = type(scheduler).__name__
                raise TypeError(f"{name}: scheduler {number} is {kind}, expected an LRScheduler")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name}: scheduler {number} is ReduceLROnPlateau, whose steps need a metric; "
                    "step it on its own"
                )
        self.optimizer = self.schedulers[0].optimizer if optimizer is None else optimizer
        for number, scheduler in enumerate(self.schedulers):
            if scheduler.optimizer is not self.optimizer:
                raise ValueError(f"{name}: scheduler {number} is of another optimizer")
        self.base_lrs = [group["initial_lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        states = [scheduler.state_dict() for scheduler in self.schedulers]
        return {"last_epoch": self.last_epoch, "schedulers": states}

    def _pairs(self, state: dict[str, Any]) -> list[tuple[LRScheduler, dict[str, Any]]]:
        """Return each plan with its state."""
        name = type(self).__name__
        check_state(name, state, *self.state_dict())
        if len(state["schedulers"]) != len(self.schedulers):
            raise ValueError(
                f"{name}: the state is of {len(state['schedulers'])} schedulers, expected "
                f"{len(self.schedulers)}"
            )
        return list(zip(self.schedulers, state["schedulers"], strict=True))


class SequentialLR(Combined):
    """One plan after the other: a milestone is the step at which the next one begins.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of LRScheduler
        All of this optimizer, just made.
    milestones : list of int
        One less than schedulers, in ascending order.
    last_epoch : int
        -1 begins. The number of a step goes on behind it.

    Examples
    --------
    >>> import tinymed as tm
    >>> optimizer = tm.optim.SGD([tm.ones(1)], lr=1.0)
    >>> warm_up = tm.optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = tm.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> plan = tm.optim.SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += plan.get_last_lr()
    ...     plan.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        super().__init__("SequentialLR", schedulers, optimizer)
        self.milestones = list(milestones)
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"SequentialLR: {len(self.milestones)} milestones for {len(self.schedulers)} "
                f"schedulers, expected {len(self.schedulers) - 1}"
            )
        if self.milestones != sorted(self.milestones):
            raise ValueError(f"SequentialLR: milestones={self.milestones} do not ascend")
        self.jump(last_epoch + 1)

    def _place(self, step: int) -> tuple[LRScheduler, int]:
        """Return the scheduler that a step belongs to, and at which step that one began."""
        number = bisect_right(self.milestones, step)
        return self.schedulers[number], self.milestones[number - 1] if number else 0

    @action
    def step(self) -> None:
        """Go to the next step."""
        scheduler, start = self._place(self.last_epoch + 1)
        if self.last_epoch + 1 == start:
            scheduler.restart()
        else:
            scheduler.step()
        self.last_epoch += 1

    def jump(self, step: int) -> None:
        """Go to a step of the plan, whatever the rate is now."""
        scheduler, start = self._place(step)
        scheduler.jump(step - start)
        self.last_epoch = step

    def check_step(self, step: int) -> None:
        """Raise `ValueError` if a plan is over before the next one begins, or before ``step``."""
        ends = [*(milestone - 1 for milestone in self.milestones), step]
        for end in ends:
            scheduler, start = self._place(min(end, step))
            scheduler.check_step(min(end, step) - start)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        pairs = self._pairs(state)
        current, _ = self._place(state["last_epoch"])
        for scheduler, saved in sorted(pairs, key=lambda pair: pair[0] is current):
            scheduler.load_state_dict(saved)  # the one that holds the momentum now at last
        self.last_epoch = state["last_epoch"]


class ChainedScheduler(Combined):
    """All plans at once: each changes the rate that the one before it has left.

    Parameters
    ----------
    schedulers : list of LRScheduler
        All of one optimizer.
    optimizer : Optimizer or None
        Theirs.
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        super().__init__("ChainedScheduler", schedulers, optimizer)
        self.last_epoch = self.schedulers[0].last_epoch

    @action
    def step(self) -> None:
        """Go to the next step."""
        for scheduler in self.schedulers:
            scheduler.step()
        self.last_epoch += 1

    def jump(self, step: int) -> None:
        """Go to a step of the plan, whatever the rate is now: all steps are made again."""
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = base_lr
        for number in range(step + 1):
            for scheduler in self.schedulers:
                rates = scheduler.next_rates(number) if number else scheduler.first_rates(0)
                scheduler._set(number, rates)
        self.last_epoch = step

    def check_step(self, step: int) -> None:
        """Raise `ValueError` if one of the plans is over before ``step``."""
        for scheduler in self.schedulers:
            scheduler.check_step(step - self.last_epoch + scheduler.last_epoch)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        for scheduler, saved in self._pairs(state):
            scheduler.load_state_dict(saved)
        self.last_epoch = state["last_epoch"]
