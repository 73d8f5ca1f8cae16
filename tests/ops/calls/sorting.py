"""Calls of sorting, quantiles, counting and searching."""

from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, Constant, compare, deviates, inf, nan, normal, whole

# ---------------------------------------------------------------------------------------- sorting
TIES = np.array([2.0, 1.0, 2.0, 0.0, -0.0, 1.0])
SORTED = {
    "ordinary": normal(3, 4),
    "ties": TIES,
    "NaN and inf": np.array([[1.0, nan, inf], [-inf, 2.0, nan]]),
    "integers": whole(3, 5),
    "uint8": np.array([200, 3, 3], np.uint8),
    "bools": np.array([True, False, True]),
    "float32": normal(5).astype("f4"),
    "float16": normal(5).astype("f2"),
    "empty": Constant(EMPTY),
    "0-d": np.array(0.7),
}
for kind, x in SORTED.items():
    for dim in (-1, 0, 2):
        for descending in (False, True):

            def ordered(m: Any, x: Any, d: int = dim, down: bool = descending) -> Any:
                return tuple(m.sort(x, dim=d, descending=down, stable=True))

            compare(f"sort {kind} {dim} {descending}", ordered, x)
            compare(
                f"argsort {kind} {dim} {descending}",
                lambda m, x, d=dim, down=descending: m.argsort(
                    x, stable=True, dim=d, descending=down
                ),
                x,
            )
        if kind == "bools":
            continue
        for k in (1, 2, 3, 0, -1, 9):
            if kind == "0-d" and k == 0:
                continue  # PyTorch's result has one element
            given = Constant(x) if kind == "ties" and k != 9 else x
            for largest in (True, False):
                compare(
                    f"topk {kind} {k} {dim} {largest}",
                    lambda m, x, k=k, d=dim, up=largest: m.topk(x, k, d, up)[0],
                    given,
                )
            compare(
                f"kthvalue {kind} {k} {dim}", lambda m, x, k=k, d=dim: m.kthvalue(x, k, d)[0], given
            )
compare("sort default", lambda m, x: tuple(m.sort(x)), normal(3, 4))
compare("topk default", lambda m, x: tuple(m.topk(x, 2)), normal(3, 4))
compare("topk unsorted", lambda m, x: m.sort(m.topk(x, 2, sorted=False)[0])[0], normal(3, 4))
compare("kthvalue keepdim", lambda m, x: tuple(m.kthvalue(x, 2, 0, True)), normal(3, 4))
compare("mode indices", lambda m, x: tuple(m.mode(x)), np.array([[3, 1, 1, 3, 2], [5, 4, 3, 2, 1]]))

# -------------------------------------------------------------------------------------- quantiles
MISSING = np.array([[1.0, nan, 3.0, 7.0], [nan, nan, nan, nan], [4.0, 2.0, 8.0, 16.0]])
for op in ("quantile", "nanquantile"):
    for name, q in {"0.3": 0.3, "0": 0.0, "1": 1.0, "0.5": 0.5, "over": 1.5, "under": -0.1}.items():
        for kind, x in {"ordinary": normal(3, 4), "NaN": Constant(MISSING)}.items():
            for dim in (None, 0, -1, 2):
                compare(
                    f"{op} {name} {kind} {dim}",
                    lambda m, x, op=op, q=q, d=dim: getattr(m, op)(x, q, d),
                    x,
                )
    for how in ("linear", "lower", "higher", "midpoint", "nearest", "cubic"):
        for keepdim in (False, True):
            compare(
                f"{op} {how} {keepdim}",
                lambda m, x, q, op=op, h=how, k=keepdim: getattr(m, op)(
                    x, q, 1, k, interpolation=h
                ),
                normal(2, 6),
                np.array([0.1, 0.5, 0.3, 0.93]),
            )
    for kind, (x, q) in {
        "float32": (normal(5).astype("f4"), np.array([0.25, 0.7], "f4")),
        "q without axes": (normal(5), np.array(0.6)), "no q": (normal(5), np.zeros(0)),
        "q of two axes": (normal(5), np.array([[0.6]])), "integers": (whole(4), np.array(0.5)),
        "q of another dtype": (normal(5), np.array([0.25], "f4")),
        "q out of range": (normal(5), np.array([0.25, 1.01])),
        "q is NaN": (normal(5), np.array([nan])), "empty": (EMPTY, np.array(0.5)),
        "0-d": (np.array(2.0), np.array([0.5, 0.6])), "one": (normal(1), np.array([0.5])),
        "ties": (np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.1, 0.4, 0.9])),
    }.items():  # fmt: skip
        compare(f"{op} {kind}", lambda m, x, q, op=op: getattr(m, op)(x, q), x, q)
    compare(
        f"{op} all kept", lambda m, x, op=op: getattr(m, op)(x, 0.5, keepdim=True), normal(2, 3)
    )
compare(
    "quantile between infinities",
    lambda m, x, q: m.quantile(x, q),
    Constant([-inf, 2.0, 3.0, inf, inf]),
    Constant([0.1, 0.7, 0.9, 1.0]),
)

# --------------------------------------------------------------------------------------- counting
for kind, x in {
    "integers": whole(3, 4), "floats": np.array([1.0, nan, 1.0, nan, -inf, 0.5]),
    "0-d": np.array(2), "empty": np.zeros(0), "bools": whole(5) > 0,
    "rows": np.array([[1, 2], [0, 5], [1, 2]]),
    "columns": np.array([[3, 1, 1, 3], [2, 7, 7, 2]]), "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)), "deep": whole(3, 2, 2) // 3, "zeros": np.array([0.0, -0.0]),
    "NaN rows": np.array([[nan, 1.0], [nan, 1.0]]), "uint8": np.array([200, 3, 200], np.uint8),
}.items():  # fmt: skip
    for dim in (None, 0, 1, -1, 3):
        for op in ("unique", "unique_consecutive"):
            for inverse, counts in ((False, False), (True, True), (True, False), (False, True)):
                if dim not in (None, 0) and inverse != counts:
                    continue

                def different(
                    m: Any, x: Any, op: str = op, d: Any = dim, i: bool = inverse, c: bool = counts
                ) -> Any:
                    return getattr(m, op)(x, return_inverse=i, return_counts=c, dim=d)

                given = Constant(x) if x.dtype.kind == "f" else x
                compare(f"{op} {kind} {dim} {inverse} {counts}", different, given)
for kind, x in {
    "ordinary": np.array([1, 1, 3, 0]), "empty": np.zeros(0, np.int64),
    "negative": np.array([1, -1]), "floats": normal(3), "matrix": np.array([[1, 2]]),
    "uint8": np.array([3, 200], np.uint8),
    "0-d": np.array(3), "bools": np.array([True, False]),
}.items():  # fmt: skip
    for least in (0, 6, -1):
        compare(f"bincount {kind} {least}", lambda m, x, n=least: m.bincount(x, minlength=n), x)
for kind, w in {
    "float64": normal(4), "float32": normal(4).astype("f4"), "float16": normal(4).astype("f2"),
    "integers": whole(4), "too few": normal(3), "matrix": normal(1, 4),
}.items():  # fmt: skip
    compare(
        f"bincount weights {kind}",
        lambda m, x, w: m.bincount(x, w),
        np.array([1, 1, 3, 0]),
        Constant(w) if w.dtype.kind == "f" else w,
    )
SPREAD = Constant([0.3, 1.2, 1.9, 2.6, 0.1, 3.7, -1.1])
for kind, (x, settings) in {
    "own range": (SPREAD, (5,)), "range": (SPREAD, (4, 0, 3)), "NaN outside": (
        Constant([*SPREAD, nan]), (4, 0, 3)), "NaN": (Constant([1.0, nan]), (4,)),
    "inf": (Constant([1.0, inf]), (4,)), "equal": (Constant([2.0, 2.0]), (4,)),
    "empty": (Constant(np.zeros(0)), (4,)), "integers": (whole(4), (4,)), "no bins": (SPREAD, (0,)),
    "turned range": (SPREAD, (4, 3, 0)), "matrix": (Constant(normal(2, 3)), (3,)),
    "float32": (Constant(SPREAD.astype("f4")), (3,)),
}.items():  # fmt: skip
    compare(f"histc {kind}", lambda m, x, s=settings: m.histc(x, *s), x)

# -------------------------------------------------------------------------------------- searching
ROW = np.array([1, 3, 3, 5])
for kind, (row, values) in {
    "ordinary": (ROW, np.array([[0, 3], [6, 5]])), "0-d": (ROW, np.array(3)),
    "floats": (ROW * 1.0, np.array([0.5, 3.0, nan, inf, -inf])),
    "rows": (np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), np.array([[2.0, 9.0], [2.0, 5.0]])),
    "rows do not fit": (normal(2, 3), normal(3, 2)), "axes do not fit": (normal(2, 3), normal(2)),
    "no axes": (np.array(1.0), normal(2)), "nothing wanted": (ROW, np.zeros(0, np.int64)),
    "nothing there": (np.zeros(0), normal(2)), "no rows": (np.zeros((0, 3)), np.zeros((0, 2))),
}.items():  # fmt: skip
    row, values = (Constant(a) if a.dtype.kind == "f" else a for a in (row, values))
    for settings in ({}, {"right": True}, {"side": "right", "out_int32": True}, {"side": "left"}):
        compare(
            f"searchsorted {kind} {settings}",
            lambda m, a, v, s=settings: m.searchsorted(a, v, **s),
            row,
            values,
        )
    compare(f"bucketize {kind}", lambda m, a, v: m.bucketize(v, a), row, values)
    compare(
        f"bucketize {kind} right",
        lambda m, a, v: m.bucketize(v, a, right=True, out_int32=True),
        row,
        values,
    )
compare("searchsorted number", lambda m, a: m.searchsorted(a, 3), ROW)
compare("bucketize number", lambda m, a: m.bucketize(3, a), ROW)
compare("searchsorted side", lambda m, a: m.searchsorted(a, a, side="middle"), ROW)
compare("searchsorted both", lambda m, a: m.searchsorted(a, a, right=True, side="left"), ROW)
for kind, sorter in {
    "right": np.array([1, 3, 0, 2]), "out of range": np.array([1, 3, 0, 4]),
    "negative": np.array([1, 3, 0, -1]), "short": np.array([1, 3, 0]),
    "int32": np.array([0, 1, 2, 3], "i4"),
}.items():  # fmt: skip
    compare(
        f"searchsorted sorter {kind}",
        lambda m, a, s: m.searchsorted(a, a, sorter=s),
        np.array([5, 1, 7, 3]),
        sorter,
    )

deviates("quantile between infinities", "inf between a number and inf; PyTorch says NaN")
for pattern in ("unique floats [-0]*", "unique NaN rows [-1]*"):
    deviates(pattern, "slices with NaN are in order, NaN being the largest; PyTorch's are in none")
