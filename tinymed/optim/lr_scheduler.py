"""The learning-rate plans where PyTorch has them: ``optim.lr_scheduler.StepLR``."""

from tinymed.optim.scheduler import LRScheduler
from tinymed.optim.schedulers import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from tinymed.optim.schedulers_combined import ChainedScheduler, SequentialLR
from tinymed.optim.schedulers_cyclic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from tinymed.optim.schedulers_plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
