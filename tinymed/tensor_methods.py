"""The operations as methods of `Tensor`, each one line to its op.

Longer than other files because every method is written out, so that a reader can search for it;
the op says the rest: ``help(tinymed.ops.sort)`` for ``x.sort()``.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

from tinymed import ops
from tinymed.autograd import Variable
from tinymed.ops.reduction import Dims

__all__ = ["Methods"]


class Methods(Variable):
    """What `tinymed.ops` does, called on a tensor x: ``x.sum(0)`` is ``ops.sum(x, 0)``."""

    __slots__ = ()

    # ----------------------------------------------------------------------------------- arithmetic

    def add(self, other: Any, *, alpha: float = 1) -> Self:
        """Return ``x + alpha * other``, with broadcasting."""
        return ops.add(self, other, alpha=alpha)

    def addcmul(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Self:
        """Return ``x + value * tensor1 * tensor2``, with broadcasting."""
        return ops.addcmul(self, tensor1, tensor2, value=value)

    def lerp(self, other: Any, weight: Any) -> Self:
        """Return ``x + weight * (other - x)``, with broadcasting."""
        return ops.lerp(self, other, weight)

    def mul(self, other: Any) -> Self:
        """Return ``x * other`` element by element, with broadcasting."""
        return ops.mul(self, other)

    def multiply(self, other: Any) -> Self:
        """Return ``x * other`` element by element, with broadcasting."""
        return ops.multiply(self, other)

    def neg(self) -> Self:
        """Return ``-x``."""
        return ops.neg(self)

    def negative(self) -> Self:
        """Return ``-x``."""
        return ops.negative(self)

    def pow(self, exponent: Any) -> Self:
        """Return ``x ** exponent`` element by element, with broadcasting."""
        return ops.pow(self, exponent)

    def square(self) -> Self:
        """Return ``x * x``; bools count as 0 and 1."""
        return ops.square(self)

    def sub(self, other: Any, *, alpha: float = 1) -> Self:
        """Return ``x - alpha * other``, with broadcasting."""
        return ops.sub(self, other, alpha=alpha)

    def subtract(self, other: Any, *, alpha: float = 1) -> Self:
        """Return ``x - alpha * other``, with broadcasting."""
        return ops.subtract(self, other, alpha=alpha)

    # ------------------------------------------------------------------------------------- division

    def addcdiv(self, tensor1: Any, tensor2: Any, *, value: float = 1) -> Self:
        """Return ``x + value * tensor1 / tensor2``, with broadcasting."""
        return ops.addcdiv(self, tensor1, tensor2, value=value)

    def div(self, other: Any, *, rounding_mode: str | None = None) -> Self:
        """Return ``x / other`` element by element, with broadcasting."""
        return ops.div(self, other, rounding_mode=rounding_mode)

    def divide(self, other: Any, *, rounding_mode: str | None = None) -> Self:
        """Return ``x / other`` element by element, with broadcasting."""
        return ops.divide(self, other, rounding_mode=rounding_mode)

    def floor_divide(self, other: Any) -> Self:
        """Return floor(``x / other``), as Python's //."""
        return ops.floor_divide(self, other)

    def fmod(self, other: Any) -> Self:
        """Return what is left of x, with the sign of x, as C's fmod and %."""
        return ops.fmod(self, other)

    def reciprocal(self) -> Self:
        """Return ``1 / x``; integers give the default floating dtype."""
        return ops.reciprocal(self)

    def remainder(self, other: Any) -> Self:
        """Return what is left of x, with the sign of ``other``, as Python's %."""
        return ops.remainder(self, other)

    def true_divide(self, other: Any) -> Self:
        """Return ``x / other``."""
        return ops.true_divide(self, other)

    # ---------------------------------------------------------------------------------- elementwise

    def abs(self) -> Self:
        """Return the absolute value."""
        return ops.abs(self)

    def absolute(self) -> Self:
        """Return the absolute value."""
        return ops.absolute(self)

    def clamp(self, min: Any = None, max: Any = None) -> Self:
        """Return x limited to [min, max]."""
        return ops.clamp(self, min, max)

    def clamp_min(self, min: Any) -> Self:
        """Return x, and ``min`` where it is smaller."""
        return ops.clamp_min(self, min)

    def clamp_max(self, max: Any) -> Self:
        """Return x, and ``max`` where it is larger."""
        return ops.clamp_max(self, max)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """Return x limited to [min, max]."""
        return ops.clip(self, min, max)

    def copysign(self, other: Any) -> Self:
        """Return the size of x with the sign of ``other``, that of -0.0 too."""
        return ops.copysign(self, other)

    def exp(self) -> Self:
        """Return e to the power x."""
        return ops.exp(self)

    def fmax(self, other: Any) -> Self:
        """Return the larger of both, element by element; NaN only if both are NaN."""
        return ops.fmax(self, other)

    def fmin(self, other: Any) -> Self:
        """Return the smaller of both, element by element; NaN only if both are NaN."""
        return ops.fmin(self, other)

    def heaviside(self, values: Any) -> Self:
        """Return 0 where x < 0, 1 where x > 0, and ``values`` where x = 0; 0 for NaN."""
        return ops.heaviside(self, values)

    def log(self) -> Self:
        """Return the natural logarithm."""
        return ops.log(self)

    def maximum(self, other: Any) -> Self:
        """Return the larger of both, element by element; NaN if either is NaN."""
        return ops.maximum(self, other)

    def minimum(self, other: Any) -> Self:
        """Return the smaller of both, element by element; NaN if either is NaN."""
        return ops.minimum(self, other)

    def nan_to_num(
        self, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
    ) -> Self:
        """Return x with numbers in place of NaN, inf and -inf."""
        return ops.nan_to_num(self, nan, posinf, neginf)

    def positive(self) -> Self:
        """Return x itself; bools are refused."""
        return ops.positive(self)

    def rsqrt(self) -> Self:
        """Return 1 / sqrt(x)."""
        return ops.rsqrt(self)

    def sign(self) -> Self:
        """Return -1, 0 or 1 in the dtype of x, 0 for NaN."""
        return ops.sign(self)

    def sqrt(self) -> Self:
        """Return the square root."""
        return ops.sqrt(self)

    # ----------------------------------------------------------------------------------- logarithms

    def exp2(self) -> Self:
        """Return 2 to the power x."""
        return ops.exp2(self)

    def expm1(self) -> Self:
        """Return exp(x) - 1, exact also near 0."""
        return ops.expm1(self)

    def log10(self) -> Self:
        """Return the logarithm to base 10."""
        return ops.log10(self)

    def log1p(self) -> Self:
        """Return log(1 + x), exact also near 0."""
        return ops.log1p(self)

    def log2(self) -> Self:
        """Return the logarithm to base 2."""
        return ops.log2(self)

    def logaddexp(self, other: Any) -> Self:
        """Return log(exp(x) + exp(other)), without overflow."""
        return ops.logaddexp(self, other)

    def logit(self, eps: float | None = None) -> Self:
        """Return log(x / (1 - x)), the inverse of sigmoid."""
        return ops.logit(self, eps)

    def xlogy(self, other: Any) -> Self:
        """Return ``x * log(other)``, and 0 where x = 0 unless ``other`` is NaN."""
        return ops.xlogy(self, other)

    # --------------------------------------------------------------------------------- trigonometry

    def acos(self) -> Self:
        """Return the angle in [0, pi] whose cosine is x."""
        return ops.acos(self)

    def arccos(self) -> Self:
        """Return the angle in [0, pi] whose cosine is x."""
        return ops.arccos(self)

    def acosh(self) -> Self:
        """Return the inverse of `cosh`."""
        return ops.acosh(self)

    def arccosh(self) -> Self:
        """Return the inverse of `cosh`."""
        return ops.arccosh(self)

    def asin(self) -> Self:
        """Return the angle in [-pi/2, pi/2] whose sine is x."""
        return ops.asin(self)

    def arcsin(self) -> Self:
        """Return the angle in [-pi/2, pi/2] whose sine is x."""
        return ops.arcsin(self)

    def asinh(self) -> Self:
        """Return the inverse of `sinh`."""
        return ops.asinh(self)

    def arcsinh(self) -> Self:
        """Return the inverse of `sinh`."""
        return ops.arcsinh(self)

    def atan(self) -> Self:
        """Return the angle in [-pi/2, pi/2] whose tangent is x."""
        return ops.atan(self)

    def arctan(self) -> Self:
        """Return the angle in [-pi/2, pi/2] whose tangent is x."""
        return ops.arctan(self)

    def atan2(self, other: Any) -> Self:
        """Return the angle in [-pi, pi] of the point (x = ``other``, y = x)."""
        return ops.atan2(self, other)

    def arctan2(self, other: Any) -> Self:
        """Return the angle in [-pi, pi] of the point (x = ``other``, y = x)."""
        return ops.arctan2(self, other)

    def atanh(self) -> Self:
        """Return the inverse of `tanh`."""
        return ops.atanh(self)

    def arctanh(self) -> Self:
        """Return the inverse of `tanh`."""
        return ops.arctanh(self)

    def cos(self) -> Self:
        """Return the cosine."""
        return ops.cos(self)

    def cosh(self) -> Self:
        """Return the hyperbolic cosine."""
        return ops.cosh(self)

    def deg2rad(self) -> Self:
        """Return degrees as radians."""
        return ops.deg2rad(self)

    def hypot(self, other: Any) -> Self:
        """Return sqrt(x^2 + other^2), the length of the longest side, without overflow."""
        return ops.hypot(self, other)

    def rad2deg(self) -> Self:
        """Return radians as degrees."""
        return ops.rad2deg(self)

    def sin(self) -> Self:
        """Return the sine."""
        return ops.sin(self)

    def sinh(self) -> Self:
        """Return the hyperbolic sine."""
        return ops.sinh(self)

    def tan(self) -> Self:
        """Return the tangent."""
        return ops.tan(self)

    # -------------------------------------------------------------------------------------- special

    def erf(self) -> Self:
        """Return the error function."""
        return ops.erf(self)

    def erfc(self) -> Self:
        """Return 1 - erf(x), accurate where it is small (erfc(10) = 2e-45)."""
        return ops.erfc(self)

    def erfinv(self) -> Self:
        """Return the inverse of `erf`."""
        return ops.erfinv(self)

    # ------------------------------------------------------------------------------------- rounding

    def ceil(self) -> Self:
        """Return the smallest whole number >= x."""
        return ops.ceil(self)

    def floor(self) -> Self:
        """Return the largest whole number <= x."""
        return ops.floor(self)

    def frac(self) -> Self:
        """Return ``x - trunc(x)``, the digits behind the point."""
        return ops.frac(self)

    def round(self, *, decimals: int = 0) -> Self:
        """Return x to ``decimals`` digits behind the point."""
        return ops.round(self, decimals=decimals)

    def trunc(self) -> Self:
        """Return x without the digits behind the point."""
        return ops.trunc(self)

    def fix(self) -> Self:
        """Return x without the digits behind the point."""
        return ops.fix(self)

    # ----------------------------------------------------------------------------------- activation

    def log_softmax(self, dim: int, dtype: Any = None) -> Self:
        """Return log(softmax(x)) along ``dim``, exact also where softmax underflows."""
        return ops.log_softmax(self, dim, dtype)

    def relu(self) -> Self:
        """Return max(x, 0); NaN stays NaN."""
        return ops.relu(self)

    def sigmoid(self) -> Self:
        """Return 1 / (1 + exp(-x)), without overflow."""
        return ops.sigmoid(self)

    def softmax(self, dim: int, dtype: Any = None) -> Self:
        """Return exp(x) / sum(exp(x)) along ``dim``, without overflow; computed in ``dtype``."""
        return ops.softmax(self, dim, dtype)

    def tanh(self) -> Self:
        """Return the hyperbolic tangent."""
        return ops.tanh(self)

    # ----------------------------------------------------------------------------------- rectifiers

    def hardshrink(self, lambd: float = 0.5) -> Self:
        """Return x, but 0 where abs(x) <= ``lambd``."""
        return ops.hardshrink(self, lambd)

    def prelu(self, weight: Any) -> Self:
        """Return x where x > 0, else ``weight`` x; the weight is learnt."""
        return ops.prelu(self, weight)

    # ----------------------------------------------------------------------------------- comparison

    def allclose(
        self, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
    ) -> bool:
        """Tell whether all elements are close to each other, as by `isclose`."""
        return ops.allclose(self, other, rtol, atol, equal_nan)

    def eq(self, other: Any) -> Self:
        """Return ``x == other`` element by element."""
        return ops.eq(self, other)

    def equal(self, other: Any) -> bool:
        """Tell whether both have the same shape and the same elements; NaN equals nothing."""
        return ops.equal(self, other)

    def ge(self, other: Any) -> Self:
        """Return ``x >= other`` element by element."""
        return ops.ge(self, other)

    def greater_equal(self, other: Any) -> Self:
        """Return ``x >= other`` element by element."""
        return ops.greater_equal(self, other)

    def gt(self, other: Any) -> Self:
        """Return ``x > other`` element by element."""
        return ops.gt(self, other)

    def greater(self, other: Any) -> Self:
        """Return ``x > other`` element by element."""
        return ops.greater(self, other)

    def isclose(
        self, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
    ) -> Self:
        """Return True where |x - other| <= atol + rtol |other|, or both are the same infinity."""
        return ops.isclose(self, other, rtol, atol, equal_nan)

    def isfinite(self) -> Self:
        """Return True where x is neither NaN nor infinite."""
        return ops.isfinite(self)

    def isinf(self) -> Self:
        """Return True where x is inf or -inf."""
        return ops.isinf(self)

    def isnan(self) -> Self:
        """Return True where x is NaN."""
        return ops.isnan(self)

    def isneginf(self) -> Self:
        """Return True where x is -inf."""
        return ops.isneginf(self)

    def isposinf(self) -> Self:
        """Return True where x is inf."""
        return ops.isposinf(self)

    def le(self, other: Any) -> Self:
        """Return ``x <= other`` element by element."""
        return ops.le(self, other)

    def less_equal(self, other: Any) -> Self:
        """Return ``x <= other`` element by element."""
        return ops.less_equal(self, other)

    def lt(self, other: Any) -> Self:
        """Return ``x < other`` element by element."""
        return ops.lt(self, other)

    def less(self, other: Any) -> Self:
        """Return ``x < other`` element by element."""
        return ops.less(self, other)

    def ne(self, other: Any) -> Self:
        """Return ``x != other`` element by element."""
        return ops.ne(self, other)

    def not_equal(self, other: Any) -> Self:
        """Return ``x != other`` element by element."""
        return ops.not_equal(self, other)

    # ---------------------------------------------------------------------------------------- logic

    def bitwise_and(self, other: Any) -> Self:
        """Return ``x & other`` of bools or integers."""
        return ops.bitwise_and(self, other)

    def bitwise_left_shift(self, other: Any) -> Self:
        """Return ``x << other`` of integers."""
        return ops.bitwise_left_shift(self, other)

    def bitwise_not(self) -> Self:
        """Return ``~x`` of bools or integers."""
        return ops.bitwise_not(self)

    def bitwise_or(self, other: Any) -> Self:
        """Return ``x | other`` of bools or integers."""
        return ops.bitwise_or(self, other)

    def bitwise_right_shift(self, other: Any) -> Self:
        """Return ``x >> other`` of integers."""
        return ops.bitwise_right_shift(self, other)

    def bitwise_xor(self, other: Any) -> Self:
        """Return ``x ^ other`` of bools or integers."""
        return ops.bitwise_xor(self, other)

    def logical_and(self, other: Any) -> Self:
        """Return True where x and ``other`` are not 0."""
        return ops.logical_and(self, other)

    def logical_not(self) -> Self:
        """Return True where x is 0."""
        return ops.logical_not(self)

    def logical_or(self, other: Any) -> Self:
        """Return True where x or ``other`` is not 0."""
        return ops.logical_or(self, other)

    def logical_xor(self, other: Any) -> Self:
        """Return True where one of x and ``other`` is not 0, the other is."""
        return ops.logical_xor(self, other)

    # ------------------------------------------------------------------------------------- counting

    def bincount(self, weights: Any = None, minlength: int = 0) -> Self:
        """Return how often each integer from 0 on is met, or the sums of the weights of each."""
        return ops.bincount(self, weights, minlength)

    def histc(self, bins: int = 100, min: float = 0, max: float = 0) -> Self:
        """Return how many elements lie in each of ``bins`` equal parts of [min, max]."""
        return ops.histc(self, bins, min, max)

    def unique(
        self,
        sorted: bool = True,
        return_inverse: bool = False,
        return_counts: bool = False,
        dim: int | None = None,
    ) -> Any:
        """Return the different elements in ascending order; along ``dim``."""
        return ops.unique(self, sorted, return_inverse, return_counts, dim)

    def unique_consecutive(
        self, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
    ) -> Any:
        """Return the elements (slices along ``dim``) that differ from the one before."""
        return ops.unique_consecutive(self, return_inverse, return_counts, dim)

    # ----------------------------------------------------------------------------------- covariance

    def corrcoef(self) -> Self:
        """Return the correlations (Pearson) of the rows of x (V, N)."""
        return ops.corrcoef(self)

    def cov(self, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Self:
        """Return the covariances of the rows of x, the columns being observations."""
        return ops.cov(self, correction=correction, fweights=fweights, aweights=aweights)

    # ----------------------------------------------------------------------------------- cumulative

    def cummax(self, dim: int) -> Any:
        """Return (values, indices) of the largest elements up to each along ``dim``."""
        return ops.cummax(self, dim)

    def cummin(self, dim: int) -> Any:
        """Return (values, indices) of the smallest elements up to each along ``dim``."""
        return ops.cummin(self, dim)

    def cumprod(self, dim: int, *, dtype: Any = None) -> Self:
        """Return the products of the elements up to each along ``dim``; integers are int64."""
        return ops.cumprod(self, dim, dtype=dtype)

    def cumsum(self, dim: int, *, dtype: Any = None) -> Self:
        """Return the sums of the elements up to each along ``dim``."""
        return ops.cumsum(self, dim, dtype=dtype)

    def diff(self, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Self:
        """Return each element less the one before it along ``dim``, ``n`` times."""
        return ops.diff(self, n, dim, prepend, append)

    def logcumsumexp(self, dim: int) -> Self:
        """Return log(cumsum(exp(x))) along ``dim``, without overflow."""
        return ops.logcumsumexp(self, dim)

    # ------------------------------------------------------------------------------------- diagonal

    def diag(self, diagonal: int = 0) -> Self:
        """Return a matrix with x (N,) on a diagonal, or the diagonal of a matrix x."""
        return ops.diag(self, diagonal)

    def diag_embed(self, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Self:
        """Return square matrices over two axes, with the last axis of x on a diagonal."""
        return ops.diag_embed(self, offset, dim1, dim2)

    def diagflat(self, offset: int = 0) -> Self:
        """Return a matrix with all elements of x on a diagonal."""
        return ops.diagflat(self, offset)

    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Self:
        """Return the diagonal over ``dim1`` and ``dim2`` as the last axis."""
        return ops.diagonal(self, offset, dim1, dim2)

    def tril(self, diagonal: int = 0) -> Self:
        """Return matrices (..., N, M) with 0 above a diagonal."""
        return ops.tril(self, diagonal)

    def triu(self, diagonal: int = 0) -> Self:
        """Return matrices (..., N, M) with 0 below a diagonal."""
        return ops.triu(self, diagonal)

    # ------------------------------------------------------------------------------------- extremes

    def amax(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return the largest element over ``dim``; equal ones share its gradient."""
        return ops.amax(self, dim, keepdim)

    def amin(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return the smallest element over ``dim``; equal ones share its gradient."""
        return ops.amin(self, dim, keepdim)

    def aminmax(self, *, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return (min, max) over ``dim``, as `amin` and `amax`."""
        return ops.aminmax(self, dim=dim, keepdim=keepdim)

    def argmax(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the place of the largest element."""
        return ops.argmax(self, dim, keepdim)

    def argmin(self, dim: int | None = None, keepdim: bool = False) -> Self:
        """Return the place of the smallest element."""
        return ops.argmin(self, dim, keepdim)

    def max(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest element, or along ``dim`` (values, indices)."""
        return ops.max(self, dim, keepdim)

    def min(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the smallest element, or along ``dim`` (values, indices)."""
        return ops.min(self, dim, keepdim)

    # ------------------------------------------------------------------------------------- flipping

    def flip(self, *dims: Any) -> Self:
        """Return a copy of x with the order along each of ``dims`` reversed."""
        return ops.flip(self, _sequence(dims))

    def fliplr(self) -> Self:
        """Return x mirrored left to right."""
        return ops.fliplr(self)

    def flipud(self) -> Self:
        """Return x turned upside down."""
        return ops.flipud(self)

    def roll(
        self, shifts: int | tuple[int, ...], dims: int | tuple[int, ...] | None = None
    ) -> Self:
        """Return x with its elements moved along ``dims``."""
        return ops.roll(self, shifts, dims)

    def rot90(self, k: int = 1, dims: tuple[int, int] | list[int] = (0, 1)) -> Self:
        """Return x rotated by ``k`` quarters in the plane of ``dims``, the first to the second."""
        return ops.rot90(self, k, dims)

    # ------------------------------------------------------------------------------------- indexing

    def argwhere(self) -> Self:
        """Return (K, axes of x), the places where x is not 0."""
        return ops.argwhere(self)

    def gather(self, dim: int, index: Any) -> Self:
        """Return y with y[i][j][k] = x[index[i][j][k]][j][k] for dim 0."""
        return ops.gather(self, dim, index)

    def index_select(self, dim: int, index: Any) -> Self:
        """Return the parts of x along ``dim`` that ``index`` (K,) names, in its order."""
        return ops.index_select(self, dim, index)

    def masked_select(self, mask: Any) -> Self:
        """Return the elements of x where ``mask`` (bool) holds, as one row; both broadcast."""
        return ops.masked_select(self, mask)

    def narrow(self, dim: int, start: int, length: int) -> Self:
        """Return ``length`` parts of x along ``dim`` from ``start`` (from the end if < 0)."""
        return ops.narrow(self, dim, start, length)

    def nonzero(self, *, as_tuple: bool = False) -> Any:
        """Return (K, axes of x), the places where x is not 0; ``as_tuple`` one."""
        return ops.nonzero(self, as_tuple=as_tuple)

    def select(self, dim: int, index: int) -> Self:
        """Return the part ``index`` of x along ``dim``, without this axis."""
        return ops.select(self, dim, index)

    def take(self, index: Any) -> Self:
        """Return the elements of x, seen as one row, that ``index`` names, in its shape."""
        return ops.take(self, index)

    def take_along_dim(self, indices: Any, dim: int | None = None) -> Self:
        """Return the elements of x that ``indices`` names along ``dim``; other axes broadcast."""
        return ops.take_along_dim(self, indices, dim)

    # -------------------------------------------------------------------------------------- joining

    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]:
        """Return x in at most ``chunks`` parts along ``dim``."""
        return ops.chunk(self, chunks, dim)

    def dsplit(self, indices_or_sections: Any) -> tuple[Self, ...]:
        """Return parts along the third axis."""
        return ops.dsplit(self, indices_or_sections)

    def hsplit(self, indices_or_sections: Any) -> tuple[Self, ...]:
        """Return parts along the second axis (of a 1-D tensor the first)."""
        return ops.hsplit(self, indices_or_sections)

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """Return x in parts along ``dim``."""
        return ops.split(self, split_size, dim)

    def tensor_split(self, indices_or_sections: Any, dim: int = 0) -> tuple[Self, ...]:
        """Return x in parts along ``dim``."""
        return ops.tensor_split(self, indices_or_sections, dim)

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """Return the parts of x along ``dim``, each without this axis."""
        return ops.unbind(self, dim)

    def vsplit(self, indices_or_sections: Any) -> tuple[Self, ...]:
        """Return parts along the first of at least two axes."""
        return ops.vsplit(self, indices_or_sections)

    # --------------------------------------------------------------------------------------- matmul

    def matmul(self, other: Any) -> Self:
        """Return the matrix product of the last two axes, the axes before them broadcast."""
        return ops.matmul(self, other)

    # ---------------------------------------------------------------------------------------- norms

    def norm(
        self, p: float | str = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None
    ) -> Self:
        """Return the norm of the elements over ``dim`` as one vector; "fro" is p = 2."""
        return ops.norm(self, p, dim, keepdim, dtype)

    def renorm(self, p: float, dim: int, maxnorm: float) -> Self:
        """Return x with each slice along ``dim`` whose ``p``-norm exceeds ``maxnorm`` cut to i."""
        return ops.renorm(self, p, dim, maxnorm)

    # ------------------------------------------------------------------------------------- products

    def addbmm(self, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Self:
        """Return beta x + alpha sum_b batch1_b batch2_b."""
        return ops.addbmm(self, batch1, batch2, beta=beta, alpha=alpha)

    def addmm(self, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Self:
        """Return beta x + alpha mat1 mat2."""
        return ops.addmm(self, mat1, mat2, beta=beta, alpha=alpha)

    def addmv(self, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Self:
        """Return beta x + alpha mat vec."""
        return ops.addmv(self, mat, vec, beta=beta, alpha=alpha)

    def addr(self, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Self:
        """Return beta x + alpha vec1 vec2^T."""
        return ops.addr(self, vec1, vec2, beta=beta, alpha=alpha)

    def baddbmm(self, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Self:
        """Return beta x + alpha batch1 batch2."""
        return ops.baddbmm(self, batch1, batch2, beta=beta, alpha=alpha)

    def bmm(self, mat2: Any) -> Self:
        """Return the products of two batches of matrices."""
        return ops.bmm(self, mat2)

    def cross(self, other: Any, dim: int | None = None) -> Self:
        """Return the vector product along ``dim``, an axis of 3; other axes are broadcast."""
        return ops.cross(self, other, dim)

    def dot(self, tensor: Any) -> Self:
        """Return the sum of the products of two vectors."""
        return ops.dot(self, tensor)

    def inner(self, other: Any) -> Self:
        """Return the dots of the last axes."""
        return ops.inner(self, other)

    def kron(self, other: Any) -> Self:
        """Return the Kronecker product."""
        return ops.kron(self, other)

    def matrix_power(self, n: int) -> Self:
        """Return the product of ``n`` of the square matrices x (..., N, N), by squaring."""
        return ops.matrix_power(self, n)

    def mm(self, mat2: Any) -> Self:
        """Return the product of two matrices."""
        return ops.mm(self, mat2)

    def mv(self, vec: Any) -> Self:
        """Return the product of a matrix and a vector."""
        return ops.mv(self, vec)

    def outer(self, vec2: Any) -> Self:
        """Return all products of the elements of two vectors."""
        return ops.outer(self, vec2)

    def trace(self) -> Self:
        """Return the sum of the diagonal of a matrix (N, M); integers are counted in int64."""
        return ops.trace(self)

    def vdot(self, other: Any) -> Self:
        """Return the sum of the products of two vectors, as `dot`."""
        return ops.vdot(self, other)

    # ------------------------------------------------------------------------------------ quantiles

    def nanquantile(
        self,
        q: Any,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Self:
        """Return the quantiles of what is not NaN, as `quantile`."""
        return ops.nanquantile(self, q, dim, keepdim, interpolation=interpolation)

    def quantile(
        self,
        q: Any,
        dim: int | None = None,
        keepdim: bool = False,
        *,
        interpolation: str = "linear",
    ) -> Self:
        """Return the ``q``-quantiles over ``dim``, or of all elements."""
        return ops.quantile(self, q, dim, keepdim, interpolation=interpolation)

    # ------------------------------------------------------------------------------------ reduction

    def all(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return whether no element over ``dim`` is 0."""
        return ops.all(self, dim, keepdim)

    def any(self, dim: Dims = None, keepdim: bool = False) -> Self:
        """Return whether any element over ``dim`` is not 0 (NaN is not)."""
        return ops.any(self, dim, keepdim)

    def count_nonzero(self, dim: Dims = None) -> Self:
        """Return the number (int64) of elements over ``dim`` that are not 0; NaN is not."""
        return ops.count_nonzero(self, dim)

    def logsumexp(self, dim: Dims, keepdim: bool = False) -> Self:
        """Return log(sum(exp(x))) over ``dim``, without overflow; -inf of nothing."""
        return ops.logsumexp(self, dim, keepdim)

    def mean(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Self:
        """Return the mean over ``dim``."""
        return ops.mean(self, dim, keepdim, dtype=dtype)

    def nanmean(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Self:
        """Return the mean over ``dim`` of what is not NaN."""
        return ops.nanmean(self, dim, keepdim, dtype=dtype)

    def nansum(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Self:
        """Return the sum over ``dim`` of what is not NaN."""
        return ops.nansum(self, dim, keepdim, dtype=dtype)

    def prod(self, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Self:
        """Return the product over ``dim``, or of all elements; bools and integers in int64."""
        return ops.prod(self, dim, keepdim, dtype=dtype)

    def std(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        correction: float = 1,
        unbiased: Any = None,
    ) -> Self:
        """Return the standard deviation over ``dim``, the square root of `var`."""
        return ops.std(self, dim, keepdim, correction=correction, unbiased=unbiased)

    def sum(self, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Self:
        """Return the sum over ``dim``; bools and integers are counted in int64."""
        return ops.sum(self, dim, keepdim, dtype=dtype)

    def var(
        self,
        dim: Dims = None,
        keepdim: bool = False,
        *,
        correction: float = 1,
        unbiased: Any = None,
    ) -> Self:
        """Return the variance over ``dim``."""
        return ops.var(self, dim, keepdim, correction=correction, unbiased=unbiased)

    # ------------------------------------------------------------------------------------ repeating

    def broadcast_to(self, shape: tuple[int, ...]) -> Self:
        """Return x repeated along new axes and axes of length 1."""
        return ops.broadcast_to(self, shape)

    def repeat(self, *repeats: Any) -> Self:
        """Return x laid side by side, so many times along each axis; new axes come first."""
        return ops.repeat(self, *repeats)

    def repeat_interleave(
        self, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
    ) -> Self:
        """Return x with each element repeated in its place along ``dim``."""
        return ops.repeat_interleave(self, repeats, dim, output_size=output_size)

    def tile(self, *dims: Any) -> Self:
        """Return x laid side by side as `repeat` does; axes that ``dims`` leaves out stay."""
        return ops.tile(self, _sequence(dims))

    # -------------------------------------------------------------------------------------- scatter

    def index_add(self, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Self:
        """Return x with ``alpha`` times the parts of ``source`` added to those ``index`` names."""
        return ops.index_add(self, dim, index, source, alpha=alpha)

    def index_copy(self, dim: int, index: Any, source: Any) -> Self:
        """Return x with the parts along ``dim`` that ``index`` (K,) names replaced."""
        return ops.index_copy(self, dim, index, source)

    def index_fill(self, dim: int, index: Any, value: Any) -> Self:
        """Return x with ``value`` (a number or tensor ()) in the parts ``index`` (K,) names."""
        return ops.index_fill(self, dim, index, value)

    def masked_fill(self, mask: Any, value: Any) -> Self:
        """Return x with ``value`` (a number or 0-d tensor) where ``mask`` (bool) holds."""
        return ops.masked_fill(self, mask, value)

    def masked_scatter(self, mask: Any, source: Any) -> Self:
        """Return x with the elements of ``source``, in row order, where ``mask`` (bool) holds."""
        return ops.masked_scatter(self, mask, source)

    def scatter(
        self, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None
    ) -> Self:
        """Return x with y[index[i][j][k]][j][k] = src[i][j][k] for dim 0, and so on."""
        return ops.scatter(self, dim, index, src, value=value, reduce=reduce)

    def scatter_add(self, dim: int, index: Any, src: Any) -> Self:
        """Return x with src[i][j][k] added at [index[i][j][k]][j][k] for dim 0, and so on."""
        return ops.scatter_add(self, dim, index, src)

    # -------------------------------------------------------------------------------------- shaping

    def clone(self) -> Self:
        """Return a copy of x with memory of its own."""
        return ops.clone(self)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """Return x with the axes from ``start_dim`` to ``end_dim`` as one."""
        return ops.flatten(self, start_dim, end_dim)

    def movedim(self, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Self:
        """Return x with some axes at other places, the rest in their order."""
        return ops.movedim(self, source, destination)

    def moveaxis(self, source: int | tuple[int, ...], destination: int | tuple[int, ...]) -> Self:
        """Return x with some axes at other places, the rest in their order."""
        return ops.moveaxis(self, source, destination)

    def permute(self, *dims: Any) -> Self:
        """Return x with its axes in the order ``dims``."""
        return ops.permute(self, *dims)

    def ravel(self) -> Self:
        """Return the elements of x as one axis, in row order."""
        return ops.ravel(self)

    def reshape(self, *shape: Any) -> Self:
        """Return x in another shape of as many elements; one size may be -1."""
        return ops.reshape(self, *shape)

    def squeeze(self, dim: int | tuple[int, ...] | None = None) -> Self:
        """Return x without its axes of length 1."""
        return ops.squeeze(self, dim)

    def swapaxes(self, axis0: int, axis1: int) -> Self:
        """Return x with two axes exchanged, as `transpose` does; NumPy's name for it."""
        return ops.swapaxes(self, axis0, axis1)

    def swapdims(self, dim0: int, dim1: int) -> Self:
        """Return x with two axes exchanged, as `transpose` does."""
        return ops.swapdims(self, dim0, dim1)

    def transpose(self, dim0: int, dim1: int) -> Self:
        """Return x with two axes exchanged."""
        return ops.transpose(self, dim0, dim1)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Self:
        """Return x with the axis ``dim`` as several of these ``sizes``; one may be -1."""
        return ops.unflatten(self, dim, sizes)

    def unsqueeze(self, dim: int) -> Self:
        """Return x with a new axis of length 1 at ``dim``."""
        return ops.unsqueeze(self, dim)

    def view(self, *shape: Any) -> Self:
        """Return x in another shape on the same memory."""
        return ops.view(self, *shape)

    # -------------------------------------------------------------------------------------- sorting

    def argsort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> Self:
        """Return the places (int64) of the elements in order along ``dim``."""
        return ops.argsort(self, dim, descending, stable)

    def kthvalue(self, k: int, dim: int = -1, keepdim: bool = False) -> Any:
        """Return (values, indices) of the ``k``-th smallest elements along ``dim``."""
        return ops.kthvalue(self, k, dim, keepdim)

    def median(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the median of all elements, or along ``dim`` (values, indices)."""
        return ops.median(self, dim, keepdim)

    def mode(self, dim: int = -1, keepdim: bool = False) -> Any:
        """Return (values, indices) of the most frequent elements along ``dim``."""
        return ops.mode(self, dim, keepdim)

    def nanmedian(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the median of what is not NaN, as `median`; NaN where there is nothing else."""
        return ops.nanmedian(self, dim, keepdim)

    def sort(self, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
        """Return (values, indices) of the elements in order along ``dim``; NaN is the largest."""
        return ops.sort(self, dim, descending, stable)

    def topk(self, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
        """Return (values, indices) of the ``k`` largest (smallest) elements along ``dim``."""
        return ops.topk(self, k, dim, largest, sorted)

    def where(self, condition: Any, other: Any) -> Self:
        """Return it where ``condition`` (bool) holds, else ``other``."""
        return ops.where(condition, self, other)

    def unfold(self, dimension: int, size: int, step: int) -> Self:
        """Return every ``step``-th window of ``size`` along ``dimension`` as a last axis."""
        return ops.unfold_dim(self, dimension, size, step)


for _name, _method in vars(Methods).items():
    if inspect.isfunction(_method):  # so that Python's own messages name what the user wrote
        _method.__qualname__ = f"Tensor.{_name}"


def _sequence(given: tuple[Any, ...]) -> Any:
    """Return sizes or axes given as ``(0, 1)`` or as ``0, 1``."""
    return given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
