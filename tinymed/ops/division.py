"""Division, its whole part and its remainder."""

from __future__ import annotations

from typing import Any

from tinymed.autograd import Variable
from tinymed.kernels.arrays import Array, array_module
from tinymed.ops.arithmetic import add, is_bool, multiply
from tinymed.ops.broadcasting import Broadcasting
from tinymed.ops.elementwise import Unary, floating_pair
from tinymed.ops.promotion import cast, floating, promote, result_type, rounded_once
from tinymed.precision import kind_of

__all__ = [
    "addcdiv",
    "div",
    "divide",
    "floor_divide",
    "fmod",
    "reciprocal",
    "remainder",
    "true_divide",
]


class Divide(Broadcasting):
    """y = a / b;  dL/da = dL/dy / b, dL/db = -dL/dy y / b."""

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def backward(self, grad_output: Array, b: Array, output: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        share = grad_output / b
        return share if to_a else None, -share * output if to_b else None


class FloorDivide(Broadcasting):
    """y = floor(a / b), the quotient of `Remainder`; its derivative is 0 wherever it exists."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        return a // b


class TruncDivide(Broadcasting):
    """y = a / b rounded towards 0, the quotient of `FMod`."""

    differentiable = False

    def forward(self, a: Array, b: Array) -> Array:
        xp = array_module(a, b)
        if xp.result_type(a, b).kind == "f":
            return xp.trunc(a / b)
        quotient = a // b
        return quotient + ((quotient < 0) & (quotient * b != a))


class Remainder(Broadcasting):
    """y = a - b floor(a / b), of the sign of b;  dL/da = dL/dy, dL/db = -floor(a / b) dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).remainder(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        return grad_output, -grad_output * floor_divide(a, b) if self.edges[1] else None


class FMod(Broadcasting):
    """y = a - b trunc(a / b), of the sign of a;  dL/da = dL/dy, dL/db = -trunc(a / b) dL/dy."""

    def forward(self, a: Array, b: Array) -> Array:
        return array_module(a, b).fmod(a, b)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        share = -grad_output * div(a, b, rounding_mode="trunc") if self.edges[1] else None
        return grad_output, share


class Reciprocal(Unary):
    """y = 1 / x;  dL/dx = -y^2 dL/dy."""

    def forward(self, x: Array) -> Array:
        return 1 / x

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (-grad_output * (output * output),)


def divide(a: Any, b: Any, *, rounding_mode: str | None = None) -> Any:
    """Return ``a / b`` element by element, with broadcasting. x / 0 is inf or NaN.

    Parameters
    ----------
    rounding_mode : None, "trunc" or "floor"
        None: integers give the default floating dtype. "trunc" rounds towards 0 as C does, "floor"
        towards -inf as Python's //: integers give integers, and nothing is differentiated.

    Raises
    ------
    ZeroDivisionError
        If integers are divided by 0 and rounded.
    """
    if rounding_mode is None:
        return Divide()(*floating_pair(a, b))
    if rounding_mode not in ("trunc", "floor"):
        raise ValueError(
            f"divide: rounding_mode={rounding_mode!r} is not one of None, 'trunc', 'floor'"
        )
    node = TruncDivide() if rounding_mode == "trunc" else FloorDivide()
    return node(*divisible("divide", a, b))


def true_divide(a: Any, b: Any) -> Any:
    """Return ``a / b``."""
    return divide(a, b)


def floor_divide(a: Any, b: Any) -> Any:
    """Return floor(``a / b``), as Python's //: integers give integers. Not differentiable."""
    return FloorDivide()(*divisible("floor_divide", a, b))


def remainder(a: Any, b: Any) -> Any:
    """Return what is left of ``a``, with the sign of ``b``, as Python's %."""
    return Remainder()(*divisible("remainder", a, b))


def fmod(a: Any, b: Any) -> Any:
    """Return what is left of ``a``, with the sign of ``a``, as C's fmod and %."""
    return FMod()(*divisible("fmod", a, b))


def reciprocal(x: Any) -> Any:
    """Return ``1 / x``; integers give the default floating dtype."""
    return Reciprocal()(floating(x))


@rounded_once
def addcdiv(x: Any, a: Any, b: Any, *, value: float = 1) -> Any:
    """Return ``x + value * a / b``, with broadcasting. Integers by integers are refused."""
    a, b = promote(a, b)
    if kind_of(a.dtype) != "f":
        raise TypeError(f"addcdiv: {a.dtype} / {b.dtype} would be rounded; use a.float() first")
    dtype = result_type(x, a, b)  # in the dtype of the sum: the quotient of float16 may be inf
    return add(x, multiply(divide(cast(a, dtype), cast(b, dtype)), value))


def divisible(name: str, a: Any, b: Any) -> tuple[Any, Any]:
    """Return both in their common dtype, or raise for integers by 0 and for bools."""
    a, b = promote(a, b)
    if is_bool(a) and is_bool(b):
        raise TypeError(f"{name}: bool by bool has no meaning; cast one of them")
    divisor = b.data if isinstance(b, Variable) else b
    kinds = {getattr(x, "dtype", None) and kind_of(x.dtype) for x in (a, b)}
    if "f" not in kinds and not isinstance(a, float) and not isinstance(b, float):
        zero = divisor == 0
        if zero if isinstance(zero, bool) else zero.any():
            raise ZeroDivisionError(f"{name}: the divisor holds integer zeros")
    return a, b


div = divide  # PyTorch has it under both names
