"""One update rule each: the formula for a register of elements, and its loop over many arrays.

A formula gets the gradient, then what it writes (the parameter first), then the numbers of the
step; it returns new values of what it writes. A product that is added to something is always an
explicit `fma`, rounded once: left to the compiler, it would be in whole registers and might not be
in the masked rest of a row, and the bits would depend on where threads cut it.
"""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled
from tinymed.kernels.simd.many import over_arrays
from tinymed.kernels.simd.vector import Code, Vector

V = Vector


def sqrt(code: Code, x: V) -> V:
    """Return the square roots."""
    return code.call("sqrt", x)


def larger(code: Code, a: V, b: V) -> V:
    """Return the larger of two; a NaN where one is, as NumPy's maximum."""
    return code.select(code.is_nan(b), b, code.maximum(a, b))


def with_decay(code: Code, param: V, grad: V, weight_decay: V) -> V:
    """Return the gradient with that of the decay; without decay an infinite parameter is no NaN."""
    decays = code.compare("!=", weight_decay, 0)
    return code.select(decays, code.fma(weight_decay, param, grad), grad)


def mean(code: Code, average: V, value: V, keep: V, take: V) -> V:
    """Return a running mean: keep average + take value."""
    return code.fma(keep, average, take * value)


def _sgd(code: Code, grad: V, param: V, lr: V, decay: V) -> tuple[V, ...]:
    return (code.fma(-lr, with_decay(code, param, grad, decay), param),)


def _momentum(
    code: Code, g: V, param: V, v: V, lr: V, keep: V, take: V, nesterov: V, first: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v = code.select(first > 0, g, mean(code, v, g, keep, take))
    direction = code.select(nesterov > 0, code.fma(keep, v, g), v)
    return code.fma(-lr, direction, param), v


def _adam(
    code: Code,
    g: V,
    param: V,
    m: V,
    v: V,
    keep_m: V,
    take_m: V,
    keep_v: V,
    take_v: V,
    size: V,
    spread: V,
    eps: V,
    shrink: V,
    decay: V,
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    m, v = mean(code, m, g, keep_m, take_m), mean(code, v, g * g, keep_v, take_v)
    move = size * m / code.fma(sqrt(code, v), spread, eps)
    return code.fma(param, shrink, -move), m, v


def _amsgrad(
    code: Code,
    g: V,
    param: V,
    m: V,
    v: V,
    most: V,
    keep_m: V,
    take_m: V,
    keep_v: V,
    take_v: V,
    size: V,
    spread: V,
    eps: V,
    shrink: V,
    decay: V,
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    m, v = mean(code, m, g, keep_m, take_m), mean(code, v, g * g, keep_v, take_v)
    most = larger(code, most, v)
    move = size * m / code.fma(sqrt(code, most), spread, eps)
    return code.fma(param, shrink, -move), m, v, most


def _adamax(
    code: Code, g: V, param: V, m: V, u: V, keep: V, take: V, keep_u: V, size: V, eps: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    m, u = mean(code, m, g, keep, take), larger(code, keep_u * u, code.call("fabs", g) + eps)
    return param - size * m / u, m, u


def _nadam(
    code: Code,
    g: V,
    param: V,
    m: V,
    v: V,
    keep_m: V,
    take_m: V,
    keep_v: V,
    take_v: V,
    now: V,
    ahead: V,
    spread: V,
    eps: V,
    shrink: V,
    decay: V,
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    m, v = mean(code, m, g, keep_m, take_m), mean(code, v, g * g, keep_v, take_v)
    move = mean(code, m, g, ahead, now) / code.fma(sqrt(code, v), spread, eps)
    return code.fma(param, shrink, -move), m, v


def _radam(
    code: Code,
    g: V,
    param: V,
    m: V,
    v: V,
    keep_m: V,
    take_m: V,
    keep_v: V,
    take_v: V,
    size: V,
    trusted: V,
    eps: V,
    shrink: V,
    decay: V,
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    m, v = mean(code, m, g, keep_m, take_m), mean(code, v, g * g, keep_v, take_v)
    move = size * m / code.select(trusted > 0, sqrt(code, v) + eps, 1)
    return code.fma(param, shrink, -move), m, v


def _sparse_adam(
    code: Code, g: V, param: V, m: V, v: V, take_m: V, take_v: V, size: V, eps: V
) -> tuple[V, ...]:
    m, v = code.fma(take_m, g - m, m), code.fma(take_v, code.fma(g, g, -v), v)
    return param - size * m / (sqrt(code, v) + eps), m, v


def _rmsprop(
    code: Code, g: V, param: V, v: V, lr: V, alpha: V, take: V, eps: V, momentum: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v = mean(code, v, g * g, alpha, take)
    return code.fma(-lr, g / (sqrt(code, v) + eps), param), v


def _rmsprop_momentum(
    code: Code, g: V, param: V, v: V, b: V, lr: V, alpha: V, take: V, eps: V, momentum: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v = mean(code, v, g * g, alpha, take)
    b = code.fma(momentum, b, g / (sqrt(code, v) + eps))
    return code.fma(-lr, b, param), v, b


def _around(code: Code, v: V, average: V) -> V:
    """Return the variance v - average^2, which rounding alone could make negative."""
    return code.maximum(code.fma(-average, average, v), 0)


def _rmsprop_centered(
    code: Code, g: V, param: V, v: V, a: V, lr: V, alpha: V, take: V, eps: V, momentum: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v, a = mean(code, v, g * g, alpha, take), code.fma(take, g - a, a)
    return code.fma(-lr, g / (sqrt(code, _around(code, v, a)) + eps), param), v, a


def _rmsprop_both(
    code: Code,
    g: V,
    param: V,
    v: V,
    b: V,
    a: V,
    lr: V,
    alpha: V,
    take: V,
    eps: V,
    momentum: V,
    decay: V,
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v, a = mean(code, v, g * g, alpha, take), code.fma(take, g - a, a)
    b = code.fma(momentum, b, g / (sqrt(code, _around(code, v, a)) + eps))
    return code.fma(-lr, b, param), v, b, a


def _adagrad(code: Code, g: V, param: V, total: V, lr: V, eps: V, decay: V) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    total = code.fma(g, g, total)
    return param - lr * g / (sqrt(code, total) + eps), total


def _adadelta(
    code: Code, g: V, param: V, v: V, moved: V, lr: V, rho: V, take: V, eps: V, decay: V
) -> tuple[V, ...]:
    g = with_decay(code, param, g, decay)
    v = mean(code, v, g * g, rho, take)
    delta = sqrt(code, moved + eps) / sqrt(code, v + eps) * g
    return code.fma(-lr, delta, param), v, mean(code, moved, delta * delta, rho, take)


# The loops; compiled functions name them, since a cache on disk must know what it holds.
over_sgd = over_arrays(_sgd, written=1)
over_momentum = over_arrays(_momentum, written=2)
over_adam = over_arrays(_adam, written=3)
over_amsgrad = over_arrays(_amsgrad, written=4)
over_adamax = over_arrays(_adamax, written=3)
over_nadam = over_arrays(_nadam, written=3)
over_radam = over_arrays(_radam, written=3)
over_sparse_adam = over_arrays(_sparse_adam, written=3)
over_rmsprop = over_arrays(_rmsprop, written=2)
over_rmsprop_momentum = over_arrays(_rmsprop_momentum, written=3)
over_rmsprop_centered = over_arrays(_rmsprop_centered, written=3)
over_rmsprop_both = over_arrays(_rmsprop_both, written=4)
over_adagrad = over_arrays(_adagrad, written=2)
over_adadelta = over_arrays(_adadelta, written=3)


@compiled
def sgd(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_sgd(first, last, table, kind, scalars)


@compiled
def momentum(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_momentum(first, last, table, kind, scalars)


@compiled
def adam(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_adam(first, last, table, kind, scalars)


@compiled
def amsgrad(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_amsgrad(first, last, table, kind, scalars)


@compiled
def adamax(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_adamax(first, last, table, kind, scalars)


@compiled
def nadam(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_nadam(first, last, table, kind, scalars)


@compiled
def radam(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_radam(first, last, table, kind, scalars)


@compiled
def sparse_adam(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_sparse_adam(first, last, table, kind, scalars)


@compiled
def rmsprop(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_rmsprop(first, last, table, kind, scalars)


@compiled
def rmsprop_momentum(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_rmsprop_momentum(first, last, table, kind, scalars)


@compiled
def rmsprop_centered(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_rmsprop_centered(first, last, table, kind, scalars)


@compiled
def rmsprop_both(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_rmsprop_both(first, last, table, kind, scalars)


@compiled
def adagrad(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_adagrad(first, last, table, kind, scalars)


@compiled
def adadelta(first: int, last: int, table: Any, kind: Any, scalars: Any) -> None:
    """Take a step of all elements from first to last - 1."""
    over_adadelta(first, last, table, kind, scalars)


RMSPROP = {  # by whether it has momentum, and whether it is centered
    (False, False): rmsprop,
    (True, False): rmsprop_momentum,
    (False, True): rmsprop_centered,
    (True, True): rmsprop_both,
}
