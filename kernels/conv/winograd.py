"""Winograd's transforms, written from their matrices: a 3x3 convolution with fewer products.

A tile of m x m outputs needs the (m + 2) x (m + 2) inputs d around it and the window g. Instead of
9 m^2 products it takes (m + 2)^2, one for each *frequency*:

    Y = A^T [ (G g G^T) * (B^T d B) ] A           * is element by element

In one dimension: the outputs are coefficients of a product of two polynomials. Its values at m + 1
points (and the leading coefficient, "at infinity") determine it, and values are multiplied one by
one. B^T and G evaluate, A^T interpolates. F(4x4, 3x3) takes the points 0, 1, -1, 2, -2 and needs
36 products instead of 144; F(2x2, 3x3) takes 0, 1, -1 and needs 16 instead of 36.

Source: Lavin, Gray (2016), "Fast algorithms for convolutional neural networks", CVPR, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import Code, Vector

__all__ = ["TAPS", "input_columns", "input_rows", "outputs", "weights"]

Matrix = tuple[tuple[float, ...], ...]
TAPS = 3


class Transform(NamedTuple):
    """The three matrices of F(m x m, 3 x 3)."""

    b: Matrix  # B^T (m + 2, m + 2)
    g: Matrix  # G (m + 2, 3)
    a: Matrix  # A^T (m, m + 2)


TRANSFORMS = {
    2: Transform(
        b=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        g=((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
        a=((1, 1, 1, 0), (0, 1, -1, -1)),
    ),
    4: Transform(
        b=(
            (4, 0, -5, 0, 1, 0),
            (0, -4, -4, 1, 1, 0),
            (0, 4, -4, -1, 1, 0),
            (0, -2, -1, 2, 1, 0),
            (0, 2, -1, -2, 1, 0),
            (0, 4, 0, -5, 0, 1),
        ),
        g=(
            (1 / 4, 0, 0),
            (-1 / 6, -1 / 6, -1 / 6),
            (-1 / 6, 1 / 6, -1 / 6),
            (1 / 24, 1 / 12, 1 / 6),
            (1 / 24, -1 / 12, 1 / 6),
            (0, 0, 1),
        ),
        a=(
            (1, 1, 1, 1, 1, 0),
            (0, 1, -1, 2, -2, 0),
            (0, 1, 1, 4, 4, 0),
            (0, 1, -1, 8, -8, 1),
        ),
    ),
}

# ------------------------------------------------------------------------ matrix times vectors


def weighted(code: Code, factors: Sequence[float], x: Sequence[Vector]) -> Vector:
    """Return the sum of factors[i] * x[i]: zeros cost nothing, ones no product."""
    terms = [(f, v) for f, v in zip(factors, x, strict=True) if f]
    (factor, vector), *others = sorted(terms, key=lambda term: (abs(term[0]) != 1, -term[0]))
    total = vector if factor == 1 else vector * factor
    for factor, vector in others:
        if abs(factor) == 1:
            total = total + vector if factor > 0 else total - vector
        else:
            total = code.fma(vector, factor, total)
    return total


def evaluate(code: Code, matrix: Matrix, x: Sequence[Vector]) -> list[Vector]:
    """Return ``matrix`` @ ``x`` for B^T or G, each element of x a register.

    Between the first row, of the point 0, and the last, of infinity, stand those of p and -p in
    turn, which differ in the signs at odd places alone: the even and the odd places are added up
    once, p gets the sum of both, -p the difference.
    """
    first, *inner, last = matrix
    result = [weighted(code, first, x)]
    for row in inner[::2]:
        even, odd = (weighted(code, row[part::2], x[part::2]) for part in (0, 1))
        result += [even + odd, even - odd]
    return [*result, weighted(code, last, x)]


def interpolate(code: Code, matrix: Matrix, x: Sequence[Vector]) -> list[Vector]:
    """Return ``matrix`` @ ``x`` for A^T, each element of x a register.

    It is the columns that come in pairs here: even rows need the sum of the values at p and -p, odd
    rows the difference.
    """
    first, *inner, last = x
    pairs = list(zip(inner[::2], inner[1::2], strict=True))
    parts = [a + b for a, b in pairs], [a - b for a, b in pairs]
    return [
        weighted(code, (row[0], *row[1:-1:2], row[-1]), (first, *parts[i % 2], last))
        for i, row in enumerate(matrix)
    ]


def apart(code: Code, parts: Sequence[Vector]) -> list[Vector]:
    """Return every n-th lane of n registers in a row, beginning with lane 0, 1 ... n - 1."""
    if len(parts) == 1:
        return list(parts)
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    evens, odds = (
        apart(code, [code.shuffle(a, b, range(lane, 2 * code.lanes, 2)) for a, b in pairs])
        for lane in (0, 1)
    )
    return [vector for pair in zip(evens, odds, strict=True) for vector in pair]


def together(code: Code, parts: Sequence[Vector]) -> list[Vector]:
    """Return n registers in a row whose every n-th lanes are the parts: undo `apart`."""
    if len(parts) == 1:
        return list(parts)
    half = code.lanes // 2
    lanes = [lane + part * code.lanes for lane in range(code.lanes) for part in (0, 1)]
    merged = []
    for a, b in zip(together(code, parts[::2]), together(code, parts[1::2]), strict=True):
        merged += [code.shuffle(a, b, lanes[: 2 * half]), code.shuffle(a, b, lanes[2 * half :])]
    return merged


# ------------------------------------------------------------------------ for compiled code
# ``size``, a tuple of m numbers, stands for m: its length is part of its type, known when the code
# is written. Arrays are flat, places and distances in elements.


def _address(code: Code, kinds: Any, arguments: Any, position: int) -> Any:
    """Return the address that an array and the place behind it, two arguments, stand for."""
    return code.address(code.pointer(kinds[position], arguments[position]), arguments[position + 1])


def _mask(code: Code, bits: Any) -> Any:
    """Return the mask whose lanes are the low bits of a number."""
    return code.build.bitcast(code.build.trunc(bits, ir.IntType(code.lanes)), code.bools)


def _clamp(code: Code, value: Any, low: Any, high: Any) -> Any:
    build = code.build
    value = build.select(build.icmp_signed("<", value, low), low, value)
    return build.select(build.icmp_signed(">", value, high), high, value)


@intrinsic
def input_rows(
    typing: Any,
    size: Any,
    t: Any,
    t_at: Any,
    t_row: Any,
    ahead: Any,
    x: Any,
    x_at: Any,
    edges: Any,
) -> Any:
    """Write t = B^T d for neighbouring tiles of one row of tiles.

    ``edges``: (width, height, row, column, columns). The tiles' inputs begin at x_at, which is
    (row, column) of a plane (height, width) and may lie outside of it, where inputs are 0; they
    take ``columns`` numbers of each row. Row r of t begins at t_at + r * t_row. All of it is
    written again ``ahead``, m columns further left: the two columns a tile shares with the next.
    """
    whole = types.intp
    signature = types.void(size, t, whole, whole, whole, x, whole, types.UniTuple(whole, 5))

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, x.dtype)
        m, lanes, index = len(size), code.lanes, code.index
        *_, t_row, ahead, _, _, edges = arguments
        width, height, row, column, columns = (build.extract_value(edges, i) for i in range(5))
        target, source = (_address(code, signature.args, arguments, i) for i in (1, 5))
        starts = [code.address(source, build.mul(width, index(r))) for r in range(m + 2)]
        inside = [build.icmp_unsigned("<", build.add(row, index(r)), height) for r in range(m + 2)]

        def block(v: Any, _: list[Any]) -> list[Any]:
            done = build.mul(v, index(lanes))
            here = build.add(column, done)
            low = _clamp(code, build.neg(here), index(0), index(lanes))
            high = _clamp(code, build.sub(width, here), low, index(lanes))
            bits = build.sub(build.shl(index(1), high), build.shl(index(1), low))
            d = [
                code.load(code.address(s, done), _mask(code, build.select(i, bits, index(0))))
                for s, i in zip(starts, inside, strict=True)
            ]
            at = code.address(target, done)
            shared = build.select(build.icmp_signed("==", v, index(0)), index(-1 << m), index(-1))
            for r, vector in enumerate(evaluate(code, TRANSFORMS[m].b, d)):
                to = code.address(at, build.mul(t_row, index(r)))
                code.store(vector, to)
                code.store(vector, code.ahead(code.address(to, ahead), -m), _mask(code, shared))
            return []

        code.loop(build.sdiv(build.add(columns, index(lanes - 1)), index(lanes)), [], block)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def input_columns(
    typing: Any,
    size: Any,
    v: Any,
    v_at: Any,
    v_plane: Any,
    t: Any,
    t_at: Any,
    t_row: Any,
    ahead: Any,
    vectors: Any,
) -> Any:
    """Write v = t B for registers full of tiles; frequency f begins at v_at + f * v_plane."""
    whole = types.intp
    signature = types.void(size, v, whole, whole, t, *[whole] * 4)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, t.dtype)
        m, index = len(size), code.index
        *_, v_plane, _, _, t_row, ahead, vectors = arguments
        target, source = (_address(code, signature.args, arguments, i) for i in (1, 4))

        def block(q: Any, _: list[Any]) -> list[Any]:
            to = code.address(target, build.mul(q, index(code.lanes)))
            start = code.address(source, build.mul(q, index(m * code.lanes)))
            for r in range(m + 2):
                own = code.address(start, build.mul(t_row, index(r)))
                shared = code.address(own, ahead)
                d = [
                    part
                    for at in (own, shared)
                    for part in apart(
                        code, [code.load(code.ahead(at, i * code.lanes)) for i in range(m)]
                    )
                ]
                for s, vector in enumerate(evaluate(code, TRANSFORMS[m].b, d[: m + 2])):
                    f = index(r * (m + 2) + s)
                    code.store(vector, code.address(to, build.mul(v_plane, f)))
            return []

        code.loop(vectors, [], block)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def outputs(
    typing: Any,
    size: Any,
    y: Any,
    y_at: Any,
    y_row: Any,
    p: Any,
    p_at: Any,
    p_plane: Any,
    vectors: Any,
    bias: Any,
    least: Any,
) -> Any:
    """Write y = max(A^T p A + bias, least) for registers full of tiles, side by side in m rows."""
    whole = types.intp
    signature = types.void(size, y, whole, whole, p, whole, whole, whole, p.dtype, p.dtype)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, p.dtype)
        m, index = len(size), code.index
        *_, y_row, _, _, p_plane, vectors, bias, least = arguments
        target, source = (_address(code, signature.args, arguments, i) for i in (1, 4))
        bias, least = code.all_lanes(bias), code.all_lanes(least)
        matrix = TRANSFORMS[m].a

        def block(q: Any, _: list[Any]) -> list[Any]:
            to = code.address(target, build.mul(q, index(m * code.lanes)))
            start = code.address(source, build.mul(q, index(code.lanes)))

            def value(r: int, s: int) -> Vector:
                f = index(r * (m + 2) + s)
                return code.load(code.address(start, build.mul(p_plane, f)))

            columns = [
                interpolate(code, matrix, [value(r, s) for r in range(m + 2)]) for s in range(m + 2)
            ]
            for r in range(m):
                line = interpolate(code, matrix, [column[r] for column in columns])
                line = [code.maximum(vector + bias, least) for vector in line]
                at = code.address(to, build.mul(y_row, index(r)))
                for i, vector in enumerate(together(code, line)):
                    code.store(vector, code.ahead(at, i * code.lanes))
            return []

        code.loop(vectors, [], block)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def weights(
    typing: Any, size: Any, u: Any, u_at: Any, u_plane: Any, g: Any, g_at: Any, g_step: Any
) -> Any:
    """Write u = G g G^T for a register full of windows; tap t is at g_at + t * g_step."""
    whole = types.intp
    signature = types.void(size, u, whole, whole, g, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, g.dtype)
        m, index = len(size), code.index
        *_, u_plane, _, _, g_step = arguments
        target, source = (_address(code, signature.args, arguments, i) for i in (1, 4))
        matrix = TRANSFORMS[m].g

        def tap(i: int, j: int) -> Vector:
            return code.load(code.address(source, build.mul(g_step, index(i * TAPS + j))))

        columns = [evaluate(code, matrix, [tap(i, j) for i in range(TAPS)]) for j in range(TAPS)]
        for r in range(m + 2):
            for s, vector in enumerate(evaluate(code, matrix, [column[r] for column in columns])):
                f = index(r * (m + 2) + s)
                code.store(vector, code.address(target, build.mul(u_plane, f)))
        return context.get_dummy_value()

    return signature, generate
