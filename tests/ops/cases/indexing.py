"""Cases of ops that write at places."""

import numpy as np

from tests.ops.cases.case import any_, booleans, case, strided

case("SetAt", "rows", any_(3, 2), any_(2, 2), settings=(np.array([2, 0]),))
case("SetAt", "one value, not contiguous", strided(3, 2), any_(), settings=(np.array([0, 2]),))
case("SetAt", "a place twice", any_(3), any_(3), settings=(np.array([1, 0, 1]),))
case("SetAt", "one value at a place twice", any_(3), any_(), settings=(np.array([1, 1]),))
case(
    "SetAt",
    "along an axis",
    any_(2, 3),
    any_(2, 1),
    settings=((np.array([[0], [1]]), np.array([[2], [0]])),),
)
case("SetAt", "a mask", any_(2, 2), any_(2), settings=(np.array([[True, False], [True, False]]),))
case("SetAt", "nowhere", any_(2), any_(0), settings=(np.zeros(0, np.int64),))
case("SetAt", "a number", any_(2, 3), 0.5, settings=(booleans(2, 3),))
