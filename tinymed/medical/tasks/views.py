"""What a network says of an image, and of the same image turned and mirrored.

An axial patch has no upright. The network has learned from turned and mirrored images, but still
says something a little different of each; the mean over the eight symmetries of the square is
steadier than any one of them. It costs eight times the computation and no training.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tinymed import nn
from tinymed.compilation import compile
from tinymed.errors import CompileError
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import CPU, place, to_place
from tinymed.nn.utils.fusion import folded
from tinymed.tensor import Tensor

__all__ = ["Predictor", "positive", "probabilities", "symmetric_views", "turned_back"]

Array = np.ndarray[Any, Any]

BATCH = 32  # what a layer makes of some planes is soon read by the next one, while it is in cache
OFTEN = 50  # batches of one shape; compiling takes as long as it saves in as many


class Predictor:
    """A network for inference alone: layers joined, and compiled for the shapes that come often.

    Parameters
    ----------
    network : Module
        It is copied: what becomes of it later does not count.

    Attributes
    ----------
    refusal : CompileError, ImportError or None
        Why the network runs as it is, if it cannot be compiled; also logged, at level debug.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = folded(copy.deepcopy(network).eval())
        self.device = next((place(each.data) for each in network.parameters()), CPU)
        self.compiled = compile(self.network)
        self.met: Counter[tuple[int, ...]] = Counter()  # how many batches of each shape
        self.refusal: CompileError | ImportError | None = None

    def __call__(self, planes: Array) -> Array:
        """Return the outputs for planes (n, C, H, W)."""
        parts = range(0, max(1, len(planes)), BATCH)
        return np.concatenate([self.of_batch(planes[i : i + BATCH]) for i in parts])

    def of_batch(self, planes: Array) -> Array:
        """Return the outputs for a few planes, computed together."""
        self.met[planes.shape] += 1
        if self.met[planes.shape] > OFTEN and self.refusal is None and self.device == CPU:
            try:
                outputs: Array = self.compiled(planes).numpy()
                return outputs
            except (CompileError, ImportError) as error:
                self.refusal = error
                logging.getLogger(__name__).debug("the network is not compiled: %s", error)
        with no_grad():
            return self.network(Tensor(to_place(planes, self.device))).cpu().numpy()


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


def turned_back(views: Iterable[Array]) -> Iterator[Array]:
    """Yield what `symmetric_views` yields as it was before: (n, C, H, W), each the right way up.

    Examples
    --------
    >>> planes = np.arange(6.0).reshape(1, 1, 2, 3)
    >>> all((back == planes).all() for back in turned_back(symmetric_views(planes)))
    True
    """
    for number, view in enumerate(views):
        upright = np.rot90(view, -(number % 4), axes=(2, 3))
        yield upright[..., ::-1] if number >= 4 else upright


def probabilities(network: nn.Module, planes: Array, *, symmetric: bool) -> Array:
    """Return the probability of class 1 for each of the planes (n, C, H, W), float64 (n,).

    ``symmetric`` takes the mean over `symmetric_views`.
    """
    predictor = Predictor(network)
    views = symmetric_views(planes) if symmetric else iter([planes])
    return np.mean([positive(predictor(view)) for view in views], axis=0)


def positive(outputs: Array) -> Array:
    """Return the probability of class 1 from logits (n, 2), in float64."""
    logits = outputs.astype(np.float64)
    return 1 / (1 + np.exp(np.clip(logits[:, 0] - logits[:, 1], -700, 700)))
