"""Optimizers and learning-rate plans, under PyTorch's names."""

from tinymed.optim import lr_scheduler
from tinymed.optim.adadelta import Adadelta
from tinymed.optim.adagrad import Adagrad
from tinymed.optim.adam import Adam, AdamW
from tinymed.optim.adamax import Adamax
from tinymed.optim.averaging import AveragedModel, get_ema_avg_fn, get_swa_avg_fn
from tinymed.optim.clip import clip_grad_norm_, clip_grad_value_, get_total_norm
from tinymed.optim.nadam import NAdam
from tinymed.optim.optimizer import Optimizer
from tinymed.optim.radam import RAdam
from tinymed.optim.rmsprop import RMSprop
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
from tinymed.optim.sgd import SGD
from tinymed.optim.sparse_adam import SparseAdam

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AveragedModel",
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
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RAdam",
    "RMSprop",
    "ReduceLROnPlateau",
    "SequentialLR",
    "SparseAdam",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_ema_avg_fn",
    "get_swa_avg_fn",
    "get_total_norm",
    "lr_scheduler",
]
