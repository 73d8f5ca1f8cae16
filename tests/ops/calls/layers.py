"""Calls of the first ops: shapes, indices, products, layers, losses."""

from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, RANDOM, Constant, compare, deviates, inf, nan, normal, whole

# ------------------------------------------------------------------------------- shapes, indexing
for shape in ((6,), (3, 2), (-1,), (3, -1), (4,), (-1, -1), (-1, 4), (2, 3, 1), (2, -3)):
    compare(f"reshape {shape}", lambda m, x, s=shape: m.reshape(x, s), normal(2, 3))
compare("reshape nothing with -1", lambda m, x: m.reshape(x, (-1, 0)), np.zeros((2, 0)))
compare("reshape nothing", lambda m, x: m.reshape(x, (-1, 3)), EMPTY)
for dims in ((1, 0, 2), (-1, 0, 1), (0, 1), (0, 0, 1), (0, 1, 3)):
    compare(f"permute {dims}", lambda m, x, d=dims: m.permute(x, d), normal(2, 3, 4))
for pair in ((0, 1), (-1, 0), (0, 3)):
    compare(f"transpose {pair}", lambda m, x, d=pair: m.transpose(x, *d), normal(2, 3, 4))
for dim in (0, 1, -1, 3, (0, 1)):
    compare(f"squeeze {dim}", lambda m, x, d=dim: m.squeeze(x, d), normal(1, 2, 1))
compare("squeeze all", lambda m, x: m.squeeze(x), normal(1, 2, 1))
for dim in (0, 2, -1, -3, 3, -4):
    compare(f"unsqueeze {dim}", lambda m, x, d=dim: m.unsqueeze(x, d), normal(2, 3))
for ends in ((0, -1), (1, 2), (-2, -1), (1, 1), (2, 1), (0, 3)):
    compare(f"flatten {ends}", lambda m, x, e=ends: m.flatten(x, *e), normal(2, 3, 4))
compare("flatten 0-d", lambda m, x: m.flatten(x), np.array(1.0))
for shape in ((2, 3), (2, 2, 3), (3,), (2, 4), (0, 3)):
    compare(f"expand {shape}", lambda m, x, s=shape: m.expand(x, s), normal(1, 3))
compare("cat", lambda m, a, b: m.cat([a, b], dim=1), normal(2, 3), normal(2, 1))
compare("cat dtypes", lambda m, a, b: m.cat([a, b]), whole(2), normal(2).astype("f4"))
compare("cat shapes", lambda m, a, b: m.cat([a, b]), normal(2, 3), normal(2, 2))
compare("cat axes", lambda m, a, b: m.cat([a, b]), normal(2, 3), normal(2))
compare("cat dim", lambda m, a: m.cat([a], dim=2), normal(2, 3))
compare("cat negative dim", lambda m, a: m.cat([a, a], dim=-1), normal(2, 3))
compare("cat 0-d", lambda m, a: m.cat([a, a]), np.array(1.0))
compare("cat none", lambda m: m.cat([]))
compare("stack", lambda m, a, b: m.stack([a, b], dim=-1), normal(2, 3), normal(2, 3))
compare("stack shapes", lambda m, a, b: m.stack([a, b]), normal(2, 3), normal(2, 1))
compare("stack 0-d", lambda m, a: m.stack([a, a]), np.array(1.0))
compare("stack dim", lambda m, a: m.stack([a, a], dim=2), normal(2))
for size in (2, 3, 5, 9, (1, 4), (2, 2), (5, 0), 0, -1):
    compare(
        f"split {size}",
        lambda m, x, s=size: m.split(x, list(s) if isinstance(s, tuple) else s, dim=1),
        normal(2, 5),
    )
compare("split nothing", lambda m, x: m.split(x, 2), EMPTY)
for amounts in ((1, 2), (1, 0, 0, 2), (-1, 1), (0, -2, -1, 0), (1,), (1,) * 6, (-3, 0)):
    compare(f"pad {amounts}", lambda m, x, a=amounts: m.pad(x, a, value=0.5), normal(2, 3))
compare("clone", lambda m, x: m.clone(x), normal(2, 3))
INDICES: dict[str, Any] = {
    "integer": 1, "negative": -1, "slice": slice(0, 5), "step": slice(None, None, 2),
    "None": None, "ellipsis": (..., 0), "bool": True, "tuple": (0, 1), "list": [1, 0, 1],
    "out of range": 3, "too many": (0, 0, 0), "two lists": ([0, 1], [1, 2]),
    "list and slice": (slice(None), [0, 0]), "float": 1.5, "text": "a", "negative list": [-1, 0],
    "list out of range": [0, 3], "empty list": [],
}  # fmt: skip
for name, index in INDICES.items():
    compare(f"index {name}", lambda m, x, i=index: x[i], normal(3, 4))
compare("index mask", lambda m, x, i: x[i], normal(3, 4), normal(3, 4) > 0)
compare("index row mask", lambda m, x, i: x[i], normal(3, 4), np.array([True, False, True]))
compare("index mask of wrong shape", lambda m, x, i: x[i], normal(3, 4), np.array([True, False]))
compare("index integers", lambda m, x, i: x[i], normal(3, 4), np.array([[0, 2], [2, 2]]))
compare("index 0-d integer", lambda m, x, i: x[i], normal(3, 4), np.array(1))
compare("index apart", lambda m, x, i: x[i, :, i], normal(3, 4, 3), np.array([0, 2]))
compare("index 0-d", lambda m, x: x[0], np.array(1.0))
compare("index 0-d all", lambda m, x: x[...], np.array(1.0))
ROWS = np.array([[0, 3], [1, 1], [2, 2]])
compare("take_along_dim", lambda m, x, i: m.take_along_dim(x, i, dim=1), normal(3, 4), ROWS)
compare(
    "take_along_dim broadcast",
    lambda m, x, i: m.take_along_dim(x, i, dim=1),
    normal(3, 4),
    ROWS[:1],
)
compare(
    "take_along_dim x broadcast", lambda m, x, i: m.take_along_dim(x, i, dim=1), normal(1, 4), ROWS
)
compare("take_along_dim axes", lambda m, x, i: m.take_along_dim(x, i, dim=1), normal(3, 4), ROWS[0])
compare(
    "take_along_dim floats", lambda m, x, i: m.take_along_dim(x, i, dim=1), normal(3, 4), ROWS * 1.0
)

# --------------------------------------------------------------------------------------- products
SHAPES = {
    "matrices": ((2, 3), (3, 4)), "vectors": ((3,), (3,)), "vector matrix": ((3,), (3, 2)),
    "matrix vector": ((2, 3), (3,)), "batches": ((4, 2, 3), (4, 3, 2)),
    "batch vector": ((4, 2, 3), (3,)), "vector batch": ((2,), (4, 2, 3)),
    "broadcast": ((5, 1, 2, 3), (4, 3, 2)), "do not fit": ((2, 3), (2, 3)),
    "batches do not fit": ((2, 2, 3), (3, 3, 2)), "0-d": ((), (3,)), "empty": ((0, 3), (3, 2)),
    "nothing to add": ((2, 0), (0, 3)), "vectors do not fit": ((2,), (3,)),
}  # fmt: skip
for name, (left, right) in SHAPES.items():
    compare(f"matmul {name}", lambda m, a, b: m.matmul(a, b), normal(*left), normal(*right))
compare("matmul dtypes", lambda m, a, b: m.matmul(a, b), normal(2, 2), normal(2, 2).astype("f4"))
compare("matmul integers", lambda m, a, b: m.matmul(a, b), whole(2, 2), whole(2, 2))
for name, (x, w, b) in {
    "rows": ((2, 3), (4, 3), (4,)), "vector": ((3,), (4, 3), (4,)),
    "batches": ((2, 2, 3), (4, 3), (4,)), "does not fit": ((2, 3), (4, 2), (4,)),
    "bias does not fit": ((2, 3), (4, 3), (3,)), "no features": ((2, 0), (3, 0), (3,)),
    "no rows": ((0, 3), (4, 3), (4,)), "no outputs": ((2, 3), (0, 3), (0,)),
}.items():  # fmt: skip
    compare(
        f"linear {name}", lambda m, x, w, b: m.linear(x, w, b), normal(*x), normal(*w), normal(*b)
    )
compare("linear no bias", lambda m, x, w: m.linear(x, w), normal(2, 3), normal(4, 3))

CONVS = {
    "plain": ((2, 3, 5, 6), (4, 3, 3, 2), {}),
    "all": (
        (2, 4, 7, 6),
        (6, 2, 2, 3),
        {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1), "groups": 2},
    ),
    "depthwise": ((1, 3, 5, 5), (6, 1, 3, 3), {"groups": 3, "padding": 1}),
    "unbatched": ((3, 5, 6), (4, 3, 3, 2), {}),
    "no images": ((0, 3, 5, 6), (4, 3, 3, 2), {}),
    "valid": ((1, 3, 5, 6), (4, 3, 3, 2), {"padding": "valid"}),
    "kernel too large": ((1, 1, 2, 2), (1, 1, 3, 3), {}),
    "channels do not fit": ((1, 2, 5, 5), (1, 3, 3, 3), {}),
    "groups do not fit": ((1, 4, 5, 5), (3, 2, 3, 3), {"groups": 2}),
    "axes do not fit": ((1, 1, 5, 5), (1, 1, 3), {}),
    "stride 0": ((1, 1, 5, 5), (1, 1, 3, 3), {"stride": 0}),
    "padding -1": ((1, 1, 5, 5), (1, 1, 3, 3), {"padding": -1}),
    "three strides": ((1, 1, 5, 5), (1, 1, 3, 3), {"stride": (1, 1, 1)}),
    "groups 0": ((1, 1, 5, 5), (1, 1, 3, 3), {"groups": 0}),
    "list": ((1, 1, 5, 5), (1, 1, 3, 3), {"stride": [2, 1]}),
}
for name, (x, w, settings) in CONVS.items():
    compare(
        f"conv2d {name}",
        lambda m, x, w, s=settings: m.conv2d(x, w, None, **s),
        normal(*x),
        normal(*w),
    )
compare(
    "conv1d",
    lambda m, x, w, b: m.conv1d(x, w, b, stride=2, padding=1),
    normal(2, 3, 7),
    normal(4, 3, 2),
    normal(4),
)
compare(
    "conv3d",
    lambda m, x, w, b: m.conv3d(x, w, b, stride=2, padding=1),
    normal(1, 2, 4, 3, 5),
    normal(3, 2, 2, 3, 2),
    normal(3),
)
compare(
    "conv2d bias",
    lambda m, x, w, b: m.conv2d(x, w, b),
    normal(2, 3, 4, 4),
    normal(4, 3, 2, 2),
    normal(3),
)
compare(
    "conv2d bias without axes",
    lambda m, x, w, b: m.conv2d(x, w, b),
    normal(2, 3, 4, 4),
    normal(4, 3, 2, 2),
    normal(),
)
compare(
    "conv2d dtypes",
    lambda m, x, w: m.conv2d(x, w),
    normal(1, 1, 4, 4),
    normal(1, 1, 2, 2).astype("f4"),
)
compare(
    "conv2d NaN",
    lambda m, x, w: m.conv2d(x, w),
    np.where(normal(1, 1, 5, 5) > 1, nan, 1.0),
    normal(1, 1, 2, 2),
)
POOLS = {
    "plain": ((2, 3, 6, 6), 2, {}),
    "overlap": ((1, 2, 7, 6), 3, {"stride": 2, "padding": 1}),
    "ceil": ((1, 2, 7, 8), 3, {"stride": 2, "ceil_mode": True}),
    "ceil and padding": (
        (1, 1, 5, 6),
        (2, 4),
        {"stride": (2, 3), "padding": (1, 2), "ceil_mode": True},
    ),
    "unbatched": ((3, 6, 6), 2, {}),
    "no images": ((0, 3, 6, 6), 2, {}),
    "too large": ((1, 1, 2, 2), 3, {}),
    "too much padding": ((1, 1, 4, 4), 2, {"padding": 2}),
    "no height": ((1, 1, 0, 4), 2, {}),
    "too few axes": ((4, 4), 2, {}),
    "stride 0": ((1, 1, 4, 4), 2, {"stride": 0}),
    "odd padding": ((1, 1, 4, 4), 3, {"padding": 1, "stride": 3}),
}
for name, (x, kernel, settings) in POOLS.items():
    for op in ("max_pool2d", "avg_pool2d"):
        compare(
            f"{op} {name}",
            lambda m, x, op=op, k=kernel, s=settings: getattr(m, op)(x, k, **s),
            normal(*x),
        )
    compare(
        f"avg_pool2d {name} without padding",
        lambda m, x, k=kernel, s=settings: m.avg_pool2d(x, k, count_include_pad=False, **s),
        normal(*x),
    )
    compare(
        f"avg_pool2d {name} own divisor",
        lambda m, x, k=kernel, s=settings: m.avg_pool2d(x, k, divisor_override=5, **s),
        normal(*x),
    )
compare(
    "max_pool2d dilation", lambda m, x: m.max_pool2d(x, 2, dilation=3, stride=1), normal(1, 2, 6, 6)
)
compare("max_pool2d ties", lambda m, x: m.max_pool2d(x, 2, 1), whole(1, 1, 5, 5) * 1.0)
compare(
    "max_pool2d NaN",
    lambda m, x: m.max_pool2d(x, 2, 1, padding=1),
    np.where(normal(1, 1, 5, 5) > 1, nan, 1.0),
)
compare(
    "max_pool2d -inf", lambda m, x: m.max_pool2d(x, 2, 1, padding=1), np.full((1, 1, 3, 3), -inf)
)
compare("max_pool2d integers", lambda m, x: m.max_pool2d(x, 2, padding=1), whole(1, 1, 4, 4))
compare("avg_pool2d integers", lambda m, x: m.avg_pool2d(x, 2), whole(1, 1, 4, 4))
compare(
    "avg_pool2d divisor 0", lambda m, x: m.avg_pool2d(x, 2, divisor_override=0), normal(1, 1, 4, 4)
)
compare("max_pool1d", lambda m, x: m.max_pool1d(x, 3, 2, 1, 2, True), normal(2, 2, 9))
compare("avg_pool1d", lambda m, x: m.avg_pool1d(x, 3, 2, 1, True, False), normal(2, 2, 8))
compare("max_pool3d", lambda m, x: m.max_pool3d(x, 2, (1, 2, 1), (0, 1, 1)), normal(1, 2, 3, 4, 3))
compare("avg_pool3d", lambda m, x: m.avg_pool3d(x, 2, 2, 1, True, False), normal(1, 2, 3, 4, 3))
for size in (1, 3, (2, None), (5, 7), 0, (1, 2, 3)):
    compare(
        f"adaptive_avg_pool2d {size}",
        lambda m, x, s=size: m.adaptive_avg_pool2d(x, s),
        normal(2, 3, 5, 4),
    )
compare("adaptive_avg_pool1d", lambda m, x: m.adaptive_avg_pool1d(x, 3), normal(2, 3, 7))
compare(
    "adaptive_avg_pool3d", lambda m, x: m.adaptive_avg_pool3d(x, (1, 2, 3)), normal(1, 2, 3, 4, 5)
)

# --------------------------------------------------------------------- normalisation and losses
for shape in ((5, 3), (2, 3, 4), (2, 3, 2, 2), (2, 3, 2, 2, 2), (1, 3), (1, 3, 2), (3,), (0, 3)):
    for training in (True, False):
        compare(
            f"batch_norm {shape} {training}",
            lambda m, x, w, b, mean, var, t=training: (
                m.batch_norm(x, mean, var, w, b, t, 0.3, 1e-3),
                mean,
                var,
            ),
            normal(*shape),
            normal(3),
            normal(3),
            Constant(normal(3)),
            Constant(normal(3) ** 2),
        )
LOGITS = normal(4, 3)
CLASSES = np.array([0, 2, 1, 2])
for reduction in ("mean", "sum", "none"):
    compare(
        f"cross_entropy {reduction}",
        lambda m, x, t, r=reduction: m.cross_entropy(x, t, reduction=r),
        LOGITS,
        CLASSES,
    )
    compare(
        f"cross_entropy weight {reduction}",
        lambda m, x, t, w, r=reduction: m.cross_entropy(x, t, w, reduction=r),
        LOGITS,
        CLASSES,
        Constant(np.array([0.2, 1.0, 3.0])),
    )
    compare(
        f"cross_entropy ignore {reduction}",
        lambda m, x, t, r=reduction: m.cross_entropy(x, t, ignore_index=2, reduction=r),
        LOGITS,
        CLASSES,
    )
    compare(
        f"cross_entropy ignored rows of nan and inf {reduction}",
        lambda m, x, t, r=reduction: m.cross_entropy(x, t, reduction=r),
        np.array([[nan, 1.0], [-inf, 0.0], [inf, 0.0], [0.5, 0.1]]),
        np.array([-100, -100, -100, 1]),
    )
    compare(
        f"cross_entropy spatial {reduction}",
        lambda m, x, t, r=reduction: m.cross_entropy(x, t, reduction=r),
        normal(2, 3, 2, 2),
        np.array([[[0, 1], [2, -100]], [[1, 1], [-100, 0]]]),
    )
    for name, x, t in (
        ("plain", normal(3, 2), RANDOM.random((3, 2))),
        ("far", np.array([-800.0, 800.0, -800.0, 800.0]), np.array([0.0, 1.0, 1.0, 0.0])),
        ("inf", np.array([inf, -inf, nan, 1.0]), np.array([1.0, 0.0, 1.0, 1.0])),
        ("shapes", normal(3), RANDOM.random((3, 1))),
        ("empty", np.zeros(0), np.zeros(0)),
    ):
        compare(
            f"binary_cross_entropy_with_logits {name} {reduction}",
            lambda m, x, t, r=reduction: m.binary_cross_entropy_with_logits(x, t, reduction=r),
            x,
            t,
        )
    compare(
        f"binary_cross_entropy_with_logits weights {reduction}",
        lambda m, x, t, w, p, r=reduction: m.binary_cross_entropy_with_logits(
            x, t, w, reduction=r, pos_weight=p
        ),
        normal(3, 2),
        Constant(RANDOM.random((3, 2))),
        Constant(RANDOM.random((3, 1))),
        Constant(np.array([2.0, 0.5])),
    )
    compare(
        f"mse_loss {reduction}",
        lambda m, x, t, r=reduction: m.mse_loss(x, t, reduction=r),
        normal(3),
        normal(3),
    )
compare("cross_entropy one row", lambda m, x, t: m.cross_entropy(x, t), normal(3), np.array(1))
compare(
    "cross_entropy all ignored",
    lambda m, x, t: m.cross_entropy(x, t),
    normal(2, 3),
    np.array([-100, -100]),
)
compare(
    "cross_entropy no rows", lambda m, x, t: m.cross_entropy(x, t), EMPTY, np.zeros(0, np.int64)
)
compare(
    "cross_entropy out of range",
    lambda m, x, t: m.cross_entropy(x, t),
    normal(2, 3),
    np.array([0, 3]),
)
compare(
    "cross_entropy negative", lambda m, x, t: m.cross_entropy(x, t), normal(2, 3), np.array([0, -1])
)
compare(
    "cross_entropy shapes", lambda m, x, t: m.cross_entropy(x, t), normal(2, 3), np.array([0, 1, 2])
)
compare(
    "cross_entropy weight of wrong size",
    lambda m, x, t, w: m.cross_entropy(x, t, w),
    normal(2, 3),
    np.array([0, 1]),
    Constant(np.ones(2)),
)
compare(
    "cross_entropy inf",
    lambda m, x, t: m.cross_entropy(x, t),
    np.array([[inf, 0.0], [0.0, -inf]]),
    np.array([1, 0]),
)
compare(
    "cross_entropy integers", lambda m, x, t: m.cross_entropy(x, t), whole(2, 3), np.array([0, 1])
)
compare(
    "cross_entropy uint8 target",
    lambda m, x, t: m.cross_entropy(x, t),
    normal(2, 3),
    np.array([0, 1], np.uint8),
)
compare(
    "cross_entropy reduction",
    lambda m, x, t: m.cross_entropy(x, t, reduction="avg"),
    normal(2, 3),
    np.array([0, 1]),
)
compare("mse_loss empty", lambda m, x, t: m.mse_loss(x, t), np.zeros(0), np.zeros(0))
compare("mse_loss dtypes", lambda m, x, t: m.mse_loss(x, t), normal(3), normal(3).astype("f4"))
compare("mse_loss integers", lambda m, x, t: m.mse_loss(x, t), whole(3), whole(3))
compare("dropout 1", lambda m, x: m.dropout(x, 1.0, True), normal(3))
compare("dropout off", lambda m, x: m.dropout(x, 0.5, False), normal(3))
compare("dropout 2", lambda m, x: m.dropout(x, 2.0, True), normal(3))

deviates("avg_pool2d integers", "refused; PyTorch divides integers")
deviates("batch_norm (0, 3) True", "statistics of nothing are refused")
deviates(
    "cross_entropy ignored rows of nan*", "the gradient of an ignored row is 0 whatever it holds"
)
