"""Cases of distances; products are composed of `MatMul`, and its cases are in `basics`."""

import numpy as np

from tests.ops.cases.case import any_, case, strided

# no two coordinates equal, and no two differences of one pair of points
HERE = np.array([[0.3, -1.2], [1.7, 0.55]])
THERE = np.array([[1.05, 0.4], [-0.6, -0.1], [2.2, -2.3]])
for p in (2.0, 1.0, 3.0, 0.5, np.inf):
    case("CDist", f"{p}", HERE, THERE, settings=(p,))
case("CDist", "batch", np.stack([HERE, -HERE]), THERE[None, ::2].repeat(2, 0), settings=(2.0,))
case("CDist", "not contiguous", strided(2, 3), strided(2, 3) + 0.037, settings=(2.0,))
case("CDist", "no rows", any_(0, 2), any_(3, 2), settings=(2.0,))
case("CDist", "no columns", any_(2, 0), any_(3, 0), settings=(2.0,))
