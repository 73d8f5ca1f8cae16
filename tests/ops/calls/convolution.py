"""Calls of convolutions: transposed ones, and padding given as a word."""

import numpy as np

from tests.ops.calls.call import compare, inf, nan, normal, whole

# ------------------------------------------------------------------------ transposed convolution

TRANSPOSED = {  # axes: x, weight, settings
    "1d plain": ((2, 3, 5), (3, 2, 3), {}),
    "1d stride": ((2, 3, 4), (3, 2, 3), {"stride": 2}),
    "1d stride above the kernel": ((1, 2, 4), (2, 3, 2), {"stride": 4}),
    "1d one place": ((1, 2, 1), (2, 1, 3), {"padding": 1}),
    "1d everything": (
        (2, 4, 5),
        (4, 3, 3),
        {"stride": 3, "padding": 2, "output_padding": 1, "groups": 2, "dilation": 2},
    ),
    "1d output_padding below the dilation": (
        (1, 2, 4),
        (2, 2, 3),
        {"dilation": 3, "output_padding": 2},
    ),
    "1d output_padding below the dilation, padded": (
        (1, 2, 4),
        (2, 2, 3),
        {"stride": 2, "dilation": 4, "output_padding": 3, "padding": 3},
    ),
    "1d all but the output_padding cut off": (
        (1, 1, 1),
        (1, 1, 3),
        {"padding": 2, "output_padding": 4, "dilation": 5},
    ),
    "1d unbatched": ((3, 5), (3, 2, 2), {"stride": 2, "output_padding": 1}),
    "1d no images": ((0, 3, 5), (3, 2, 2), {"stride": 2}),
    "2d plain": ((2, 3, 4, 5), (3, 2, 3, 2), {}),
    "2d each axis its own": (
        (1, 4, 3, 4),
        (4, 2, 2, 3),
        {
            "stride": (2, 3),
            "padding": (0, 1),
            "output_padding": (1, 0),
            "groups": 2,
            "dilation": (1, 2),
        },
    ),
    "2d depthwise": ((2, 3, 3, 3), (3, 1, 3, 3), {"stride": 2, "padding": 1, "groups": 3}),
    "2d even window": ((1, 2, 3, 3), (2, 1, 4, 4), {"stride": 2, "padding": 1}),
    "2d unbatched": ((2, 3, 3), (2, 3, 2, 2), {"stride": 2}),
    "2d no images": ((0, 2, 3, 3), (2, 3, 2, 2), {}),
    "3d plain": ((1, 2, 2, 3, 2), (2, 3, 2, 2, 3), {}),
    "3d everything": (
        (2, 2, 2, 3, 2),
        (2, 1, 3, 2, 2),
        {
            "stride": (1, 2, 2),
            "padding": (1, 0, 1),
            "output_padding": (0, 1, 1),
            "groups": 2,
            "dilation": (1, 1, 2),
        },
    ),
    "3d unbatched": ((2, 2, 2, 2), (2, 1, 2, 2, 2), {"stride": 2}),
    # refused
    "1d output_padding of the stride": ((1, 1, 4), (1, 1, 3), {"stride": 2, "output_padding": 2}),
    "1d nothing left": ((1, 1, 1), (1, 1, 3), {"padding": 2}),
    "1d no length": ((1, 1, 0), (1, 1, 3), {}),
    "1d channels do not fit": ((1, 3, 4), (2, 1, 3), {}),
    "1d groups do not fit": ((1, 3, 4), (3, 1, 3), {"groups": 2}),
    "1d groups 0": ((1, 2, 4), (2, 1, 3), {"groups": 0}),
    "1d stride 0": ((1, 2, 4), (2, 1, 3), {"stride": 0}),
    "1d padding -1": ((1, 2, 4), (2, 1, 3), {"padding": -1}),
    "1d padding in words": ((1, 2, 4), (2, 1, 3), {"padding": "same"}),
    "2d three strides": ((1, 2, 4, 4), (2, 1, 3, 3), {"stride": (1, 1, 1)}),
    "2d axes do not fit": ((1, 2, 4, 4), (2, 1, 3), {}),
    "2d too few axes": ((4, 4), (1, 1, 2, 2), {}),
}
for name, (x, w, settings) in TRANSPOSED.items():
    op = f"conv_transpose{name[:2]}"
    channels = w[1] * max(settings.get("groups", 1), 1)
    compare(
        f"{op} {name[3:]}",
        lambda m, x, w, b, op=op, s=settings: getattr(m, op)(x, w, b, **s),
        normal(*x),
        normal(*w),
        normal(channels),
    )
compare(
    "conv_transpose2d by position",
    lambda m, x, w: m.conv_transpose2d(x, w, None, 2, 1, 1, 2, 3),
    normal(1, 2, 3, 3),
    normal(2, 2, 3, 3),
)
compare(
    "conv_transpose1d bias",
    lambda m, x, w, b: m.conv_transpose1d(x, w, b),
    normal(1, 2, 3),
    normal(2, 2, 3),
    normal(3),
)
compare(
    "conv_transpose1d float32",
    lambda m, x, w, b: m.conv_transpose1d(x, w, b, stride=2),
    *(normal(*shape).astype(np.float32) for shape in ((1, 2, 3), (2, 2, 3), (2,))),
)
compare(
    "conv_transpose1d dtypes",
    lambda m, x, w: m.conv_transpose1d(x, w),
    normal(1, 2, 3),
    normal(2, 2, 3).astype(np.float32),
)
compare(
    "conv_transpose1d NaN and inf",
    lambda m, x, w: m.conv_transpose1d(x, w, stride=3),
    np.array([[[1.0, nan, inf, -inf, 0.0]]]),
    normal(1, 1, 2),
)

# ------------------------------------------------------------------------------ padding in words

WORDS = {
    "1d": ((2, 3, 7), (4, 3, 3), {}),
    "1d even window": ((2, 3, 7), (4, 3, 4), {}),
    "1d even window, dilation": ((1, 1, 7), (1, 1, 4), {"dilation": 3}),
    "1d window of one": ((1, 1, 4), (1, 1, 1), {}),
    "1d window above the input": ((1, 1, 2), (1, 1, 6), {}),
    "1d groups": ((1, 4, 5), (2, 2, 2), {"groups": 2}),
    "1d unbatched": ((3, 5), (2, 3, 2), {}),
    "1d no images": ((0, 3, 5), (2, 3, 2), {}),
    "2d": ((1, 2, 5, 4), (3, 2, 3, 3), {}),
    "2d one axis even": ((1, 2, 5, 4), (3, 2, 3, 4), {"dilation": (2, 1)}),
    "2d unbatched": ((2, 4, 4), (3, 2, 2, 3), {}),
    "3d": ((1, 2, 3, 2, 3), (2, 2, 3, 2, 1), {}),
    "1d stride 2": ((1, 1, 6), (1, 1, 3), {"stride": 2}),
    "2d axes do not fit": ((1, 1, 6, 6), (1, 1, 3), {}),
}
for name, (x, w, settings) in WORDS.items():
    for word in ("same", "valid", "full"):
        op = f"conv{name[:2]}"
        compare(
            f"{op} {word} {name[3:]}",
            lambda m, x, w, op=op, s=settings, p=word: getattr(m, op)(x, w, padding=p, **s),
            normal(*x),
            normal(*w),
        )

# ---------------------------------------------------------------------------------------- corners

CORNERS = {
    "no length": ((1, 1, 0), (1, 1, 3), {"padding": 2}),
    "a window of nothing": ((1, 1, 4), (1, 1, 0), {"padding": 2}),
    "no output channels": ((1, 1, 4), (0, 1, 3), {}),
    "as large as the padded input": ((1, 1, 2), (1, 1, 4), {"padding": 1}),
    "larger than the padded input": ((1, 1, 2), (1, 1, 5), {"padding": 1}),
    "dilated beyond the input": ((1, 1, 8), (1, 1, 3), {"dilation": 4}),
    "dilated up to the input": ((1, 1, 9), (1, 1, 3), {"dilation": 4}),
    "padding alone under the first window": ((1, 1, 3), (1, 1, 2), {"padding": 5, "stride": 2}),
    "a stride beyond the input": ((1, 1, 5), (1, 1, 2), {"stride": 100}),
}
for name, (x, w, settings) in CORNERS.items():
    compare(
        f"conv1d {name}",
        lambda m, x, w, s=settings: m.conv1d(x, w, **s),
        normal(*x),
        normal(*w),
    )
compare("conv1d integers", lambda m, x, w: m.conv1d(x, w), whole(1, 1, 5), whole(1, 1, 2))
compare(
    "conv1d float16",
    lambda m, x, w: m.conv1d(x, w, padding="same"),
    normal(1, 1, 5).astype(np.float16),
    normal(1, 1, 2).astype(np.float16),
)
