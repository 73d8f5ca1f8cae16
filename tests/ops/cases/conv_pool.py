"""Cases of convolution, ReLU and pooling in one."""

from tests.ops.cases.case import any_, backwards, case, strided

case("ConvPool", "one position", any_(1, 1, 4, 4), any_(1, 1, 3, 3), any_(1), settings=((0, 0),))
case("ConvPool", "padded", any_(2, 1, 4, 4), any_(2, 1, 3, 3), any_(2), settings=((1, 1),))
case("ConvPool", "a rest", any_(1, 2, 5, 7), any_(3, 2, 3, 3), any_(3), settings=((0, 1),))
case("ConvPool", "no bias", any_(2, 1, 5, 4), any_(2, 1, 3, 3), None, settings=((2, 0),))
case("ConvPool", "no images", any_(0, 1, 4, 4), any_(2, 1, 3, 3), any_(2), settings=((0, 0),))
case(
    "ConvPool",
    "all dead",
    any_(1, 1, 4, 4),
    any_(2, 1, 3, 3) / 10,
    any_(2) - 10,
    settings=((1, 1),),
)
case(
    "ConvPool",
    "not contiguous",
    strided(1, 2, 4, 6),
    strided(2, 2, 3, 3),
    backwards(2),
    settings=((1, 1),),
)
