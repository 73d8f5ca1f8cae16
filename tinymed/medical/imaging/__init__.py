"""Images: reading data sets, checking them, Hounsfield windows, and synthetic CT."""

from tinymed.medical.imaging.checks import DataReport, check_dataset
from tinymed.medical.imaging.dataset import SPLITS, ImageDataset, Split, read_npz, write_npz
from tinymed.medical.imaging.dicom import DicomSlice, read_slice
from tinymed.medical.imaging.dicom_export import write_dicom_series
from tinymed.medical.imaging.dicom_header import DicomError, DicomWarning, patient_key
from tinymed.medical.imaging.dicom_series import Series, list_series, read_series
from tinymed.medical.imaging.grid import Grid, carry
from tinymed.medical.imaging.nifti import write_nifti
from tinymed.medical.imaging.phantoms import (
    draw_patient,
    synthesise,
    synthesise_malignancy,
    synthesise_noise_free,
)
from tinymed.medical.imaging.reading import read_dataset, read_samples
from tinymed.medical.imaging.samples import Samples
from tinymed.medical.imaging.synthetic_scan import (
    ScanNodule,
    SyntheticScan,
    synthesise_slice,
    synthesise_volume,
)
from tinymed.medical.imaging.volume import Volume
from tinymed.medical.imaging.volume_files import picture_volume, read_volume
from tinymed.medical.imaging.windowing import (
    BONE,
    GREY,
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
    "GREY",
    "LUNG",
    "MEDIASTINUM",
    "NODULE",
    "SPLITS",
    "DataReport",
    "DicomError",
    "DicomSlice",
    "DicomWarning",
    "Grid",
    "ImageDataset",
    "Samples",
    "ScanNodule",
    "Series",
    "Split",
    "Statistics",
    "SyntheticScan",
    "Volume",
    "Window",
    "carry",
    "check_dataset",
    "draw_patient",
    "list_series",
    "normalise",
    "patient_key",
    "picture_volume",
    "read_dataset",
    "read_npz",
    "read_samples",
    "read_series",
    "read_slice",
    "read_volume",
    "statistics",
    "synthesise",
    "synthesise_malignancy",
    "synthesise_noise_free",
    "synthesise_slice",
    "synthesise_volume",
    "to_hounsfield",
    "to_uint8",
    "window",
    "write_dicom_series",
    "write_nifti",
    "write_npz",
]
