"""Cases of transposed convolution, and of convolution that keeps sizes or pads with more than 0."""

from tests.torch_results.layers.case import case

conv = {"in_channels": 2, "out_channels": 3, "kernel_size": 3}
SIZES = {1: (4,), 2: (3, 2), 3: (2, 1, 2)}
for n, size in SIZES.items():
    name = f"ConvTranspose{n}d"
    case(f"{name}: default", (2, 2, *size), **conv)
    case(f"{name}: stride, padding", (1, 2, *size), **conv, stride=2, padding=1)
    case(
        f"{name}: output_padding",
        (1, 2, *size),
        **{**conv, "stride": 3, "padding": 1, "output_padding": 2, "bias": False},
    )
    case(f"{name}: dilation above the stride", (1, 2, *size), **conv, dilation=2, output_padding=1)
    case(
        f"{name}: groups",
        (2, 4, *size),
        **{"in_channels": 4, "out_channels": 6, "kernel_size": 2, "groups": 2, "stride": 2},
    )
    doubled = [2 * s for s in size]
    call = {"output_size": doubled}
    case(f"{name}: output_size", (1, 2, *size), **conv, stride=2, padding=1, call=call)
    call = {"output_size": [1, 3, *(s - 1 for s in doubled)]}
    case(f"{name}: output_size, all axes", (1, 2, *size), **conv, stride=2, padding=1, call=call)
    case(f"{name}: unbatched", (2, *size), **conv, stride=2)
    call = {"output_size": doubled}
    case(f"{name}: unbatched, output_size", (2, *size), **conv, stride=2, padding=1, call=call)
    case(f"{name}: zero batch", (0, 2, *size), **conv, stride=2, output_padding=1)
case(
    "ConvTranspose2d: each axis its own",
    (1, 2, 3, 4),
    **{**conv, "kernel_size": (2, 3), "stride": (3, 2), "padding": (0, 1), "dilation": (2, 1)},
    output_padding=(2, 1),
)
case(
    "ConvTranspose3d: each axis its own",
    (1, 2, 2, 3, 2),
    **{**conv, "kernel_size": (1, 3, 2), "stride": (2, 1, 2), "padding": (0, 1, 0)},
    output_padding=(1, 0, 1),
)
case("ConvTranspose2d: depthwise", (2, 3, 3, 3), in_channels=3, out_channels=3, kernel_size=2,
     groups=3)  # fmt: skip

for n, size in {1: (6,), 2: (4, 5), 3: (3, 3, 4)}.items():
    name = f"Conv{n}d"
    case(f"{name}: same", (2, 2, *size), **conv, padding="same")
    case(f"{name}: same, even kernel", (1, 2, *size), **{**conv, "kernel_size": 2}, padding="same")
    for mode in ("reflect", "replicate", "circular"):
        case(f"{name}: {mode}", (2, 2, *size), **conv, padding=1, padding_mode=mode)
        case(
            f"{name}: {mode}, same, even kernel",
            (1, 2, *size),
            **{**conv, "kernel_size": 2, "padding": "same", "padding_mode": mode},
        )
        case(f"{name}: {mode}, valid", (1, 2, *size), **conv, padding="valid", padding_mode=mode)
        case(f"{name}: {mode}, unbatched", (2, *size), **conv, padding=1, padding_mode=mode)
    case(f"{name}: circular, zero batch", (0, 2, *size), **conv, padding=1, padding_mode="circular")
    case(
        f"{name}: reflect, strides",
        (1, 2, *size),
        **{**conv, "stride": 2, "padding": 2, "padding_mode": "reflect"},
    )
case(
    "Conv2d: replicate, each axis its own",
    (1, 2, 5, 4),
    **{**conv, "kernel_size": (3, 2), "padding": (3, 1), "dilation": (1, 2)},
    padding_mode="replicate",
)
case(
    "Conv2d: circular, same, dilation",
    (1, 2, 6, 6),
    **{**conv, "kernel_size": (3, 4), "dilation": (2, 1), "padding": "same"},
    padding_mode="circular",
)
case("Conv1d: same, dilation, unbatched", (2, 8), **{**conv, "kernel_size": 4}, padding="same",
     dilation=3)  # fmt: skip
