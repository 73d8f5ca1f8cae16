"""The table of optimizers, schedulers and clipping whose paths PyTorch has stored."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PATHS", "Path"]


@dataclass(frozen=True)
class Path:
    """An optimizer, what its two groups override, and what stands around its steps."""

    optimizer: str
    settings: dict[str, Any]
    second: dict[str, Any] = field(default_factory=dict)  # settings of the group of the last two
    scheduler: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    clip: tuple[float, ...] | None = None  # max_norm, norm_type; or one limit of the elements
    sparse: bool = False
    first: dict[str, Any] = field(default_factory=dict)  # settings of the group of the first one
    parts: tuple[tuple[str, dict[str, Any]], ...] = ()  # the schedulers of a combined one


@dataclass(frozen=True)
class Wave:
    """A function of a step or a cycle, written alike every time: its repr is part of the table."""

    mean: float
    height: float

    def __call__(self, x: float) -> float:
        return self.mean + self.height * math.sin(x)


PATHS: dict[str, Path] = {}


def path(name: str, *given: Any, **named: Any) -> None:
    assert name not in PATHS, name
    PATHS[name] = Path(*given, **named)


# ------------------------------------------------------------------------------------ optimizers

path("SGD", "SGD", {"lr": 0.1})
path("SGD: momentum", "SGD", {"lr": 0.1, "momentum": 0.9})
path("SGD: dampening", "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3})
path("SGD: nesterov", "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True})
path("SGD: weight decay", "SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2})
path("SGD: maximize", "SGD", {"lr": 0.02, "weight_decay": 0.1, "maximize": True})
path(
    "SGD: two groups",
    *("SGD", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.02, "momentum": 0.0, "weight_decay": 0.1}),
)
path("SGD: sparse", "SGD", {"lr": 0.1}, {"lr": 0.3, "maximize": True}, sparse=True)
path("SGD: sparse, momentum", "SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}, sparse=True)
path("SGD: sparse, nesterov", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, sparse=True)

path("Adam: betas and eps", "Adam", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2})
path("Adam: amsgrad", "Adam", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True})
path(
    "Adam: decoupled weight decay",
    *("Adam", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}),
)
path(
    "AdamW: amsgrad, maximize",
    *("AdamW", {"lr": 0.05, "betas": (0.9, 0.6), "amsgrad": True, "maximize": True}),
)
path("AdamW: two groups", "AdamW", {"lr": 0.05}, {"weight_decay": 0.0})
path("Adamax: betas and eps", "Adamax", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2})
path("NAdam: betas and eps", "NAdam", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2})
path("NAdam: momentum decay", "NAdam", {"lr": 0.05, "momentum_decay": 0.3})
path(
    "NAdam: decoupled weight decay",
    *("NAdam", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}),
)
path("RAdam: betas and eps", "RAdam", {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2})
path("RAdam: never trusted", "RAdam", {"lr": 0.05, "betas": (0.9, 0.5)})
path(
    "RAdam: decoupled weight decay",
    *("RAdam", {"lr": 0.05, "weight_decay": 0.3, "decoupled_weight_decay": True}),
)
path("RMSprop: alpha and eps", "RMSprop", {"lr": 0.02, "alpha": 0.7, "eps": 1e-2})
path("RMSprop: momentum", "RMSprop", {"lr": 0.02, "momentum": 0.8})
path("RMSprop: centered", "RMSprop", {"lr": 0.02, "alpha": 0.9, "centered": True})
path(
    "RMSprop: centered, momentum",
    *("RMSprop", {"lr": 0.02, "alpha": 0.9, "centered": True, "momentum": 0.7, "maximize": True}),
)
path("Adagrad: decay of the rate", "Adagrad", {"lr": 0.3, "lr_decay": 0.1})
path("Adagrad: start", "Adagrad", {"lr": 0.3, "initial_accumulator_value": 0.7, "eps": 1e-2})
path(
    "Adagrad: sparse",
    *("Adagrad", {"lr": 0.3, "lr_decay": 0.02, "initial_accumulator_value": 0.1}),
    {"lr": 0.1, "maximize": True},
    sparse=True,
)
path("Adadelta: rho and eps", "Adadelta", {"lr": 3.0, "rho": 0.7, "eps": 1e-2})
path(
    "SparseAdam: betas and eps",
    "SparseAdam",
    {"lr": 0.05, "betas": (0.7, 0.95), "eps": 1e-2},
    sparse=True,
)
path("SparseAdam: maximize", "SparseAdam", {"lr": 0.05, "maximize": True}, sparse=True)
path(
    "SparseAdam: two groups",
    "SparseAdam",
    {"lr": 0.05},
    {"lr": 0.2, "betas": (0.5, 0.8)},
    sparse=True,
)
path("SparseAdam", "SparseAdam", {"lr": 0.05}, sparse=True)
for kind, lr in (
    ("Adam", 0.05),
    ("AdamW", 0.05),
    ("Adamax", 0.05),
    ("NAdam", 0.05),
    ("RAdam", 0.05),
    ("RMSprop", 0.02),
    ("Adagrad", 0.3),
    ("Adadelta", 3.0),
):
    path(kind, kind, {"lr": lr})
    path(f"{kind}: weight decay", kind, {"lr": lr, "weight_decay": 0.3})
    path(f"{kind}: maximize", kind, {"lr": lr, "weight_decay": 0.3, "maximize": True})
    if kind != "AdamW":
        path(f"{kind}: two groups", kind, {"lr": lr}, {"lr": 4 * lr, "weight_decay": 0.1})

# -------------------------------------------------------------------------------------- clipping

path("clip: 1", "SGD", {"lr": 0.1}, clip=(2.0, 1.0))
path("clip: 2", "SGD", {"lr": 0.1}, clip=(1.5, 2.0))
path("clip: 3.5", "SGD", {"lr": 0.1}, clip=(1.0, 3.5))
path("clip: inf", "SGD", {"lr": 0.1}, clip=(0.8, math.inf))
path("clip: never", "SGD", {"lr": 0.1}, clip=(1e6, 2.0))
path("clip: values", "SGD", {"lr": 0.1}, clip=(0.4,))

# ------------------------------------------------------------------------------------ schedulers

TWO = "SGD", {"lr": 0.1}, {"lr": 0.5}
path("StepLR", *TWO, "StepLR", {"step_size": 7, "gamma": 0.7})
path("StepLR: every step", "Adam", {"lr": 0.1}, {}, "StepLR", {"step_size": 1, "gamma": 0.9})
path("MultiStepLR", *TWO, "MultiStepLR", {"milestones": [3, 30, 3, 12], "gamma": 0.5})
path("MultiStepLR: from the start", *TWO, "MultiStepLR", {"milestones": [0, 9]})
path("ConstantLR", *TWO, "ConstantLR", {"factor": 0.4, "total_iters": 7})
path("LinearLR", *TWO, "LinearLR", {"start_factor": 0.2, "total_iters": 9})
path("LinearLR: to 0", *TWO, "LinearLR", {"start_factor": 1.0, "end_factor": 0, "total_iters": 30})
path("ExponentialLR", *TWO, "ExponentialLR", {"gamma": 0.93})
path("PolynomialLR", *TWO, "PolynomialLR", {"total_iters": 30})
path("PolynomialLR: power", *TWO, "PolynomialLR", {"total_iters": 60, "power": 2.5})
path("LambdaLR", *TWO, "LambdaLR", {"lr_lambda": Wave(1.0, 0.5)})
path("LambdaLR: two", *TWO, "LambdaLR", {"lr_lambda": [Wave(1.0, 0.5), Wave(0.7, 0.1)]})
path("MultiplicativeLR", *TWO, "MultiplicativeLR", {"lr_lambda": Wave(0.97, 0.1)})
path("MultiplicativeLR: two", *TWO, "MultiplicativeLR", {"lr_lambda": [Wave(1, 0.1), Wave(0.9, 0)]})
path("CosineAnnealingLR", "SGD", {"lr": 0.1}, {"lr": 0.3}, "CosineAnnealingLR", {"T_max": 50})
path(
    "CosineAnnealingLR: past T_max",
    *("Adam", {"lr": 0.1}, {"lr": 0.01}, "CosineAnnealingLR", {"T_max": 12, "eta_min": 0.02}),
)
path("CosineAnnealingLR: T_max 1", "SGD", {"lr": 0.1}, {}, "CosineAnnealingLR", {"T_max": 1})
RESTARTS = "CosineAnnealingWarmRestarts"
path(f"{RESTARTS}: alike", *TWO, RESTARTS, {"T_0": 7, "eta_min": 0.02})
path(f"{RESTARTS}: longer", *TWO, RESTARTS, {"T_0": 3, "T_mult": 2})
path(f"{RESTARTS}: every step", *TWO, RESTARTS, {"T_0": 1})

CYCLE: dict[str, Any] = {"base_lr": 0.02, "max_lr": 0.3, "step_size_up": 7}
MOMENTUM = "SGD", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.4}
path("CyclicLR", *MOMENTUM, "CyclicLR", CYCLE)
path("CyclicLR: halved", *MOMENTUM, "CyclicLR", {**CYCLE, "mode": "triangular2"})
path(
    "CyclicLR: exponential, down faster",
    *("AdamW", {"lr": 0.1}, {"betas": (0.5, 0.7)}, "CyclicLR"),
    {**CYCLE, "mode": "exp_range", "gamma": 0.95, "step_size_down": 3},
)
path(
    "CyclicLR: scaled by cycle",
    *(*TWO, "CyclicLR", {**CYCLE, "scale_fn": Wave(0.5, 0.3), "cycle_momentum": False}),
)
path(
    "CyclicLR: scaled by step, a range for each group",
    *(*MOMENTUM, "CyclicLR"),
    {
        **CYCLE,
        "base_lr": [0.01, 0.05],
        "max_lr": [0.1, 0.2],
        "scale_fn": Wave(0.5, 0.3),
        "scale_mode": "iterations",
        "base_momentum": [0.5, 0.6],
        "max_momentum": [0.7, 0.95],
    },
)

ONE_CYCLE = {"max_lr": 0.3, "total_steps": 50}
path("OneCycleLR: cos", "SGD", {"lr": 0.1, "momentum": 0.9}, {}, "OneCycleLR", ONE_CYCLE)
path(
    "OneCycleLR: linear",
    *("Adam", {"lr": 0.1}, {"betas": (0.5, 0.9)}, "OneCycleLR"),
    {**ONE_CYCLE, "anneal_strategy": "linear", "pct_start": 0.45},
)
path(
    "OneCycleLR: epochs",
    *("AdamW", {"lr": 0.1}, {}, "OneCycleLR"),
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
)
path(
    "OneCycleLR: a peak for each group",
    *("SGD", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.7}, "OneCycleLR"),
    {"max_lr": [0.3, 0.05], "total_steps": 60, "pct_start": 1.0, "max_momentum": [0.9, 0.99]},
)
path(
    "OneCycleLR: no momentum",
    *("SGD", {"lr": 0.1, "momentum": 0.9}, {"momentum": 0.3}, "OneCycleLR"),
    {**ONE_CYCLE, "cycle_momentum": False, "pct_start": 0.0},
)
for strategy in ("cos", "linear"):
    path(
        f"OneCycleLR: three phases, {strategy}",
        *(*MOMENTUM, "OneCycleLR"),
        {**ONE_CYCLE, "three_phase": True, "anneal_strategy": strategy},
    )

PLATEAU = "ReduceLROnPlateau"
path(PLATEAU, *TWO, PLATEAU, {"patience": 2, "factor": 0.5})
path(f"{PLATEAU}: max", *TWO, PLATEAU, {"mode": "max", "patience": 1, "factor": 0.7})
path(
    f"{PLATEAU}: all settings",
    *(*TWO, PLATEAU),
    {
        "mode": "max",
        "factor": 0.6,
        "patience": 0,
        "threshold": 0.05,
        "threshold_mode": "abs",
        "cooldown": 2,
        "min_lr": [0.02, 0.3],
        "eps": 0.01,
    },
)
path(
    f"{PLATEAU}: at least a tenth better",
    *(*TWO, PLATEAU, {"threshold": 0.1, "patience": 3, "min_lr": 0.01}),
)

STARTED = {"initial_lr": 0.1}, {"lr": 0.5, "initial_lr": 0.5}
for kind, plan in {
    "StepLR": {"step_size": 7, "gamma": 0.7},
    "MultiStepLR": {"milestones": [3, 9, 30]},
    "ConstantLR": {"factor": 0.4, "total_iters": 9},
    "LinearLR": {"start_factor": 0.2, "total_iters": 9},
    "ExponentialLR": {"gamma": 0.93},
    "PolynomialLR": {"total_iters": 30},
    "LambdaLR": {"lr_lambda": Wave(1.0, 0.5)},
    "MultiplicativeLR": {"lr_lambda": Wave(0.97, 0.1)},
    "CosineAnnealingLR": {"T_max": 30},
    "CosineAnnealingWarmRestarts": {"T_0": 8},
}.items():
    path(
        f"{kind}: gone on with",
        *("SGD", {"lr": 0.1}, STARTED[1], kind, {**plan, "last_epoch": 4}),
        first=STARTED[0],
    )

WARM_UP = ("LinearLR", {"start_factor": 0.2, "total_iters": 8})
CONSTANT = ("ConstantLR", {"factor": 0.3, "total_iters": 5})
EXPONENTIAL = ("ExponentialLR", {"gamma": 0.95})
MILESTONES = ("MultiStepLR", {"milestones": [9, 20, 31], "gamma": 0.5})
COSINE = ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01})
POLYNOMIAL = ("PolynomialLR", {"total_iters": 40})
LAMBDA = ("LambdaLR", {"lr_lambda": Wave(1.0, 0.5)})
TIMES = ("MultiplicativeLR", {"lr_lambda": Wave(0.97, 0.02)})
AGAIN = (RESTARTS, {"T_0": 6, "T_mult": 2})
UP_DOWN = ("CyclicLR", CYCLE)
for names, parts in {
    "warm-up and milestones": (WARM_UP, MILESTONES),
    "constant and exponential": (CONSTANT, EXPONENTIAL),
    "warm-up and cosine": (WARM_UP, COSINE),
    "cosine and polynomial": (COSINE, POLYNOMIAL),
    "lambda and exponential": (LAMBDA, EXPONENTIAL),
    "exponential and lambda": (EXPONENTIAL, LAMBDA),
    "multiplicative, constant, exponential": (TIMES, CONSTANT, EXPONENTIAL),
    "cycles and exponential": (UP_DOWN, EXPONENTIAL),
}.items():
    path(f"ChainedScheduler: {names}", *MOMENTUM, "ChainedScheduler", parts=parts)
for names, milestones, parts in (
    ("warm-up, cosine", [8], (WARM_UP, COSINE)),
    ("constant, exponential, milestones", [5, 20], (CONSTANT, EXPONENTIAL, MILESTONES)),
    ("warm-up, multiplicative", [8], (WARM_UP, TIMES)),
    ("exponential, restarts, lambda", [7, 30], (EXPONENTIAL, AGAIN, LAMBDA)),
    ("polynomial, then past the end", [10], (POLYNOMIAL, ("LinearLR", {"total_iters": 3}))),
    ("one from the start", [0], (WARM_UP, EXPONENTIAL)),
    ("exponential, cycles", [11], (EXPONENTIAL, UP_DOWN)),
    ("never reached", [70], (EXPONENTIAL, COSINE)),
):
    path(
        f"SequentialLR: {names}", *MOMENTUM, "SequentialLR", {"milestones": milestones}, parts=parts
    )
