"""Metrics of an epoch: decisions, ranking, detection, outlines, calibration, regression, images.

Functions take ``(y_true, y_pred)`` or ``(y_true, y_score)`` in scikit-learn's order and give its
values; anything `numpy.asarray` understands is accepted. `BinaryMetrics` and `MulticlassMetrics`
collect batches and measure them together. A case is positive if its score >= threshold.

Data that cannot be measured (an AUC with one class) raise `UndefinedMetricError`, a ValueError.
"""

from tinymed.metrics.accumulators import BinaryMetrics, MulticlassMetrics
from tinymed.metrics.bootstrap import BootstrapInterval, bootstrap_band, bootstrap_interval
from tinymed.metrics.calibration import (
    ReliabilityCurve,
    brier,
    expected_calibration_error,
    reliability_curve,
)
from tinymed.metrics.comparison import AucDifference, delong_test, paired_difference
from tinymed.metrics.decisions import (
    PerClass,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    f1,
    per_class,
    precision,
    recall,
    specificity,
)
from tinymed.metrics.detection import (
    FALSE_ALARMS,
    FrocCurve,
    froc_curve,
    froc_score,
    froc_sensitivity,
)
from tinymed.metrics.image_quality import psnr, ssim
from tinymed.metrics.inputs import UndefinedMetricError
from tinymed.metrics.label_errors import LabelErrors, label_errors
from tinymed.metrics.ranking import (
    PrecisionRecallCurve,
    RocCurve,
    average_precision,
    precision_recall_curve,
    roc_auc,
    roc_auc_per_class,
    roc_curve,
)
from tinymed.metrics.regression import mae, r2, rmse
from tinymed.metrics.segmentation import SurfaceDistance, dice, iou, surface_distance
from tinymed.metrics.temperature import fit_temperature
from tinymed.metrics.thresholds import choose_threshold

__all__ = [
    "FALSE_ALARMS",
    "AucDifference",
    "BinaryMetrics",
    "BootstrapInterval",
    "FrocCurve",
    "LabelErrors",
    "MulticlassMetrics",
    "PerClass",
    "PrecisionRecallCurve",
    "ReliabilityCurve",
    "RocCurve",
    "SurfaceDistance",
    "UndefinedMetricError",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "bootstrap_band",
    "bootstrap_interval",
    "brier",
    "choose_threshold",
    "confusion_matrix",
    "delong_test",
    "dice",
    "expected_calibration_error",
    "f1",
    "fit_temperature",
    "froc_curve",
    "froc_score",
    "froc_sensitivity",
    "iou",
    "label_errors",
    "mae",
    "paired_difference",
    "per_class",
    "precision",
    "precision_recall_curve",
    "psnr",
    "r2",
    "recall",
    "reliability_curve",
    "rmse",
    "roc_auc",
    "roc_auc_per_class",
    "roc_curve",
    "specificity",
    "ssim",
    "surface_distance",
]
