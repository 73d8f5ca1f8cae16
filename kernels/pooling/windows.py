"""Windows over rows of numbers, a register of neighbouring windows at a time.

Lane j of a register belongs to window j. A tap of the window is then one vector: lane j reads the
number at ``place + j * stride``. With a stride of 2 that is every second lane of two registers, so
two loads and two shuffles give two neighbouring taps:

    x0 x1 x2 x3 | x4 x5 x6 x7   ->   tap 0: x0 x2 x4 x6    tap 1: x1 x3 x5 x7

Where windows reach over an end of the row, masks hold loads and stores inside of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INDEX, INT32, Code, Vector

__all__ = ["ALONG", "ROWS", "WHOLE", "largest", "over_rows", "sums", "within"]

WHOLE = types.intp
# Rows that a window meets in depth: how many, how far apart they are, how far their taps' numbers
# are; the same in height; number of the first tap.
ROWS = types.UniTuple(WHOLE, 7)
ALONG = types.UniTuple(WHOLE, 5)  # place of lane 0, length of the row, taps, dilation, stride

Carried = list[Any]


def numbers(code: Code, array_type: Any, array: Any, at: Any, mask: Any = None) -> Any:
    """Load a register's lanes of whole numbers, from ``at`` on; 0 where the mask is off."""
    kind = ir.VectorType(ir.IntType(array_type.dtype.bitwidth), code.lanes)
    pointer = _pointer(code, array_type, array, at, kind)
    size = kind.element.width // 8
    if mask is None:
        return code.build.load(pointer, align=size)
    nothing = ir.Constant(kind, [0] * code.lanes)
    return _masked(code, "load", kind, kind, pointer, INT32(size), mask, nothing)


def store_numbers(code: Code, value: Any, array_type: Any, array: Any, at: Any, mask: Any) -> None:
    """Store lanes of whole numbers, cut to the array's size, from ``at`` on."""
    kind = ir.VectorType(ir.IntType(array_type.dtype.bitwidth), code.lanes)
    if kind.element.width < value.type.element.width:
        value = code.build.trunc(value, kind)
    pointer = _pointer(code, array_type, array, at, kind)
    size = kind.element.width // 8
    if mask is None:
        code.build.store(value, pointer, align=size)
    else:
        _masked(code, "store", ir.VoidType(), value, pointer, INT32(size), mask)


def _pointer(code: Code, array_type: Any, array: Any, at: Any, kind: Any) -> Any:
    data = code.context.make_array(array_type)(code.context, code.build, array).data
    return code.build.bitcast(code.build.gep(data, [at]), kind.as_pointer())


def _masked(code: Code, name: str, result: Any, *given: Any) -> Any:
    """Append a masked load or store of whole numbers."""
    kind = result if name == "load" else given[0].type
    full = f"llvm.masked.{name}.v{kind.count}i{kind.element.width}.p0"
    given = given[1:] if name == "load" else given
    declared = ir.FunctionType(result, [value.type for value in given])
    known = code.build.module.globals.get(full)
    return code.build.call(known or ir.Function(code.build.module, declared, full), given)


def in_all_lanes(code: Code, number: Any, bits: int) -> Any:
    """Return a whole number, cut to ``bits``, in all lanes."""
    kind = ir.VectorType(ir.IntType(bits), code.lanes)
    number = code.build.trunc(number, kind.element) if bits < INDEX.width else number
    first = code.build.insert_element(ir.Constant(kind, ir.Undefined), number, INT32(0))
    zeros = ir.Constant(ir.VectorType(INT32, code.lanes), [0] * code.lanes)
    return code.build.shuffle_vector(first, first, zeros)


def within(code: Code, place: Any, length: Any, stride: Any = None) -> Any:
    """Return the mask of the lanes j whose place + j stride is one of 0 .. length - 1."""
    build = code.build
    steps = ir.Constant(ir.VectorType(INT32, code.lanes), list(range(code.lanes)))
    if stride is not None:
        steps = build.mul(steps, in_all_lanes(code, stride, 32))
    places = build.add(in_all_lanes(code, place, 32), steps)
    # Without a sign, a place before the first is a very large one.
    return build.icmp_unsigned("<", places, in_all_lanes(code, length, 32))


def gather(code: Code, address: Any, stride: Any, mask: Any, outside: Vector) -> Vector:
    """Load lane j from ``address`` + j stride, or ``outside`` where the mask is off."""
    build, lanes = code.build, code.lanes
    steps = ir.Constant(ir.VectorType(INDEX, lanes), [i * code.size for i in range(lanes)])
    ahead = build.mul(steps, in_all_lanes(code, stride, INDEX.width))
    at = build.add(in_all_lanes(code, address, INDEX.width), ahead)
    pointers = ir.VectorType(code.element.as_pointer(), lanes)
    name = f"llvm.masked.gather.v{lanes}f{8 * code.size}.v{lanes}p0"
    declared = ir.FunctionType(code.type, [pointers, INT32, code.bools, code.type])
    known = build.module.globals.get(name) or ir.Function(build.module, declared, name)
    given = [build.inttoptr(at, pointers), INT32(code.size), mask, outside.value]
    return Vector(code, build.call(known, given))


def over_rows(code: Code, rows: Any, carried: Carried, body: Callable[..., Carried]) -> Carried:
    """Append the loops over rows: ``body(elements ahead, number of the first tap, carried)``."""
    build = code.build
    depth, d_step, d_taps, height, h_step, h_taps, number = (
        build.extract_value(rows, i) for i in range(7)
    )

    def plane(d: Any, carried: Carried) -> Carried:
        ahead, tap = build.mul(d, d_step), build.add(number, build.mul(d, d_taps))

        def row(h: Any, carried: Carried) -> Carried:
            here = build.add(ahead, build.mul(h, h_step))
            return body(here, build.add(tap, build.mul(h, h_taps)), carried)

        return code.loop(height, carried, row)

    return code.loop(depth, carried, plane)


def over_taps(
    code: Code,
    variant: tuple[int, int, bool],
    x: Any,
    geometry: tuple[Any, Any],
    outside: float,
    carried: Carried,
    step: Callable[[Carried, Vector, Any], Carried],
) -> Carried:
    """Append the loops over all taps of windows: ``step(carried, what they read, the number)``.

    The variant is (stride, taps, edge): stride 2 with that many taps along the row; stride 1, or 0
    for any, with as many as are given. At an edge places outside of the row are not read.
    """
    build, (stride, kernel, edge), lanes = code.build, variant, code.lanes
    rows, along = geometry
    place, length, taps, dilation, apart = (build.extract_value(along, i) for i in range(5))
    nothing = code.constant(outside)

    def read(address: Any, ahead: Any) -> Vector:
        address, where = code.address(address, ahead), build.add(place, ahead)
        if stride == 0:
            return gather(code, address, apart, within(code, where, length, apart), nothing)
        return code.load(address, within(code, where, length) if edge else None, nothing)

    def row(ahead: Any, number: Any, carried: Carried) -> Carried:
        address = code.address(x, ahead)
        if stride != 2:
            return code.loop(
                taps,
                carried,
                lambda t, carried: step(
                    carried, read(address, build.mul(t, dilation)), build.add(number, t)
                ),
            )
        for even in range(0, kernel, 2):
            low, high = (read(address, code.index(even + ahead)) for ahead in (0, lanes))
            for tap in range(even, min(even + 2, kernel)):
                chosen = code.shuffle(low, high, range(tap - even, 2 * lanes, 2))
                carried = step(carried, chosen, build.add(number, code.index(tap)))
        return carried

    return over_rows(code, rows, carried, row)


@functools.cache
def largest(stride: int, kernel: int, edge: bool) -> Callable[..., None]:
    """Return max pooling of a register of windows, as a function for compiled code.

    ``f(y, winner, at, count, x, x_at, rows, along, first, first_at)``: ``first`` (int64) holds the
    tap along the row that wins where all that a window sees is as low as the padding. The first of
    equal elements wins, a NaN over everything before it.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        winner: Any,
        at: Any,
        count: Any,
        x: Any,
        x_at: Any,
        rows: Any,
        along: Any,
        first: Any,
        first_at: Any,
    ) -> Any:
        kinds = y, winner, WHOLE, WHOLE, x, WHOLE, ROWS, ALONG, first, WHOLE

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, y.dtype)
            to, held, at, count, source, x_at, *geometry, start, start_at = arguments
            bits, low = 8 * code.size, code.constant(-float("inf"))
            some = code.first_lanes(count) if edge else None

            def step(carried: Carried, value: Vector, number: Any) -> Carried:
                best, tap = carried
                better = build.or_(
                    build.fcmp_ordered(">", value.value, best),
                    build.fcmp_unordered("uno", value.value, value.value),
                )
                here = in_all_lanes(code, number, bits)
                return [build.select(better, value.value, best), build.select(better, here, tap)]

            tap = numbers(code, first, start, start_at, some)
            if bits < INDEX.width:
                tap = build.trunc(tap, ir.VectorType(ir.IntType(bits), code.lanes))
            tap = build.add(tap, in_all_lanes(code, build.extract_value(geometry[0], 6), bits))
            address = code.address(code.pointer(x, source), x_at)
            variant, carried = (stride, kernel, edge), [low.value, tap]
            best, tap = over_taps(
                code, variant, address, tuple(geometry), -float("inf"), carried, step
            )
            code.store(Vector(code, best), code.address(code.pointer(y, to), at), some)
            store_numbers(code, tap, winner, held, at, some)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return run


@functools.cache
def sums(stride: int, kernel: int, edge: bool) -> Callable[..., None]:
    """Return average pooling of a register of windows, as a function for compiled code.

    ``f(y, at, count, divisor, divisor_at, x, x_at, rows, along)``.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        at: Any,
        count: Any,
        divisor: Any,
        divisor_at: Any,
        x: Any,
        x_at: Any,
        rows: Any,
        along: Any,
    ) -> Any:
        kinds = y, WHOLE, WHOLE, divisor, WHOLE, x, WHOLE, ROWS, ALONG

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, y.dtype)
            to, at, count, by, by_at, source, x_at, *geometry = arguments
            some = code.first_lanes(count) if edge else None
            address = code.address(code.pointer(x, source), x_at)
            (total,) = over_taps(
                code,
                (stride, kernel, edge),
                address,
                tuple(geometry),
                0.0,
                [code.constant(0).value],
                lambda carried, value, _: [(Vector(code, carried[0]) + value).value],
            )
            by = code.load(code.address(code.pointer(divisor, by), by_at), some, code.constant(1))
            address = code.address(code.pointer(y, to), at)
            code.store(Vector(code, total) / by, address, some)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return run
