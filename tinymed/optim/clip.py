"""Limits on gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tinymed.autograd import wrote
from tinymed.tensor import Tensor

__all__ = ["clip_grad_norm_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients, in place, so that their norm together is at most ``max_norm``.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    max_norm : float >= 0
    norm_type : float
        p of the norm; ``math.inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Raise `RuntimeError` instead of scaling by a NaN or infinite norm.

    Returns
    -------
    float
        The norm before.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks".
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm={max_norm} is not >= 0")
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type={norm_type} is not positive")
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    gradients = [p.grad for p in given if p.grad is not None]
    if norm_type == math.inf:
        largest = [float(abs(g.data).max(initial=0.0)) for g in gradients]
        total = math.nan if any(map(math.isnan, largest)) else max(largest, default=0.0)
    else:
        # In float64: the squares of 11 million float32 gradients do not fit float32's precision.
        sums = (float((abs(g.data).astype("float64") ** norm_type).sum()) for g in gradients)
        total = sum(sums) ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {total}")
    factor = max_norm / (total + 1e-6)
    if factor < 1 or math.isnan(factor):
        for gradient in gradients:
            gradient.data *= factor
            wrote(gradient.data)
    return total
