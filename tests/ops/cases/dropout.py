"""Dropout by a counter; the ops that draw from a generator are tested in test_dropout."""

from tests.ops.cases.case import any_, case, strided

SEED = 12345678901234567890

case("Dropout", "elements", any_(3, 7), settings=(1, 0.4, SEED, 1 / 0.6))
case("Dropout", "channels", any_(2, 3, 4), settings=(4, 0.5, SEED, 2.0))
case("Dropout", "to a floor", any_(3, 7), settings=(1, 0.4, SEED, 1.3, 0.2, -1.1))
case("Dropout", "no axes", any_(), settings=(1, 0.5, SEED, 2.0))
case("Dropout", "nothing", any_(0, 3), settings=(1, 0.5, SEED, 2.0))
case("Dropout", "not contiguous", strided(3, 4), settings=(1, 0.5, SEED, 2.0))
