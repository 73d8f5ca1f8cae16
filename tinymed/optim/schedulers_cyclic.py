"""Learning rates that go up and down: triangles, one cycle, cosines with restarts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tinymed.kernels.recording import action
from tinymed.optim.optimizer import Optimizer
from tinymed.optim.scheduler import LRScheduler, check_positive, for_each_group

__all__ = ["CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR"]

Rate = float | Sequence[float]


class CyclicLR(LRScheduler):
    """lr = base_lr + (max_lr - base_lr) triangle(step) scale: up and down in lines, over and over.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float, or a list with one for each group
        Where a cycle begins and ends, and its peak.
    step_size_up, step_size_down : int
        Steps to the peak and back; down as up, unless given.
    mode : "triangular", "triangular2" or "exp_range"
        scale = 1, or half of it with each cycle, or gamma^step.
    gamma : float
    scale_fn : function or None
        A scale of your own, in place of ``mode``: of the number of the cycle, from 1, or of the
        step. Of these alone: what else it depends on is not saved.
    scale_mode : "cycle" or "iterations"
        Which of the two ``scale_fn`` is given.
    cycle_momentum : bool
        Move the momentum (beta1 in Adam) against the learning rate.
    base_momentum, max_momentum : float, or a list with one for each group
        Momentum at the peak of the rate, and at the ends of a cycle.
    last_epoch : int

    References
    ----------
    Smith (2017), "Cyclical learning rates for training neural networks", section 3.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Rate,
        max_lr: Rate,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[int], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Rate = 0.8,
        max_momentum: Rate = 0.9,
        last_epoch: int = -1,
    ) -> None:
        down = step_size_up if step_size_down is None else step_size_down
        check_positive("CyclicLR", step_size_up=step_size_up, step_size_down=down)
        modes = ("triangular", "triangular2", "exp_range")
        if scale_fn is None and mode not in modes:
            raise ValueError(f"CyclicLR: {mode=} is not one of {', '.join(modes)}")
        if scale_mode not in ("cycle", "iterations"):
            raise ValueError(f"CyclicLR: {scale_mode=} is not 'cycle' or 'iterations'")
        self.up, self.length = step_size_up, step_size_up + down
        self.mode, self.gamma = mode, gamma
        self.scale_fn, self.scale_mode = scale_fn, scale_mode
        lowest = for_each_group("CyclicLR", "base_lr", base_lr, optimizer)
        self.max_lrs = for_each_group("CyclicLR", "max_lr", max_lr, optimizer)
        self.momentum_range = momentum_range(
            "CyclicLR", optimizer, cycle_momentum, base_momentum, max_momentum
        )
        self.lowest = lowest
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, lowest, strict=True):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)

    def height(self, step: int) -> float:
        """Return how far up the rate is: 0 at the ends of a cycle, the scale at its peak."""
        number, place = divmod(step, self.length)
        up, down = self.up, self.length - self.up
        triangle = place / up if place <= up else (self.length - place) / down
        return triangle * self.scale(int(number) + 1, step)

    def scale(self, cycle: int, step: int) -> float:
        """Return the height of the peak of a cycle, or at a step."""
        if self.scale_fn is not None:
            return self.scale_fn(cycle if self.scale_mode == "cycle" else step)
        if self.mode == "triangular2":
            return 1 / 2.0 ** (cycle - 1)
        return self.gamma**step if self.mode == "exp_range" else 1.0

    def rates(self, step: int) -> list[float]:
        """Return the learning rates at a step."""
        height = self.height(step)
        ends = zip(self.lowest, self.max_lrs, strict=True)
        return [low + (high - low) * height for low, high in ends]

    def momenta(self, step: int) -> list[float] | None:
        """Return the momentum of each group at a step."""
        if self.momentum_range is None:
            return None
        height = self.height(step)
        return [high - (high - low) * height for low, high in self.momentum_range]


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
    base_momentum, max_momentum : float, or a list with one for each group
    div_factor, final_div_factor : float
        The first rate is max_lr / div_factor, the last that / final_div_factor.
    three_phase : bool
        Come down to the first rate in as many steps as went up, and from there to the last one.
    last_epoch : int

    References
    ----------
    Smith, Topin (2019), "Super-convergence: very fast training using large learning rates".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Rate,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Rate = 0.85,
        max_momentum: Rate = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        check_positive("OneCycleLR", total_steps=total_steps)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start={pct_start} is not in [0, 1]")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: {anneal_strategy=} is not 'cos' or 'linear'")
        rising = pct_start * total_steps
        turns = [rising - 1, 2 * rising - 2] if three_phase else [rising - 1]
        self.ends = [*turns, total_steps - 1]  # the last step of each phase
        self.total_steps, self.anneal = total_steps, anneal_strategy
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        highest = for_each_group("OneCycleLR", "max_lr", max_lr, optimizer)
        self.momentum_range = momentum_range(
            "OneCycleLR", optimizer, cycle_momentum, base_momentum, max_momentum
        )
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = rate / div_factor
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base_lr: float) -> float:
        """Return the learning rate at a step."""
        last = base_lr / self.final_div_factor
        return self._through(step, base_lr, base_lr * self.div_factor, base_lr, last)

    def momenta(self, step: int) -> list[float] | None:
        """Return the momentum of each group at a step."""
        if self.momentum_range is None:
            return None
        return [self._through(step, high, low, high, high) for low, high in self.momentum_range]

    def _through(self, step: int, first: float, peak: float, turn: float, last: float) -> float:
        """Return a value on the way from first to peak, back to turn if there are three phases,
        and to last.
        """
        if step > self.total_steps:
            raise ValueError(f"OneCycleLR: step {step} of {self.total_steps}; the plan is over")
        corners = [first, peak, turn, last] if len(self.ends) == 3 else [first, peak, last]
        phase = 0
        while phase < len(self.ends) - 1 and step > self.ends[phase]:
            phase += 1
        begin = self.ends[phase - 1] if phase else 0.0
        steps = self.ends[phase] - begin
        part = (step - begin) / steps if steps else 1.0
        start, end = corners[phase : phase + 2]
        if self.anneal == "cos":
            return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
        return (end - start) * part + start


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2, and again from the top.

    T_cur counts the steps since the last restart, T_i is T_0, T_0 T_mult, T_0 T_mult^2 ... long.

    Parameters
    ----------
    optimizer : Optimizer
    T_0 : int
        Steps to the first restart.
    T_mult : int
        How many times longer each stretch is than the one before.
    eta_min : float
    last_epoch : int

    References
    ----------
    Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", eq. 5.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"CosineAnnealingWarmRestarts: {name}={value} is not a positive integer"
                )
        self.T_0, self.T_mult, self.eta_min = T_0, T_mult, eta_min
        self.within = 0.0  # the part of a step behind ``last_epoch``
        super().__init__(optimizer, last_epoch)

    def rate(self, step: float, base_lr: float) -> float:
        """Return the learning rate at a step, or between two of them."""
        length = self.T_0
        if self.T_mult == 1:
            step %= length
        while step >= length:  # as many times as there were restarts, each stretch longer
            step -= length
            length *= self.T_mult
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * step / length)) / 2

    def rates(self, step: int) -> list[float]:
        """Return the learning rates at a step."""
        return [self.rate(step + self.within, base_lr) for base_lr in self.base_lrs]

    @action
    def step(self, epoch: float | None = None) -> None:
        """Go to the next step, or to ``epoch``, which may lie between two: batch / batches."""
        if epoch is None:
            super().step()
            return
        if not 0 <= epoch < math.inf:
            raise ValueError(f"CosineAnnealingWarmRestarts: {epoch=} is not a number >= 0")
        whole = math.floor(epoch)
        self._check_groups(len(self.base_lrs))
        self.within = epoch - whole
        self.jump(whole)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {**super().state_dict(), "within": self.within}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        super().load_state_dict(state)
        self.within = state["within"]


def momentum_range(
    name: str, optimizer: Optimizer, used: bool, base: Rate, highest: Rate
) -> list[tuple[float, float]] | None:
    """Return the lowest and highest momentum of each group; None if it is left alone."""
    if not used:
        return None
    if not all("betas" in group or "momentum" in group for group in optimizer.param_groups):
        raise ValueError(f"{name}: the optimizer has no momentum; use cycle_momentum=False")
    lows = for_each_group(name, "base_momentum", base, optimizer)
    highs = for_each_group(name, "max_momentum", highest, optimizer)
    return list(zip(lows, highs, strict=True))
