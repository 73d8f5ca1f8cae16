"""What a network says of an image, and of the same image turned and mirrored.

An axial patch has no upright. The network has learned from turned and mirrored images, but still
says something a little different of each; the mean over the eight symmetries of the square is
steadier than any one of them. It costs eight times the computation and no training.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.data import DataLoader, TensorDataset
from tinymed.nn.utils.fusion import folded
from tinymed.training import predict

__all__ = ["positive", "probabilities", "symmetric_views"]

Array = np.ndarray[Any, Any]


def symmetric_views(planes: Array) -> Iterator[Array]:
    """Yield (n, C, H, W) turned by 0, 90, 180, 270 degrees, and each of them mirrored.

    Examples
    --------
    >>> len({view.tobytes() for view in symmetric_views(np.arange(4.0).reshape(1, 1, 2, 2))})
    8
    """
    for mirrored in (planes, planes[..., ::-1]):
        for turns in range(4):
            yield np.ascontiguousarray(np.rot90(mirrored, turns, axes=(2, 3)))


def probabilities(network: nn.Module, planes: Array, *, symmetric: bool) -> Array:
    """Return the probability of class 1 for each of the planes (n, C, H, W), float64 (n,).

    ``symmetric`` takes the mean over `symmetric_views`.
    """
    network = folded(copy.deepcopy(network).eval())  # batch norm as part of convolutions
    views = symmetric_views(planes) if symmetric else iter([planes])
    found = [
        positive(predict(network, DataLoader(TensorDataset(view), batch_size=256))[0])
        for view in views
    ]
    return np.mean(found, axis=0)


def positive(outputs: Array) -> Array:
    """Return the probability of class 1 from logits (n, 2), in float64."""
    logits = outputs.astype(np.float64)
    return 1 / (1 + np.exp(np.clip(logits[:, 0] - logits[:, 1], -700, 700)))
