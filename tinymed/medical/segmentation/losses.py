"""What an outline costs: by its region, and by its boundary."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import nn

__all__ = ["OutlineLoss", "signed_distance"]

Array = np.ndarray[Any, Any]


class OutlineLoss(nn.Module):
    """Dice + cross-entropy of logits, and, where asked for, how far off the boundary they are.

    Cross-entropy counts each voxel alike, and most are background; Dice counts each region alike,
    whatever its size. The boundary loss is the mean over voxels of p * phi, phi the distance to the
    true boundary, negative inside: what is said far outside costs most.

    Parameters
    ----------
    boundary : float >= 0
        Weight of the boundary loss. Above 0 targets are (N, 2, ...): mask and `signed_distance`.
    smooth : float > 0
        Voxels added above and below the line of Dice, so that a few voxels are no leap.

    References
    ----------
    Milletari, Navab, Ahmadi (2016), V-Net, the Dice loss; Kervadec et al. (2019), "Boundary loss
    for highly unbalanced segmentation", equation 5.

    Examples
    --------
    >>> import tinymed as tm
    >>> truth = np.zeros((1, 1, 9, 9), np.float32)
    >>> truth[..., 3:6, 3:6] = 1
    >>> logits = tm.tensor(20 * truth - 10)
    >>> OutlineLoss()(logits, tm.tensor(truth)).item() < 0.001
    True
    """

    def __init__(self, boundary: float = 0.0, smooth: float = 1.0) -> None:
        super().__init__()
        if not 0 <= boundary < float("inf"):
            raise ValueError(f"OutlineLoss: boundary={boundary}, a weight of at least 0 expected")
        self.boundary = boundary
        self.cross_entropy = nn.BCEWithLogitsLoss()
        self.dice = nn.DiceLoss(sigmoid=True, smooth_nr=smooth, smooth_dr=smooth)

    def forward(self, x: Any, target: Any) -> Any:
        """Return the loss of logits (N, 1, ...) and targets (N, 1, ...), or (N, 2, ...)."""
        channels = 2 if self.boundary else 1
        if target.shape != (x.shape[0], channels, *x.shape[2:]):
            raise ValueError(
                f"OutlineLoss: target {target.shape} for logits {x.shape}, {channels} channels "
                f"expected with boundary={self.boundary:g}"
            )
        mask = target[:, :1]
        region = self.cross_entropy(x, mask) + self.dice(x, mask)
        if not self.boundary:
            return region
        return region + self.boundary * (x.sigmoid() * target[:, 1:]).mean()


def signed_distance(mask: Array) -> Array:
    """Return how many voxels each voxel is from the boundary of a region, negative inside it.

    Parameters
    ----------
    mask : array of bool, of any shape
        0 everywhere for an empty one: there is no boundary to be far from.

    Returns
    -------
    array of float32
        To the middle between the last voxel of one side and the first of the other: never 0, where
        there is a boundary.

    Raises
    ------
    ImportError
        SciPy is not installed.

    Examples
    --------
    >>> signed_distance(np.array([False, False, True, True, True])).tolist()
    [1.5, 0.5, -0.5, -1.5, -2.5]
    """
    try:
        from scipy.ndimage import distance_transform_edt
    except ImportError as error:
        raise ImportError("signed_distance: needs SciPy: pip install tinymed[medical]") from error
    inside = np.asarray(mask, np.bool_)
    if inside.all() or not inside.any():
        return np.zeros(inside.shape, np.float32)
    outward, inward = distance_transform_edt(~inside), distance_transform_edt(inside)
    distance: Array = np.where(inside, 0.5 - inward, outward - 0.5).astype(np.float32)
    return distance
