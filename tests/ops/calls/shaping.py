"""Calls of ops that give elements other places, or repeat them."""

from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, SPECIAL, Constant, compare, deviates, normal, whole

X = normal(2, 3, 4)
ROW = normal(6)
INPUTS = {
    "ordinary": X,
    "row": ROW,
    "matrix": normal(3, 2),
    "integers": whole(2, 3, 4),
    "bools": whole(2, 3) > 0,
    "float32": normal(2, 3).astype(np.float32),
    "0-d": np.array(2.0),
    "empty": EMPTY,
    "special": SPECIAL,
}


def each(name: str, *settings: Any, kinds: str = "", **named: Any) -> None:
    """Call a function with the same settings on several inputs."""
    label = " ".join([name, *map(str, settings), *(f"{k}={v}" for k, v in named.items())])
    for kind in kinds.split() or INPUTS:
        call = lambda m, x: getattr(m, name)(x, *settings, **named)  # noqa: E731
        compare(f"{label}, {kind}", call, INPUTS[kind])


# ------------------------------------------------------------------------- the order of elements

for dims in ((0,), (-1,), (0, 1), (), (3,), (0, 0), (0, -3)):
    each("flip", dims)
each("flip", 0, kinds="ordinary")
for name in ("fliplr", "flipud", "ravel", "atleast_1d", "atleast_2d", "atleast_3d"):
    each(name)
for shifts in (1, -2, 7):
    each("roll", shifts)
    each("roll", shifts, 0)
    each("roll", shifts, (-1,), kinds="ordinary integers empty")
for shifts, dims in (
    ((1, 2), (0, 1)),
    ((1, 2), (0, 0)),
    ((-1,), 2),
    ((1, 2), None),
    ((1,), (0, 1)),
):
    each("roll", shifts, dims, kinds="ordinary bools 0-d")
each("roll", (), (), kinds="ordinary")
each("roll", 1, 3, kinds="ordinary")
for k in (0, 1, 2, 3, 5, -1):
    each("rot90", k, kinds="ordinary matrix integers empty row")
    each("rot90", k, (1, 2), kinds="ordinary")
    each("rot90", k, [-1, 0], kinds="ordinary")
each("rot90", 1, (0, 0), kinds="ordinary")
each("rot90", 1, (0, 1, 2), kinds="ordinary")
each("rot90", 1, (0, 3), kinds="ordinary")
for source, destination in ((0, 2), (-1, 0), ((0, 1), (2, 0)), ((2, 0), (0, 1)), ((), ())):
    each("movedim", source, destination, kinds="ordinary integers")
for source, destination in (((0, 0), (1, 2)), ((0, 1), (2,)), (3, 0), (0, -4), ((0, 1), (1, -2))):
    each("movedim", source, destination, kinds="ordinary")
each("movedim", 0, 0, kinds="0-d")
for name in ("swapaxes", "swapdims", "transpose"):
    each(name, 0, -1)
    each(name, 1, 3, kinds="ordinary")
for dim, sizes in ((0, (1, 2)), (1, (3, -1)), (-1, (2, 2)), (-1, [2, 1, -1]), (2, (4,))):
    each("unflatten", dim, sizes, kinds="ordinary integers")
for dim, sizes in ((0, (3, 1)), (3, (1, 2)), (1, (-1, -1)), (1, ()), (1, (2, -1))):
    each("unflatten", dim, sizes, kinds="ordinary")
each("unflatten", 0, (2, -1), kinds="row empty 0-d")
compare("atleast_2d of several", lambda m, a, b: m.atleast_2d(a, b), ROW, X)
compare("atleast_2d of a tuple", lambda m, a, b: m.atleast_2d((a, b)), ROW, np.array(1.0))

# ---------------------------------------------------------------------------- joined, taken apart

for chunks in (1, 2, 4, 5, 9, 0, -1):
    each("chunk", chunks, kinds="ordinary row empty 0-d bools")
    each("chunk", chunks, 2, kinds="ordinary")
    each("tensor_split", chunks, kinds="ordinary row empty 0-d")
    each("tensor_split", chunks, -1, kinds="ordinary integers")
for indices in ((1,), (1, 3), (3, 1), (1, 10, -1, 3), (), (-9, 2)):
    each("tensor_split", indices, kinds="row")
    each("tensor_split", indices, 1, kinds="ordinary")
compare("tensor_split at a tensor", lambda m, x, i: m.tensor_split(x, i), ROW, np.array([1, 4]))
compare("tensor_split by a tensor", lambda m, x, i: m.tensor_split(x, i), ROW, np.array(4))
for dim in (0, 1, -1, 3):
    each("unbind", dim, kinds="ordinary row integers bools 0-d")
for name in ("hsplit", "vsplit", "dsplit"):
    for sections in (1, 2, 0, (1, 2)):
        each(name, sections, kinds="ordinary row matrix 0-d integers")
for size in (2, 5, (1, 2), (3,)):
    each("split", size, kinds="ordinary")
    each("split", size, 1, kinds="ordinary")
JOINED = {
    "rows": (normal(2), normal(3)),
    "equal rows": (normal(3), normal(3)),
    "columns": (normal(3, 1), normal(3, 2)),
    "matrices": (normal(2, 3), normal(2, 3)),
    "a row and a matrix": (normal(3), normal(3, 2)),
    "a row below a matrix": (normal(2, 3), normal(3)),
    "0-d": (np.array(1.0), np.array(2.0)),
    "0-d and a row": (np.array(1.0), normal(2)),
    "volumes": (normal(2, 1, 3), normal(2, 1, 3)),
    "dtypes": (whole(2), normal(2).astype(np.float32)),
    "empty": (EMPTY, EMPTY),
}
for name in ("hstack", "vstack", "dstack", "column_stack"):
    for kind, (a, b) in JOINED.items():
        compare(f"{name} {kind}", lambda m, a, b, f=name: getattr(m, f)([a, b]), a, b)
    compare(f"{name} nothing", lambda m, f=name: getattr(m, f)([]))

# ------------------------------------------------------------------------------------- repeated


def repeat(m: Any, x: Any, *times: Any) -> Any:
    """PyTorch has it as a method only."""
    return m.repeat(x, *times) if hasattr(m, "repeat") else x.repeat(*times)


for times in ((2,), (1, 2, 3), (2, 1, 1, 2), (0, 1, 1), ((2, 2, 2),), (2, 2), (-1, 1, 1)):
    for kind in ("ordinary", "integers", "0-d"):
        compare(f"repeat {times}, {kind}", lambda m, x, t=times: repeat(m, x, *t), INPUTS[kind])
for dims in ((2,), (1, 2, 3), (2, 1, 1, 2), (0,), (-1,)):
    each("tile", dims)
for repeats in (0, 3, -1):
    each("repeat_interleave", repeats)
    each("repeat_interleave", repeats, 0)
    each("repeat_interleave", repeats, -1, kinds="ordinary integers")
each("repeat_interleave", 2, 3, kinds="ordinary")
each("repeat_interleave", 2, 0, kinds="ordinary", output_size=4)
each("repeat_interleave", 2, 1, kinds="ordinary", output_size=5)
for counts in ([1, 0, 2], [3], [0, 0, 0], [1, 2], [1, -1, 1], [[1, 1, 1]], [1.0, 1.0, 1.0]):
    compare(
        f"repeat_interleave {counts}",
        lambda m, x, n: m.repeat_interleave(x, n, 1),
        X,
        Constant(np.array(counts)),
    )
compare("repeat_interleave places", lambda m, n: m.repeat_interleave(n), np.array([2, 0, 1]))
compare("repeat_interleave flat", lambda m, x, n: m.repeat_interleave(x, n), ROW, np.arange(6))
for shape in ((2, 3, 4), (5, 2, 3, 4), (2, -1, 4), (2, 3), (2, 3, 5)):
    each("broadcast_to", shape, kinds="ordinary 0-d")
GRID = {"two": (ROW, normal(2)), "one": (ROW,), "three": (ROW[:2], normal(3), normal(1))}
GRID |= {"0-d": (np.array(1.0), normal(2)), "integers": (whole(2), whole(3))}
GRID |= {"empty": (normal(0), normal(2)), "matrix": (X[0], ROW), "dtypes": (whole(2), normal(2))}
for kind, inputs in GRID.items():
    for order in ("ij", "xy"):
        compare(
            f"meshgrid {kind} {order}", lambda m, *t, i=order: m.meshgrid(*t, indexing=i), *inputs
        )
    compare(f"cartesian_prod {kind}", lambda m, *t: m.cartesian_prod(*t), *inputs)
compare("meshgrid order", lambda m, x: m.meshgrid(x, indexing="yx"), ROW)
compare("broadcast_tensors", lambda m, a, b: m.broadcast_tensors(a, b), normal(3, 1), normal(2))
compare("broadcast_tensors none", lambda m, a, b: m.broadcast_tensors(a, b), normal(3), normal(2))
for r in (0, 1, 2, 3, 7):
    for again in (False, True):
        if r:  # of nothing PyTorch makes an empty row
            each("combinations", r, again, kinds="row integers")

# ------------------------------------------------------------------------------------ diagonals

for offset in (0, 1, -2, 9):
    each("tril", offset, kinds="ordinary matrix integers bools empty special 0-d")
    each("triu", offset, kinds="ordinary matrix float32 bools empty row")
    each("diag", offset)
    each("diagonal", offset, kinds="ordinary matrix integers bools 0-d empty row")
    each("diagonal", offset, 1, 2, kinds="ordinary integers")
    each("diagonal", offset, -1, 0, kinds="ordinary")
    each("diag_embed", offset, kinds="ordinary matrix bools 0-d empty")
    each("diag_embed", offset, 0, -1, kinds="ordinary integers row")
    each("diag_embed", offset, 2, 1, kinds="ordinary")
    each("diagflat", offset, kinds="ordinary 0-d empty integers")
each("diagonal", 0, 1, -2, kinds="ordinary")
each("diagonal", 0, 0, 3, kinds="ordinary")
each("diag_embed", 0, 1, 1, kinds="ordinary")
each("diag_embed", 0, 0, 4, kinds="ordinary")
compare("tril of NaN", lambda m, x: m.tril(x), np.full((2, 2), np.nan))
compare("block_diag", lambda m, *t: m.block_diag(*t), normal(2, 3), normal(2), np.array(1.0))
compare("block_diag dtypes", lambda m, *t: m.block_diag(*t), whole(2, 2), normal(1).astype("f4"))
compare("block_diag empty", lambda m, *t: m.block_diag(*t), EMPTY, normal(1, 1))
compare("block_diag volume", lambda m, *t: m.block_diag(*t), X)

# -------------------------------------------------------------------------------------- windows

IMAGES = normal(2, 2, 5, 4)
WINDOWS: dict[str, dict[str, Any]] = {
    "default": {"kernel_size": 2},
    "each axis its own": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)},
    "dilation": {"kernel_size": 2, "dilation": (2, 3)},
    "stride beyond the kernel": {"kernel_size": 1, "stride": 3},
    "large padding": {"kernel_size": 2, "padding": 3, "stride": 2},
    "whole": {"kernel_size": (5, 4)},
}
for kind, window in WINDOWS.items():
    compare(f"unfold {kind}", lambda m, x, w=window: m.unfold(x, **w), IMAGES)
    compare(f"unfold {kind}, no batch", lambda m, x, w=window: m.unfold(x, **w), IMAGES[0])

    def back(m: Any, x: Any, w: Any = window) -> Any:
        return m.fold(m.unfold(x, **w), (5, 4), **w)

    compare(f"fold of unfold {kind}", back, IMAGES)
    compare(f"fold of unfold {kind}, no batch", back, IMAGES[0])
for kind, window in {
    "too large": {"kernel_size": 6},
    "zero": {"kernel_size": 0},
    "stride zero": {"kernel_size": 2, "stride": 0},
    "negative padding": {"kernel_size": 2, "padding": -1},
    "three": {"kernel_size": (1, 1, 1)},
}.items():
    compare(f"unfold {kind}", lambda m, x, w=window: m.unfold(x, **w), IMAGES)
    compare(f"fold {kind}", lambda m, x, w=window: m.fold(x, (3, 3), **w), normal(1, 4, 4))
compare("unfold of a matrix", lambda m, x: m.unfold(x, 2), ROW.reshape(2, 3))
compare("unfold of no images", lambda m, x: m.unfold(x, 2), IMAGES[:0])
compare("fold", lambda m, x: m.fold(x, (3, 4), 2), normal(2, 8, 6))
compare("fold blocks", lambda m, x: m.fold(x, (3, 4), 2), normal(2, 8, 5))
compare("fold channels", lambda m, x: m.fold(x, (3, 4), 2), normal(2, 7, 6))
compare("fold a vector", lambda m, x: m.fold(x, (3, 4), 2), ROW)
for dim, size, step in ((0, 2, 1), (-1, 3, 1), (2, 2, 2), (1, 3, 5), (1, 1, 1), (2, 0, 1)):
    for kind in ("ordinary", "integers"):
        compare(
            f"windows {dim} {size} {step}, {kind}",
            lambda m, x, w=(dim, size, step): (
                m.unfold_dim(x, *w) if hasattr(m, "unfold_dim") else x.unfold(*w)
            ),
            INPUTS[kind],
        )
for dim, size, step in ((0, 3, 1), (0, -1, 1), (0, 1, 0), (3, 1, 1)):
    compare(
        f"windows {dim} {size} {step}",
        lambda m, x, w=(dim, size, step): (
            m.unfold_dim(x, *w) if hasattr(m, "unfold_dim") else x.unfold(*w)
        ),
        X,
    )
for factor in (1, 2, 3, 0, -1):
    for shape in ((4, 2, 2), (2, 1, 9, 4, 6), (4, 4)):
        compare(
            f"pixel_shuffle {factor} {shape}",
            lambda m, x, r=factor: m.pixel_shuffle(x, r),
            normal(*shape),
        )
        compare(
            f"pixel_unshuffle {factor} {shape}",
            lambda m, x, r=factor: m.pixel_unshuffle(x, r),
            normal(*shape),
        )
    for shape in ((1, 6, 2), (2, 4, 2, 1), (6, 2)):
        compare(
            f"channel_shuffle {factor} {shape}",
            lambda m, x, r=factor: m.channel_shuffle(x, r),
            normal(*shape),
        )

deviates("repeat_interleave [03] 0, 0-d", "taken as a tensor (1,), as elsewhere")

# A loop may start from a tensor (0,), which goes with any others.
START = np.zeros(0)
for dim in (0, 1, -1, 2):
    compare(f"cat start {dim}", lambda m, a, b, d=dim: m.cat([a, b], d), START, np.ones((2, 3)))
    compare(f"cat end {dim}", lambda m, a, b, d=dim: m.cat([b, a], d), START, np.ones((2, 3)))
compare("cat start float64, float32", lambda m, a, b: m.cat([a, b]), START, np.ones(2, np.float32))
for count in (0, 1):  # windows
    compare(
        f"fold {count} windows",
        lambda m, x: m.fold(x, (2, 3), 3, 2, 0, 1),
        np.zeros((1, 18, count)),
    )

compare("moveaxis", lambda m, x: m.moveaxis(x, (0, 1), (-1, 0)), normal(2, 3, 4))
for kind, x in {
    "ordinary": normal(3, 5),
    "integers": whole(2, 6),
    "uint8": np.array([200, 3, 7], "u1"),
    "bools": np.array([[True, False, False], [True, True, False]]),
    "one": normal(4, 1),
    "empty": normal(3, 0),
    "0-d": np.array(1.0),
}.items():
    for n in (0, 1, 2, 7, -1):
        for dim in (-1, 0):
            compare(f"diff {kind} {n} {dim}", lambda m, x, n=n, d=dim: m.diff(x, n, d), x)
joined = normal(3, 5), normal(3, 1), normal(3, 2)
compare("diff joined", lambda m, x, a, b: m.diff(x, 2, -1, a, b), *joined)
compare("diff append", lambda m, x, a: m.diff(x, append=a), *joined[:2])
for kind, y in {"ordinary": normal(3, 4), "integers": whole(3, 4), "one": normal(1, 1)}.items():
    for dim in (0, -1):
        compare(f"trapezoid {kind} {dim}", lambda m, y, d=dim: m.trapezoid(y, dim=d), y)
        compare(f"trapz {kind} {dim}", lambda m, y, d=dim: m.trapz(y, dx=0.3, dim=d), y)
        x = normal(y.shape[dim])
        compare(f"trapezoid {kind} {dim} at", lambda m, y, x, d=dim: m.trapezoid(y, x, dim=d), y, x)
compare("trapezoid rows", lambda m, y, x: m.trapezoid(y, x), normal(2, 3, 4), normal(3, 4))
columns = normal(2, 3, 4), normal(3, 4)
compare("trapezoid columns", lambda m, y, x: m.trapezoid(y, x, dim=1), *columns)
compare("trapezoid wrong", lambda m, y, x: m.trapezoid(y, x), normal(3, 4), normal(3))
