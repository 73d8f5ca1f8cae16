"""Calls of interpolate, grid_sample and affine_grid."""

from typing import Any

import numpy as np

from tests.ops.calls.call import RANDOM, Constant, compare, inf, nan, normal, rounded, whole

SIZES: dict[str, tuple[tuple[int, ...], list[Any]]] = {
    "nearest": ((2, 2, 5), [7, 3, 5, 1, (10,)]),
    "nearest-exact": ((2, 1, 4, 5), [(7, 3), 4, (1, 9)]),
    "area": ((1, 2, 4, 5), [(2, 3), 4, (1, 9)]),
    "linear": ((2, 2, 5), [7, 3, 5, 1]),
    "bilinear": ((1, 2, 4, 5), [(7, 3), 4, (1, 9), (4, 5)]),
    "bicubic": ((1, 2, 4, 5), [(7, 3), 4, (1, 9), (4, 5)]),
    "trilinear": ((1, 1, 2, 4, 3), [(3, 3, 5), 2]),
}
SCALES = (2, 0.5, 1.7, 0.3, 0.01, -1.0, 0.0)
for mode, (shape, sizes) in SIZES.items():
    corners = (
        (None, True, False) if mode in ("linear", "bilinear", "bicubic", "trilinear") else (None,)
    )
    for align in corners:
        given: list[dict[str, Any]] = [{"size": size} for size in sizes]
        given += [{"scale_factor": float(s)} for s in SCALES]
        given += [{"scale_factor": 1.7, "recompute_scale_factor": True}]
        if mode.endswith("linear"):  # of the others PyTorch's gradient is not that of its values
            given += [{"scale_factor": 1.1}]
        for named in given:

            def resized(
                m: Any, x: Any, named: Any = named, mode: str = mode, a: Any = align
            ) -> Any:
                return m.interpolate(x, mode=mode, align_corners=a, **named)

            compare(f"interpolate {mode} {align} {named}", resized, normal(*shape))
for mode in ("bilinear", "bicubic"):
    for align in (False, True):
        for size in ((2, 3), (9, 2), (3, 11)):

            def smoothed(m: Any, x: Any, s: Any = size, mode: str = mode, a: bool = align) -> Any:
                return m.interpolate(x, s, mode=mode, align_corners=a, antialias=True)

            compare(f"interpolate {mode} antialias {align} {size}", smoothed, normal(1, 2, 7, 6))

    def kept(m: Any, x: Any, mode: str = mode) -> Any:
        return m.interpolate(x, scale_factor=(0.5, 1.1), mode=mode, antialias=True)

    constant = Constant(normal(1, 2, 7, 6))  # PyTorch's gradient is not that of its values here
    compare(f"interpolate {mode} antialias keeps a size", kept, constant)
SPECIAL = {
    "special": np.array([[[1.0, nan, 2.0, inf, -inf, 3.0]]]),
    "float32": normal(2, 1, 5).astype(np.float32),
    "no images": np.zeros((0, 2, 3)),
    "empty": np.zeros((2, 2, 0)),
    "rows": normal(2, 3),
    "one pixel": normal(1, 1, 1),
    "integers": whole(1, 1, 4),
}
for kind, x in SPECIAL.items():
    for mode in ("nearest", "linear", "bilinear"):
        compare(f"interpolate {mode} {kind}", lambda m, x, k=mode: m.interpolate(x, 4, mode=k), x)
compare(
    "interpolate uint8", lambda m, x: m.interpolate(x, 5), np.array([[[0, 200, 255]]], np.uint8)
)
WRONG: dict[str, dict[str, Any]] = {
    "nothing": {}, "both": {"size": 2, "scale_factor": 2.0}, "sizes": {"size": (2, 2)},
    "mode": {"size": 2, "mode": "cubic"}, "corners": {"size": 2, "align_corners": True},
    "antialias": {"size": 2, "mode": "linear", "antialias": True},
    "recompute": {"size": 2, "recompute_scale_factor": True},
    "negative": {"size": -1}, "zero": {"size": 0},
}  # fmt: skip
for kind, named in WRONG.items():
    compare(
        f"interpolate wrong {kind}", lambda m, x, n=named: m.interpolate(x, **n), normal(1, 1, 4)
    )

rounded("grid_sample *")
IMAGES, VOLUMES = (2, 2, 4, 5), (1, 2, 3, 2, 4)
GRIDS = {
    "inside": RANDOM.uniform(-0.95, 0.95, (2, 3, 4, 2)),
    "around": RANDOM.uniform(-3.5, 3.5, (2, 3, 4, 2)),
    "edges": np.array([[[[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-1.0, 1.0]]]] * 2),
    "volume inside": RANDOM.uniform(-0.95, 0.95, (1, 2, 2, 3, 3)),
    "volume around": RANDOM.uniform(-2.5, 2.5, (1, 2, 2, 3, 3)),
    "no places": np.zeros((2, 0, 4, 2)),
    "batch": np.zeros((3, 1, 1, 2)),
    "coordinates": np.zeros((2, 1, 1, 3)),
    "float32": np.zeros((2, 1, 1, 2), np.float32),
}
for kind, grid in GRIDS.items():
    shape = VOLUMES if kind.startswith("volume") else IMAGES
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (False, True):

                def read(m: Any, x: Any, g: Any, s: Any = (mode, padding, align)) -> Any:
                    return m.grid_sample(x, g, *s)

                compare(f"grid_sample {kind} {mode} {padding} {align}", read, normal(*shape), grid)
compare("grid_sample mode", lambda m, x, g: m.grid_sample(x, g, "cubic"),
        normal(*IMAGES), GRIDS["inside"])  # fmt: skip
compare("grid_sample padding", lambda m, x, g: m.grid_sample(x, g, "nearest", "wrap"),
        normal(*IMAGES), GRIDS["inside"])  # fmt: skip
for align in (False, True):
    for theta, size in (
        ((2, 2, 3), (2, 1, 3, 4)), ((1, 3, 4), (1, 2, 2, 3, 2)), ((2, 2, 3), (2, 1, 1, 4)),
        ((2, 2, 3), (3, 1, 3, 4)), ((2, 2, 2), (2, 1, 3, 4)), ((2, 2, 3), (2, 1, 0, 4)),
    ):  # fmt: skip
        compare(
            f"affine_grid {theta} {size} {align}",
            lambda m, t, s=size, a=align: m.affine_grid(t, s, a),
            normal(*theta),
        )

compare("grid_sample no images", lambda m, x, g: m.grid_sample(x, g, align_corners=False),
        np.zeros((0, 1, 4, 3)), np.zeros((0, 3, 3, 2)))  # fmt: skip
