"""Cases of the resizing layers."""

from tests.torch_results.layers.case import case

case("Upsample: nearest", (2, 2, 3), scale_factor=2.0)
case("Upsample: linear", (2, 2, 3), size=5, mode="linear")
case("Upsample: bilinear", (1, 2, 3, 4), scale_factor=(2.0, 1.5), mode="bilinear")
case("Upsample: bicubic", (1, 2, 3, 4), size=(5, 3), mode="bicubic", align_corners=True)
case("Upsample: trilinear", (1, 1, 2, 3, 2), scale_factor=2, mode="trilinear", align_corners=False)
case("Upsample: recomputed", (1, 1, 5, 5), scale_factor=1.5, mode="bilinear",
     recompute_scale_factor=True)  # fmt: skip
case("UpsamplingNearest2d: twice", (1, 2, 2, 3), scale_factor=2)
case("UpsamplingNearest2d: to a size", (1, 2, 2, 3), size=(3, 2))
case("UpsamplingNearest2d: smaller", (2, 1, 4, 3), scale_factor=0.5)
case("UpsamplingBilinear2d: twice", (1, 2, 2, 3), scale_factor=2)
case("UpsamplingBilinear2d: to a size", (1, 2, 2, 3), size=(3, 2))
case("UpsamplingBilinear2d: to one", (1, 2, 2, 3), size=1)
