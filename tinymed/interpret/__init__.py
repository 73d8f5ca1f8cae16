"""Questions put to a trained model: what it looked at, and whether the answer can be believed.

Every heat-map is ``method(model, x, target)`` and has the shape of x; positive speaks for the
target. `saliency`, `gradient_x_input`, `smooth_grad` and `integrated_gradients` follow derivatives,
`grad_cam` and `grad_cam_plus_plus` the planes of a convolution, `occlusion` covers and looks.
`attention_maps`, `gate_maps` and `recurrent_maps` are what layers told themselves. Guided
backpropagation is left out: it passes for an explanation, and does not depend on the weights of the
upper layers (Adebayo et al., 2018).

`weight_randomization`, `deletion_curve`, `insertion_curve`, `pointing_game` and
`completeness_error` check them, on any model.

How sure the answer may be: `member_predictions`, `dropout_predictions` and `view_predictions` give
several, `predictive_uncertainty` splits what they say, `fit_conformal` makes sets that keep a
promise, `risk_coverage_curve` tells what abstention gains. Whether it holds elsewhere:
`subgroup_table` and `shift_table`.
"""

from tinymed.interpret.conformal import ConformalSets, SetCoverage, fit_conformal, set_coverage
from tinymed.interpret.generalisation import (
    ShiftRow,
    SubgroupRow,
    image_shifts,
    shift_table,
    subgroup_table,
)
from tinymed.interpret.grad_cam import grad_cam, grad_cam_plus_plus
from tinymed.interpret.gradients import (
    completeness_error,
    gradient_x_input,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from tinymed.interpret.inside import attention_maps, recurrent_maps
from tinymed.interpret.occlusion import occlusion
from tinymed.interpret.predictions import (
    dropout_predictions,
    member_predictions,
    view_predictions,
)
from tinymed.interpret.question import Target, log_odds, probability
from tinymed.interpret.sanity import (
    Curve,
    Randomization,
    deletion_curve,
    insertion_curve,
    pointing_game,
    weight_randomization,
)
from tinymed.interpret.similarity import rank_correlation, structural_similarity
from tinymed.interpret.uncertainty import (
    RiskCoverageCurve,
    Uncertainty,
    area_under_risk_coverage,
    predictive_uncertainty,
    risk_coverage_curve,
)
from tinymed.nn.gates import gate_maps

__all__ = [
    "ConformalSets",
    "Curve",
    "Randomization",
    "RiskCoverageCurve",
    "SetCoverage",
    "ShiftRow",
    "SubgroupRow",
    "Target",
    "Uncertainty",
    "area_under_risk_coverage",
    "attention_maps",
    "completeness_error",
    "deletion_curve",
    "dropout_predictions",
    "fit_conformal",
    "gate_maps",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient_x_input",
    "image_shifts",
    "insertion_curve",
    "integrated_gradients",
    "log_odds",
    "member_predictions",
    "occlusion",
    "pointing_game",
    "predictive_uncertainty",
    "probability",
    "rank_correlation",
    "recurrent_maps",
    "risk_coverage_curve",
    "saliency",
    "set_coverage",
    "shift_table",
    "smooth_grad",
    "structural_similarity",
    "subgroup_table",
    "view_predictions",
    "weight_randomization",
]
