"""Images: reading data sets, checking them, Hounsfield windows, and synthetic CT."""

from tinymed.medical.imaging.checks import DataReport, check_dataset
from tinymed.medical.imaging.dataset import SPLITS, ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.phantoms import draw_patches, draw_patient, synthesise
from tinymed.medical.imaging.windowing import (
    BONE,
    LUNG,
    MEDIASTINUM,
    NODULE,
    Statistics,
    Window,
    normalise,
    statistics,
    to_hounsfield,
    to_uint8,
    window,
)

__all__ = [
    "BONE",
    "LUNG",
    "MEDIASTINUM",
    "NODULE",
    "SPLITS",
    "DataReport",
    "ImageDataset",
    "Split",
    "Statistics",
    "Window",
    "check_dataset",
    "draw_patches",
    "draw_patient",
    "normalise",
    "read_npz",
    "statistics",
    "synthesise",
    "to_hounsfield",
    "to_uint8",
    "window",
    "write_npz",
]
