"""Four neighbouring outputs of a 3x3 convolution, of which pooling takes one, in registers.

The four see 4x4 inputs. Lane j of a register belongs to pooled position j, so input (a, b) of all
lanes is every second number of row a, from b on. The rows are split once, into the numbers at even
and at odd places, and each of the 16 is then one load:

    in[a][b] = part b % 2 of row a, from j + b // 2 on        a, b = 0 .. 3
    out[s][t] = bias + sum over u, v of weight[u][v] * in[s + u][t + v]

Arrays are flat, places and distances in elements.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INT32, Code, Vector

__all__ = ["quad_gradients", "quads", "split_row"]

WHOLE = types.intp
TAPS = 3
SIDE = 4  # inputs along an axis that the four outputs see
PLACES = [(s, t) for s in range(2) for t in range(2)]
DEAD = len(PLACES)


def _address(code: Code, kinds: Any, arguments: Any, position: int) -> Any:
    """Return the address that an array and the place behind it, two arguments, stand for."""
    return code.address(code.pointer(kinds[position], arguments[position]), arguments[position + 1])


def _clamp(code: Code, value: Any) -> Any:
    """Return a whole number as one of 0 .. lanes."""
    build, low, high = code.build, code.index(0), code.index(code.lanes)
    value = build.select(build.icmp_signed("<", value, low), low, value)
    return build.select(build.icmp_signed(">", value, high), high, value)


def _inside(code: Code, place: Any, length: Any) -> Any:
    """Return the mask of the lanes whose place, ``place`` in lane 0, is one of 0 .. length - 1."""
    build, one = code.build, code.index(1)
    low, high = _clamp(code, build.neg(place)), _clamp(code, build.sub(length, place))
    below = build.sub(build.shl(one, low), one)
    bits = build.and_(build.sub(build.shl(one, high), one), build.not_(below))
    return build.bitcast(build.trunc(bits, ir.IntType(code.lanes)), code.bools)


@intrinsic
def split_row(
    typing: Any,
    parts: Any,
    at: Any,
    pitch: Any,
    vectors: Any,
    x: Any,
    x_at: Any,
    place: Any,
    length: Any,
) -> Any:
    """Write the numbers at even places of a row, and ``pitch`` further on those at odd places.

    The row begins at x_at, which is ``place`` of a line of ``length`` numbers and may lie outside
    of it, where there are zeros. Each part gets ``vectors`` registers.
    """
    signature = types.void(parts, WHOLE, WHOLE, WHOLE, x, WHOLE, WHOLE, WHOLE)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, x.dtype)
        _, _, pitch, vectors, _, _, place, length = arguments
        target, source = (_address(code, signature.args, arguments, i) for i in (0, 4))

        def step(v: Any, _: list[Any]) -> list[Any]:
            done = build.mul(v, code.index(2 * code.lanes))

            def numbers(further: int) -> Vector:
                there = build.add(done, code.index(further))
                mask = _inside(code, build.add(place, there), length)
                return code.load(code.address(source, there), mask)

            a, b = numbers(0), numbers(code.lanes)
            to = code.address(target, build.mul(v, code.index(code.lanes)))
            code.store(code.shuffle(a, b, range(0, 2 * code.lanes, 2)), to)
            odd = code.shuffle(a, b, range(1, 2 * code.lanes, 2))
            code.store(odd, code.address(to, pitch))
            return []

        code.loop(vectors, [], step)
        return context.get_dummy_value()

    return signature, generate


def _inputs(code: Code, start: Any, pitch: Any) -> list[list[Vector]]:
    """Load the 4x4 inputs of a register of pooled positions; rows and parts are ``pitch`` apart."""
    build = code.build
    parts = [code.address(start, build.mul(pitch, code.index(i))) for i in range(2 * SIDE)]
    return [
        [code.load(code.ahead(parts[2 * a + b % 2], b // 2)) for b in range(SIDE)]
        for a in range(SIDE)
    ]


def _bytes(code: Code) -> Any:
    """Return the type of as many bytes as there are lanes."""
    return ir.VectorType(ir.IntType(8), code.lanes)


def _masked_bytes(code: Code, name: str, kind: Any, *given: Any) -> Any:
    """Append a masked load or store of bytes."""
    full = f"llvm.masked.{name}.v{code.lanes}i8.p0"
    result = kind if name == "load" else ir.VoidType()
    declared = ir.FunctionType(result, [value.type for value in given])
    function = code.build.module.globals.get(full) or ir.Function(code.build.module, declared, full)
    return code.build.call(function, given)


@functools.cache
def quads(channels: int) -> Callable[..., None]:
    """Return the row of quads for some output channels, as a function for compiled code.

    ``f(y, at, winner, plane, count, x, x_at, pitch, x_channel, depth, w, w_at, bias, b_at)``
    writes one pooled row of ``count`` positions for ``channels`` output channels, ``plane``
    apart. x holds split rows, of each of the ``depth`` input channels x_channel apart; w begins at
    the windows of the first output channel, bias at its number.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        at: Any,
        winner: Any,
        plane: Any,
        count: Any,
        x: Any,
        x_at: Any,
        pitch: Any,
        x_channel: Any,
        depth: Any,
        w: Any,
        w_at: Any,
        bias: Any,
        b_at: Any,
    ) -> Any:
        places = (x, WHOLE, WHOLE, WHOLE, WHOLE)
        signature = types.void(y, WHOLE, winner, WHOLE, WHOLE, *places, w, WHOLE, bias, WHOLE)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            _emit_quads(code, channels, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit_quads(code: Code, channels: int, kinds: Any, arguments: Any) -> None:
    """Append the loop over registers of pooled positions."""
    build, index = code.build, code.index
    _, at, winner, plane, count, _, _, pitch, x_channel, depth, *_ = arguments
    target, source, windows, biases = (_address(code, kinds, arguments, i) for i in (0, 5, 10, 12))
    winners = build.ptrtoint(
        code.context.make_array(kinds[2])(code.context, build, winner).data, at.type
    )
    winners = build.add(winners, at)
    row = build.mul(depth, index(TAPS * TAPS))
    starts = [code.load_one(code.ahead(biases, k)).value for k in range(channels)]

    def step(v: Any, _: list[Any]) -> list[Any]:
        done = build.mul(v, index(code.lanes))
        here = code.address(source, done)

        def add(c: Any, sums: list[Any]) -> list[Any]:
            inputs = _inputs(code, code.address(here, build.mul(c, x_channel)), pitch)
            window = code.address(windows, build.mul(c, index(TAPS * TAPS)))
            sums = list(sums)
            for k in range(channels):
                for u in range(TAPS):
                    for v in range(TAPS):
                        weight = code.load_one(code.ahead(window, u * TAPS + v))
                        for i, (s, t) in enumerate(PLACES):
                            total = Vector(code, sums[k * DEAD + i])
                            total = code.fma(weight, inputs[s + u][t + v], total)
                            sums[k * DEAD + i] = total.value
                window = code.address(window, row)
            return sums

        sums = code.loop(depth, [start for start in starts for _ in PLACES], add)
        mask = _inside(code, index(0), build.sub(count, done))
        for k in range(channels):
            best, tap = _choose(code, [Vector(code, s) for s in sums[k * DEAD : (k + 1) * DEAD]])
            away = build.add(build.mul(plane, index(k)), done)
            code.store(best, code.address(target, away), mask)
            pointer = build.inttoptr(build.add(winners, away), _bytes(code).as_pointer())
            _masked_bytes(code, "store", None, tap, pointer, INT32(1), mask)
        return []

    lanes = index(code.lanes)
    code.loop(build.sdiv(build.add(count, index(code.lanes - 1)), lanes), [], step)


def _choose(code: Code, outputs: list[Vector]) -> tuple[Vector, Any]:
    """Return the largest of four, at least 0, and its number; a nan beats all before it."""
    build, kind = code.build, _bytes(code)
    number = [ir.Constant(kind, [i] * code.lanes) for i in range(DEAD + 1)]
    best, tap = outputs[0], number[0]
    for i, output in enumerate(outputs[1:], 1):
        better = build.or_((output > best).value, code.is_nan(output).value)
        best = code.select(Vector(code, better), output, best)
        tap = build.select(better, number[i], tap)
    dead = code.compare("<=", best, 0.0)
    return code.select(dead, 0.0, best), build.select(dead.value, number[DEAD], tap)


@intrinsic
def quad_gradients(
    typing: Any,
    sums: Any,
    at: Any,
    g: Any,
    g_at: Any,
    winner: Any,
    rows: Any,
    count: Any,
    x: Any,
    x_at: Any,
    pitch: Any,
) -> Any:
    """Write the gradients of one window's 9 taps, and of its bias, from ``rows`` pooled rows.

    Rows of g and winner are ``count`` apart, the split rows of x that belong to them 2 rows apart.
    """
    signature = types.void(sums, WHOLE, g, WHOLE, winner, WHOLE, WHOLE, x, WHOLE, WHOLE)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, g.dtype)
        index, kind = code.index, _bytes(code)
        _, _, _, at, winner, rows, count, _, _, pitch = arguments
        target, slopes, source = (_address(code, signature.args, arguments, i) for i in (0, 2, 7))
        data = context.make_array(signature.args[4])(context, build, winner).data
        winners = build.add(build.ptrtoint(data, at.type), at)
        none = ir.Constant(kind, [DEAD] * code.lanes)
        vectors = build.sdiv(build.add(count, index(code.lanes - 1)), index(code.lanes))

        def row(i: Any, sums: list[Any]) -> list[Any]:
            before = build.mul(i, count)

            def step(v: Any, sums: list[Any]) -> list[Any]:
                done = build.mul(v, index(code.lanes))
                mask = _inside(code, index(0), build.sub(count, done))
                away = build.add(before, done)
                slope = code.load(code.address(slopes, away), mask)
                pointer = build.inttoptr(build.add(winners, away), kind.as_pointer())
                tap = _masked_bytes(code, "load", kind, pointer, INT32(1), mask, none)
                lines = build.mul(i, build.mul(pitch, index(4)))
                inputs = _inputs(code, code.address(source, build.add(lines, done)), pitch)
                return _add_slopes(code, slope, tap, inputs, sums)

            return code.loop(vectors, sums, step)

        nothing = code.constant(0).value
        totals = code.loop(rows, [nothing] * (TAPS * TAPS + 1), row)
        for i, total in enumerate(totals):
            one = code.total(Vector(code, total))
            build.store(one, build.inttoptr(code.ahead(target, i), code.element.as_pointer()))
        return context.get_dummy_value()

    return signature, generate


def _add_slopes(
    code: Code, slope: Vector, tap: Any, inputs: list[list[Vector]], sums: list[Any]
) -> list[Any]:
    """Return the sums of the 9 taps and of the bias with one register of pooled positions added."""
    build = code.build
    totals = [Vector(code, total) for total in sums]
    for i, (s, t) in enumerate(PLACES):
        number = ir.Constant(_bytes(code), [i] * code.lanes)
        share = code.select(Vector(code, build.icmp_signed("==", tap, number)), slope, 0.0)
        for u in range(TAPS):
            for v in range(TAPS):
                place = u * TAPS + v
                totals[place] = code.fma(share, inputs[s + u][t + v], totals[place])
        totals[-1] = totals[-1] + share
    return [total.value for total in totals]
