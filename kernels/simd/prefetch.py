"""Asking for memory before it is needed.

Memory that is in no cache takes some 100 ns to come. A processor asks by itself for what ordinary
loads in a row will want next, but not for what a computation writes at its end, and, on Zen 5, not
for what masked loads read: max-pooling with padding took twice the time of that without, until its
rows were asked for. Who knows what comes next asks for it before: the lines arrive meanwhile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.vector import INT32, Code

__all__ = ["prefetch_to_read", "prefetch_to_write"]

LINE = 64  # bytes that a cache brings at once, on the processors of today


def _prefetch(write: int) -> Any:
    """Return the function that asks for elements, to read (0) or to write (1) them."""

    @intrinsic
    def ask(typing: Any, y: Any, at: Any, count: Any) -> Any:
        signature = types.void(y, types.intp, types.intp)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, signature.args[0].dtype)
            y, at, count = arguments
            start = code.address(code.pointer(signature.args[0], y), at)
            byte = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
            name = "llvm.prefetch.p0"
            function = build.module.globals.get(name) or ir.Function(build.module, kind, name)
            how = [ir.Constant(INT32, number) for number in (write, 3, 1)]  # 3: keep it; 1: data
            per_line = LINE // code.size
            lines = build.sdiv(build.add(count, code.index(per_line - 1)), code.index(per_line))

            def line(i: Any, _: Any) -> list[Any]:
                address = code.address(start, build.mul(i, code.index(per_line)))
                build.call(function, [build.inttoptr(address, byte), *how])
                return []

            code.loop(lines, [], line)
            return context.get_dummy_value()

        return signature, generate

    return ask


# f(y, at, count): ask for the elements y[at : at + count]. No value changes, and elements that are
# not there are no error.
prefetch_to_read = _prefetch(0)
prefetch_to_write = _prefetch(1)
