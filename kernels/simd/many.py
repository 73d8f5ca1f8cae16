"""One loop over many arrays: a network has a hundred parameters, and each call has its price.

    decay = over_arrays(lambda code, grad, param, lr: (param - lr * grad,), written=1)

    @compiled
    def run(first, last, table, kind, scalars):
        decay(first, last, table, kind, scalars)

    table = table_of([grad, ...], [param, ...])
    parallel(run, total, least, table, kind, scalars)

The arrays count as one long row, in which ``first`` and ``last`` are elements. Compiled code gets
them as a table of whole numbers: their sizes, and for each the address of the Python object. An
array's object holds where its elements begin behind the header that every Python object has; that
is part of NumPy's C interface (`PyArrayObject`), and reading it there takes nothing, while to ask
for it in Python takes a microsecond for each array.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from tinymed.kernels.simd.loops import Formula, along_row, in_all_lanes
from tinymed.kernels.simd.vector import INDEX, Code, Vector

__all__ = ["over_arrays", "table_of"]

HEADER = object.__basicsize__  # bytes of an object before what is its own
SIZE_OF = operator.attrgetter("size")


def table_of(*columns: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return sizes and objects of arrays for `over_arrays`: (1 + columns, n) int64.

    Each column is a list of n contiguous arrays, the sizes are those of the first. The caller keeps
    the arrays alive while the table is used.
    """
    numbers = itertools.chain(map(SIZE_OF, columns[0]), map(id, itertools.chain(*columns)))
    n = len(columns[0])
    return np.fromiter(numbers, np.int64, (1 + len(columns)) * n).reshape(-1, n)


def over_arrays(formula: Formula, written: int) -> Callable[..., None]:
    """Return a loop ``f(first, last, table, kind, scalars)`` for compiled code.

    ``formula(code, *columns, *scalars)`` returns new values of the last ``written`` columns; the
    others are only read. ``kind`` is any array of the dtype that all of them have.
    """

    @intrinsic
    def run(typing: Any, first: Any, last: Any, table: Any, kind: Any, scalars: Any) -> Any:
        numbers = types.UniTuple(kind.dtype, len(scalars))
        signature = types.void(types.intp, types.intp, table, kind, numbers)

        def generate(context: Any, build: Any, signature: Any, arguments: Any) -> Any:
            code = Code(context, build, kind.dtype)
            _emit(code, formula, written, signature.args, arguments)
            return context.get_dummy_value()

        return signature, generate

    return run


def _emit(code: Code, formula: Formula, written: int, kinds: Any, arguments: Any) -> None:
    """Append the loop over the arrays, and in it the loop over what of each is in the range."""
    build = code.build
    first, last, table, _, scalars = arguments
    constants = in_all_lanes(code, len(kinds[4]), scalars)
    columns = formula.__code__.co_argcount - 1 - len(constants)
    arrays = build.extract_value(
        code.context.make_array(kinds[2])(code.context, build, table).shape, 1
    )
    start = code.pointer(kinds[2], table)

    def number(row: int, i: Any) -> Any:
        """Return the table's number of array ``i`` in a row."""
        at = build.add(build.mul(arrays, code.index(row)), i)
        return _whole(code, build.add(start, build.mul(at, code.index(8))))

    def array(i: Any, carried: list[Any]) -> list[Any]:
        begin, size = carried[0], number(0, i)
        end = build.add(begin, size)
        lower = _pick(code, ">", first, begin)
        count = build.sub(_pick(code, "<", last, end), lower)
        at = build.sub(lower, begin)
        starts = [
            code.address(_whole(code, build.add(number(1 + c, i), code.index(HEADER))), at)
            for c in range(columns)
        ]

        def body(offset: Any, mask: Any, _: list[Any]) -> list[Any]:
            read = [code.load(build.add(source, offset), mask) for source in starts]
            values: tuple[Vector, ...] = formula(code, *read, *constants)
            for target, vector in zip(starts[columns - written :], values, strict=True):
                code.store(vector, build.add(target, offset), mask)
            return []

        along_row(code, _pick(code, ">", count, code.index(0)), [], body)
        return [end]

    code.loop(arrays, [code.index(0)], array)


def _whole(code: Code, address: Any) -> Any:
    """Load a whole number of 8 bytes."""
    return code.build.load(code.build.inttoptr(address, INDEX.as_pointer()))


def _pick(code: Code, relation: str, a: Any, b: Any) -> Any:
    """Return the larger (">") or the smaller ("<") of two whole numbers."""
    return code.build.select(code.build.icmp_signed(relation, a, b), a, b)
