"""Layers: they own parameters and settings, the ops own the mathematics. Names as in PyTorch."""

from tinymed.nn import functional, init
from tinymed.nn.activation import Identity, LogSoftmax, ReLU, Sigmoid, Softmax, Softplus, Tanh
from tinymed.nn.containers import ModuleList, Sequential
from tinymed.nn.conv import Conv1d, Conv2d, Conv3d
from tinymed.nn.dropout import Dropout
from tinymed.nn.linear import Linear
from tinymed.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, MSELoss
from tinymed.nn.module import Module, Parameter
from tinymed.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tinymed.nn.pooling import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from tinymed.nn.shaping import Flatten
from tinymed.nn.summary import summary

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Module",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
    "functional",
    "init",
    "summary",
]
