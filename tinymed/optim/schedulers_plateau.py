"""A learning rate that falls when a metric no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, SupportsFloat

from tinymed.optim.optimizer import Optimizer, check_state
from tinymed.optim.scheduler import LRScheduler, for_each_group

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """lr = lr factor after more than ``patience`` steps without a better metric.

    Call ``scheduler.step(metric)`` after each validation.

    Parameters
    ----------
    optimizer : Optimizer
    mode : "min" or "max"
        Whether a smaller metric is better, or a larger one.
    factor : float in [0, 1)
    patience : int
        Steps without a better metric that are borne.
    threshold : float
        How much better it must be.
    threshold_mode : "rel" or "abs"
        As a part of the best so far, or as a difference from it.
    cooldown : int
        Steps after a reduction during which none is counted.
    min_lr : float, or a list with one for each group
    eps : float
        A reduction by no more than this is left out.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        for_each_group(name, "min_lr", min_lr, optimizer)
        if not 0 <= factor < 1:
            raise ValueError(f"{name}: {factor=} is not in [0, 1)")
        if mode not in ("min", "max"):
            raise ValueError(f"{name}: {mode=} is not 'min' or 'max'")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(f"{name}: {threshold_mode=} is not 'rel' or 'abs'")
        self.optimizer, self.mode, self.factor, self.patience = optimizer, mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.min_lr, self.eps = cooldown, min_lr, eps
        self.last_epoch = self.num_bad_epochs = self.cooldown_counter = 0
        self.best: float | None = None

    def is_better(self, metric: float) -> bool:
        """Tell whether a metric is better than the best so far, by the threshold at least."""
        if self.best is None:
            return True
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            limit = self.best * (1 + sign * self.threshold)
        else:
            limit = self.best + sign * self.threshold
        return sign * metric > sign * limit

    def step(self, metrics: SupportsFloat | None = None) -> None:
        """Take note of a metric, and reduce the rates if it is time.

        Raises
        ------
        TypeError
            Without a metric.
        ValueError
            If the metric is NaN or infinite: no comparison with it means anything.
        """
        if metrics is None:
            raise TypeError("ReduceLROnPlateau: step needs the metric that is watched")
        metric = float(metrics)
        if not math.isfinite(metric):
            raise ValueError(f"ReduceLROnPlateau: {metrics=} is not a finite number")
        if self.is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self.last_epoch += 1

    def _reduce(self) -> None:
        """Make the rates smaller, down to the lowest."""
        lowest = for_each_group("ReduceLROnPlateau", "min_lr", self.min_lr, self.optimizer)
        for group, least in zip(self.optimizer.param_groups, lowest, strict=True):
            reduced = max(group["lr"] * self.factor, least)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced

    def check_step(self, step: int) -> None:
        """Raise `ValueError`: nobody knows the rates before the metrics."""
        raise ValueError("ReduceLROnPlateau: its rates depend on metrics; step it with these")

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {
            "last_epoch": self.last_epoch,
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "lrs": self.get_last_lr(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to where `state_dict` was taken."""
        check_state("ReduceLROnPlateau", state, *self.state_dict())
        self._check_groups(len(state["lrs"]))
        for group, lr in zip(self.optimizer.param_groups, state["lrs"], strict=True):
            group["lr"] = lr
        self.best, self.last_epoch = state["best"], state["last_epoch"]
        self.num_bad_epochs = state["num_bad_epochs"]
        self.cooldown_counter = state["cooldown_counter"]
