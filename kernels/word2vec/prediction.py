"""One prediction: scores of a few rows against a hidden vector, and the step on all of them.

The rows are read from the caches twice and written once, a register of each at a time. All is read
before anything is written, so a row may be there twice.
"""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.functions import sigmoid
from tinymed.kernels.simd.loops import along_row, elementwise
from tinymed.kernels.simd.vector import INDEX, Code, Vector

__all__ = ["predict"]

gain = elementwise(lambda code, score, label, alpha: alpha * (label - sigmoid(code, score)))


def row_at(code: Code, table: Any, width: Any, rows: Any, t: Any) -> Any:
    """Return the address of row ``rows[t]`` of a table."""
    at = code.build.add(rows, code.build.mul(t, code.index(8)))
    number = code.build.load(code.build.inttoptr(at, INDEX.as_pointer()))
    return code.address(table, code.build.mul(number, width))


@intrinsic
def score(
    typing: Any,
    scores: Any,
    outputs: Any,
    rows: Any,
    first: Any,
    count: Any,
    hidden: Any,
    hidden_at: Any,
    width: Any,
) -> Any:
    """Set scores[t] to the product of the hidden vector and row rows[first + t]."""
    whole = types.intp
    signature = types.void(scores, outputs, rows, whole, whole, hidden, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds, code = signature.args, Code(context, build, signature.args[0].dtype)
        target, table = (code.pointer(kinds[i], arguments[i]) for i in (0, 1))
        start = build.add(
            code.pointer(kinds[2], arguments[2]), build.mul(arguments[3], code.index(8))
        )
        h = code.address(code.pointer(kinds[5], arguments[5]), arguments[6])

        def row(t: Any, _: list[Any]) -> list[Any]:
            at = row_at(code, table, arguments[7], start, t)

            def body(offset: Any, mask: Any, carried: list[Any]) -> list[Any]:
                a, b = (code.load(build.add(one, offset), mask) for one in (at, h))
                return [code.fma(a, b, Vector(code, carried[0])).value]

            (total,) = along_row(code, arguments[7], [code.constant(0).value], body)
            place = build.inttoptr(code.address(target, t), code.element.as_pointer())
            build.store(code.total(Vector(code, total)), place)
            return []

        code.loop(arguments[4], [], row)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def step(
    typing: Any,
    gains: Any,
    outputs: Any,
    rows: Any,
    first: Any,
    count: Any,
    hidden: Any,
    hidden_at: Any,
    change: Any,
    change_at: Any,
    width: Any,
) -> Any:
    """Add gains[t] * row to ``change`` and gains[t] * hidden to the row, for all rows.

    ``change`` may be the hidden vector itself, which is read before it is written.
    """
    whole = types.intp
    signature = types.void(
        *(gains, outputs, rows, whole, whole, hidden, whole, change, whole, whole)
    )

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds, code = signature.args, Code(context, build, signature.args[0].dtype)
        factors, table = (code.pointer(kinds[i], arguments[i]) for i in (0, 1))
        start = build.add(
            code.pointer(kinds[2], arguments[2]), build.mul(arguments[3], code.index(8))
        )
        h = code.address(code.pointer(kinds[5], arguments[5]), arguments[6])
        target = code.address(code.pointer(kinds[7], arguments[7]), arguments[8])

        def body(offset: Any, mask: Any, _: list[Any]) -> list[Any]:
            from_hidden = code.load(build.add(h, offset), mask)
            before = code.load(build.add(target, offset), mask)

            def read(t: Any, carried: list[Any]) -> list[Any]:
                at = build.add(row_at(code, table, arguments[9], start, t), offset)
                factor = code.load_one(code.address(factors, t))
                return [code.fma(factor, code.load(at, mask), Vector(code, carried[0])).value]

            def write(t: Any, _: list[Any]) -> list[Any]:
                at = build.add(row_at(code, table, arguments[9], start, t), offset)
                factor = code.load_one(code.address(factors, t))
                code.store(code.fma(factor, from_hidden, code.load(at, mask)), at, mask)
                return []

            (after,) = code.loop(arguments[4], [before.value], read)
            code.loop(arguments[4], [], write)
            code.store(Vector(code, after), build.add(target, offset), mask)
            return []

        along_row(code, arguments[9], [], body)
        return context.get_dummy_value()

    return signature, generate


@compiled
def predict(
    outputs: Any,
    rows: Any,
    first: int,
    count: int,
    labels: Any,
    labels_at: int,
    hidden: Any,
    hidden_at: int,
    change: Any,
    change_at: int,
    width: int,
    alpha: float,
    gains: Any,
) -> None:
    """Take a step on the rows ``rows[first : first + count]``, and add that of h.

    ``gains`` (count or more) is memory to work in; labels are 1 or 0.
    """
    score(gains, outputs, rows, first, count, hidden, hidden_at, width)
    gain(((gains, 0),), ((gains, 0), (labels, labels_at)), count, (alpha,))
    step(
        *(gains, outputs, rows, first, count),
        *(hidden, hidden_at, change, change_at, width),
    )
