"""The update rules in one pass: each array is read once and written once, for a whole network.

Source of the formulas: `reference`, which this follows but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tinymed.kernels import recording
from tinymed.kernels.arrays import Array
from tinymed.kernels.optimizer import loops
from tinymed.kernels.optimizer.coefficients import decays, rectified
from tinymed.kernels.optimizer.sums import BLOCK, sums_of_squares
from tinymed.kernels.parallel import parallel
from tinymed.kernels.simd.many import table_of

Arrays = list[Array]

LEAST = 1 << 14  # elements worth a thread of their own
KINDS = {np.dtype(kind): np.empty(0, kind) for kind in (np.float32, np.float64)}


def run(loop: Callable[..., None], columns: tuple[Arrays, ...], *scalars: float) -> None:
    """Run a loop over lists of arrays, of which all but the first are written.

    What is not contiguous is copied; so is a NumPy scalar, which is no array and never writeable.
    """
    if False in [array.flags.carray for column in columns for array in column]:
        _run_on_copies(loop, columns, *scalars)
        return
    numbers, slot = tuple(map(float, scalars)), recording.slot()
    if slot is not None and slot.takes(numbers):
        return
    total = sum([array.size for array in columns[0]])
    least = total + 1 if total > LEAST and _share_memory(columns[1:]) else LEAST
    table = recording.constant(table_of(*columns))
    parallel(loop, total, least, table, KINDS[columns[0][0].dtype], numbers)
    if slot is not None:
        slot.attach(numbers, [array for column in columns for array in column])


def _share_memory(columns: tuple[Arrays, ...]) -> bool:
    """Return whether arrays may overlap: then one has to be written after the other."""
    owners = [a if a.base is None else a.base for column in columns for a in column]
    return len(set(map(id, owners))) < len(owners)


def _run_on_copies(loop: Callable[..., None], columns: tuple[Arrays, ...], *scalars: float) -> None:
    """Run a loop where arrays are not contiguous, and write back what it wrote."""
    copies = tuple(
        [array if array.flags.carray else np.array(array, order="C") for array in column]
        for column in columns
    )
    run(loop, copies, *scalars)
    for column, used in zip(columns[1:], copies[1:], strict=True):
        for array, copy in zip(column, used, strict=True):
            if array is not copy:
                array[...] = copy


def sgd(
    param: Arrays,
    grad: Arrays,
    momentum_buffer: Arrays | None,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    first: bool,
    weight_decay: float,
) -> None:
    """Step: v = momentum v + (1 - dampening) g;  param -= lr v, Nesterov: lr (g + momentum v)."""
    if momentum_buffer is None:
        run(loops.sgd, (grad, param), lr, weight_decay)
        return
    columns = grad, param, momentum_buffer
    run(loops.momentum, columns, lr, momentum, 1 - dampening, nesterov, first, weight_decay)


def adam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    max_exp_avg_sq: Arrays | None,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step: m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  param -= lr m^ / (sqrt(v^) + eps)."""
    size, spread = lr / (1 - beta1**step), 1 / math.sqrt(1 - beta2**step)
    decay = decays(lr, weight_decay, decoupled)
    means = beta1, 1 - beta1, beta2, 1 - beta2
    columns, scalars = (grad, param, exp_avg, exp_avg_sq), (*means, size, spread, eps, *decay)
    if max_exp_avg_sq is None:
        run(loops.adam, columns, *scalars)
    else:
        run(loops.amsgrad, (*columns, max_exp_avg_sq), *scalars)


def adamax(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_inf: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step: m = b1 m + (1 - b1) g;  u = max(b2 u, |g| + eps);  param -= lr m^ / u."""
    columns = grad, param, exp_avg, exp_inf
    size = lr / (1 - beta1**step)
    run(loops.adamax, columns, beta1, 1 - beta1, beta2, size, eps, weight_decay)


def nadam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    mu: float,
    mu_next: float,
    mu_product: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step: Adam with Nesterov's momentum, the next one already taken along with the gradient."""
    means = beta1, 1 - beta1, beta2, 1 - beta2
    now, ahead = lr * (1 - mu) / (1 - mu_product), lr * mu_next / (1 - mu_product * mu_next)
    spread = 1 / math.sqrt(1 - beta2**step)
    columns = grad, param, exp_avg, exp_avg_sq
    run(loops.nadam, columns, *means, now, ahead, spread, eps, *decays(lr, weight_decay, decoupled))


def radam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step: Adam's, times r where v is of enough gradients to be trusted; else param -= lr m^."""
    means = beta1, 1 - beta1, beta2, 1 - beta2
    size, trusted = rectified(step, lr, beta1, beta2)
    columns = grad, param, exp_avg, exp_avg_sq
    run(loops.radam, columns, *means, size, trusted, eps, *decays(lr, weight_decay, decoupled))


def sparse_adam(
    param: Arrays,
    grad: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Step: Adam's on the rows that have a gradient, all arrays holding only these."""
    size = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    run(loops.sparse_adam, (grad, param, exp_avg, exp_avg_sq), 1 - beta1, 1 - beta2, size, eps)


def rmsprop(
    param: Arrays,
    grad: Arrays,
    square_avg: Arrays,
    momentum_buffer: Arrays | None,
    grad_avg: Arrays | None,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: v = a v + (1 - a) g^2;  b = momentum b + g / (sqrt(v) + eps);  param -= lr b."""
    loop = loops.RMSPROP[momentum_buffer is not None, grad_avg is not None]
    more = tuple(column for column in (momentum_buffer, grad_avg) if column is not None)
    scalars = lr, alpha, 1 - alpha, eps, momentum, weight_decay
    run(loop, (grad, param, square_avg, *more), *scalars)


def adagrad(
    param: Arrays, grad: Arrays, total: Arrays, lr: float, eps: float, weight_decay: float
) -> None:
    """Step: G = G + g^2;  param -= lr g / (sqrt(G) + eps)."""
    run(loops.adagrad, (grad, param, total), lr, eps, weight_decay)


def adadelta(
    param: Arrays,
    grad: Arrays,
    square_avg: Arrays,
    acc_delta: Arrays,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step: v = r v + (1 - r) g^2;  d = sqrt(D + eps) / sqrt(v + eps) g;  param -= lr d."""
    columns = grad, param, square_avg, acc_delta
    run(loops.adadelta, columns, lr, rho, 1 - rho, eps, weight_decay)


def squares(grad: Arrays) -> float:
    """Return the sum of the squares of all elements, added up in float64."""
    total = 0.0
    for array in grad:
        row = np.ascontiguousarray(array).reshape(-1)
        sums = np.empty(-(-row.size // BLOCK))
        parallel(sums_of_squares, len(sums), 2, row, sums)
        total += float(sums.sum())
    return total
