"""Finding nodules in whole scans: lungs, candidates, their scores; and how well it is done."""

from tinymed.medical.detection.candidates import Candidate, propose
from tinymed.medical.detection.lung_mask import lung_mask
from tinymed.medical.detection.scan import ScanResult, scan, write_scan
from tinymed.medical.detection.synthetic_froc import synthetic_froc

__all__ = [
    "Candidate",
    "ScanResult",
    "lung_mask",
    "propose",
    "scan",
    "synthetic_froc",
    "write_scan",
]
