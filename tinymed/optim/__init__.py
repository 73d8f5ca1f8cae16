"""Optimizers and learning-rate plans, under PyTorch's names."""

from tinymed.optim.adam import Adam, AdamW
from tinymed.optim.clip import clip_grad_norm_
from tinymed.optim.optimizer import Optimizer
from tinymed.optim.schedulers import CosineAnnealingLR, LRScheduler, OneCycleLR, StepLR
from tinymed.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "LRScheduler",
    "OneCycleLR",
    "Optimizer",
    "StepLR",
    "clip_grad_norm_",
]
