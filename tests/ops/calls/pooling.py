"""Calls of pooling: indices, unpooling, adaptive and fractional windows, p-norms."""

import numpy as np

from tests.ops.calls.call import RANDOM, Constant, compare, deviates, inf, nan, normal, whole

LENGTHS = {1: (9,), 2: (7, 6), 3: (4, 5, 4)}
TIES = {n: whole(1, 2, *size) * 1.0 for n, size in LENGTHS.items()}
MISSING = np.array([[[1.0, nan, 3.0, nan, 5.0, 1.0, -inf, -inf, inf]]])

# ------------------------------------------------------------------------- where the largest stood

WINDOWS = {
    "plain": (2, {}),
    "overlapping, padded": (3, {"stride": 2, "padding": 1}),
    "dilation": (2, {"stride": 1, "dilation": 2, "padding": 1}),
    "ceil": (2, {"stride": 3, "ceil_mode": True}),
    "ceil, padded, dilation": (2, {"stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True}),
}
for n, size in LENGTHS.items():
    op = f"max_pool{n}d"
    for name, (kernel, settings) in WINDOWS.items():
        for kind, x in {
            "": normal(2, 2, *size),
            " of ties": TIES[n],
            " unbatched": normal(2, *size),
            " no images": normal(0, 2, *size),
        }.items():
            compare(
                f"{op} indices {name}{kind}",
                lambda m, x, op=op, k=kernel, s=settings: getattr(m, op)(
                    x, k, return_indices=True, **s
                ),
                x,
            )
for name, x in {
    "NaN": MISSING,
    "-inf": np.full((1, 1, 5), -inf),
    "float32": normal(1, 2, 6).astype(np.float32),
    "float16": normal(1, 2, 6).astype(np.float16),
    "bools": normal(1, 2, 6) > 0,
}.items():
    compare(
        f"max_pool1d indices {name}",
        lambda m, x: m.max_pool1d(x, 4, 2, 2, return_indices=True),
        x,
    )
compare(
    "max_pool2d indices of integers",
    lambda m, x: m.max_pool2d(x, 2, 2, 1, return_indices=True),
    whole(1, 2, 4, 4),
)
compare(
    "max_pool2d indices each axis its own",
    lambda m, x: m.max_pool2d(x, (2, 3), (3, 1), (1, 0), (1, 2), True, True),
    normal(1, 2, 6, 7),
)

# --------------------------------------------------------------------------- corners of geometry

CORNERS = {
    "a window larger than the input": (2, 3, {}),
    "a window larger than the input, ceil": (2, 3, {"stride": 2, "ceil_mode": True}),
    "a window twice the input, ceil": (2, 5, {"stride": 2, "ceil_mode": True}),
    "a window twice the input, ceil, large stride": (2, 5, {"stride": 9, "ceil_mode": True}),
    "the last window may not begin in the padding": (
        3,
        2,
        {"stride": 3, "padding": 1, "ceil_mode": True},
    ),
    "a stride beyond the input": (5, 2, {"stride": 100}),
    "a stride beyond the input, ceil": (5, 2, {"stride": 100, "ceil_mode": True}),
    "half of the window is padding": (4, 2, {"padding": 1, "stride": 1}),
    "more than half of the window is padding": (4, 3, {"padding": 2}),
    "a window of nothing": (4, 0, {}),
    "padding -1": (4, 2, {"padding": -1}),
    "kernel 1": (4, 1, {"stride": 2, "ceil_mode": True}),
}
for name, (size, kernel, settings) in CORNERS.items():
    x = normal(1, 1, size)
    compare(f"max_pool1d {name}", lambda m, x, k=kernel, s=settings: m.max_pool1d(x, k, **s), x)
    compare(f"avg_pool1d {name}", lambda m, x, k=kernel, s=settings: m.avg_pool1d(x, k, **s), x)
    compare(
        f"avg_pool1d {name}, padding not counted",
        lambda m, x, k=kernel, s=settings: m.avg_pool1d(x, k, count_include_pad=False, **s),
        x,
    )
    compare(
        f"lp_pool1d {name}",
        lambda m, x, k=kernel, s=settings: m.lp_pool1d(
            x, 3, k, s.get("stride"), s.get("ceil_mode", False)
        ),
        abs(x) + 0.1,
    )
for name, dilation in {"up to": 4, "beyond": 5}.items():
    compare(
        f"max_pool1d dilated {name} the input",
        lambda m, x, d=dilation: m.max_pool1d(x, 3, dilation=d),
        normal(1, 1, 9),
    )
compare(
    "max_pool1d steps over all of the input",
    lambda m, x: m.max_pool1d(x, 2, 1, 1, 2),
    normal(1, 1, 1),
)
for divisor in (2.5, True, -2):
    compare(
        f"avg_pool2d divisor {divisor!r}",
        lambda m, x, d=divisor: m.avg_pool2d(x, 2, divisor_override=d),
        normal(1, 1, 4, 4),
    )

# -------------------------------------------------------------------------------------- unpooling

UNPOOLED = {  # x, indices, settings
    "plain": ((2, 2, 4), 8, {}),
    "output_size": ((2, 2, 4), 9, {"output_size": (9,)}),
    "output_size with N and C": ((2, 2, 4), 7, {"output_size": (2, 2, 7)}),
    "stride, padding": ((1, 2, 3), 5, {"stride": 3, "padding": 2}),
    "unbatched": ((2, 4), 8, {}),
    "no images": ((0, 2, 4), 8, {}),
    "output_size too large": ((2, 2, 4), 8, {"output_size": (10,)}),
    "output_size too small": ((2, 2, 4), 6, {"output_size": (6,)}),
    "output_size of two": ((2, 2, 4), 8, {"output_size": (2, 9)}),
    "too few axes": ((4,), 4, {}),
    "nothing left": ((1, 1, 1), 1, {"padding": 1}),
}
for name, (shape, places, settings) in UNPOOLED.items():
    index = RANDOM.permuted(np.broadcast_to(np.arange(places), (*shape[:-1], places)), axis=-1)
    compare(
        f"max_unpool1d {name}",
        lambda m, x, i, s=settings: m.max_unpool1d(x, i, 2, **s),
        normal(*shape),
        index[..., : shape[-1]],
    )
for n, size in LENGTHS.items():
    pooled, op = tuple(s // 2 for s in size), f"max_unpool{n}d"
    index = RANDOM.integers(0, np.prod(pooled) * 2**n, (2, 2, *pooled))
    for kind, given, at in (
        ("places named twice", normal(2, 2, *pooled), index),
        ("places named twice, unbatched", normal(2, *pooled), index[0]),
    ):
        compare(f"{op} {kind}", lambda m, x, i, op=op: getattr(m, op)(x, i, 2), given, at)
    compare(
        f"{op} of max_pool{n}d",
        lambda m, x, n=n: getattr(m, f"max_unpool{n}d")(
            *getattr(m, f"max_pool{n}d")(x, 2, return_indices=True), 2, output_size=x.shape
        ),
        normal(2, 2, *size),
    )
for name, indices in {
    "out of range": np.array([[[8, 0]]]),
    "below 0": np.array([[[-1, 0]]]),
    "of another shape": np.array([[[1]]]),
    "unbatched": np.array([[1, 0]]),
    "int32": np.array([[[1, 0]]], np.int32),
    "float": Constant(np.array([[[1.0, 0.0]]])),
}.items():
    compare(
        f"max_unpool1d indices {name}",
        lambda m, x, i: m.max_unpool1d(x, i, 4),
        normal(1, 1, 2),
        indices,
    )
compare(
    "max_unpool1d integers",
    lambda m, x, i: m.max_unpool1d(x, i, 2),
    whole(1, 1, 2),
    np.array([[[1, 0]]]),
)
compare(
    "max_unpool1d float16",
    lambda m, x, i: m.max_unpool1d(x, i, 2),
    normal(1, 1, 2).astype(np.float16),
    np.array([[[1, 3]]]),
)

# --------------------------------------------------------------------------------------- adaptive

for n, size in LENGTHS.items():
    op = f"adaptive_max_pool{n}d"
    for name, out in {
        "1": 1,
        "2": 2,
        "more than there are": 10,
        "each axis its own": tuple(range(2, 2 + n)),
        "too many sizes": (2,) * (n + 1),
        "0": 0,
        "-1": -1,
        "1.5": 1.5,
    }.items():
        compare(
            f"{op} {name}",
            lambda m, x, op=op, o=out: getattr(m, op)(x, o, return_indices=True),
            normal(2, 2, *size),
        )
    for kind, x in {
        "ties": TIES[n],
        "unbatched": normal(2, *size),
        "no images": normal(0, 2, *size),
        "too few axes": normal(*size),
        "nothing along": normal(1, 2, *size[:-1], 0),
        "integers": whole(1, 2, *size),
        "float32": normal(1, 2, *size).astype(np.float32),
    }.items():
        compare(
            f"{op} {kind}",
            lambda m, x, op=op: getattr(m, op)(x, 3, return_indices=True),
            x,
        )
    compare(f"{op} values", lambda m, x, op=op: getattr(m, op)(x, 2), normal(1, 2, *size))
for size in ((None, 2), (3, None), (None, None)):
    for op in ("adaptive_max_pool2d", "adaptive_avg_pool2d"):
        compare(
            f"{op} {size} as it is",
            lambda m, x, op=op, s=size: getattr(m, op)(x, s),
            normal(1, 2, 4, 5),
        )
compare(
    "adaptive_max_pool1d NaN",
    lambda m, x: m.adaptive_max_pool1d(x, 2, return_indices=True),
    MISSING,
)

# -------------------------------------------------------------------------------------- fractional

FRACTIONAL = {  # size of x, kernel, settings
    "2d": ((9, 8), 2, {"output_size": 4}),
    "2d each axis its own": ((9, 8), (2, 3), {"output_size": (5, 4)}),
    "2d one window": ((9, 8), 3, {"output_size": 1}),
    "2d as many as fit": ((6, 6), 3, {"output_size": 4}),
    "2d ratio": ((9, 8), 2, {"output_ratio": (0.5, 0.7)}),
    "2d far apart": ((20, 23), 2, {"output_size": 3}),
    "3d": ((6, 7, 5), 2, {"output_size": 3}),
    "3d each axis its own": ((6, 7, 5), (1, 2, 3), {"output_size": (4, 3, 2)}),
    "3d ratio": ((6, 7, 5), 2, {"output_ratio": (0.5, 0.5, 0.3)}),
    "3d as many as fit": ((4, 4, 4), 2, {"output_size": 3}),
    "2d more than fit": ((6, 6), 3, {"output_size": 5}),
    "3d more than fit": ((4, 4, 4), 2, {"output_size": 4}),
    "2d no windows": ((6, 6), 3, {"output_size": 0}),
    "2d neither size nor ratio": ((6, 6), 3, {}),
    "2d three sizes": ((6, 6), 3, {"output_size": (1, 2, 3)}),
}
for name, (size, kernel, settings) in FRACTIONAL.items():
    n = int(name[0])
    op = f"fractional_max_pool{n}d"
    for kind, x in {
        "": normal(2, 3, *size),
        " unbatched": normal(3, *size),
        " no images": normal(0, 3, *size),
    }.items():
        images = x.shape[0] if x.ndim == n + 2 else 1
        compare(
            f"{op} {name[3:]}{kind}",
            lambda m, x, u, op=op, k=kernel, s=settings: getattr(m, op)(
                x, k, return_indices=True, _random_samples=u, **s
            ),
            x,
            Constant(RANDOM.random((images, 3, n))),
        )
for name, samples in {
    "of more images": RANDOM.random((3, 2, 2)),
    "of fewer images": RANDOM.random((1, 2, 2)),
    "of other channels": RANDOM.random((2, 3, 2)),
    "of other axes": RANDOM.random((2, 2, 3)),
    "of two axes": RANDOM.random((2, 2)),
    "of another dtype": RANDOM.random((2, 2, 2)).astype(np.float32),
    "close to 1": np.full((2, 2, 2), np.nextafter(1, 0)),
    "0": np.zeros((2, 2, 2)),
}.items():
    compare(
        f"fractional_max_pool2d samples {name}",
        lambda m, x, u: m.fractional_max_pool2d(x, 2, 4, _random_samples=u),
        normal(2, 2, 7, 9),
        Constant(samples),
    )
compare(
    "fractional_max_pool2d float32",
    lambda m, x, u: m.fractional_max_pool2d(x, 2, 5, _random_samples=u),
    normal(2, 2, 9, 11).astype(np.float32),
    Constant(RANDOM.random((2, 2, 2)).astype(np.float32)),
)
compare(
    "fractional_max_pool2d NaN",
    lambda m, x, u: m.fractional_max_pool2d(x, 3, 3, None, True, u),
    np.where(normal(1, 1, 6, 6) > 1, nan, 1.0),
    Constant(RANDOM.random((1, 1, 2))),
)

# ---------------------------------------------------------------------------------------- p-norms

for n, size in LENGTHS.items():
    op = f"lp_pool{n}d"
    for p in (1, 2, 3, 1.5, -1, -2, inf, -inf, 0, nan):
        compare(
            f"{op} p = {p}",
            lambda m, x, op=op, p=p: getattr(m, op)(x, p, 2),
            abs(normal(2, 2, *size)) + 0.1,
        )
    for name, settings in {
        "stride": {"stride": 1},
        "ceil": {"stride": 2, "ceil_mode": True},
        "ceil, overlapping": {"stride": 1, "ceil_mode": True},
    }.items():
        compare(
            f"{op} {name}", lambda m, x, op=op, s=settings: getattr(m, op)(x, 2, 3, **s),
            normal(1, 2, *size),
        )  # fmt: skip
    compare(f"{op} unbatched", lambda m, x, op=op: getattr(m, op)(x, 2, 2), normal(2, *size))
    compare(f"{op} no images", lambda m, x, op=op: getattr(m, op)(x, 2, 2), normal(0, 2, *size))
    compare(f"{op} too large", lambda m, x, op=op: getattr(m, op)(x, 2, 99), normal(1, 2, *size))
ZEROS = np.array([[[0.0, -0.0, 0.0, 1.0, -1.0, 1.0, -3.0, 0.0]]])
for p in (1, 2, 3, inf):
    compare(f"lp_pool1d zeros p = {p}", lambda m, x, p=p: m.lp_pool1d(x, p, 2), ZEROS)
    compare(
        f"lp_pool1d special p = {p}",
        lambda m, x, p=p: m.lp_pool1d(x, p, 1),
        np.array([[[nan, inf, -inf, 1e-200, 1e200]]]),
    )
compare(
    "lp_pool2d each axis its own",
    lambda m, x: m.lp_pool2d(x, 2, (2, 3), (1, 2)),
    normal(1, 2, 5, 6),
)
compare(
    "lp_pool2d float32", lambda m, x: m.lp_pool2d(x, 2, 2), normal(1, 2, 4, 4).astype(np.float32)
)

deviates("lp_pool?d p = nan", "refused; PyTorch returns NaN everywhere")
deviates("lp_pool1d special p = 1", "the gradient of a sum of NaN is 1; 0 in PyTorch")
deviates("fractional_max_pool3d as many as fit*", "taken, as in two dimensions")

# What is not finite stays in the windows that see it.
for op, ndim in (
    ("adaptive_avg_pool1d", 1),
    ("adaptive_avg_pool2d", 2),
    ("adaptive_avg_pool3d", 3),
):
    spoiled = np.ones((1, 2, *[4] * ndim))
    spoiled[0, 0].flat[:2], spoiled[0, 1].flat[-1] = (inf, nan), -inf
    for size in (2, 3, 7):
        compare(f"{op} {size} special", lambda m, x, op=op, s=size: getattr(m, op)(x, s), spoiled)
