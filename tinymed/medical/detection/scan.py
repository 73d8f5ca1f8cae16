"""A whole CT: lungs, candidates, their scores; kept as JSON, a mask and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinymed import __version__, serialization
from tinymed.medical.detection.candidates import Candidate, propose
from tinymed.medical.detection.drawing import draw_candidates
from tinymed.medical.detection.lung_mask import lung_mask
from tinymed.medical.detection.scoring import scored
from tinymed.medical.imaging.nifti import write_nifti
from tinymed.medical.imaging.volume import Volume
from tinymed.medical.tasks.task import SavedModel

__all__ = ["MASK", "MOST", "RESULT", "ScanResult", "scan", "write_scan"]

RESULT, MASK, LUNGS = "candidates.json", "candidates.nii.gz", "lungs.nii.gz"
MOST = 255  # candidates: their numbers are the bytes of the mask
PROPOSAL = (
    "proposal alone: contrast, size and roundness, nothing learned; most candidates are vessels. "
    "--model takes the network of `tinymed lung`"
)
NETWORK = (
    "the probability that the network of `tinymed lung` gives, its odds weighed by the proposal; "
    "not calibrated"
)
PURPOSE = "Research software, not a medical device: a list of places to look at, not a diagnosis."


@dataclass(frozen=True, eq=False)
class ScanResult:
    """What was found in a scan.

    Parameters
    ----------
    volume : Volume
    lungs : array of bool (D, H, W)
    candidates : list of Candidate
        The likeliest first.
    model : SavedModel or None
        The network that scored them; None for the score of the proposal.
    """

    volume: Volume
    lungs: NDArray[np.bool_]
    candidates: list[Candidate]
    model: SavedModel | None

    @property
    def score(self) -> str:
        """What the scores mean."""
        return PROPOSAL if self.model is None else NETWORK

    @property
    def mask(self) -> NDArray[np.uint8]:
        """0, or k where candidate k is, counted from 1; where two meet, the likelier one."""
        mask = np.zeros(self.volume.hounsfield.shape, np.uint8)
        for number in range(len(self.candidates), 0, -1):
            mask[tuple(self.candidates[number - 1].region.T)] = number
        return mask

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the voxels, in the types of JSON; nothing that names a patient."""
        volume = self.volume
        return {
            "tinymed": __version__,
            "purpose": PURPOSE,
            "series": volume.series,
            "patient": volume.group,
            "shape": list(volume.hounsfield.shape),
            "spacing_mm": list(volume.spacing),
            "lung_volume_ml": float(self.lungs.sum() * volume.grid.voxel / 1000),
            "coordinates": "x to the left, y to the back, z to the head (LPS, as in DICOM), mm; "
            "slices counted from 0 along their normal",
            "score": self.score,
            "model": None if self.model is None else self.model.path.name,
            "threshold_of_probability": None
            if self.model is None
            else self.model.about["threshold"],
            "candidates": [
                _described(number, each, volume) for number, each in enumerate(self.candidates, 1)
            ],
        }


def scan(volume: Volume, model: SavedModel | None = None, most: int = 50) -> ScanResult:
    """Find what could be nodules in a chest CT.

    Parameters
    ----------
    volume : Volume
        Axial slices.
    model : SavedModel, optional
        Of `tinymed lung`; without one candidates keep the score of the proposal.
    most : int
        How many candidates to keep, 1 to 255.

    Raises
    ------
    ValueError
        Another number; slices that are not axial.
    DataError
        No lung in it.
    CheckpointError
        A model of another task.
    """
    if not 1 <= most <= MOST:
        raise ValueError(f"scan: {most} candidates, 1 to {MOST} expected")
    middle = volume.to_patient(volume.grid.last / 2)
    volume.grid.patch(middle.tolist(), 1, 1.0)  # slices that are not axial are refused here
    lungs = lung_mask(volume)
    if model is None:
        return ScanResult(volume, lungs, propose(volume, lungs, most), None)
    candidates = scored(propose(volume, lungs), volume, model)
    return ScanResult(volume, lungs, candidates[:most], model)


def write_scan(result: ScanResult, folder: Path, pictures: int = 12) -> list[Path]:
    """Write candidates.json, the masks of lungs and candidates (NIfTI) and pictures; their paths.

    Parameters
    ----------
    result : ScanResult
    folder : path
        Made where it is missing; files of these names are replaced.
    pictures : int
        Of how many candidates.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result.to_dict(), indent=2, allow_nan=False) + "\n"
    serialization.write_bytes(text.encode(), folder / RESULT)
    write_nifti(folder / MASK, result.mask, result.volume.grid)
    write_nifti(folder / LUNGS, result.lungs, result.volume.grid)
    drawn = draw_candidates(result.volume, result.candidates[:pictures], folder)
    return [folder / RESULT, folder / MASK, folder / LUNGS, *drawn]


def _described(number: int, candidate: Candidate, volume: Volume) -> dict[str, Any]:
    x, y, z = (round(each, 2) for each in candidate.position)
    slice_, row, column = (round(each, 1) for each in candidate.voxel)
    return {
        "number": number,
        "score": round(candidate.score, 4),
        "proposal": round(candidate.proposal, 2),
        "probability": None if candidate.probability is None else round(candidate.probability, 4),
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "slice": slice_,
        "row": row,
        "column": column,
        "diameter_mm": round(candidate.diameter, 1),
        "volume_mm3": round(len(candidate.region) * volume.grid.voxel, 1),
    }
