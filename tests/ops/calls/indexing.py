"""Calls of ops that read and write at places."""

from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, SPECIAL, Constant, compare, deviates, normal, whole

X = normal(3, 4)
ROW = normal(5)
CUBE = normal(2, 3, 2)


def index(*values: Any) -> np.ndarray:
    return np.array(values, np.int64)


NOWHERE = np.zeros(0, np.int64)

# ------------------------------------------------------------------------ an index for each place

PLACES = {
    "rows": (X, 0, index([0, 2, 1, 0], [1, 1, 2, 2])),
    "columns": (X, 1, index([3, 0], [0, 0], [1, 2])),
    "the last axis": (CUBE, -1, index([[0], [1], [0]], [[1], [1], [0]])),
    "a middle axis, fewer": (CUBE, 1, index([[2, 0]])),
    "a row, longer": (ROW, 0, index(4, 4, 0, 1, 1, 2, 3)),
    "0-d": (np.array(2.0), 0, index(0, 0)),
    "0-d index": (ROW, 0, index(3).reshape(())),
    "0-d both": (np.array(2.0), -1, index(0).reshape(())),
    "nothing": (ROW, 0, NOWHERE),
    "nothing of a matrix": (X, 0, np.zeros((0, 4), np.int64)),
    "an empty matrix": (EMPTY, 1, np.zeros((0, 2), np.int64)),
    "integers": (whole(3, 4), 0, index([0, 2, 1, 0])),
    "float32": (X.astype(np.float32), 1, index([0, 2], [1, 1])),
    "bools": (X > 0, 1, index([0, 2], [1, 1])),
    "int32 index": (X, 1, index([0, 2], [1, 1]).astype(np.int32)),
    "special": (SPECIAL, 0, index(0, 6, 7, 8, 12)),
    "beyond": (X, 0, index([3, 0])),
    "negative": (X, 0, index([-1, 0])),
    "more columns": (X, 0, index([0, 0, 0, 0, 0])),
    "fewer axes": (X, 0, index(0, 1)),
    "dim": (X, 2, index([0, 1])),
    "float index": (X, 0, Constant(np.array([[0.0, 1.0]]))),
    "bool index": (X, 0, np.array([[True, False]])),
    "uint8 index": (X, 0, np.array([[1, 0]], np.uint8)),
}
for kind, (x, dim, places) in PLACES.items():
    compare(f"gather {kind}", lambda m, x, i, d=dim: m.gather(x, d, i), x, places)
    source = np.arange(1, places.size + 1).astype(x.dtype).reshape(places.shape)
    compare(
        f"scatter_add {kind}",
        lambda m, x, i, s, d=dim: m.scatter_add(x, d, i, s),
        x,
        places,
        source,
    )
    for value in (2, 0.5):
        call = lambda m, x, i, d=dim, v=value: m.scatter(x, d, i, v)  # noqa: E731
        compare(f"scatter {value} {kind}", call, x, places)
    for reduce in ("add", "multiply"):
        call = lambda m, x, i, s, d=dim, r=reduce: m.scatter(x, d, i, s, reduce=r)  # noqa: E731
        compare(f"scatter {reduce} {kind}", call, Constant(x), places, Constant(source))
ONCE = {
    "rows": (X, 0, index([0, 2, 1, 0], [1, 1, 2, 2])),
    "columns": (X, 1, index([3, 0], [0, 1], [1, 2])),
    "fewer": (CUBE, 1, index([[2, 0]])),
    "a row": (ROW, 0, index(4, 0, 1)),
    "0-d": (np.array(2.0), 0, index(0).reshape(())),
    "nothing": (ROW, 0, NOWHERE),
    "integers": (whole(3, 4), 0, index([0, 2, 1, 0])),
}
for kind, (x, dim, places) in ONCE.items():
    source = np.arange(1, places.size + 1).astype(x.dtype).reshape(places.shape)
    compare(f"scatter {kind}", lambda m, x, i, s, d=dim: m.scatter(x, d, i, s), x, places, source)
compare("scatter twice", lambda m, x, i, s: m.scatter(x, 0, i, s), ROW, index(1, 1), normal(2))
SOURCES = {
    "wider": normal(3, 4), "too small": normal(1, 1), "fewer axes": normal(2),
    "float32": normal(1, 2).astype(np.float32), "integers": whole(1, 2),
}  # fmt: skip
for kind, source in SOURCES.items():
    for op in ("scatter", "scatter_add"):
        call = lambda m, x, i, s, f=op: getattr(m, f)(x, 0, i, s)  # noqa: E731
        compare(f"{op} from {kind}", call, Constant(X), index([1, 1]), Constant(source))
compare("scatter value=", lambda m, x, i: m.scatter(x, 0, i, value=3.0), ROW, index(1))
compare("scatter reduce", lambda m, x, i: m.scatter(x, 0, i, 3.0, reduce="mean"), ROW, index(1))
compare("scatter nothing given", lambda m, x, i: m.scatter(x, 0, i), ROW, index(1))
for kind, places in {"ordinary": index([1, 2]), "negative": index([-1], [0], [-4])}.items():
    compare(f"take_along_dim {kind}", lambda m, x, i: m.take_along_dim(x, i, 1), X, places)
    compare(f"take_along_dim {kind}, flat", lambda m, x, i: m.take_along_dim(x, i), X, places)
for kind, places in {"beyond": index([4]), "below": index([-5]), "row": index(1)}.items():
    compare(f"take_along_dim {kind}", lambda m, x, i: m.take_along_dim(x, i, 1), X, places)
compare("take_along_dim shapes", lambda m, x, i: m.take_along_dim(x, i, 1), X, index([1], [0]))

# -------------------------------------------------------------------- an index for parts of an axis

PARTS = {
    "rows": (X, 0, index(2, 0, 2)),
    "columns": (X, -1, index(1, 3)),
    "a middle axis": (CUBE, 1, index(1)),
    "a row": (ROW, 0, index(4, 4, 0)),
    "0-d": (np.array(2.0), 0, index(0)),
    "0-d index": (X, 1, index(2).reshape(())),
    "0-d both": (np.array(2.0), 0, index(0).reshape(())),
    "nothing": (X, 0, NOWHERE),
    "of nothing": (EMPTY, 1, index(2, 0)),
    "integers": (whole(3, 4), 0, index(1, 1)),
    "bools": (X > 0, 1, index(0, 2)),
    "float32": (X.astype(np.float32), 1, index(0, 2, 2)),
    "int32 index": (X, 0, index(2, 0).astype(np.int32)),
    "negative": (X, 0, index(-1)),
    "below": (X, 0, index(-4)),
    "beyond": (X, 0, index(3)),
    "a matrix": (X, 0, index([0, 1])),
    "two of 0-d": (np.array(2.0), 0, index(0, 0)),
    "dim": (X, 2, index(0)),
    "float index": (X, 0, Constant(np.array([0.0]))),
    "bool index": (X, 0, np.array([True, False, True])),
}
for kind, (x, dim, places) in PARTS.items():
    compare(f"index_select {kind}", lambda m, x, i, d=dim: m.index_select(x, d, i), x, places)
    for value in (2, 0.5):
        call = lambda m, x, i, d=dim, v=value: m.index_fill(x, d, i, v)  # noqa: E731
        compare(f"index_fill {value} {kind}", call, x, places)
    shape = list(x.shape)
    if shape and -len(shape) <= dim < len(shape):
        shape[dim] = places.size
    source = np.arange(1, np.prod(shape, dtype=int) + 1).astype(x.dtype).reshape(shape)
    call = lambda m, x, i, s, d=dim: m.index_add(x, d, i, s)  # noqa: E731
    compare(f"index_add {kind}", call, x, places, source)
    call = lambda m, x, i, s, d=dim: m.index_add(x, d, i, s, alpha=2)  # noqa: E731
    compare(f"index_add alpha {kind}", call, x, places, source)
    if places.size == np.unique(places).size:
        call = lambda m, x, i, s, d=dim: m.index_copy(x, d, i, s)  # noqa: E731
        compare(f"index_copy {kind}", call, x, places, source)
for op in ("index_add", "index_copy"):
    for kind, source in {
        "too few": normal(1, 4), "too narrow": normal(2, 3), "fewer axes": normal(4),
        "another dtype": normal(2, 4).astype(np.float32),
    }.items():  # fmt: skip
        call = lambda m, x, i, s, f=op: getattr(m, f)(x, 0, i, s)  # noqa: E731
        compare(f"{op} {kind}", call, Constant(X), index(0, 1), Constant(source))
compare(
    "index_fill tensor", lambda m, x, i, v: m.index_fill(x, 0, i, v), X, index(2, 0), np.array(0.5)
)
compare(
    "index_fill vector", lambda m, x, i, v: m.index_fill(x, 0, i, v), X, index(2), np.array([0.5])
)
for kind, places in {
    "ordinary": index([0, 11], [5, 5]), "negative": index(-1, -12), "beyond": index(12),
    "below": index(-13), "0-d": index(3).reshape(()), "nothing": NOWHERE,
    "floats": Constant(np.array([1.0])),
}.items():  # fmt: skip
    compare(f"take {kind}", lambda m, x, i: m.take(x, i), X, places)
compare("take nothing of nothing", lambda m, x, i: m.take(x, i), EMPTY, NOWHERE)
compare("take of 0-d", lambda m, x, i: m.take(x, i), np.array(1.0), index(0, -1))
for dim, place in ((0, 1), (1, -1), (-1, 3), (0, 3), (0, -4), (2, 0)):
    compare(f"select {dim} {place}", lambda m, x, d=dim, i=place: m.select(x, d, i), X)
compare("select of 0-d", lambda m, x: m.select(x, 0, 0), np.array(1.0))
for dim, start, length in (
    (0, 0, 3), (1, 1, 2), (1, -2, 2), (-1, 4, 0), (0, 1, 3), (0, -1, 2), (0, 4, 0), (0, -4, 1),
    (0, 0, -1), (2, 0, 1), (1, 0, 0),
):  # fmt: skip
    name = f"narrow {dim} {start} {length}"
    compare(name, lambda m, x, d=dim, s=start, n=length: m.narrow(x, d, s, n), X)
compare("narrow of 0-d", lambda m, x: m.narrow(x, 0, 0, 1), np.array(1.0))

# ---------------------------------------------------------------------------------------- masks

MASK = normal(3, 4) > 0
MASKS = {
    "ordinary": (X, MASK),
    "a row of the mask": (X, MASK[0]),
    "a row of x": (X[0], MASK),
    "a column": (X, MASK[:, :1]),
    "0-d": (X, np.array(True)),
    "0-d both": (np.array(2.0), np.array(False)),
    "none": (X, np.zeros((3, 4), bool)),
    "empty": (EMPTY, np.zeros((0, 3), bool)),
    "integers": (whole(3, 4), MASK),
    "bools": (X > 0, MASK),
    "float32": (X.astype(np.float32), MASK),
    "special": (SPECIAL, np.isnan(SPECIAL)),
    "shapes": (X, MASK[:2]),
    "of integers": (X, MASK.astype(np.int64)),
    "of uint8": (X, MASK.astype(np.uint8)),
}
for kind, (x, mask) in MASKS.items():
    compare(f"masked_select {kind}", lambda m, x, c: m.masked_select(x, c), x, mask)
    for value in (2, 0.5, float("-inf"), True):
        call = lambda m, x, c, v=value: m.masked_fill(x, c, v)  # noqa: E731
        compare(f"masked_fill {value} {kind}", call, x, mask)
    compare(
        f"masked_scatter {kind}",
        lambda m, x, c, s: m.masked_scatter(x, c, s),
        x,
        mask,
        np.arange(12).astype(x.dtype),
    )
FILLED = {"float64": np.array(0.5), "float32": np.array(0.5, np.float32), "integer": np.array(2)}
FILLED |= {"vector": np.array([0.5])}
for kind, value in FILLED.items():
    call = lambda m, x, c, v: m.masked_fill(x, c, v)  # noqa: E731
    compare(f"masked_fill tensor {kind}", call, X.astype(np.float32), MASK, value)
compare(
    "masked_fill beyond",
    lambda m, x, c: m.masked_fill(x, c, 300),
    np.array([1], np.uint8),
    np.array([True]),
)
compare(
    "masked_fill beyond float16",
    lambda m, x, c: m.masked_fill(x, c, 1e6),
    normal(1).astype(np.float16),
    np.array([True]),
)
compare(
    "masked_scatter few", lambda m, x, c, s: m.masked_scatter(x, c, s), X, MASK | True, normal(11)
)
compare(
    "masked_scatter dtype",
    lambda m, x, c, s: m.masked_scatter(x, c, s),
    Constant(X),
    MASK,
    whole(12),
)
WITH_ZEROS = {
    "floats": np.array([[0.0, 1, -0.0], [np.nan, 0, 2]]),
    "bools": MASK,
    "0-d": np.array(2.0),
    "0-d zero": np.array(0),
    "empty": EMPTY,
    "integers": whole(3, 4),
}
for kind, x in WITH_ZEROS.items():
    compare(f"nonzero {kind}", lambda m, x: m.nonzero(x), x)
    compare(f"argwhere {kind}", lambda m, x: m.argwhere(x), x)
    compare(f"nonzero tuple {kind}", lambda m, x: m.nonzero(x, as_tuple=True), x)

# -------------------------------------------------------------------------------------- one_hot

for kind, x in {
    "ordinary": index(2, 0, 1), "matrix": index([0, 1], [3, 0]), "0-d": index(2).reshape(()),
    "nothing": NOWHERE, "negative": index(0, -1), "floats": Constant(np.array([0.0, 1.0])),
    "bools": np.array([True, False]), "none in the rows": np.zeros((2, 0), np.int64),
}.items():  # fmt: skip
    for classes in (-1, 4, 2, 0, -2):
        compare(f"one_hot {classes} {kind}", lambda m, x, n=classes: m.one_hot(x, n), x)

deviates("*_fill 0.5 integers", "refused; PyTorch cuts the fraction off")
deviates("scatter 0.5 integers", "refused; PyTorch cuts the fraction off")
deviates("scatter twice", "only the value that stays has a gradient")
deviates("take_along_dim negative, flat", "taken, as with dim")
deviates("take_along_dim beyond", "refused; PyTorch goes round the axis")
deviates("take_along_dim below", "refused; PyTorch goes round the axis")
deviates("index_fill * int32 index", "taken, as by index_select")
deviates("index_copy int32 index", "taken, as by index_select")
