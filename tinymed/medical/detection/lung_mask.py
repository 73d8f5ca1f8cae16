"""Which voxels of a chest CT are lung, nodules at the pleura included."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed.errors import DataError
from tinymed.medical.imaging.grid import Grid, carry
from tinymed.medical.imaging.volume import Volume

__all__ = ["lung_mask"]

Mask = NDArray[np.bool_]

_COARSE = 2.0  # mm: lungs are large; finer voxels change nothing but the time
_TISSUE = -320.0  # HU, between lung and soft tissue (Hu et al. 2001 find it near there)
_GAS = -960.0  # HU: bowels and windpipe hold air and nothing else
_LEAST = 20_000.0  # mm^3 of lung
_SHARE = 0.1  # of the largest piece: smaller ones are no lung
_CLOSED = 10.0  # mm: the radius of what is filled in the border, nodules and vessels


def lung_mask(volume: Volume) -> Mask:
    """Return where the lungs are, (D, H, W) bool, with the vessels and nodules in them.

    Air that does not reach the sides of the slices, in large pieces that are not gas alone; each is
    closed by a ball of 10 mm, which takes in nodules at the pleura, and filled slice by slice. A
    mass of more than about 20 mm that lies broadly against the chest wall is partly left out.

    Raises
    ------
    ImportError
        Without scipy.
    DataError
        If there is no lung: another part of the body, no Hounsfield units, or slices so small that
        air reaches their sides.

    References
    ----------
    Hu, Hoffman, Reinhardt (2001), "Automatic lung segmentation for accurate quantitation of
    volumetric X-ray CT images", IEEE Transactions on Medical Imaging 20.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ImportError("lung_mask: needs scipy; pip install tinymed[medical]") from error
    grid = volume.grid
    coarse = grid.resampled([max(step, _COARSE) for step in grid.spacing])
    hu = carry(volume.hounsfield, grid, coarse, fill=-1024.0)
    pieces, count = ndimage.label(hu < _TISSUE)
    sides = [pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1]]
    outside = np.unique(np.concatenate([side.ravel() for side in sides]))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1) * coarse.voxel
    sizes[0] = 0
    sizes[outside] = 0
    large = np.flatnonzero(sizes >= max(_LEAST, _SHARE * sizes.max()))
    lungs = [k for k in large if np.median(hu[pieces == k]) > _GAS]
    if not lungs:
        raise DataError(
            f"lung_mask: no lung in {volume}, whose values reach from {hu.min():.0f} to "
            f"{hu.max():.0f} HU; a chest CT with air at its sides only outside of the body expected"
        )
    mask = np.zeros(coarse.shape, bool)
    for piece in lungs:
        mask |= _closed(pieces == piece, coarse)
    for plane in mask:
        plane[...] = ndimage.binary_fill_holes(plane)
    return _refined(mask, coarse, grid)


def _closed(mask: Mask, grid: Grid) -> Mask:
    """Return a mask closed by a ball, by distances: dilated to within 10 mm, eroded as far."""
    from scipy import ndimage

    margin = [int(np.ceil(_CLOSED / step)) + 1 for step in grid.spacing]
    around = tuple(
        slice(max(0, part.start - wide), part.stop + wide)
        for part, wide in zip(ndimage.find_objects(mask.astype(np.uint8))[0], margin, strict=True)
    )
    wider = np.pad(mask[around], [(wide, wide) for wide in margin])
    # lungs go on above and below a scan that ends in them
    wider[: margin[0]], wider[-margin[0] :] = wider[margin[0]], wider[-margin[0] - 1]
    distance: Any = ndimage.distance_transform_edt
    grown = distance(~wider, sampling=grid.spacing) <= _CLOSED
    grown = np.pad(grown, [(1, 1), (0, 0), (0, 0)], mode="edge")
    closed = distance(grown, sampling=grid.spacing)[1:-1] > _CLOSED
    closed |= wider
    inner = tuple(slice(wide, size - wide) for wide, size in zip(margin, wider.shape, strict=True))
    result = mask.copy()
    result[around] |= closed[inner]
    return result


def _refined(mask: Mask, coarse: Grid, grid: Grid) -> Mask:
    """Return a mask on finer voxels, its border half way between the coarse ones."""
    share = carry(mask.astype(np.float32), coarse, grid)
    return np.asarray(share >= 0.5)
