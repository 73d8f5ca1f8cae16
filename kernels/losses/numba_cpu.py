"""Losses in vector code: sums of blocks of a fixed size, which are added in order."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.arrays import Array
from tinymed.kernels.buffers import empty
from tinymed.kernels.compiled import compiled
from tinymed.kernels.copying import flat
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.functions import sigmoid, softplus
from tinymed.kernels.simd.loops import elementwise, reduction

BLOCK = 1 << 12  # elements whose sum is made in registers
WORTH = 16  # blocks that are worth a thread


def _plus(code: Any, a: Any, b: Any) -> Any:
    return a + b


def _logistic(code: Any, x: Any, target: Any) -> Any:
    return softplus(code, x) - target * x


def _outside(code: Any, target: Any) -> Any:
    """Return 1 where a target is not in [0, 1], else 0."""
    one = code.constant(1.0)
    below = code.select(code.compare("<=", target, 1), code.constant(0.0), one)
    return code.select(code.compare(">=", target, 0), below, one)


_squares = reduction(lambda code, x, t: (x - t) * (x - t), 0, _plus)
_logistics = reduction(_logistic, 0, _plus)
_count_outside = reduction(_outside, 0, _plus)
_squares_back = elementwise(lambda code, x, t, share: (x - t) * share)
_logistic_back = elementwise(lambda code, x, t, share: (sigmoid(code, x) - t) * share)


@compiled
def squares(first: int, last: int, sums: Any, x: Any, target: Any) -> None:
    """Find the sums of blocks ``first`` to ``last`` - 1."""
    for block in range(first, last):
        at = block * BLOCK
        sums[block] = _squares(((x, at), (target, at)), min(BLOCK, x.size - at), ())


@compiled
def logistics(first: int, last: int, sums: Any, x: Any, target: Any) -> None:
    """Find the sums of blocks ``first`` to ``last`` - 1."""
    for block in range(first, last):
        at = block * BLOCK
        count = min(BLOCK, x.size - at)
        if _count_outside(((target, at),), count, ()) > 0:
            raise ValueError("mean_logistic: target holds values outside [0, 1] or NaN")
        sums[block] = _logistics(((x, at), (target, at)), count, ())


@compiled
def mean(first: int, last: int, y: Any, sums: Any, count: int) -> None:
    """Set y, of one element, to the sum of sums, by the count."""
    total = 0.0
    for i in range(sums.size):
        total += sums[i]
    y[0] = total / count


@compiled
def squares_back(first: int, last: int, grad: Any, g: Any, x: Any, target: Any) -> None:
    """Elements ``first`` to ``last`` - 1 of the gradient."""
    given = (x, first), (target, first)
    _squares_back(((grad, first),), given, last - first, (2 * g[0] / x.size,))


@compiled
def logistic_back(first: int, last: int, grad: Any, g: Any, x: Any, target: Any) -> None:
    """Elements ``first`` to ``last`` - 1 of the gradient."""
    given = (x, first), (target, first)
    _logistic_back(((grad, first),), given, last - first, (g[0] / x.size,))


def mean_squares(x: Array, target: Array) -> Array:
    """Return the mean of (x - target)^2."""
    return _mean(squares, x, target)


def mean_logistic(x: Array, target: Array) -> Array:
    """Return the mean of log(1 + exp(x)) - target x."""
    return _mean(logistics, x, target)


def mean_squares_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return 2 (x - target) / n * grad_output."""
    return _back(squares_back, grad_output, x, target)


def mean_logistic_grad(grad_output: Array, x: Array, target: Array) -> Array:
    """Return (sigmoid(x) - target) / n * grad_output."""
    return _back(logistic_back, grad_output, x, target)


def _mean(core: Any, x: Array, target: Array) -> Array:
    blocks = -(-x.size // BLOCK)
    sums, y = empty((blocks,), x.dtype), empty((1,), x.dtype)
    parallel(core, blocks, WORTH, sums, flat(x), flat(target))
    parallel(mean, 1, 2, y, sums, x.size)
    return y.reshape(())


def _back(core: Any, grad_output: Array, x: Array, target: Array) -> Array:
    grad = empty(x.shape, x.dtype)
    given = grad_output.reshape(1), flat(x), flat(target)
    parallel(core, x.size, WORTH * BLOCK, grad.reshape(-1), *given)
    return grad
