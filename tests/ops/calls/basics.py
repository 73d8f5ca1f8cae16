"""Calls of the first ops: element by element, and reductions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.ops.calls.call import EMPTY, SPECIAL, compare, deviates, inf, nan, normal, whole
from tinymed import ops

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
compare("sum dtype", lambda m, x: m.sum(x, dtype=np.float32 if m is ops else m.float32), whole(4))
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

deviates("abs bools", "taken, as 0 and 1")
deviates("relu bools", "taken, as 0 and 1")
deviates("arg??? bools None *", "taken, as 0 and 1")
deviates("arg??? bools 0 *", "taken, as 0 and 1")
deviates("arg??? bools 1 *", "taken, as 0 and 1")
deviates("arg??? bools -1 *", "taken, as 0 and 1")
deviates("subtract bool and [!T]*", "1 - mask is an idiom; only bool - bool is refused")
deviates("number - bool and *", "1 - mask is an idiom; only bool - bool is refused")
deviates("subtract [!b]* and True", "True is taken as 1")
deviates("power int32 and int64", "an integer to a negative power is refused; PyTorch makes it 0")
deviates("power int32 and 0-d int64 turned", "an integer to a negative power is refused")
deviates("power uint8 and int8", "an integer to a negative power is refused")
deviates("number [*][*] int64 and 2", "an integer to a negative power is refused")
deviates("power bool and True", "bool ** bool is refused")
deviates("add alpha 0.5 integers", "promoted to floats; PyTorch refuses")
deviates("clamp *-1* uint8", "PyTorch lets -1 wrap around to 255")

# A product that its own dtype cannot hold is computed in that of the sum.
for op in ("add", "subtract"):
    compare(
        f"{op} alpha 2 float64 and uint8",
        lambda m, a, b, op=op: getattr(m, op)(a, b, alpha=2),
        np.array([0.5, 1.0]), np.array([200, 4], np.uint8),
    )  # fmt: skip
compare("where of numbers", lambda m, c: m.where(c, -1.5, True), np.array([True, False]))
