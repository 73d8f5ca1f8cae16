"""Asking for memory before it is needed.

A store to memory that is in no cache waits until its line has come, some 100 ns. Who knows what
will be written once a computation is done asks for it before: the lines arrive meanwhile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INT32, Code

__all__ = ["prefetch_to_write"]

LINE = 64  # bytes that a cache brings at once, on the processors of today


@intrinsic
def prefetch_to_write(typing: Any, y: Any, at: Any, count: Any) -> Any:
    """Ask for the elements y[at : at + count], to write them soon; changes no value."""
    signature = types.void(y, types.intp, types.intp)

    def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
        code = Code(context, build, signature.args[0].dtype)
        y, at, count = arguments
        start = code.address(code.pointer(signature.args[0], y), at)
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
        name = "llvm.prefetch.p0"
        function = build.module.globals.get(name) or ir.Function(build.module, kind, name)
        how = [ir.Constant(INT32, number) for number in (1, 3, 1)]  # to write; keep it; data
        per_line = LINE // code.size
        lines = build.sdiv(build.add(count, code.index(per_line - 1)), code.index(per_line))

        def line(i: Any, _: Any) -> list[Any]:
            address = code.address(start, build.mul(i, code.index(per_line)))
            build.call(function, [build.inttoptr(address, byte), *how])
            return []

        code.loop(lines, [], line)
        return context.get_dummy_value()

    return signature, generate
