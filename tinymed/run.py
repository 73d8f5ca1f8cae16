"""One training in progress: its steps, and all that they change, which is what a checkpoint holds.

`tinymed.training` has the loop.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import random, serialization
from tinymed.data import DataLoader
from tinymed.errors import AnomalyError, CheckpointError
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import array_module
from tinymed.nn import Module
from tinymed.optim import (
    AveragedModel,
    LRScheduler,
    Optimizer,
    ReduceLROnPlateau,
    clip_grad_norm_,
    get_ema_avg_fn,
)
from tinymed.tensor import Tensor

__all__ = ["History", "Plan", "Record", "Run"]

Record = dict[str, Any]  # what the log has of an epoch: JSON values by name

FIND_IT = "lower the learning rate, or find the op under tinymed.detect_anomaly()"


@dataclasses.dataclass
class History:
    """What `fit` did.

    Attributes
    ----------
    monitor : str
        The number by which epochs are compared.
    epochs : list of dict
        For each epoch: "epoch" (from 1), "loss" (the mean over its samples), "lr" (of the first
        group, at its end), and what ``validate`` returned.
    best_epoch : int
        0 before the first.
    """

    monitor: str = "loss"
    epochs: list[Record] = dataclasses.field(default_factory=list)
    best_epoch: int = 0

    @property
    def best_value(self) -> float:
        """What ``monitor`` was in the best epoch."""
        value: float = self.epochs[self.best_epoch - 1][self.monitor]
        return value


@dataclasses.dataclass(frozen=True)
class Plan:
    """The arguments of `fit` that say how to train, checked."""

    loss: Callable[[Any, Any], Any]
    epochs: int
    schedule: str
    validate: Callable[[Module], Mapping[str, Any]] | None
    monitor: str
    mode: str
    patience: int | None
    clip_norm: float | None
    average: float | None
    checkpoint_every: int | None
    asked: Mapping[str, str]

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and operator.index(value) < 1:
                raise ValueError(f"fit: {name}={value} is not positive")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"fit: clip_norm={self.clip_norm} is not positive")
        if self.average is not None and not 0 <= self.average < 1:
            raise ValueError(f"fit: average={self.average} is not in [0, 1)")
        for name, words in (("mode", ("min", "max")), ("schedule", ("batch", "epoch"))):
            if getattr(self, name) not in words:
                raise ValueError(f"fit: {name}={getattr(self, name)!r} is not {' or '.join(words)}")
        if self.validate is None and self.monitor != "loss":
            raise KeyError(
                f"fit: monitor={self.monitor!r} needs validate; without it there is loss"
            )


@dataclasses.dataclass
class Run:
    """A training in progress: all that it changes."""

    model: Module
    loader: DataLoader
    optimizer: Optimizer
    scheduler: LRScheduler | None
    plan: Plan
    history: History
    best_state: dict[str, Any] = dataclasses.field(default_factory=dict)
    loss_sum: float = 0.0  # of the running epoch, so that one resumed in the middle logs the same
    samples: int = 0
    averaged: AveragedModel | None = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        decay = self.plan.average
        self.averaged = None
        if decay is not None:
            self.averaged = AveragedModel(
                self.model, avg_fn=get_ema_avg_fn(decay), use_buffers=True
            )

    # -------------------------------------------------------------------------------- training

    def finished(self) -> bool:
        """Tell whether all epochs are done, or none has been better for too long."""
        done = len(self.history.epochs)
        waited = done - self.history.best_epoch
        return done >= self.plan.epochs or (
            self.plan.patience is not None and waited >= self.plan.patience
        )

    def batches_done(self) -> int:
        """Return how many batches of the epoch were done before, where one is resumed."""
        done: int = self.loader.state_dict()["batches_served"] if self.samples else 0
        return done

    def check_schedule(self) -> None:
        """Raise now, not after hours, if the scheduler cannot make all the steps."""
        if self.scheduler is None:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):  # it has no plan: it watches `monitor`
            if self.plan.schedule == "batch":
                raise ValueError(
                    "fit: ReduceLROnPlateau steps with the monitor; pass schedule='epoch'"
                )
            return
        steps = self.plan.epochs - len(self.history.epochs)
        if self.plan.schedule == "batch":
            steps = steps * len(self.loader) - self.batches_done()
        try:
            self.scheduler.check_step(self.scheduler.last_epoch + max(steps, 0))
        except ValueError as error:
            raise ValueError(f"fit: {steps} steps are to come, but {error}") from error

    def train_on(self, batch: Any, where: str) -> None:
        """Make one step."""
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            kind = type(batch).__name__
            raise TypeError(f"fit: the loader yields {kind}, a tuple (input, target, ...) expected")
        inputs, target, *_ = batch
        self.optimizer.zero_grad()
        value = self.plan.loss(self.model(inputs), target)
        number = value.item()
        _check_finite("the loss", number, where, FIND_IT)
        value.backward()
        if self.plan.clip_norm is not None:
            norm = clip_grad_norm_(self.optimizer.parameters(), self.plan.clip_norm)
            _check_finite("the norm of the gradients", norm, where, FIND_IT)
        self.optimizer.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)
        if self.scheduler is not None and self.plan.schedule == "batch":
            self.scheduler.step()
        self.loss_sum += number * len(inputs)
        self.samples += len(inputs)

    def end_epoch(self) -> Record:
        """Validate, remember the best parameters, and return the epoch's record."""
        number = len(self.history.epochs) + 1
        self.check_parameters()
        record = {
            "epoch": number,
            "loss": self.loss_sum / self.samples,
            "lr": self.optimizer.param_groups[0]["lr"],
        }
        with self.averaged.in_place_of(self.model) if self.averaged else contextlib.nullcontext():
            record |= self._validated(taken=set(record))
        if self.history.monitor not in record:
            raise KeyError(f"fit: monitor={self.plan.monitor!r} is not among {', '.join(record)}")
        value = record[self.history.monitor]
        _check_finite(self.plan.monitor, value, f"epoch {number}", "epochs are compared by it")
        if not self.history.epochs or self._better(value):
            self.history.best_epoch = number
            state = (self.averaged.module if self.averaged else self.model).state_dict()
            self.best_state = {name: Tensor(t.data.copy()) for name, t in state.items()}
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(value)
        elif self.scheduler is not None and self.plan.schedule == "epoch":
            self.scheduler.step()
        self.loss_sum, self.samples = 0.0, 0
        self.history.epochs.append(record)
        return record

    def check_parameters(self) -> None:
        """Raise `AnomalyError` before parameters with NaN are saved, or kept as the best."""
        for name, parameter in self.model.named_parameters():
            if not bool(array_module(parameter.data).isfinite(parameter.data).all()):
                number = len(self.history.epochs) + 1
                raise AnomalyError(f"fit: {name} is not finite in epoch {number}; {FIND_IT}")

    def _better(self, value: float) -> bool:
        """Compare with the best epoch so far."""
        best = self.history.best_value
        return value > best if self.plan.mode == "max" else value < best

    def _validated(self, taken: set[str]) -> Record:
        """Return what ``validate`` says of the model, in JSON types."""
        if self.plan.validate is None:
            return {}
        self.model.eval()
        with no_grad():
            found = self.plan.validate(self.model)
        if taken & set(found):
            raise ValueError(
                f"fit: validate returns {', '.join(sorted(taken & set(found)))}, which the log has "
                "of the training; give it another name, such as val_loss"
            )
        return {name: _json_value(name, value) for name, value in found.items()}

    # ----------------------------------------------------------------------------- checkpoints

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        self.check_parameters()
        serialization.save_tree(self.state(), path)

    def resume(self, path: Path) -> None:
        """Restore a checkpoint, or raise `CheckpointError` and leave the run as it was."""
        if not path.exists():
            raise CheckpointError(f"fit: there is no checkpoint {path} to resume from")
        state, before = serialization.load_tree(path), copy.deepcopy(self.state())
        try:
            self.restore(state)
        except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            self.restore(before)
            raise CheckpointError(f"fit: {path} does not belong to this run: {error}") from error

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs, as arrays and JSON values."""
        return {
            "made_with": self._made_with(),
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged else None,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
            "loader": self.loader.state_dict(),
            "generator": random.generator_state(random.default_generator()),
            "generators": {
                path: random.generator_state(m.generator) for path, m in self._drawing().items()
            },
            "history": dataclasses.asdict(self.history),
            "best_state": self.best_state,
            "loss_sum": self.loss_sum,
            "samples": self.samples,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go to where `state` was taken."""
        before, now = state["made_with"], self._made_with()
        if differing := [name for name in {**before, **now} if before.get(name) != now.get(name)]:
            told = "; ".join(
                f"{each}: {before.get(each)}, now {now.get(each)}" for each in differing
            )
            raise ValueError(f"made with {told}")
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        self.loader.load_state_dict(state["loader"])
        fresh: dict[int, np.random.Generator] = {}  # by the old one, which modules may share
        for path, module in self._drawing().items():
            restored = random.restore_generator(state["generators"][path])
            module.generator = fresh.setdefault(id(module.generator), restored)
        random.set_default_generator(random.restore_generator(state["generator"]))
        self.history = History(**state["history"])
        self.best_state = state["best_state"]
        self.loss_sum, self.samples = state["loss_sum"], state["samples"]

    def _drawing(self) -> dict[str, Module]:
        """Return the modules that keep a generator of their own, by path."""
        return {
            path: module
            for path, module in self.model.named_modules()
            if isinstance(getattr(module, "generator", None), np.random.Generator)
        }

    def _made_with(self) -> dict[str, Any]:
        """Return what a run that is resumed must have in common with the one that was saved."""
        return {
            "optimizer": type(self.optimizer).__name__,
            "scheduler": type(self.scheduler).__name__ if self.scheduler else None,
            "schedule": self.plan.schedule,
            "monitor": self.plan.monitor,
            "mode": self.plan.mode,
            "average": self.plan.average,
            "generators": list(self._drawing()),
            **self.plan.asked,
        }


def _check_finite(what: str, number: Any, where: str, hint: str) -> None:
    """Raise `AnomalyError` unless ``number`` is a finite one."""
    if not isinstance(number, (int, float)) or not math.isfinite(number):
        raise AnomalyError(f"fit: {what} is {number} in {where}, a finite number expected; {hint}")


def _json_value(name: str, value: Any) -> Any:
    """Return what ``validate`` returned as JSON holds it; NaN and infinities become None."""
    try:
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"fit: validate returns {value!r} as {name}, a number or another JSON value expected"
        ) from error
