"""The update rules, written as in their papers, changing the parameters in place."""

from __future__ import annotations

import math

from tinymed.kernels.arrays import Array, array_module


def sgd(
    param: Array,
    grad: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    first: bool,
) -> None:
    """Step: v = momentum v + (1 - dampening) g;  param -= lr v, Nesterov: lr (g + momentum v).

    ``first``: the buffer is empty and takes g as it is, as PyTorch does.
    """
    direction = grad
    if momentum_buffer is not None:
        if first:
            momentum_buffer[...] = grad
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * grad
        direction = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    param -= lr * direction


def adam(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    max_exp_avg_sq: Array | None,
) -> None:
    """Step: m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  param -= lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1^step) and v^ = v / (1 - b2^step) undo the start from zero. With
    ``max_exp_avg_sq`` the largest v so far takes the place of v (AMSGrad).

    Source: Kingma, Ba (2015), algorithm 1; Reddi, Kale, Kumar (2018), algorithm 2.
    """
    xp = array_module(param)
    exp_avg *= beta1
    exp_avg += (1 - beta1) * grad
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    second = exp_avg_sq
    if max_exp_avg_sq is not None:
        xp.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
        second = max_exp_avg_sq
    denominator = xp.sqrt(second)
    denominator /= math.sqrt(1 - beta2**step)
    denominator += eps
    param -= (lr / (1 - beta1**step)) * exp_avg / denominator
