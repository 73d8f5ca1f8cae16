"""Time to an event, with patients who were not followed to it; and what treatment changes."""

from tinymed.medical.survival.cox_regression import CoxRegression, cox_regression
from tinymed.medical.survival.curves import (
    StepFunction,
    baseline_hazard,
    censoring_survival,
    kaplan_meier,
)
from tinymed.medical.survival.losses import (
    cox_loss,
    discrete_hazard_loss,
    discrete_survival,
    discrete_targets,
)
from tinymed.medical.survival.metrics import (
    HorizonCalibration,
    brier_score,
    concordance_index,
    concordance_index_ipcw,
    horizon_calibration,
    horizon_weights,
    integrated_brier_score,
)
from tinymed.medical.survival.uplift import UpliftCurve, policy_value, qini, uplift_curve

__all__ = [
    "CoxRegression",
    "HorizonCalibration",
    "StepFunction",
    "UpliftCurve",
    "baseline_hazard",
    "brier_score",
    "censoring_survival",
    "concordance_index",
    "concordance_index_ipcw",
    "cox_loss",
    "cox_regression",
    "discrete_hazard_loss",
    "discrete_survival",
    "discrete_targets",
    "horizon_calibration",
    "horizon_weights",
    "integrated_brier_score",
    "kaplan_meier",
    "policy_value",
    "qini",
    "uplift_curve",
]
