"""What a network that outlines is shown: where the centre is, and what it shows turned about."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["from_centre", "views"]

Array = np.ndarray[Any, Any]
SCALE = 20.0  # voxels: about as far as a nodule reaches
Turn = Callable[[Array], Array]


def from_centre(shape: Sequence[int]) -> Array:
    """Return how far each voxel is from the centre, in units of 20 voxels, less 1; float32.

    What is to be outlined is what lies there; a convolution alone does not know where it is.

    References
    ----------
    Liu et al. (2018), "An intriguing failing of convolutional neural networks and the CoordConv
    solution".

    Examples
    --------
    >>> from_centre((41,))[[0, 20, 40]].tolist()
    [0.0, -1.0, 0.0]
    """
    axes = [np.arange(size) - (size - 1) / 2 for size in shape]
    squares: Any = sum(np.square(axis) for axis in np.ix_(*axes))
    distance: Array = (np.sqrt(squares) / SCALE - 1).astype(np.float32)
    return distance


def views(dimensions: int) -> Iterator[tuple[Turn, Turn]]:
    """Yield the ways to turn and mirror (n, C, rows, columns[, slices]), and each one's way back.

    The eight symmetries of the square, for volumes with and without the slices in reverse: between
    slices it is further than between pixels, so volumes are never turned out of their plane.

    Examples
    --------
    >>> x = np.arange(8.0).reshape(1, 1, 2, 2, 2)
    >>> all((back(turn(x)) == x).all() for turn, back in views(3))
    True
    >>> len({turn(x).tobytes() for turn, _ in views(3)})
    16
    """
    mirrors = [(), (2,)] if dimensions == 2 else [(), (2,), (4,), (2, 4)]
    for mirrored, turns in itertools.product(mirrors, range(4)):

        def turn(x: Array, mirrored: tuple[int, ...] = mirrored, turns: int = turns) -> Array:
            return np.rot90(np.flip(x, mirrored), turns, (2, 3))

        def back(x: Array, mirrored: tuple[int, ...] = mirrored, turns: int = turns) -> Array:
            return np.flip(np.rot90(x, -turns, (2, 3)), mirrored)

        yield turn, back
