"""Calls of reductions, norms, and what adds up along an axis; `basics` has the first of them."""

from typing import Any

import numpy as np

from tests.ops.calls.call import (
    EMPTY,
    Constant,
    compare,
    deviates,
    inf,
    nan,
    normal,
    rounded,
    whole,
)
from tinymed import ops


def dtype(m: Any, name: str) -> Any:
    """Return a dtype in the words of either library."""
    return np.dtype(name) if m is ops else getattr(m, name)


REDUCED = {
    "ordinary": normal(2, 3, 4),
    "integers": whole(2, 3, 4),
    "uint8": np.full((2, 3, 4), 3, np.uint8),
    "bools": normal(2, 3, 4) > -1,
    "float32": normal(2, 3, 4).astype(np.float32),
    "NaN": np.where(normal(2, 3, 4) > 1, nan, 1.0),
    "zeros": np.where(normal(2, 3, 4) > 0.8, 0.0, 2.0),
    "empty": np.zeros((2, 0, 4)),
    "ties": whole(2, 3, 4).astype(float),
    "0-d": np.array(3.0),
}
DIMS: tuple[Any, ...] = (None, -2, (0, -1))
WRONG: tuple[Any, ...] = (3, -4, (0, 0), (0, -3), 1.0)
MANY = ("any", "all", "nansum", "nanmean", "var_mean", "std_mean", "amax", "amin", "norm")
TIED = ("ties", "zeros")  # any of equal elements may get the gradient
ONE = ("prod", "aminmax", "median", "nanmedian", "mode")
for kind, x in REDUCED.items():
    for dim in DIMS:
        for keepdim in (False, True):
            label = f"{kind} {dim} {keepdim}"
            for op in (*MANY, *ONE):
                if isinstance(dim, tuple) and op in ONE:
                    continue
                if dim is None and op not in ("amax", "amin", "norm") and (keepdim or op == "mode"):
                    continue  # PyTorch has no such call
                if op in ("median", "nanmedian", "mode") and (kind == "bools" or dim is None):
                    continue  # PyTorch lacks them; the medians of all follow below

                def call(m: Any, x: Any, op: str = op, d: Any = dim, k: bool = keepdim) -> Any:
                    given = {} if d is None else {"dim": d}
                    found = getattr(m, op)(x, **given, **({"keepdim": k} if k else {}))
                    return found[0] if op in ("median", "nanmedian", "mode") else found

                if op == "mode" and kind == "NaN":
                    continue  # PyTorch sorts them in no order
                tied = kind == "NaN" or (op in ("median", "nanmedian", "mode") and kind in TIED)
                compare(f"{op} {label}", call, Constant(x) if tied else x)
        compare(f"count_nonzero {kind} {dim}", lambda m, x, d=dim: m.count_nonzero(x, dim=d), x)
for dim in WRONG:
    for op in (*MANY, *ONE, "count_nonzero"):
        compare(f"{op} {dim}", lambda m, x, op=op, d=dim: getattr(m, op)(x, dim=d), normal(2, 3, 4))
compare("prod with dim 0-d", lambda m, x: m.prod(x, 0), np.array(3.0))
compare("any no dims", lambda m, x: m.any(x, dim=()), whole(2, 3))
compare("all no dims", lambda m, x: m.all(x, dim=()), whole(2, 3))
compare("amax no dims", lambda m, x: m.amax(x, dim=()), normal(2, 3))
compare("any of NaN", lambda m, x: m.any(x), Constant([0.0, nan]))
for places in ([], [1], [0, 2], [0, 1, 2, 3]):
    x = normal(4)
    x[places] = 0
    for op in ("prod", "cumprod"):
        compare(f"{op} zeros {places}", lambda m, x, op=op: getattr(m, op)(x, 0), x)
for op in ("nansum", "prod", "mean", "nanmean"):
    compare(
        f"{op} dtype",
        lambda m, x, op=op: getattr(m, op)(x, dtype=dtype(m, "float64")),
        normal(4).astype("f4"),
    )
compare("prod of float16", lambda m, x: m.prod(x), np.full(40, 1.1, np.float16))
compare("prod of inf", lambda m, x: m.prod(x), Constant([inf, 2.0, -3.0]))
compare("prod of inf, gradient", lambda m, x: m.prod(x), np.array([inf, 2.0]))
compare("prod of NaN", lambda m, x: m.prod(x), Constant([nan, 2.0]))
compare("amax of NaN, gradient", lambda m, x: m.amax(x), np.array([nan, 2.0]))
compare("var_mean correction", lambda m, x: m.var_mean(x, dim=1, correction=0), normal(2, 3))
compare("std_mean unbiased", lambda m, x: m.std_mean(x, dim=1, unbiased=False), normal(2, 3))
for op in ("median", "nanmedian"):
    for kind, x in {
        "odd": normal(5), "even": normal(2, 3), "ties": np.array([1.0, 2.0, 2.0, 2.0, 5.0]),
        "NaN": np.array([3.0, nan, 1.0, 2.0]), "only NaN": np.array([nan, nan]),
        "integers": whole(7), "empty": Constant(EMPTY), "0-d": np.array(2.0),
        "float16": np.array([1, 5, 3], np.float16),
    }.items():  # fmt: skip
        compare(f"{op} of all {kind}", lambda m, x, op=op: getattr(m, op)(x), x)
    compare(
        f"{op} indices",
        lambda m, x, op=op: tuple(getattr(m, op)(x, 1, keepdim=True)),
        np.array([[3.0, nan, 1.0, nan, 2.0], [5.0, 4.0, 1.0, 2.0, 3.0]]),
    )

# ------------------------------------------------------------------------------------- cumulative
for op in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"):
    for kind, x in {
        "ordinary": normal(2, 5), "integers": whole(5), "uint8": np.full(3, 200, np.uint8),
        "bools": np.array([False, True, False]), "float32": normal(4).astype("f4"),
        "empty": Constant(EMPTY),
        "ties": np.array([1.0, 1.0, 0.0, 2.0, 2.0]), "0-d": np.array(0.7),
        "nothing along": Constant(EMPTY.T),
        "NaN": Constant([1.0, 3.0, nan, 4.0, nan, 0.0]), "inf": Constant([1.0, -inf, inf, 2.0, 3]),
        "float16": normal(4).astype(np.float16),
    }.items():  # fmt: skip
        for dim in (0, -1, 1, 2):
            label = f"{op} {kind} {dim}"
            compare(label, lambda m, x, op=op, d=dim: getattr(m, op)(x, dim=d), x)
for op in ("cumsum", "cumprod"):
    compare(
        f"{op} dtype", lambda m, x, op=op: getattr(m, op)(x, 0, dtype=dtype(m, "float32")), whole(4)
    )
compare("cumsum of float16", lambda m, x: m.cumsum(x, 0), np.full(3000, 1.001, np.float16))
compare(
    "logcumsumexp far apart", lambda m, x: m.logcumsumexp(x, 0), np.array([-900.0, 900, 1, 901])
)
compare("logcumsumexp -inf inside", lambda m, x: m.logcumsumexp(x, 0), np.array([1.0, -inf, 2.0]))
compare("logcumsumexp -inf first", lambda m, x: m.logcumsumexp(x, 0), np.array([-inf, -inf, 1.0]))
compare("logcumsumexp inf", lambda m, x: m.logcumsumexp(x, 0), np.array([1.0, inf, 2.0]))

# ------------------------------------------------------------------------------------------ norms
ORDERS: tuple[Any, ...] = ("fro", 2, 1, 0, 3, 0.5, 1.5, -1, -2, inf, -inf)
for p in ORDERS:
    for kind, x in {
        "ordinary": normal(2, 3), "zeros": np.zeros((2, 3)), "one zero": np.array([[3.0, 0, -4]]),
        "ties": np.array([[3.0, -3.0, 1.0]]), "NaN": Constant([[1.0, nan], [2.0, 3.0]]),
        "inf": Constant([[1.0, inf], [2.0, 3.0]]), "empty": np.zeros((2, 0)), "0-d": np.array(-3.0),
        "float16": Constant(np.full((2, 3), 300, np.float16)),
    }.items():  # fmt: skip
        for dim in (None, -1, (0, 1)):
            if p == "fro" and x.ndim == 0:
                continue
            compare(f"norm {p} {kind} {dim}", lambda m, x, p=p, d=dim: m.norm(x, p, dim=d), x)
compare("norm name", lambda m, x: m.norm(x, "max"), normal(2, 2))
compare("norm dtype", lambda m, x: m.norm(x, dtype=dtype(m, "float64")), normal(3).astype("f4"))
compare("norm keepdim", lambda m, x: m.norm(x, 3, dim=1, keepdim=True), normal(2, 3))
for order in (2, 1, inf, 0.5):
    compare(
        f"vector_norm {order}",
        lambda m, x, p=order: getattr(m, "linalg", m).vector_norm(x, p, 0, True),
        normal(3, 2),
    )
for p, dim in ((2, 1), (1, 0), (inf, -1), (2, (0, 1)), (3, 2)):
    compare(f"normalize {p} {dim}", lambda m, x, p=p, d=dim: m.normalize(x, p, dim=d), normal(2, 3))
compare("normalize zeros", lambda m, x: m.normalize(x), np.zeros((2, 3)))
compare("normalize eps", lambda m, x: m.normalize(x, eps=10.0), normal(2, 3))
compare("normalize vector", lambda m, x: m.normalize(x), normal(3))
compare("normalize integers", lambda m, x: m.normalize(x), whole(2, 3))
for p, dim, limit in (
    (2, 0, 1.0),
    (1, 1, 0.5),
    (inf, -1, 0.5),
    (2, 0, 100.0),
    (2, 0, -1.0),
    (0, 0, 1),
):
    compare(
        f"renorm {p} {dim} {limit}",
        lambda m, x, p=p, d=dim, n=limit: m.renorm(x, p, d, n),
        normal(3, 4),
    )
compare("renorm vector", lambda m, x: m.renorm(x, 2, 0, 1.0), normal(3))
compare("renorm dim", lambda m, x: m.renorm(x, 2, 2, 1.0), normal(3, 3))

for pattern in (
    "std_mean float32*",
    "cumprod float32*",
    "cumm?? float16*",
    "logcumsumexp float16*",
):
    rounded(pattern)
deviates("logcumsumexp integers [-0]*", "integers become the default dtype")
deviates("logcumsumexp uint8 [-0]*", "integers become the default dtype")
deviates("logcumsumexp bools [-0]*", "integers become the default dtype")
deviates("cumm?? [en][mo]* 2", "a dim out of range is refused, also of nothing")
deviates("prod of inf, gradient", "exact; PyTorch divides inf by inf")
deviates(
    "a[a-z]* of NaN, gradient", "it goes to the NaN, as that of max does; PyTorch makes all NaN"
)
deviates("logcumsumexp -inf first", "no gradient reaches -inf; PyTorch's is NaN")
deviates("logcumsumexp inf", "the gradient of an infinite sum is that of its infinite element")
