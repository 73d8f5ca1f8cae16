"""Cases of sorting, and of places along an axis."""

import numpy as np

from tests.ops.cases.case import any_, backwards, case, strided

for op in ("Sort", "ArgSort"):
    for descending in (False, True):
        case(op, f"rows {descending}", any_(2, 4), settings=(1, descending))
        case(op, f"not contiguous {descending}", strided(4, 2), settings=(0, descending))
        case(op, f"nothing {descending}", any_(0, 2), settings=(0, descending))
    case(op, "middle", any_(2, 3, 2), settings=(1, True))
for ignore_nan in (False, True):
    case("MedianPlace", f"even {ignore_nan}", any_(3, 4), settings=(1, ignore_nan))
    case("MedianPlace", f"odd {ignore_nan}", strided(3, 2), settings=(0, ignore_nan))
    case("Median", f"even {ignore_nan}", any_(2, 3), settings=((0, 1), ignore_nan))
    case("Median", f"odd {ignore_nan}", backwards(5), settings=((0,), ignore_nan))
    case("Median", f"no axes {ignore_nan}", any_(), settings=((), ignore_nan))
case("KthPlace", "first", any_(3, 4), settings=(1, 1))
case("KthPlace", "last", strided(4, 2), settings=(0, 4))
case("KthPlace", "nothing beside", any_(0, 3), settings=(1, 2))
case("ModePlace", "rows", np.array([[3, 1, 1, 3, 2], [5, 4, 3, 2, 1]]), settings=(1,))
case("ModePlace", "columns", np.array([[1.0, 2.0], [1.0, 3.0], [0.0, 3.0]]), settings=(0,))
case("ModePlace", "nothing beside", np.zeros((3, 0)), settings=(0,))
