"""Cases of layers that give the same elements other axes."""

from tests.torch_results.layers.case import case

case("Unflatten: last", (2, 6), dim=1, unflattened_size=(2, 3))
case("Unflatten: the rest", (6, 2), dim=-2, unflattened_size=(-1, 2, 1))
case("Unflatten: zero batch", (0, 4), dim=1, unflattened_size=(2, 2))
case("PixelShuffle: by 2", (2, 4, 2, 3), upscale_factor=2)
case("PixelShuffle: by 3, unbatched", (18, 1, 2), upscale_factor=3)
case("PixelShuffle: by 1, more axes", (1, 2, 3, 2, 2), upscale_factor=1)
case("PixelUnshuffle: by 2", (2, 1, 4, 6), downscale_factor=2)
case("PixelUnshuffle: by 3, unbatched", (2, 3, 6), downscale_factor=3)
case("PixelUnshuffle: by 2, a column of pixels", (1, 3, 8, 2), downscale_factor=2)
case("ChannelShuffle: two groups", (2, 6, 2, 2), groups=2)
case("ChannelShuffle: three groups, a sequence", (1, 6, 3), groups=3)
case("ChannelShuffle: one group", (1, 3, 2, 2), groups=1)
WINDOWS = {
    "default": {"kernel_size": 2},
    "each axis its own": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    "dilation": {"kernel_size": 2, "dilation": (2, 1)},
    "strides that leave a rest": {"kernel_size": 2, "stride": 3},
}
COLUMNS = {"default": 12, "each axis its own": 9, "dilation": 9, "strides that leave a rest": 2}
for kind, settings in WINDOWS.items():
    taps = 6 if kind == "each axis its own" else 4
    case(f"Unfold: {kind}", (2, 2, 5, 4), **settings)
    case(f"Unfold: {kind}, unbatched", (2, 5, 4), **settings)
    case(f"Fold: {kind}", (2, 2 * taps, COLUMNS[kind]), output_size=(5, 4), **settings)
    case(f"Fold: {kind}, unbatched", (taps, COLUMNS[kind]), output_size=(5, 4), **settings)
