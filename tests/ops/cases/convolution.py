"""Cases of transposed convolution, and of convolutions that met an output_padding."""

from tests.ops.cases.case import any_, backwards, case, strided

# x, weight, output_padding, stride, padding, dilation, groups
TRANSPOSED = {
    "1d": ((2, 2, 3), (2, 3, 3), (0,), (1,), (0,), (1,), 1),
    "1d all settings": ((1, 4, 3), (4, 2, 3), (2,), (3,), (2,), (2,), 2),
    "1d output_padding above the stride": ((2, 2, 3), (2, 1, 2), (2,), (1,), (1,), (3,), 1),
    "1d output_padding two strides": ((1, 1, 3), (1, 2, 2), (3,), (2,), (1,), (4,), 1),
    "1d one place": ((1, 1, 1), (1, 1, 3), (0,), (1,), (1,), (1,), 1),
    "1d no images": ((0, 2, 3), (2, 1, 2), (0,), (1,), (0,), (1,), 1),
    "2d": ((1, 2, 2, 3), (2, 2, 2, 2), (1, 0), (2, 1), (0, 1), (1, 1), 1),
    "2d depthwise": ((1, 3, 2, 2), (3, 1, 2, 2), (0, 0), (2, 2), (0, 0), (1, 1), 3),
    "3d": ((1, 1, 2, 2, 2), (1, 2, 2, 1, 2), (0, 1, 0), (1, 2, 1), (1, 0, 0), (1, 1, 2), 1),
}
for name, (x, weight, *settings) in TRANSPOSED.items():
    channels = weight[1] * settings[-1]
    inputs = any_(*x) / 2, any_(*weight) / 2, any_(channels)
    case("ConvTranspose", name, *inputs, settings=tuple(settings))
    case("ConvTransposeActivated", name, *inputs, settings=("tanh", *settings))
plain = ((0, 0), (1, 1), (0, 0), (1, 1), 1)
case("ConvTranspose", "no bias", any_(1, 2, 2, 2), any_(2, 2, 2, 2), None, settings=plain)
case(
    "ConvTranspose",
    "not contiguous",
    strided(1, 2, 2, 3),
    strided(2, 2, 2, 2),
    backwards(2),
    settings=plain,
)
for activation in ("relu", "sigmoid"):
    case(
        "ConvTransposeActivated",
        activation,
        any_(1, 2, 2, 2),
        any_(2, 1, 2, 2),
        any_(1),
        settings=(activation, *plain),
    )
# dL/dx has more places than x: an output_padding of 2 at stride 1
case(
    "ConvGradInput",
    "output_padding above the stride",
    any_(1, 1, 3),
    any_(1, 1, 2),
    settings=((8,), (1,), (0,), (3,), 1),
)
case(
    "ConvGradWeight",
    "output_padding above the stride",
    any_(1, 1, 3),
    any_(1, 1, 8),
    settings=((2,), (1,), (0,), (3,), 1),
)
