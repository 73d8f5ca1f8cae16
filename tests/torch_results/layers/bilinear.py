"""Cases of the bilinear layer."""

from tests.torch_results.layers.case import case

sizes = {"in1_features": 3, "in2_features": 2, "out_features": 4}
case("Bilinear: rows", (5, 3), (5, 2), **sizes)
case("Bilinear: no bias", (5, 3), (5, 2), **sizes, bias=False)
case("Bilinear: axes before the features", (2, 3, 3), (2, 3, 2), **sizes)
case("Bilinear: unbatched", (3,), (2,), **sizes)
case("Bilinear: zero batch", (0, 3), (0, 2), **sizes)
case("Bilinear: one feature", (2, 1), (2, 1), in1_features=1, in2_features=1, out_features=1)
