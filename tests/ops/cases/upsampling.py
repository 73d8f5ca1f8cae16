"""Cases of the op behind interpolate."""

import numpy as np

from tests.ops.cases.case import any_, case, strided
from tinymed.ops.upsampling import transposed

LINEAR = (np.array([[0, 0], [0, 1], [1, 2]]), np.array([[0.5, 0.5], [0.3, 0.7], [0.6, 0.4]]))
SOME = (
    np.array([[0, -1], [2, 0], [2, -1], [1, 1]]),
    np.array([[1.0, 0], [0.4, 0.6], [1, 0], [2, 3]]),
)
case("Resample", "along the last", any_(2, 3), settings=(1, LINEAR, transposed(LINEAR, 3)))
case(
    "Resample",
    "along the middle, taps missing",
    any_(2, 3, 2),
    settings=(1, SOME, transposed(SOME, 3)),
)
case("Resample", "not contiguous", strided(3, 2), settings=(0, LINEAR, transposed(LINEAR, 3)))
case("Resample", "no images", any_(0, 3), settings=(1, LINEAR, transposed(LINEAR, 3)))
