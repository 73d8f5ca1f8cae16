"""Cases of group norm, which layer and instance norm are made of."""

from tests.ops.cases.case import any_, case, strided

case("GroupNorm", "one group", any_(3, 4, 1), any_(4), any_(4), settings=(1, 1e-5))
case("GroupNorm", "two groups", any_(2, 4, 3), any_(4), any_(4), settings=(2, 1e-2))
case("GroupNorm", "each channel", any_(2, 3, 4), any_(3), None, settings=(3, 1e-3))
case("GroupNorm", "no weight", any_(2, 2, 3), None, any_(2), settings=(1, 1e-5))
case("GroupNorm", "neither, not contiguous", strided(2, 4, 2), None, None, settings=(2, 1e-5))
