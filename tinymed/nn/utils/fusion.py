"""Layers that become one when nothing is trained any more: batch norm is part of a convolution.

In evaluation mode batch norm is y = (x - mean) s + b with s = weight / sqrt(var + eps), fixed
numbers of each channel. After a convolution, x = W * z + c, that is another convolution:

    y = (s W) * z + (c - mean) s + b
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tinymed import ops
from tinymed.grad_mode import no_grad
from tinymed.nn.activation import Identity, Sigmoid, Tanh
from tinymed.nn.containers import Sequential
from tinymed.nn.conv import Conv1d, Conv2d, Conv3d
from tinymed.nn.conv_pool import ConvPool2d
from tinymed.nn.linear import Linear
from tinymed.nn.module import Module, Parameter
from tinymed.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tinymed.nn.pooling import MaxPool2d
from tinymed.nn.rectifiers import ReLU

__all__ = ["folded", "fuse_conv_bn_eval"]

PAIRS = ((Conv1d, BatchNorm1d), (Conv2d, BatchNorm2d), (Conv3d, BatchNorm3d))
ACTIVATED = (Conv1d, Conv2d, Conv3d, Linear)
ACTIVATIONS = {ReLU: "relu", Tanh: "tanh", Sigmoid: "sigmoid"}
FEW_CHANNELS = 4  # of a convolution that is faster direct, with its pooling, than by Winograd


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
    """Return a copy of a model for inference, its layers joined where that is faster.

    In each `Sequential`, at any depth, these become one layer:

    - a convolution and the batch norm after it;
    - a convolution or a `Linear` and the ReLU, Tanh or Sigmoid after it (``activation=``);
    - a 3x3 `Conv2d` of at most 4 channels, its ReLU and ``MaxPool2d(2)``: a `ConvPool2d`.

    `Identity` stands where the others were, so that the numbers of layers stay. The result is the
    same but for rounding. Layers with hooks are left as they are.

    Raises
    ------
    ValueError
        If the model is in training mode.

    Examples
    --------
    >>> import tinymed as tm
    >>> from tinymed import nn
    >>> layers = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    >>> [type(layer).__name__ for layer in folded(nn.Sequential(*layers).eval())]
    ['ConvPool2d', 'Identity', 'Identity', 'Identity', 'Flatten']
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
    last = 0  # the layer whose output the next one sees
    for place in range(1, len(layers)):
        joined = _joined(layers[last], layers[place])
        if joined is None:
            last = place
        else:
            layers[last], layers[place] = joined.eval(), Identity().eval()


def _joined(layer: Any, after: Any) -> Module | None:
    """Return one layer that does what ``layer`` and then ``after`` do, None if there is none.

    Neither is changed: they may stand at other places too.
    """
    if any(part._forward_hooks or part._forward_pre_hooks for part in (layer, after)):
        return None  # somebody looks at what one of them makes
    kind, next_kind = type(layer), type(after)
    if kind is Conv2d and next_kind is MaxPool2d:
        return _with_pooling(layer) if _is_first_layer(layer) and _halves(after) else None
    if kind not in ACTIVATED or layer.activation is not None:
        return None
    if (kind, next_kind) in PAIRS and after.running_mean is not None:
        fused: Module = fuse_conv_bn_eval(layer, after)
        return fused
    if next_kind in ACTIVATIONS:
        activated: Module = copy.deepcopy(layer)
        activated.activation = ACTIVATIONS[next_kind]
        return activated
    return None


def _is_first_layer(conv: Conv2d) -> bool:
    """Return whether `ConvPool2d` can do what a convolution does, and is faster."""
    stride, padding, *others = conv.settings()
    plain = (stride, *others) == ((1, 1), (1, 1), 1, "relu") and conv.kernel_size == (3, 3)
    zeros = conv.padding_mode == "zeros" and not isinstance(padding, str)
    return plain and zeros and conv.in_channels <= FEW_CHANNELS


def _halves(pool: MaxPool2d) -> bool:
    """Return whether a max pooling takes the largest of each 2x2 window."""
    return pool.settings == MaxPool2d(2).settings or pool.settings == MaxPool2d((2, 2)).settings


def _with_pooling(conv: Conv2d) -> ConvPool2d:
    sizes, unused = (conv.in_channels, conv.out_channels), np.random.default_rng(0)
    joined = ConvPool2d(*sizes, conv.settings()[1], generator=unused)
    joined.weight, joined.bias = conv.weight, conv.bias
    return joined
