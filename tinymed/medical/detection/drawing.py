"""Pictures of candidates: the slice they lie in with a mark, and the place itself, larger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.medical.detection.candidates import Candidate
from tinymed.medical.imaging.volume import Volume
from tinymed.medical.imaging.windowing import LUNG, to_uint8

__all__ = ["draw_candidates"]

_SIDE = 512  # pixels of a picture
_PLACE = 60.0  # mm, of the larger picture
_MARK, _TEXT = (255, 80, 60), (255, 230, 120)


def draw_candidates(volume: Volume, candidates: Sequence[Candidate], folder: Path) -> list[Path]:
    """Write candidate_001.png and so on, and return their paths.

    Left the axial slice, right 60 mm about the candidate; the patient's right is on the left, as
    radiologists see it, in the window of lung.

    Raises
    ------
    ImportError
        Without pillow.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("draw_candidates: needs pillow; pip install tinymed[medical]") from error
    paths = []
    for number, candidate in enumerate(candidates, 1):
        wide = max(
            size * step
            for size, step in zip(volume.hounsfield.shape[1:], volume.spacing[1:], strict=True)
        )
        centre = volume.grid.last / 2
        centre[0] = np.clip(np.rint(candidate.voxel[0]), 0, 2 * centre[0])
        views = [
            _view(volume, candidate, volume.to_patient(centre), wide / _SIDE, ring=True),
            _view(volume, candidate, np.array(candidate.position), _PLACE / _SIDE, ring=False),
        ]
        picture = Image.fromarray(np.concatenate([np.asarray(view) for view in views], axis=1))
        _label(picture, number, candidate)
        paths.append(folder / f"candidate_{number:03d}.png")
        picture.save(paths[-1])
    return paths


def _view(volume: Volume, candidate: Candidate, centre: Any, pixel: float, *, ring: bool) -> Any:
    """Return a square about a point as a picture; a ring, or four lines that leave it free."""
    from PIL import Image, ImageDraw

    hu = volume.patch(centre.tolist(), _SIDE, pixel)
    grid = volume.grid.patch(centre.tolist(), _SIDE, pixel)
    picture = Image.fromarray(to_uint8(hu, *LUNG)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    _, row, column = grid.to_index(candidate.position).tolist()
    radius = candidate.diameter / 2 / pixel + 6
    if ring:
        ends = (column - radius, row - radius, column + radius, row + radius)
        pen.ellipse(ends, outline=_MARK, width=2)
    else:
        for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near, far = radius, radius + 20
            start = (column + near * across, row + near * down)
            pen.line([start, (column + far * across, row + far * down)], fill=_MARK, width=2)
    return picture


def _label(picture: Any, number: int, candidate: Candidate) -> None:
    from PIL import ImageDraw

    x, y, z = candidate.position
    text = (
        f"{number}: score {candidate.score:.3g}, {candidate.diameter:.1f} mm, slice "
        f"{candidate.voxel[0]:.0f}, ({x:.1f}, {y:.1f}, {z:.1f}) mm"
    )
    ImageDraw.Draw(picture).text((8, 8), text, fill=_TEXT)
