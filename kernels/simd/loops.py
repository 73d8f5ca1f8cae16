"""Loops along contiguous rows, from the formula for one element.

    relu = elementwise(lambda code, x: code.maximum(x, 0))
    relu(((y, y_at),), ((x, x_at),), n, ())       # y[y_at + i] = max(x[x_at + i], 0), i < n

The formula is called once, when the loop is compiled, with registers instead of numbers. Whole
registers are followed by one masked step for what is left of the row, so that nothing outside of
it is read or written. An array may be given as output and input alike: each element is read
before it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["along_row", "elementwise", "in_all_lanes", "reduction"]

Formula = Callable[..., Any]


def _signature(result: Any, rows: tuple[Any, ...], scalars: Any, dtype: Any) -> Any:
    """Return the types the loop takes: offsets and scalars are converted to what it works with."""
    pairs = [types.Tuple([types.Tuple((array, types.intp)) for array, _ in row]) for row in rows]
    return result(*pairs, types.intp, types.UniTuple(dtype, len(scalars)))


def _starts(code: Code, kind: Any, row: Any) -> list[Any]:
    """Return the address of each (array, offset) of a tuple."""
    found = []
    for i, pair in enumerate(kind):
        array = code.build.extract_value(code.build.extract_value(row, i), 0)
        at = code.build.extract_value(code.build.extract_value(row, i), 1)
        found.append(code.address(code.pointer(pair[0], array), at))
    return found


def along_row(
    code: Code, count: Any, carried: list[Any], body: Callable[..., list[Any]]
) -> list[Any]:
    """Append whole registers, then the masked rest; ``body(offset in bytes, mask, carried)``."""
    build, bytes_of = code.build, code.index(code.lanes * code.size)
    whole = build.sdiv(count, code.index(code.lanes))

    def inside(i: Any, values: list[Any]) -> list[Any]:
        return body(build.mul(i, bytes_of), None, values)

    carried = code.loop(whole, carried, inside)
    rest = build.sub(count, build.mul(whole, code.index(code.lanes)))
    some = build.zext(build.icmp_signed(">", rest, code.index(0)), rest.type)
    mask = code.first_lanes(rest)
    at = build.mul(whole, bytes_of)
    return code.loop(some, carried, lambda _, values: body(at, mask, values))


def in_all_lanes(code: Code, count: int, scalars: Any) -> list[Vector]:
    """Return each number of a tuple in all lanes of a register."""
    return [code.all_lanes(code.build.extract_value(scalars, i)) for i in range(count)]


def elementwise(formula: Formula) -> Callable[..., None]:
    """Return a loop ``f(outputs, inputs, n, scalars)`` for compiled code.

    outputs and inputs are tuples of (flat array, first element); ``formula(code, *inputs,
    *scalars)`` returns one vector per output. The scalars are converted to the arrays' dtype.
    """

    @intrinsic
    def run(typing: Any, outputs: Any, inputs: Any, count: Any, scalars: Any) -> Any:
        dtype = outputs[0][0].dtype
        signature = _signature(types.void, (outputs, inputs), scalars, dtype)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, dtype)
            targets, sources = (_starts(code, signature.args[i], arguments[i]) for i in (0, 1))
            constants = in_all_lanes(code, len(signature.args[3]), arguments[3])

            def body(offset: Any, mask: Any, _: list[Any]) -> list[Any]:
                read = [code.load(build.add(source, offset), mask) for source in sources]
                written = formula(code, *read, *constants)
                written = written if isinstance(written, tuple) else (written,)
                for target, vector in zip(targets, written, strict=True):
                    code.store(vector, build.add(target, offset), mask)
                return []

            along_row(code, arguments[2], [], body)
            return context.get_dummy_value()

        return signature, generate

    return run


def reduction(formula: Formula, start: float, combine: Formula) -> Callable[..., Any]:
    """Return ``f(inputs, n, scalars)`` for compiled code: one number from a row.

    ``combine(code, total, formula(code, *inputs, *scalars))`` runs lane by lane, beginning with
    ``start``, which must change nothing; the lanes are combined at the end, pair by pair.
    """

    @intrinsic
    def run(typing: Any, inputs: Any, count: Any, scalars: Any) -> Any:
        dtype = inputs[0][0].dtype
        signature = _signature(dtype, (inputs,), scalars, dtype)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, dtype)
            sources = _starts(code, signature.args[0], arguments[0])
            constants = in_all_lanes(code, len(signature.args[2]), arguments[2])
            nothing = code.constant(start)

            def body(offset: Any, mask: Any, carried: list[Any]) -> list[Any]:
                read = [code.load(build.add(source, offset), mask) for source in sources]
                value = formula(code, *read, *constants)
                if mask is not None:
                    value = code.select(Vector(code, mask), value, nothing)
                return [combine(code, Vector(code, carried[0]), value).value]

            (total,) = along_row(code, arguments[1], [nothing.value], body)
            return code.total(Vector(code, total), lambda a, b: combine(code, a, b))

        return signature, generate

    return run
