"""The micro-kernel: a tile of sums of products that stays in registers.

Matrix products and convolutions are sums of products, and the fastest order for them is: hold a
tile of results, ``rows`` x ``vectors`` registers, and add to all of them one step after the other.
A step loads ``vectors`` registers of b and ``rows`` numbers of a, each into all lanes, for rows x
vectors multiply-adds: enough work per load to keep the arithmetic busy.

    y[r, :] = sum over k of a[r, k] * b[k, :]

The arrays are flat. Row r of a begins at ``a_at + r * a_row`` (or ``a_at + a_row[r]``, if a_row is
an array), its step k lies ``k * a_step`` (or ``a_step[k]``) further; step k of b begins at ``b_at +
k * b_step`` (or ``b_at + b_step[k]``). The tables are what makes this a convolution: each tap of a
window is one offset.

Source: Goto, van de Geijn (2008), "Anatomy of high-performance matrix multiplication", section 5.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INDEX, Code, Vector

__all__ = ["tile"]


@functools.cache
def tile(rows: int, vectors: int) -> Callable[..., None]:
    """Return a tile of ``rows`` x (``vectors`` * lanes) as a function for compiled code.

    ``f(y, y_at, y_row, a, a_at, a_row, a_step, b, b_at, b_step, steps, add)``: flat arrays, where
    they begin, and how far apart rows and steps are, all in elements; ``add`` to y or replace it.
    """

    @intrinsic
    def run(
        typing: Any,
        y: Any,
        y_at: Any,
        y_row: Any,
        a: Any,
        a_at: Any,
        a_row: Any,
        a_step: Any,
        b: Any,
        b_at: Any,
        b_step: Any,
        steps: Any,
        add: Any,
    ) -> Any:
        whole, table = types.intp, types.Array
        signature = types.void(
            *(y, whole, whole),
            *(
                a,
                whole,
                *(given if isinstance(given, table) else whole for given in (a_row, a_step)),
            ),
            *(b, whole, b_step if isinstance(b_step, table) else whole),
            *(whole, types.boolean),
        )

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            _emit(code, rows, vectors, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit(code: Code, rows: int, vectors: int, kinds: Any, arguments: Any) -> None:
    """Append the tile: load the sums or zeros, add all steps, store."""
    build = code.build
    y, y_at, y_row, a, a_at, a_row, a_step, b, b_at, b_step, steps, add = arguments
    y_start = code.address(code.pointer(kinds[0], y), y_at)
    a_start = code.address(code.pointer(kinds[3], a), a_at)
    b_start = code.address(code.pointer(kinds[7], b), b_at)

    def entry(position: int, values: Any, number: Any) -> Any:
        """Return the distance of row or step ``number``: a table's entry, or a multiple."""
        if not isinstance(kinds[position], types.Array):
            return build.mul(values, number)
        at = build.add(code.pointer(kinds[position], values), build.mul(number, code.index(8)))
        return build.load(build.inttoptr(at, INDEX.as_pointer()))

    y_rows = [code.address(y_start, build.mul(y_row, code.index(r))) for r in range(rows)]
    a_rows = [code.address(a_start, entry(5, a_row, code.index(r))) for r in range(rows)]

    before, load, start = build.block, *map(build.append_basic_block, ("load", "start"))
    build.cbranch(add, load, start)
    build.position_at_end(load)
    so_far = [
        code.load(code.ahead(row, v * code.lanes)).value for row in y_rows for v in range(vectors)
    ]
    build.branch(start)
    build.position_at_end(start)
    sums = [build.phi(code.type) for _ in so_far]
    for phi, value in zip(sums, so_far, strict=True):
        phi.add_incoming(value, load)
        phi.add_incoming(ir.Constant(code.type, [0.0] * code.lanes), before)

    def step(k: Any, sums: list[Any]) -> list[Any]:
        here = code.address(b_start, entry(9, b_step, k))
        from_b = [code.load(code.ahead(here, v * code.lanes)) for v in range(vectors)]
        along_a = entry(6, a_step, k)
        following = []
        for r in range(rows):
            from_a = code.load_one(code.address(a_rows[r], along_a))
            for v in range(vectors):
                total = Vector(code, sums[r * vectors + v])
                following.append(code.fma(from_a, from_b[v], total).value)
        return following

    sums = code.loop(steps, sums, step)
    for r in range(rows):
        for v in range(vectors):
            code.store(Vector(code, sums[r * vectors + v]), code.ahead(y_rows[r], v * code.lanes))
