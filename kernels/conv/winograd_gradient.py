"""The compiled loops of Winograd's gradient of the weight: sums over tiles in place of positions.

A 3x3 layer is Y = A^T [(G g G^T) * (B^T d B)] A for each tile of 4x4 outputs (winograd.py). It is
linear in g, so its gradient with respect to g is the same with all factors turned around:

    dg = G^T [ sum over tiles of (B^T d B) * (A dY A^T) ] G        36 products instead of 144

The lanes run along the channels throughout. A band of the image is turned in registers, so that 16
channels of a position lie side by side (`transpose`), and each tile of it is transformed by adding
up whole registers, `evaluate_down` and then `evaluate_across`. What comes out is just what the
products need: for each of the 36 frequencies a matrix (tiles, channels) of x and one of dY, which
`tile` multiplies. A block of tiles goes through all this in a core's second cache, the sums of up
to CHANNELS x CHANNELS channels stay there from block to block and come back to 3x3 at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.compiled import compiled
from tinymed.kernels.conv.winograd import TAPS, TRANSFORMS, evaluate, interpolate
from tinymed.kernels.simd.tile import tile
from tinymed.kernels.simd.transpose import transpose
from tinymed.kernels.simd.vector import INDEX, REGISTERS, Code, Vector, lanes_of

__all__ = ["FREQUENCIES", "SIDE", "sum_of_tiles", "total"]

SIDE = 4  # of a tile of outputs
REACH = SIDE + TAPS - 1  # of the inputs it sees
FREQUENCIES = REACH * REACH
LANES = lanes_of(np.dtype(np.float32))
ROWS = 8 if REGISTERS == 32 and LANES >= 8 else 4  # channels of dY in a tile of sums
X, DY = (0,) * REACH, (0,) * SIDE  # what is transformed, as `evaluate_down` takes it

# By the length of X and DY, the numbers along an axis that a tile takes: each becomes REACH.
MATRICES = {REACH: TRANSFORMS[SIDE].b, SIDE: tuple(zip(*TRANSFORMS[SIDE].a, strict=True))}
WINDOW = tuple(zip(*TRANSFORMS[SIDE].g, strict=True))  # G^T

_wide, _narrow = tile(ROWS, 2), tile(ROWS, 1)

# ------------------------------------------------------------------------ transforms in registers
# Arrays are flat, places and distances in elements.


@intrinsic
def evaluate_down(
    typing: Any, size: Any, t: Any, t_at: Any, t_row: Any, source: Any, rows: Any, columns: Any
) -> Any:
    """Write t = M d down each of ``columns`` neighbouring columns, M = B^T or A by ``size``.

    A column of d has a register in each row, the first of row r at rows[r]; row r of t begins at
    t_at + r * t_row.
    """
    whole = types.intp
    signature = types.void(size, t, whole, whole, source, rows, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        code = Code(context, build, kinds[1].dtype)
        index = code.index
        _, t, t_at, t_row, source, rows, columns = arguments
        target = code.address(code.pointer(kinds[1], t), t_at)
        table = build.inttoptr(code.pointer(kinds[5], rows), INDEX.as_pointer())
        start = code.pointer(kinds[4], source)
        starts = [
            code.address(start, build.load(build.gep(table, [index(r)]))) for r in range(len(size))
        ]

        def column(number: Any, _: list[Any]) -> list[Any]:
            done = build.mul(number, index(code.lanes))
            d = [code.load(code.address(at, done)) for at in starts]
            to = code.address(target, done)
            for r, vector in enumerate(evaluate(code, MATRICES[len(size)], d)):
                code.store(vector, code.address(to, build.mul(t_row, index(r))))
            return []

        code.loop(columns, [], column)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def evaluate_across(
    typing: Any, size: Any, v: Any, v_at: Any, v_plane: Any, v_tile: Any, t: Any, t_row: Any,
    tiles: Any,
) -> Any:  # fmt: skip
    """Write v = t M^T for neighbouring tiles, SIDE columns of t apart.

    Frequency f of tile q is a register at v_at + f * v_plane + q * v_tile.
    """
    whole = types.intp
    signature = types.void(size, v, whole, whole, whole, t, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        code = Code(context, build, kinds[1].dtype)
        index = code.index
        _, v, v_at, v_plane, v_tile, t, t_row, tiles = arguments
        target = code.address(code.pointer(kinds[1], v), v_at)
        source = code.pointer(kinds[5], t)

        def one(number: Any, _: list[Any]) -> list[Any]:
            to = code.address(target, build.mul(number, v_tile))
            start = code.address(source, build.mul(number, index(SIDE * code.lanes)))
            for r in range(REACH):
                row = code.address(start, build.mul(t_row, index(r)))
                d = [code.load(code.ahead(row, i * code.lanes)) for i in range(len(size))]
                for s, vector in enumerate(evaluate(code, MATRICES[len(size)], d)):
                    f = index(r * REACH + s)
                    code.store(vector, code.address(to, build.mul(v_plane, f)))
            return []

        code.loop(tiles, [], one)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def windows(
    typing: Any, g: Any, g_at: Any, g_plane: Any, p: Any, p_at: Any, p_plane: Any, vectors: Any
) -> Any:
    """Write g = G^T p G for registers in a row; tap t begins at g_at + t * g_plane."""
    whole = types.intp
    signature = types.void(g, whole, whole, p, whole, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        code = Code(context, build, kinds[0].dtype)
        index = code.index
        g, g_at, g_plane, p, p_at, p_plane, vectors = arguments
        target = code.address(code.pointer(kinds[0], g), g_at)
        source = code.address(code.pointer(kinds[3], p), p_at)

        def register(number: Any, _: list[Any]) -> list[Any]:
            done = build.mul(number, index(code.lanes))
            start, to = code.address(source, done), code.address(target, done)

            def value(r: int, s: int) -> Vector:
                return code.load(code.address(start, build.mul(p_plane, index(r * REACH + s))))

            columns = [
                interpolate(code, WINDOW, [value(r, s) for r in range(REACH)]) for s in range(REACH)
            ]
            for i in range(TAPS):
                line = interpolate(code, WINDOW, [column[i] for column in columns])
                for j, vector in enumerate(line):
                    at = code.address(to, build.mul(g_plane, index(i * TAPS + j)))
                    code.store(vector, at)
            return []

        code.loop(vectors, [], register)
        return context.get_dummy_value()

    return signature, generate


# ------------------------------------------------------------------------ blocks of tiles


@compiled
def _aligned(like: Any, size: int) -> Any:
    """Return memory that begins where a register does: no register then lies in two cache lines."""
    scratch = np.empty(size + LANES, like.dtype)
    return scratch[-(scratch.ctypes.data // like.itemsize) % LANES :]


@compiled
def _plane(tiles: int, channels: int) -> int:
    """Return the distance of frequencies: an odd number of registers.

    A power of two would put all of a tile's registers into the same few places of the first cache.
    """
    return tiles * channels + LANES * (1 - tiles * channels // LANES % 2)


@compiled
def _transform(
    size: Any, v: Any, at: int, plane: int, pitch: int, x: Any, image: Any, channels: Any,
    lines: Any, across: int, padding: Any, source: Any, start: int, t: Any,
) -> None:  # fmt: skip
    """Transform the tiles in rows of tiles lines[0] to lines[1] - 1, a register of channels each.

    ``image`` is a volume and a slice of it.
    The zeros around x: a row of them is at the beginning of ``source``, whose first ``start``
    numbers stay zeros; columns of them are in t, of which only what is inside is written.
    """
    (first, last), (top, left), (n, d) = channels, padding, image
    total, depth, height, width = x.shape[1:]
    flat, rows = x.reshape(-1), np.empty(len(size), np.int64)
    low = min(height, max(0, SIDE * lines[0] - top))
    high = max(low, min(height, SIDE * (lines[1] - 1) - top + len(size)))
    columns = SIDE * across + len(size) - SIDE
    inside, t_row = min(width, columns - left), columns * LANES
    for c in range(first, last, LANES):
        there = (((n * total + c) * depth + d) * height + low) * width
        some, channel = min(LANES, last - c), depth * height * width
        transpose(source, start, LANES, flat, there, channel, some, (high - low) * width)
        to = at + c - first
        for line in range(lines[0], lines[1]):
            for r in range(len(size)):
                row = SIDE * line - top + r
                rows[r] = start + (row - low) * width * LANES if low <= row < high else 0
            evaluate_down(size, t, left * LANES, t_row, source, rows, inside)
            evaluate_across(size, v, to, plane, pitch, t, t_row, across)
            to += across * pitch


@compiled
def _multiply(
    sums: Any, w: Any, w_plane: int, v: Any, v_plane: int, pitches: Any, used: int, tiles: int,
    add: bool,
) -> None:  # fmt: skip
    """Add w^T v of a block of tiles to the sums, (frequencies, K, C), or begin them."""
    k_pitch, c_pitch = pitches
    for f in range(FREQUENCIES):
        c = 0
        while c < c_pitch:
            b, to = f * v_plane + c, f * k_pitch * c_pitch + c
            wide = c + 2 * LANES <= c_pitch
            for k in range(0, used, ROWS):
                y, a = to + k * c_pitch, f * w_plane + k
                if wide:
                    _wide(sums, y, c_pitch, w, a, 1, k_pitch, v, b, c_pitch, tiles, add)
                else:
                    _narrow(sums, y, c_pitch, w, a, 1, k_pitch, v, b, c_pitch, tiles, add)
            c += 2 * LANES if wide else LANES


@compiled
def sum_of_tiles(
    first: int, last: int, dy: Any, x: Any, partial: Any, padding: Any, pitches: Any, parts: int,
    band: int, bands: int,
) -> None:  # fmt: skip
    """Sum the items first to last - 1: layers of the windows x parts x chunks of K x chunks of C.

    partial is (layers parts, 9 taps, K, C), K and C in whole chunks of ``pitches`` channels. A
    block of tiles has ``bands`` bands, each ``band`` rows of tiles of one slice.
    """
    (volumes, all_k, slices, high, wide), (_, all_c, depth, _, width) = dy.shape, x.shape
    count, (front, top, left) = volumes * slices, padding
    k_pitch, c_pitch = pitches
    k_chunks, c_chunks = partial.shape[2] // k_pitch, partial.shape[3] // c_pitch
    down, across = -(-high // SIDE), -(-wide // SIDE)
    cuts = -(-down // band)  # of an image
    blocks = -(-count * cuts // bands)
    most = bands * band * across  # tiles
    w_plane, v_plane = _plane(most, k_pitch), _plane(most, c_pitch)
    w, v = _aligned(x, FREQUENCIES * w_plane), _aligned(x, FREQUENCIES * v_plane)
    sums = _aligned(x, FREQUENCIES * k_pitch * c_pitch)
    start = max(width, wide) * LANES
    source = _aligned(x, (SIDE * band + TAPS) * start + LANES * LANES)
    x_t = _aligned(x, REACH * (SIDE * across + TAPS - 1) * LANES)
    dy_t = _aligned(x, REACH * SIDE * across * LANES)
    source[:start], x_t[:], dy_t[:] = 0, 0, 0
    flat = partial.reshape(-1)
    tap = partial.shape[2] * partial.shape[3]
    for item in range(first, last):
        part, k, c = item // (k_chunks * c_chunks), item // c_chunks % k_chunks, item % c_chunks
        k_range = k * k_pitch, min(all_k, (k + 1) * k_pitch)
        c_range = c * c_pitch, min(all_c, (c + 1) * c_pitch)
        layer, part_of_layer = part // parts, part % parts
        begin = part_of_layer * blocks // parts
        for block in range(begin, (part_of_layer + 1) * blocks // parts):
            tiles = 0
            for number in range(block * bands, min(count * cuts, (block + 1) * bands)):
                image, line = number // cuts, number % cuts * band
                n, d = image // slices, image % slices
                seen, lines = d + layer - front, (line, min(down, line + band))
                if not 0 <= seen < depth:  # the layer lies in the padding
                    continue
                _transform(
                    X, v, tiles * c_pitch, v_plane, c_pitch, x, (n, seen), c_range, lines, across,
                    (top, left), source, start, x_t,
                )  # fmt: skip
                _transform(
                    DY, w, tiles * k_pitch, w_plane, k_pitch, dy, (n, d), k_range, lines, across,
                    (0, 0), source, start, dy_t,
                )  # fmt: skip
                tiles += (lines[1] - lines[0]) * across
            used = k_range[1] - k_range[0]
            _multiply(sums, w, w_plane, v, v_plane, pitches, used, tiles, block > begin)
        for row in range(k_range[1] - k_range[0]):
            to = part * TAPS * TAPS * tap + (k_range[0] + row) * partial.shape[3] + c_range[0]
            at = row * c_pitch
            windows(flat, to, tap, sums, at, k_pitch * c_pitch, c_pitch // LANES)


@compiled
def total(first: int, last: int, partial: Any, dw: Any) -> None:
    """Add the parts in order, for channels ``first`` to ``last`` - 1 of dw (K, C, layers, 9)."""
    _, channels, layers, taps = dw.shape
    parts = partial.shape[0] // layers
    for k in range(first, last):
        for layer in range(layers):
            for tap in range(taps):
                for c in range(channels):
                    value = partial[layer * parts, tap, k, c]
                    for part in range(layer * parts + 1, (layer + 1) * parts):
                        value += partial[part, tap, k, c]
                    dw[k, c, layer, tap] = value
