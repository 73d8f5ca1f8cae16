"""Cases of padding with a constant; the other modes are composed of parts of the tensor."""

from tests.ops.cases.case import any_, case, strided

case("Pad", "only cut off", any_(3, 4), settings=(((-1, -1), (0, -3)), 0.0))
case("Pad", "an axis of nothing, not contiguous", strided(2, 2), settings=(((0, 0), (-2, 1)), 5.0))
