"""Cases of reductions and of what adds up along an axis; `basics` has the first of them."""

import numpy as np

from tests.ops.cases.case import any_, backwards, booleans, case, positive, strided

ZEROS = {"no zero": [], "a zero": [1], "two zeros": [1, 2], "only zeros": [0, 1, 2, 3]}


def with_zeros(places: list[int], *shape: int) -> np.ndarray:
    x = any_(*shape)
    x[..., places] = 0
    return x


for name, places in ZEROS.items():
    case("Prod", name, with_zeros(places, 2, 4), settings=((1,), False))
    case("CumProd", name, with_zeros(places, 2, 4), settings=(1,))
    case("CumProd", f"{name} backwards", with_zeros(places, 4), settings=(0, True))
case("Prod", "first axis kept", any_(3, 2), settings=((0,), True))
case("Prod", "not contiguous", strided(3, 2), settings=((0,), False))
case("Prod", "of nothing", any_(0, 3), settings=((0,), False))
case("Prod", "nothing left", any_(0, 3), settings=((1,), True))
case("Prod", "one", any_(1), settings=((0,), False))
for op in ("CumSum", "CumProd", "LogCumSumExp"):
    case(op, "middle axis", any_(2, 3, 2), settings=(1,))
    case(op, "not contiguous", strided(3, 2), settings=(0,))
    case(op, "one", any_(1, 2), settings=(0,))
    case(op, "nothing", any_(0, 2), settings=(0,))
    case(op, "nothing beside", any_(3, 0), settings=(0,))
case("CumSum", "backwards", any_(2, 3), settings=(1, True))
case("LogCumSumExp", "far apart", np.array([900.0, -900.0, 901.0]), settings=(0,))
case("LogCumSumExp", "large", np.array([[-900.0, 900.0, 901.0, -901.0, 902.0]]), settings=(1,))
for largest in (False, True):
    case("CumulativeExtreme", f"matrix {largest}", any_(2, 4), settings=(1, largest))
    case("CumulativeExtreme", f"not contiguous {largest}", strided(4, 2), settings=(0, largest))
    case("CumulativeExtreme", f"nothing {largest}", any_(0, 2), settings=(0, largest))
    for dims, keepdim in (((0,), False), ((0, 1), True), ((), False)):
        case(
            "AnyAll",
            f"{dims} {keepdim} {largest}",
            booleans(2, 3),
            settings=(dims, keepdim, largest),
        )
case("AnyAll", "of nothing", np.zeros((0, 2)), settings=((0,), False, True))

for p in (2, 1, 3, 0.5, 1.5, np.inf, -np.inf, -1):
    case("Norm", f"{p} rows", any_(2, 3), settings=((1,), False, p))
    case("Norm", f"{p} all", strided(2, 2), settings=((0, 1), True, p))
case("Norm", "no axes", any_(), settings=((), False, 2))
case("Norm", "nothing left", any_(0, 2), settings=((1,), False, 2))
case("Norm", "middle axis", backwards(2, 2, 2), settings=((1,), False, 3))
case("Norm", "positive", positive(3), settings=((0,), False, 2.5))
