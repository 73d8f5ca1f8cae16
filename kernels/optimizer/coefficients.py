"""Numbers of a step that all arrays share: what `numba_cpu` and `cuda` compute before they loop."""

from __future__ import annotations

import math

__all__ = ["decays", "rectified"]


def decays(lr: float, weight_decay: float, decoupled: bool) -> tuple[float, float]:
    """Return what the parameter is multiplied by, and how much of it joins the gradient."""
    return (1 - lr * weight_decay, 0.0) if decoupled else (1.0, weight_decay)


def rectified(step: int, lr: float, beta1: float, beta2: float) -> tuple[float, bool]:
    """Return the size of RAdam's step, and whether v is of enough gradients to be trusted.

    Source of the formula: `reference.radam`.
    """
    size, correction = lr / (1 - beta1**step), 1 - beta2**step
    limit = 2 / (1 - beta2) - 1
    rho = limit - 2 * step * beta2**step / correction
    if trusted := rho > 5:
        r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
        size *= r * math.sqrt(correction)
    return size, trusted
