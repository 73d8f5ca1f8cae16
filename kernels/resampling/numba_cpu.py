"""Weighted sums along an axis in vector code, registers full of what shares its taps.

Along any axis but the last those are neighbours in memory. Along the last one they are the same
place of other rows: as many rows as a register has lanes are turned so that they lie side by side,
and their sums are turned back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.copying import contiguous
from tinymed.kernels.parallel import parallel
from tinymed.kernels.recording import constant
from tinymed.kernels.simd.loops import along_row
from tinymed.kernels.simd.transpose import transpose, transposed
from tinymed.kernels.simd.vector import INDEX, VECTOR_BYTES, Code, Vector

WORTH = 1 << 16  # products that are worth a thread


@intrinsic
def _weighted(
    typing: Any, y: Any, y_at: Any, x: Any, x_at: Any, count: Any, index: Any, weight: Any, at: Any,
    taps: Any,
) -> Any:  # fmt: skip
    """Write y[y_at + i] = sum of weight[at + k] x[x_at + index[at + k] count + i], i < count."""
    whole = types.intp
    signature = types.void(y, whole, x, whole, whole, index, weight, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        code = Code(context, build, kinds[0].dtype)
        y, y_at, x, x_at, count, index, weight, at, taps = arguments
        target = code.address(code.pointer(kinds[0], y), y_at)
        source = code.address(code.pointer(kinds[2], x), x_at)
        weights = code.address(code.pointer(kinds[6], weight), at)
        table = build.inttoptr(code.pointer(kinds[5], index), INDEX.as_pointer())
        table = build.gep(table, [at])

        def register(offset: Any, mask: Any, _: Any) -> list[Any]:
            start = build.add(source, offset)

            def tap(k: Any, total: list[Any]) -> list[Any]:
                row = build.mul(build.load(build.gep(table, [k])), count)
                value = code.load(code.address(start, row), mask)
                factor = code.load_one(code.address(weights, k))
                return [code.fma(factor, value, Vector(code, total[0])).value]

            (total,) = code.loop(taps, [code.constant(0).value], tap)
            code.store(Vector(code, total), build.add(target, offset), mask)
            return []

        along_row(code, count, [], register)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _turn_back(typing: Any, y: Any, y_at: Any, x: Any, rows: Any, count: Any) -> Any:
    """Copy x[j, i] to row i of y, i < rows (at most lanes), j < count; x has lanes columns."""
    whole = types.intp
    signature = types.void(y, whole, x, whole, whole)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        code = Code(context, build, kinds[0].dtype)
        y, y_at, x, rows, count = arguments
        target = code.address(code.pointer(kinds[0], y), y_at)
        source, lanes = code.pointer(kinds[2], x), code.index(code.lanes)

        def square(number: Any, _: Any) -> list[Any]:
            j = build.mul(number, lanes)
            start = code.address(source, build.mul(j, lanes))
            columns = [code.load(code.ahead(start, i * code.lanes)) for i in range(code.lanes)]
            left = build.sub(count, j)
            for i, row in enumerate(transposed(code, columns)):
                number = code.index(i)
                there = build.select(build.icmp_signed("<", number, rows), left, code.index(0))
                to = code.address(target, build.add(build.mul(number, count), j))
                code.store(row, to, code.first_lanes(there))
            return []

        code.loop(build.sdiv(build.add(count, code.index(code.lanes - 1)), lanes), [], square)
        return context.get_dummy_value()

    return signature, generate


@compiled
def _taps(index: Any) -> Any:
    """Return how many inputs each output has."""
    found = np.empty(len(index), np.int64)
    for o in range(len(index)):
        found[o] = np.sum(index[o] >= 0)
    return found


@compiled
def rows(
    first: int, last: int, y: Any, x: Any, size: int, inner: int, index: Any, weight: Any
) -> None:
    """Compute the rows first to last - 1 of y, (outer, outputs) rows of ``inner`` neighbours."""
    taps, (outputs, most) = _taps(index), index.shape
    table, weights = index.reshape(-1), weight.reshape(-1)
    for item in range(first, last):
        outer, o = item // outputs, item % outputs
        at = outer * size * inner
        _weighted(y, item * inner, x, at, inner, table, weights, o * most, taps[o])


@compiled
def columns(
    first: int, last: int, y: Any, x: Any, size: int, outer: int, index: Any, weight: Any
) -> None:
    """Compute blocks of rows first to last - 1 of y, ``outer`` rows of as many as index has."""
    taps, (outputs, most) = _taps(index), index.shape
    table, weights = index.reshape(-1), weight.reshape(-1)
    lanes = VECTOR_BYTES // x.itemsize
    turned = np.empty((size + lanes) * lanes, x.dtype)
    sums = np.empty((outputs + lanes) * lanes, x.dtype)
    for item in range(first, last):
        row = item * lanes
        some = min(lanes, outer - row)
        transpose(turned, 0, lanes, x, row * size, size, some, size)
        for o in range(outputs):
            _weighted(sums, o * lanes, turned, 0, lanes, table, weights, o * most, taps[o])
        _turn_back(y, row * outputs, sums, some, outputs)


def forward(x: Array, index: Array, weight: Array, dim: int) -> Array:
    """Return y with y_o = sum_k weight_ok x_index_ok along axis ``dim``."""
    x, size = contiguous(x), x.shape[dim]
    index, weight = constant(contiguous(index)), constant(contiguous(weight))
    y = empty((*x.shape[:dim], len(index), *x.shape[dim + 1 :]), x.dtype)
    if not y.size:
        return y
    outer, inner = math.prod(x.shape[:dim]), math.prod(x.shape[dim + 1 :])
    given = y.reshape(-1), x.reshape(-1), size
    if inner == 1:
        items = -(-outer // (VECTOR_BYTES // x.itemsize))
        least = 1 + WORTH * items // max(1, y.size * index.shape[1])
        parallel(columns, items, least, *given, outer, index, weight)
    else:
        items = outer * len(index)
        least = 1 + WORTH // max(1, inner * index.shape[1])
        parallel(rows, items, least, *given, inner, index, weight)
    return y
