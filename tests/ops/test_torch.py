"""The same calls in tinymed and in PyTorch: values, gradients, shapes, dtypes, and what is refused.

Ordinary, special (NaN, infinity, zero, empty) and integer inputs go through one table. Where
tinymed differs on purpose, `DEVIATIONS` says so, and the test fails if the difference goes away.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.backpropagation import grad
from tinymed.tensor import Tensor

torch = pytest.importorskip("torch", reason="torch is not installed")
RANDOM = np.random.default_rng(7)
RENAMED = {"power": "pow", "expand": "broadcast_to"}
IN_FUNCTIONAL = {"batch_norm", "binary_cross_entropy_with_logits", "dropout", "pad", "softmax"}


class Torch:
    """PyTorch's functions under the names they have in `tinymed.ops`."""

    def __getattr__(self, name: str) -> Any:
        name = RENAMED.get(name, name)
        functional = torch.nn.functional
        inside = name in IN_FUNCTIONAL or not hasattr(torch, name)
        return getattr(functional if inside else torch, name)


@dataclass(frozen=True)
class Call:
    """A call written once, for both libraries, and its inputs."""

    name: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]

    def __str__(self) -> str:
        return self.name


class Constant(np.ndarray):
    """An input of floats that wants no gradient."""

    def __new__(cls, values: np.ndarray) -> "Constant":
        return np.asarray(values).view(cls)


CALLS: list[Call] = []


def compare(name: str, call: Callable[..., Any], *inputs: Any) -> None:
    CALLS.append(Call(name, call, inputs))


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape)


def whole(*shape: int) -> np.ndarray:
    return RANDOM.integers(-3, 4, shape)


nan, inf = math.nan, math.inf
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.0, inf, -inf, nan, 90.0, -90.0, 1e-300, 3.0])
EMPTY = np.zeros((0, 3))
LEFT, RIGHT = (a.reshape(-1) for a in np.meshgrid(SPECIAL, SPECIAL))

for op in ("exp", "log", "sqrt", "abs", "relu", "tanh", "sigmoid", "softplus", "negative", "sign"):
    for kind, x in {
        "ordinary": normal(2, 3),
        "special": SPECIAL,
        "empty": EMPTY,
        "float32": normal(5).astype(np.float32),
        "far": np.array([-40, -17, -10, 10, 17, 40], np.float32),
        "float16": normal(4).astype(np.float16),
        "integers": whole(5),
        "uint8": np.array([0, 1, 255], np.uint8),
        "bools": np.array([True, False]),
        "0-d": np.array(0.5),
        "0-d integer": np.array(2),
    }.items():
        compare(f"{op} {kind}", lambda m, x, op=op: getattr(m, op)(x), x)
for op in ("isnan", "isfinite"):
    for kind, x in {"special": SPECIAL, "integers": whole(3), "empty": EMPTY}.items():
        compare(f"{op} {kind}", lambda m, x, op=op: getattr(m, op)(x), x)

PAIRS = {
    "ordinary": (normal(2, 3), normal(3)),
    "special": (LEFT, RIGHT),
    "ties": (np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 3.0])),
    "empty": (EMPTY, normal(3)),
    "float32 and float64": (normal(3).astype(np.float32), normal(3)),
    "float32 and 0-d float64": (normal(3).astype(np.float32), np.array(0.1)),
    "0-d float32 and 0-d float64": (np.array(0.3, np.float32), np.array(0.1)),
    "int64 and float32": (whole(4), normal(4).astype(np.float32)),
    "int64 and 0-d float64": (whole(4), np.array(0.5)),
    "int32 and int64": (whole(4).astype(np.int32), whole(4)),
    "int32 and 0-d int64": (whole(4).astype(np.int32), np.array(2)),
    "uint8 and int8": (np.array([200, 3], np.uint8), np.array([5, -3], np.int8)),
    "uint8 and 0-d int64": (np.array([200, 3], np.uint8), np.array(5)),
    "bool and float16": (np.array([True, False]), np.array([1, 0.5], np.float16)),
    "bool and int64": (np.array([True, False]), np.array([1, 0])),
    "bools": (np.array([True, True, False]), np.array([True, False, False])),
    "float16 and int64": (np.array([1, 0.5], np.float16), np.array([1000, 3])),
    "shapes that do not fit": (normal(2, 3), normal(2)),
}
NUMBERS = {
    "float64 and 2": (normal(3), 2),
    "float64 and 0.1": (normal(3), 0.1),
    "float32 and 0.1": (np.array([0.1, 0.2], np.float32), 0.1),
    "int64 and 2.5": (whole(4), 2.5),
    "int64 and 2": (whole(4), 2),
    "uint8 and 2": (np.array([200, 3], np.uint8), 2),
    "bool and 2": (np.array([True, False]), 2),
    "bool and 0.5": (np.array([True, False]), 0.5),
    "bool and True": (np.array([True, False]), True),
    "int64 and True": (whole(4), True),
    "float32 and True": (normal(3).astype(np.float32), True),
    "float32 and inf": (normal(3).astype(np.float32), inf),
    "float16 and 0.1": (np.array([0.1, 0.2], np.float16), 0.1),
}
for op in (
    "add", "subtract", "multiply", "divide", "power", "eq", "ne", "lt", "le", "gt", "ge",
    "maximum", "minimum",
):  # fmt: skip
    for kind, (a, b) in PAIRS.items():
        compare(f"{op} {kind}", lambda m, a, b, op=op: getattr(m, op)(a, b), a, b)
        if a.shape != b.shape:
            compare(f"{op} {kind} turned", lambda m, a, b, op=op: getattr(m, op)(a, b), b, a)
    for kind, (a, number) in NUMBERS.items() if op not in ("maximum", "minimum") else ():
        compare(f"{op} {kind}", lambda m, a, op=op, n=number: getattr(m, op)(a, n), a)
OPERATORS: dict[str, Callable[..., Any]] = {
    "+": lambda m, a, n: n + a,
    "-": lambda m, a, n: n - a,
    "*": lambda m, a, n: n * a,
    "/": lambda m, a, n: n / a,
    "**": lambda m, a, n: n**a,
}
for op, operator in OPERATORS.items():
    for kind, (a, number) in NUMBERS.items():
        if number is True:
            continue  # PyTorch fails internally
        compare(f"number {op} {kind}", lambda m, a, f=operator, n=number: f(m, a, n), a)
compare("number ** special", lambda m, a: 2.0**a, SPECIAL)
compare("0 ** special", lambda m, a: 0.0**a, SPECIAL)
compare("special ** 2", lambda m, a: a**2, SPECIAL)
compare("special ** 0", lambda m, a: a**0, SPECIAL)
compare("special ** 0.5", lambda m, a: a**0.5, np.array([0.0, 1.0, 4.0, inf, nan, -1.0]))
compare("special ** -1", lambda m, a: a**-1, SPECIAL)
compare("special ** 1", lambda m, a: a**1, SPECIAL)
compare("integers ** 2", lambda m, a: a**2, whole(4))
compare("integers ** -1", lambda m, a: a**-1, np.array([1, 2]))
compare("integers ** 0.5", lambda m, a: a**0.5, np.array([1, 2]))
for alpha in (2, 0.5):
    compare(
        f"add alpha {alpha}", lambda m, a, b, n=alpha: m.add(a, b, alpha=n), normal(3), normal(3)
    )
    compare(
        f"subtract alpha {alpha}",
        lambda m, a, b, n=alpha: m.subtract(a, b, alpha=n),
        normal(3),
        normal(3),
    )
compare("add alpha 0.5 integers", lambda m, a, b: m.add(a, b, alpha=0.5), whole(3), whole(3))
for op in ("bitwise_and", "bitwise_or"):
    compare(f"{op} bools", lambda m, a, b, op=op: getattr(m, op)(a, b), whole(6) > 0, whole(6) > 0)
    compare(f"{op} integers", lambda m, a, b, op=op: getattr(m, op)(a, b), whole(6), whole(6))
    compare(
        f"{op} bool, integers", lambda m, a, b, op=op: getattr(m, op)(a, b), whole(6) > 0, whole(6)
    )
    compare(f"{op} floats", lambda m, a, b, op=op: getattr(m, op)(a, b), normal(3), normal(3))
compare("bitwise_not bools", lambda m, a: m.bitwise_not(a), whole(4) > 0)
compare("bitwise_not integers", lambda m, a: m.bitwise_not(a), whole(4))
compare("bitwise_not floats", lambda m, a: m.bitwise_not(a), normal(4))
for low, high in ((-1, 1), (None, 0.5), (0, None), (1, -1), (None, None), (-inf, inf), (nan, 1.0)):
    for kind, x in {
        "special": SPECIAL, "integers": whole(5), "float32": SPECIAL.astype(np.float32),
        "at the limits": np.array([-1.0, 1.0, 0.5, 0.0]), "uint8": np.array([0, 200], np.uint8),
    }.items():  # fmt: skip
        compare(f"clamp {low} {high} {kind}", lambda m, x, a=low, b=high: m.clamp(x, a, b), x)
compare(
    "clamp tensors", lambda m, x, a, b: m.clamp(x, a, b), normal(2, 3), normal(3) - 1, normal(3) + 1
)
compare("clamp one tensor", lambda m, x, b: m.clamp(x, max=b), normal(2, 3), normal(3))
compare("where", lambda m, c, a, b: m.where(c, a, b), normal(3) > 0, normal(2, 3), normal(2, 1))
compare(
    "where dtypes",
    lambda m, c, a, b: m.where(c, a, b),
    normal(3) > 0,
    whole(3),
    normal(3).astype("f4"),
)
compare("where number", lambda m, c, a: m.where(c, a, 0.5), normal(3) > 0, normal(3).astype("f4"))
compare("where number, integers", lambda m, c, a: m.where(c, a, 0.5), normal(3) > 0, whole(3))
compare("where inf not taken", lambda m, c, a, b: m.where(c, a, b), SPECIAL > 0, SPECIAL, -SPECIAL)
compare("where shapes", lambda m, c, a, b: m.where(c, a, b), normal(3) > 0, normal(2), normal(3))
compare("sqrt of relu", lambda m, x: m.sqrt(m.relu(x)), np.array([-1.0, 0.0, 4.0]))

REDUCED = {
    "ordinary": normal(2, 3, 4),
    "integers": whole(2, 3, 4),
    "uint8": np.full((2, 3, 4), 200, np.uint8),
    "bools": normal(2, 3, 4) > 0,
    "float32": normal(2, 3, 4).astype(np.float32),
    "NaN": np.where(normal(2, 3, 4) > 1, nan, 1.0),
    "inf": np.where(normal(2, 3, 4) > 1, inf, -inf),
    "empty": np.zeros((2, 0, 4)),
    "ties": whole(2, 3, 4).astype(float),
    "0-d": np.array(3.0),
    "one element": np.array([[[2.0]]]),
}
DIMS: tuple[Any, ...] = (None, 0, 1, -1, (0, 2), (-1, 0), (), 3, -4, (0, 0), (0, -3))
for kind, x in REDUCED.items():
    for dim in DIMS:
        for keepdim in (False, True):
            label = f"{kind} {dim} {keepdim}"
            for op in ("sum", "mean", "std", "var", "logsumexp"):
                if (dim is None and op == "logsumexp") or (dim == () and op not in ("sum", "mean")):
                    continue  # PyTorch demands dim; its var over () has infinite gradients

                def reduced(m: Any, x: Any, op: str = op, d: Any = dim, k: bool = keepdim) -> Any:
                    return getattr(m, op)(x, dim=d, keepdim=k)

                compare(f"{op} {label}", reduced, x)
            for op in ("max", "min", "argmax", "argmin"):
                if isinstance(dim, tuple) or (dim is None and keepdim):
                    continue

                def chosen(m: Any, x: Any, op: str = op, d: Any = dim, k: bool = keepdim) -> Any:
                    found = getattr(m, op)(x) if d is None else getattr(m, op)(x, d, k)
                    return tuple(found) if op in ("max", "min") and d is not None else found

                compare(f"{op} {label}", chosen, x)
for correction in (0, 1, 2, 0.5):
    compare(
        f"var correction {correction}",
        lambda m, x, c=correction: m.var(x, dim=1, correction=c),
        normal(2, 3),
    )
compare("var unbiased", lambda m, x: m.var(x, dim=1, unbiased=False), normal(2, 3))
compare("std of equal", lambda m, x: m.std(x, dim=1), np.array([[2.0, 2.0], [1.0, 3.0]]))
compare(
    "sum dtype", lambda m, x: m.sum(x, dtype=np.float32 if m is ops else torch.float32), whole(4)
)
compare("mean of float16", lambda m, x: m.mean(x), np.full(3000, 100, np.float16))
compare("sum of float16", lambda m, x: m.sum(x), np.full(5000, 1.001, np.float16))
compare("var of float16", lambda m, x: m.var(x), np.linspace(0, 300, 3000).astype(np.float16))
for op in ("softmax", "log_softmax"):
    for kind, x in {
        "ordinary": normal(2, 3), "large": np.array([[1e4, 0, -1e4]]), "0-d": np.array(2.0),
        "inf": np.array([[inf, 0.0], [-inf, 0.0], [-inf, -inf], [nan, 0.0]]), "empty": EMPTY,
        "nothing along": np.zeros((3, 0)), "integers": whole(2, 3),
        "float32": normal(2, 3).astype("f4"),
    }.items():  # fmt: skip
        for dim in (0, -1, 2):
            compare(f"{op} {kind} {dim}", lambda m, x, op=op, d=dim: getattr(m, op)(x, dim=d), x)

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

DEVIATIONS = {
    "sign special": "sign(NaN) is NaN, as in NumPy; PyTorch says 0",
    "abs special": "so the gradient of abs at NaN is NaN",
    "relu special": "the gradient of relu at NaN is 0; PyTorch lets it through",
    "sqrt of relu": "relu's gradient is a product with 0 or 1, which an infinite one turns to NaN",
    "abs bools": "taken, as 0 and 1",
    "relu bools": "taken, as 0 and 1",
    "softplus integers": "integers become the default dtype",
    "softplus 0-d integer": "integers become the default dtype",
    "softplus uint8": "integers become the default dtype",
    "softplus bools": "integers become the default dtype",
    "*softmax integers 0": "integers become the default dtype",
    "*softmax integers -1": "integers become the default dtype",
    "arg??? bools None *": "taken, as 0 and 1",
    "arg??? bools 0 *": "taken, as 0 and 1",
    "arg??? bools 1 *": "taken, as 0 and 1",
    "arg??? bools -1 *": "taken, as 0 and 1",
    "subtract bool and [!T]*": "1 - mask is an idiom; only bool - bool is refused",
    "number - bool and *": "1 - mask is an idiom; only bool - bool is refused",
    "subtract [!b]* and True": "True is taken as 1",
    "sign bools": "refused",
    "power int32 and int64": "an integer to a negative power is refused; PyTorch makes it 0",
    "power int32 and 0-d int64 turned": "an integer to a negative power is refused",
    "power uint8 and int8": "an integer to a negative power is refused",
    "number [*][*] int64 and 2": "an integer to a negative power is refused",
    "power bool and True": "bool ** bool is refused",
    "add alpha 0.5 integers": "promoted to floats; PyTorch refuses",
    "clamp *-1* uint8": "PyTorch lets -1 wrap around to 255",
    "max_pool2d -inf": "a border window of nothing but -inf gives its gradient to the padding",
    "avg_pool2d integers": "refused; PyTorch divides integers",
    "batch_norm (0, 3) True": "statistics of nothing are refused",
    "cross_entropy ignored rows of nan*": "the gradient of an ignored row is 0 whatever it holds",
}


def weights(y: np.ndarray) -> np.ndarray:
    return np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)


def with_tinymed(call: Call) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Return the outputs and the gradients of the inputs."""
    inputs = [Tensor(np.array(x), requires_grad=differentiable(x)) for x in call.inputs]
    result = call.call(ops, *inputs)
    outputs = list(result) if isinstance(result, tuple) else [result]
    recorded = [y for y in outputs if y.requires_grad]
    leaves = [x for x in inputs if x.requires_grad]
    gradients = grad(recorded, leaves, [weights(y.data) for y in recorded], allow_unused=True)
    return [y.data for y in outputs], [None if g is None else g.data for g in gradients]


def with_torch(call: Call) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Return the same from PyTorch."""
    inputs = [torch.tensor(np.array(x), requires_grad=differentiable(x)) for x in call.inputs]
    result = call.call(Torch(), *inputs)
    outputs = list(result) if isinstance(result, tuple) else [result]
    recorded = [y for y in outputs if y.requires_grad]
    leaves = [x for x in inputs if x.requires_grad]
    gradients = (None,) * len(leaves)
    if recorded:
        weight = [torch.tensor(weights(y.detach().numpy())) for y in recorded]
        gradients = torch.autograd.grad(recorded, leaves, weight, allow_unused=True)
    return (
        [y.detach().numpy() for y in outputs],
        [None if g is None else g.numpy() for g in gradients],
    )


def differentiable(x: np.ndarray) -> bool:
    return x.dtype.kind == "f" and not isinstance(x, Constant)


def outcome(function: Callable[[Call], Any], call: Call) -> Any:
    """Return the result, or the exception."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return function(call)
    except Exception as error:
        return error


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, Exception) or isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"PyTorch refuses: {theirs}"
        assert isinstance(theirs, Exception), f"PyTorch takes it: {ours}"
        assert len(str(ours)) > 10
        return
    for found, expected in zip(ours, theirs, strict=True):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            if a is None or b is None:
                assert a is None or not a.any()
                assert b is None or not b.any()
            elif b.dtype.kind != "f":
                np.testing.assert_array_equal(a, b, strict=True)
            else:
                tolerance = {2: 4e-3, 4: 2e-6, 8: 1e-10}[b.dtype.itemsize]
                smallest = np.finfo(b.dtype).eps / 10
                np.testing.assert_allclose(a, b, tolerance, smallest, strict=True)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_same_as_torch(call: Call) -> None:
    deviates = any(fnmatch(call.name, pattern) for pattern in DEVIATIONS)
    ours, theirs = outcome(with_tinymed, call), outcome(with_torch, call)
    if not deviates:
        assert_same(ours, theirs)
    else:
        with pytest.raises(AssertionError):
            assert_same(ours, theirs)


@pytest.mark.parametrize("pattern", DEVIATIONS)
def test_deviation_is_met(pattern: str) -> None:
    assert any(fnmatch(call.name, pattern) for call in CALLS)
