"""The optimizers whose paths over 50 steps PyTorch has stored (`optimizers`).

Gradients do not come from a graph: at each step they are ``CURVATURE * param + noise[step]`` with
stored noise, so that a path tests the optimizer alone. The last parameter has no gradient at all at
the steps ``SKIPPED``. Parameters are stored after the steps ``LOOKED_AT``, rates after all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = [
    "CURVATURE",
    "PATHS",
    "SHAPES",
    "SKIPPED",
    "STEPS",
    "Path",
    "follow",
    "gradients",
    "make",
]

STEPS = 50
SHAPES = ((3, 2), (4,), ())
CURVATURE = 0.5
SKIPPED = (0, 7, 8, 30)
LOOKED_AT = (0, 1, 2, 3, 4, 6, 9, 14, 19, 29, 39, 49)


@dataclass(frozen=True)
class Path:
    """An optimizer, what its two groups override, and what stands around its steps."""

    optimizer: str
    settings: dict[str, Any]
    second: dict[str, Any] = field(default_factory=dict)  # settings of the group of the last two
    scheduler: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    clip: tuple[float, float] | None = None  # max_norm, norm_type


ONE_CYCLE = {"max_lr": 0.3, "total_steps": 50}
PATHS = {
    "SGD": Path("SGD", {"lr": 0.1}),
    "SGD: momentum": Path("SGD", {"lr": 0.1, "momentum": 0.9}),
    "SGD: dampening": Path("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "SGD: nesterov": Path("SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "SGD: weight decay": Path("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2}),
    "SGD: maximize": Path("SGD", {"lr": 0.02, "weight_decay": 0.1, "maximize": True}),
    "SGD: two groups": Path(
        "SGD", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.02, "momentum": 0.0, "weight_decay": 0.1}
    ),
    "Adam": Path("Adam", {"lr": 0.05}),
    "Adam: betas and eps": Path("Adam", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2}),
    "Adam: amsgrad": Path("Adam", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True}),
    "Adam: weight decay": Path("Adam", {"lr": 0.05, "weight_decay": 0.3}),
    "Adam: maximize": Path("Adam", {"lr": 0.05, "weight_decay": 0.3, "maximize": True}),
    "Adam: two groups": Path("Adam", {"lr": 0.05}, {"lr": 0.2, "betas": (0.5, 0.8)}),
    "AdamW": Path("AdamW", {"lr": 0.05}),
    "AdamW: weight decay": Path("AdamW", {"lr": 0.05, "weight_decay": 0.5}),
    "AdamW: amsgrad, maximize": Path(
        "AdamW", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True, "maximize": True}
    ),
    "AdamW: two groups": Path("AdamW", {"lr": 0.05}, {"weight_decay": 0.0}),
    "clip: 1": Path("SGD", {"lr": 0.1}, clip=(2.0, 1.0)),
    "clip: 2": Path("SGD", {"lr": 0.1}, clip=(1.5, 2.0)),
    "clip: 3.5": Path("SGD", {"lr": 0.1}, clip=(1.0, 3.5)),
    "clip: inf": Path("SGD", {"lr": 0.1}, clip=(0.8, math.inf)),
    "clip: never": Path("SGD", {"lr": 0.1}, clip=(1e6, 2.0)),
    "StepLR": Path("SGD", {"lr": 0.1}, {"lr": 0.5}, "StepLR", {"step_size": 7, "gamma": 0.7}),
    "StepLR: every step": Path("Adam", {"lr": 0.1}, {}, "StepLR", {"step_size": 1, "gamma": 0.9}),
    "CosineAnnealingLR": Path("SGD", {"lr": 0.1}, {"lr": 0.3}, "CosineAnnealingLR", {"T_max": 50}),
    "CosineAnnealingLR: past T_max": Path(
        "Adam", {"lr": 0.1}, {"lr": 0.01}, "CosineAnnealingLR", {"T_max": 12, "eta_min": 0.02}
    ),
    "CosineAnnealingLR: T_max 1": Path("SGD", {"lr": 0.1}, {}, "CosineAnnealingLR", {"T_max": 1}),
    "OneCycleLR: cos": Path("SGD", {"lr": 0.1, "momentum": 0.9}, {}, "OneCycleLR", ONE_CYCLE),
    "OneCycleLR: linear": Path(
        "Adam",
        {"lr": 0.1},
        {"betas": (0.5, 0.9)},
        "OneCycleLR",
        {**ONE_CYCLE, "anneal_strategy": "linear", "pct_start": 0.45},
    ),
    "OneCycleLR: epochs": Path(
        "AdamW",
        {"lr": 0.1},
        {},
        "OneCycleLR",
        {
            "max_lr": 0.1,
            "epochs": 11,
            "steps_per_epoch": 5,
            "pct_start": 0.13,
            "base_momentum": 0.6,
            "max_momentum": 0.8,
            "div_factor": 4.0,
            "final_div_factor": 10.0,
        },
    ),
    "OneCycleLR: a peak for each group": Path(
        "SGD",
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.7},
        "OneCycleLR",
        {"max_lr": [0.3, 0.05], "total_steps": 60, "pct_start": 1.0},
    ),
    "OneCycleLR: no momentum": Path(
        "SGD",
        {"lr": 0.1, "momentum": 0.9},
        {"momentum": 0.3},
        "OneCycleLR",
        {**ONE_CYCLE, "cycle_momentum": False, "pct_start": 0.0},
    ),
}


def gradients(step: int, params: list[Any], noise: list[Any]) -> list[Any]:
    """Return the gradient of each parameter (arrays of any kind), None where there is none."""
    found: list[Any] = [CURVATURE * p + n[step] for p, n in zip(params, noise, strict=True)]
    if step in SKIPPED:
        found[-1] = None
    return found


def make(path: Path, params: list[Any], optim: Any, schedulers: Any) -> tuple[Any, Any]:
    """Return the optimizer and the scheduler (or None) of ``torch`` or ``tinymed``."""
    groups = [{"params": params[:1]}, {"params": params[1:], **path.second}]
    optimizer = getattr(optim, path.optimizer)(groups, **path.settings)
    if not path.scheduler:
        return optimizer, None
    return optimizer, getattr(schedulers, path.scheduler)(optimizer, **path.plan)


def follow(
    steps: range,
    params: list[Any],
    optimizer: Any,
    scheduler: Any,
    give_gradients: Callable[[int], Any],
) -> Iterator[tuple[list[np.ndarray[Any, Any]], list[float], float]]:
    """Yield after each step: the parameters, each group's lr and momentum, the gradients' norm."""
    for step in steps:
        norm = give_gradients(step)
        optimizer.step()
        rates = [
            value for group in optimizer.param_groups for value in (group["lr"], momentum(group))
        ]
        if scheduler is not None:
            scheduler.step()
        yield [np.array(p.detach().numpy()) for p in params], rates, float(norm)


def momentum(group: dict[str, Any]) -> float:
    """Return what a group calls momentum: beta1 in Adam."""
    return float(group["betas"][0] if "betas" in group else group["momentum"])
