"""Layers that become one when nothing is trained any more: batch norm is part of a convolution.

In evaluation mode batch norm is y = (x - mean) s + b with s = weight / sqrt(var + eps), fixed
numbers of each channel. After a convolution, x = W * z + c, that is another convolution:

    y = (s W) * z + (c - mean) s + b
"""

from __future__ import annotations

import copy
from typing import Any

from tinymed import ops
from tinymed.autograd import no_grad
from tinymed.nn.activation import Identity
from tinymed.nn.containers import Sequential
from tinymed.nn.conv import Conv1d, Conv2d, Conv3d
from tinymed.nn.module import Module, Parameter
from tinymed.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tinymed.nn.rectifiers import ReLU

__all__ = ["folded", "fuse_conv_bn_eval"]

PAIRS = ((Conv1d, BatchNorm1d), (Conv2d, BatchNorm2d), (Conv3d, BatchNorm3d))


def fuse_conv_bn_eval(conv: Any, bn: Any) -> Any:
    """Return a convolution that does what ``conv`` and then ``bn`` do in evaluation mode.

    Parameters
    ----------
    conv : Conv1d, Conv2d or Conv3d
        Without an activation, in evaluation mode.
    bn : BatchNorm1d, BatchNorm2d or BatchNorm3d
        In evaluation mode, with running statistics.

    Returns
    -------
    Conv1d, Conv2d or Conv3d
        A copy of ``conv`` with other weights; it has a bias.

    Raises
    ------
    ValueError
        If one of them is in training mode, or they cannot be one.

    Examples
    --------
    >>> import tinymed as tm
    >>> conv, norm = tm.nn.Conv2d(1, 4, 3).eval(), tm.nn.BatchNorm2d(4).eval()
    >>> x = tm.rand(2, 1, 8, 8)
    >>> fuse_conv_bn_eval(conv, norm)(x).allclose(norm(conv(x)), atol=1e-6)
    True
    """
    name = "fuse_conv_bn_eval"
    if conv.training or bn.training:
        raise ValueError(f"{name}: a layer is in training mode; call eval() first")
    if conv.activation is not None:
        raise ValueError(f"{name}: activation={conv.activation!r} comes before the norm")
    if bn.running_mean is None:
        raise ValueError(f"{name}: the norm has no running statistics, so it is never fixed")
    if bn.num_features != conv.weight.shape[0]:
        raise ValueError(
            f"{name}: the norm has {bn.num_features} channels, expected {conv.weight.shape[0]} as "
            "the convolution makes"
        )
    with no_grad():
        return _fused(conv, bn)


def _fused(conv: Any, bn: Any) -> Any:
    scale = 1 / ops.sqrt(bn.running_var + bn.eps)
    if bn.weight is not None:
        scale = scale * bn.weight
    shift = -bn.running_mean if conv.bias is None else conv.bias - bn.running_mean
    shift = shift * scale if bn.bias is None else shift * scale + bn.bias
    fused = copy.deepcopy(conv)
    fused.weight.data = (fused.weight * scale.reshape(-1, *[1] * (conv.weight.ndim - 1))).data
    fused.bias = Parameter(shift)
    return fused


def folded(module: Module) -> Module:
    """Return a copy of a model for inference, batch norm and ReLU being part of convolutions.

    In each `Sequential`, at any depth, a convolution, the batch norm after it and the ReLU after
    that become one convolution with ``activation="relu"``; `Identity` stands where they were, so
    that the numbers of the other layers stay. The result is the same but for rounding.

    Raises
    ------
    ValueError
        If the model is in training mode.

    Examples
    --------
    >>> import tinymed as tm
    >>> from tinymed import nn
    >>> layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
    >>> [type(layer).__name__ for layer in folded(nn.Sequential(*layers).eval())]
    ['Conv2d', 'Identity', 'Identity', 'MaxPool2d']
    """
    if any(part.training for part in module.modules()):
        raise ValueError("folded: the model is in training mode; call eval() first")
    model = copy.deepcopy(module)
    for part in model.modules():
        if isinstance(part, Sequential):
            _fold_sequence(part)
    return model


def _fold_sequence(layers: Sequential) -> None:
    """Fold the layers of a Sequential in place."""
    for place in range(len(layers) - 1):
        conv, norm = layers[place], layers[place + 1]
        if not (_pair(conv, norm) and conv.activation is None and norm.running_mean is not None):
            continue
        if _hooked(conv) or _hooked(norm):
            continue
        fused = fuse_conv_bn_eval(conv, norm)
        layers[place + 1] = Identity().eval()
        if place + 2 < len(layers) and type(layers[place + 2]) is ReLU:
            fused.activation = "relu"
            layers[place + 2] = Identity().eval()
        layers[place] = fused


def _pair(conv: Any, norm: Any) -> bool:
    return any(type(conv) is c and type(norm) is n for c, n in PAIRS)


def _hooked(module: Module) -> bool:
    """Return whether somebody looks at what a layer makes."""
    return bool(module._forward_hooks or module._forward_pre_hooks)
