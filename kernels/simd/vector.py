"""What a vector instruction is, and how Python writes one.

A processor core has registers of 16, 32 or 64 bytes. One *SIMD* instruction (single instruction,
multiple data) works on all numbers that fit into one, its *lanes*: with AVX-512 a fused
multiply-add ``a * b + c`` is 16 products and 16 sums of float32, twice in each clock cycle. A loop
over single numbers leaves 15/16 of the machine idle. Compilers turn simple loops into vector ones,
but whether they do is a lottery: a possible overlap of two arrays, a negative index, a remainder
is enough to lose.

So the hot loops here write the instructions out. Numba compiles Python functions with LLVM, and an
*intrinsic* is a function that, at compile time, appends LLVM's instructions itself. `Vector` is one
register at that time; its operators append one instruction each. Adding two rows of ``n`` numbers:

    x, y = code.load(x_at), code.load(y_at)      # two loads of 16 numbers
    code.store(x * y + x, z_at)                  # one multiply, one add, one store

No C compiler is involved, and the same lines serve float32 and float64 and registers of any
width: the code is written for ``lanes`` lanes, whatever their number. What is left over at the end
of a row is done with a *mask*, which switches lanes off for loads and stores.

The width is the host's (64 bytes with AVX-512, 32 with AVX2, else 16: SSE2, NEON);
``TINYMED_VECTOR_BYTES`` sets another.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba.core import types

__all__ = ["INDEX", "REGISTERS", "VECTOR_BYTES", "Code", "Vector", "lanes_of"]

INDEX = ir.IntType(64)
INT32 = ir.IntType(32)
MANTISSA = {2: 10, 4: 23, 8: 52}  # bits after the point, by the bytes of a number


@functools.cache
def features() -> dict[str, bool]:
    """Return what the host's processor can do, by LLVM's names ("avx512f", "avx2", "neon")."""
    return dict(llvmlite.binding.get_host_cpu_features())


def _vector_bytes() -> int:
    """Return the bytes of a vector register, or what ``TINYMED_VECTOR_BYTES`` asks for."""
    asked = os.environ.get("TINYMED_VECTOR_BYTES")
    if asked is None:
        return 64 if features().get("avx512f") else 32 if features().get("avx2") else 16
    if asked not in ("16", "32", "64"):
        raise ValueError(f"TINYMED_VECTOR_BYTES={asked!r} is not 16, 32 or 64")
    return int(asked)


VECTOR_BYTES = _vector_bytes()
# How many vectors fit into the registers of a core at once: what a tile may hold.
REGISTERS = 32 if VECTOR_BYTES == 64 or features().get("neon") else 16


def lanes_of(dtype: Any) -> int:
    """Return how many numbers of a NumPy or Numba dtype one register holds."""
    return VECTOR_BYTES // (
        dtype.bitwidth // 8 if isinstance(dtype, types.Type) else dtype.itemsize
    )


class Vector:
    """One register while code is being written: an operator appends the instruction."""

    def __init__(self, code: Code, value: Any) -> None:
        self.code, self.value = code, value

    def __add__(self, other: Vector | float) -> Vector:
        return self.code.both("fadd", self, other)

    def __sub__(self, other: Vector | float) -> Vector:
        return self.code.both("fsub", self, other)

    def __mul__(self, other: Vector | float) -> Vector:
        return self.code.both("fmul", self, other)

    def __truediv__(self, other: Vector | float) -> Vector:
        return self.code.both("fdiv", self, other)

    def __radd__(self, other: float) -> Vector:
        return self.code.both("fadd", other, self)

    def __rsub__(self, other: float) -> Vector:
        return self.code.both("fsub", other, self)

    def __rmul__(self, other: float) -> Vector:
        return self.code.both("fmul", other, self)

    def __rtruediv__(self, other: float) -> Vector:
        return self.code.both("fdiv", other, self)

    def __neg__(self) -> Vector:
        return Vector(self.code, self.code.build.fneg(self.value))

    def __lt__(self, other: Vector | float) -> Vector:
        return self.code.compare("<", self, other)

    def __gt__(self, other: Vector | float) -> Vector:
        return self.code.compare(">", self, other)

    def __ge__(self, other: Vector | float) -> Vector:
        return self.code.compare(">=", self, other)


class Code:
    """The instructions of one intrinsic: an LLVM builder, the element type and its lanes."""

    def __init__(self, context: Any, build: Any, dtype: types.Type, lanes: int = 0) -> None:
        self.context, self.build, self.dtype = context, build, dtype
        self.element = context.get_data_type(dtype)
        self.size = dtype.bitwidth // 8  # bytes of one number
        self.lanes = lanes or lanes_of(dtype)
        self.type = ir.VectorType(self.element, self.lanes)
        self.bools = ir.VectorType(ir.IntType(1), self.lanes)

    # ------------------------------------------------------------------------ whole numbers

    def index(self, value: int) -> Any:
        """Return a constant for addresses and counts."""
        return ir.Constant(INDEX, value)

    def pointer(self, array_type: types.Array, array: Any) -> Any:
        """Return the address, a number, where an array's data begin."""
        data = self.context.make_array(array_type)(self.context, self.build, array).data
        return self.build.ptrtoint(data, INDEX)

    def address(self, pointer: Any, element: Any) -> Any:
        """Return the address of an array's ``element``."""
        return self.build.add(pointer, self.build.mul(element, self.index(self.size)))

    def ahead(self, address: Any, elements: int) -> Any:
        """Return the address ``elements`` further on."""
        return self.build.add(address, self.index(elements * self.size)) if elements else address

    # ------------------------------------------------------------------------ loads and stores

    def load(self, address: Any, mask: Any = None, other: Any = None) -> Vector:
        """Load a register; lanes that ``mask`` switches off get ``other``, 0 unless given."""
        pointer = self.build.inttoptr(address, self.type.as_pointer())
        if mask is None:
            loaded = self.build.load(pointer)
            loaded.align = self.size
            return Vector(self, loaded)
        other = self.constant(0) if other is None else other
        call = self.function("masked.load", self.type, [pointer.type, INT32, self.bools, self.type])
        alignment = ir.Constant(INT32, self.size)
        return Vector(self, self.build.call(call, [pointer, alignment, mask, other.value]))

    def store(self, vector: Vector, address: Any, mask: Any = None) -> None:
        """Store a register, or the lanes of it that ``mask`` switches on."""
        pointer = self.build.inttoptr(address, self.type.as_pointer())
        if mask is None:
            self.build.store(vector.value, pointer).align = self.size
            return
        nothing = ir.VoidType()
        call = self.function("masked.store", nothing, [self.type, pointer.type, INT32, self.bools])
        alignment = ir.Constant(INT32, self.size)
        self.build.call(call, [vector.value, pointer, alignment, mask])

    def load_one(self, address: Any) -> Vector:
        """Load one number into all lanes."""
        loaded = self.build.load(self.build.inttoptr(address, self.element.as_pointer()))
        loaded.align = self.size
        return self.all_lanes(loaded)

    def first_lanes(self, count: Any) -> Any:
        """Return the mask of the first ``count`` lanes."""
        whole = ir.VectorType(INDEX, self.lanes)
        numbers = ir.Constant(whole, list(range(self.lanes)))
        return self.build.icmp_signed("<", numbers, self._repeat(count, whole))

    # ------------------------------------------------------------------------ making vectors

    def constant(self, value: float) -> Vector:
        """Return one number in all lanes, known now."""
        return Vector(self, ir.Constant(self.type, [float(value)] * self.lanes))

    def all_lanes(self, number: Any) -> Vector:
        """Return one number in all lanes, known when the code runs."""
        return Vector(self, self._repeat(number, self.type))

    def _repeat(self, number: Any, kind: Any) -> Any:
        nothing = ir.Constant(kind, ir.Undefined)
        first = self.build.insert_element(nothing, number, ir.Constant(INT32, 0))
        return self.build.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(INT32, kind.count), [0] * kind.count)
        )

    def shuffle(self, a: Vector, b: Vector, lanes: Sequence[int]) -> Vector:
        """Return the given lanes of ``a`` and ``b``, whose lanes are numbered on."""
        chosen = ir.Constant(ir.VectorType(INT32, len(lanes)), list(lanes))
        return Vector(self, self.build.shuffle_vector(a.value, b.value, chosen))

    def total(
        self, vector: Vector, combine: Callable[[Vector, Vector], Vector] | None = None
    ) -> Any:
        """Return the sum of all lanes, or what ``combine`` makes of them, pair by pair."""
        half = self.lanes // 2
        while half:
            turned = [(lane + half) % self.lanes for lane in range(self.lanes)]
            other = self.shuffle(vector, vector, turned)
            vector = combine(vector, other) if combine else vector + other
            half //= 2
        return self.build.extract_element(vector.value, ir.Constant(INT32, 0))

    # ------------------------------------------------------------------------ arithmetic

    def vector(self, value: Vector | float) -> Vector:
        """Return ``value`` as a vector."""
        return value if isinstance(value, Vector) else self.constant(value)

    def both(self, instruction: str, a: Vector | float, b: Vector | float) -> Vector:
        """Append an instruction of two operands."""
        a, b = self.vector(a), self.vector(b)
        return Vector(self, getattr(self.build, instruction)(a.value, b.value))

    def compare(self, relation: str, a: Vector | float, b: Vector | float) -> Vector:
        """Return a mask: where the relation holds; nowhere beside a NaN."""
        a, b = self.vector(a), self.vector(b)
        return Vector(self, self.build.fcmp_ordered(relation, a.value, b.value))

    def select(self, where: Vector, a: Vector | float, b: Vector | float) -> Vector:
        """Return ``a`` where the mask is set, else ``b``."""
        a, b = self.vector(a), self.vector(b)
        return Vector(self, self.build.select(where.value, a.value, b.value))

    def fma(self, a: Vector | float, b: Vector | float, c: Vector | float) -> Vector:
        """Return a * b + c, rounded once."""
        return self.call("fma", a, b, c)

    def maximum(self, a: Vector, b: Vector | float) -> Vector:
        """Return the larger of two, a NaN where ``a`` is one: ``a if not a < b else b``."""
        return self.select(self.unordered_less(a, b), b, a)

    def unordered_less(self, a: Vector, b: Vector | float) -> Vector:
        """Return where a < b, both being numbers."""
        return self.compare("<", a, b)

    def call(self, name: str, *operands: Vector | float) -> Vector:
        """Append a call of one of LLVM's functions: "fma", "sqrt", "minnum", "fabs" ..."""
        vectors = [self.vector(operand) for operand in operands]
        function = self.function(name, self.type, [self.type] * len(vectors))
        return Vector(self, self.build.call(function, [v.value for v in vectors]))

    def function(self, name: str, result: Any, operands: Sequence[Any]) -> Any:
        """Return LLVM's function ``llvm.<name>`` for this type, declared in the module once."""
        suffix = f".v{self.lanes}f{8 * self.size}"
        full = f"llvm.{name}{suffix}" + (".p0" if name.startswith("masked") else "")
        known = self.build.module.globals.get(full)
        declared = ir.FunctionType(result, list(operands))
        return known or ir.Function(self.build.module, declared, full)

    # ------------------------------------------------------------------------ bits of a number

    def is_nan(self, x: Vector) -> Vector:
        """Return where x is not a number."""
        return Vector(self, self.build.fcmp_unordered("uno", x.value, x.value))

    def scale_by_power_of_two(self, x: Vector, n: Vector) -> Vector:
        """Return x * 2^n for whole n, where x and the result are normal numbers."""
        whole = self._bits(n + self._unit)  # n in the last bits, from where it joins the exponent
        shifted = self.build.shl(whole, self._whole(MANTISSA[self.size]))
        return self._from_bits(self.build.add(self._bits(x), shifted))

    def split_exponent(self, x: Vector) -> tuple[Vector, Vector]:
        """Return m and whole k with x = m 2^k and sqrt(1/2) <= m < sqrt(2), for normal x > 0."""
        build, mantissa = self.build, MANTISSA[self.size]
        middle = self._bits(self.constant(0.5**0.5))
        above = build.sub(self._bits(x), middle)
        k = build.ashr(above, self._whole(mantissa))
        m = build.add(build.and_(above, self._whole((1 << mantissa) - 1)), middle)
        last_bits = build.add(k, self._bits(self._unit))
        return self._from_bits(m), self._from_bits(last_bits) - self._unit

    @property
    def _unit(self) -> Vector:
        """A number whose last bit is worth 1: added to it, whole numbers stand in its last bits."""
        return self.constant(1.5 * 2.0 ** MANTISSA[self.size])

    def _whole(self, value: int) -> Any:
        """Return an integer in all lanes, as wide as the numbers are."""
        kind = ir.VectorType(ir.IntType(8 * self.size), self.lanes)
        return ir.Constant(kind, [value] * self.lanes)

    def _bits(self, x: Vector) -> Any:
        return self.build.bitcast(x.value, self._whole(0).type)

    def _from_bits(self, bits: Any) -> Vector:
        return Vector(self, self.build.bitcast(bits, self.type))

    # ------------------------------------------------------------------------ loops

    def loop(
        self, count: Any, carried: Sequence[Any], body: Callable[[Any, list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """Append a loop of ``count`` rounds (0 is allowed) and return the last carried values.

        ``body(i, carried)`` appends round i and returns what the next one starts with.
        """
        build, before = self.build, self.build.block
        head, inside, after = (build.append_basic_block(name) for name in ("head", "in", "out"))
        build.branch(head)
        build.position_at_end(head)
        i = build.phi(INDEX)
        i.add_incoming(self.index(0), before)
        values = [build.phi(value.type) for value in carried]
        for phi, start in zip(values, carried, strict=True):
            phi.add_incoming(start, before)
        build.cbranch(build.icmp_signed("<", i, count), inside, after)
        build.position_at_end(inside)
        following = body(i, values)
        i.add_incoming(build.add(i, self.index(1)), build.block)
        for phi, value in zip(values, following, strict=True):
            phi.add_incoming(value, build.block)
        build.branch(head)
        build.position_at_end(after)
        return values
