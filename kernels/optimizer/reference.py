"""The update rules, written as in their papers for one array each, changing it in place."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from tinymed.kernels.arrays import Array, array_module


def for_each(rule: Callable[..., None]) -> Callable[..., None]:
    """Return ``rule`` for lists of arrays: it is used on the first of each, then on the second."""

    @functools.wraps(rule)
    def step(*given: Any) -> None:
        for i in range(len(given[0])):
            rule(*(one[i] if isinstance(one, list) else one for one in given))

    return step


def with_decay(param: Array, grad: Array, weight_decay: float) -> Array:
    """Return the gradient of the loss and of weight_decay |param|^2 / 2."""
    return grad + weight_decay * param if weight_decay else grad


def after_decay(
    param: Array, grad: Array, lr: float, weight_decay: float, decoupled: bool
) -> Array:
    """Return the gradient `with_decay`; if ``decoupled``, let ``param`` shrink, grad as it is.

    Source: Loshchilov, Hutter (2019), "Decoupled weight decay regularization", algorithm 2.
    """
    if not decoupled:
        return with_decay(param, grad, weight_decay)
    param *= 1 - lr * weight_decay
    return grad


@for_each
def sgd(
    param: Array,
    grad: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    first: bool,
    weight_decay: float,
) -> None:
    """Step: v = momentum v + (1 - dampening) g;  param -= lr v, Nesterov: lr (g + momentum v).

    ``first``: the buffer is empty and takes g as it is, as PyTorch does.
    """
    grad = with_decay(param, grad, weight_decay)
    direction = grad
    if momentum_buffer is not None:
        if first:
            momentum_buffer[...] = grad
        else:
            momentum_buffer *= momentum
            momentum_buffer += (1 - dampening) * grad
        direction = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    param -= lr * direction


@for_each
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
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step: m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  param -= lr m^ / (sqrt(v^) + eps).

    m^ = m / (1 - b1^step) and v^ = v / (1 - b2^step) undo the start from zero. With
    ``max_exp_avg_sq`` the largest v so far takes the place of v (AMSGrad).

    Source: Kingma, Ba (2015), algorithm 1; Reddi, Kale, Kumar (2018), algorithm 2.
    """
    grad = after_decay(param, grad, lr, weight_decay, decoupled)
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


@for_each
def adamax(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_inf: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step: m = b1 m + (1 - b1) g;  u = max(b2 u, |g| + eps);  param -= lr m^ / u.

    Source: Kingma, Ba (2015), algorithm 2.
    """
    grad = with_decay(param, grad, weight_decay)
    exp_avg *= beta1
    exp_avg += (1 - beta1) * grad
    exp_inf *= beta2
    array_module(param).maximum(exp_inf, abs(grad) + eps, out=exp_inf)
    param -= (lr / (1 - beta1**step)) * exp_avg / exp_inf


@for_each
def nadam(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
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
    """Step: Adam with Nesterov's momentum, the next one already taken along with the gradient.

    param -= lr ((1 - mu) g / (1 - M) + mu_next m / (1 - M mu_next)) / (sqrt(v^) + eps), where mu is
    the momentum of this step, mu_next that of the next, and M the product of all so far.

    Source: Dozat (2016), "Incorporating Nesterov momentum into Adam", algorithm 2.
    """
    grad = after_decay(param, grad, lr, weight_decay, decoupled)
    exp_avg *= beta1
    exp_avg += (1 - beta1) * grad
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    denominator = array_module(param).sqrt(exp_avg_sq / (1 - beta2**step))
    denominator += eps
    ahead = (lr * (1 - mu) / (1 - mu_product)) * grad
    ahead += (lr * mu_next / (1 - mu_product * mu_next)) * exp_avg
    param -= ahead / denominator


@for_each
def radam(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> None:
    """Step: Adam's, times r where v is of enough gradients to be trusted; else param -= lr m^.

    rho = rho_inf - 2 step b2^step / (1 - b2^step) counts these gradients, rho_inf = 2/(1 - b2) - 1;
    r^2 = (rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho).

    Source: Liu, Jiang, He, Chen, Liu, Gao, Han (2020), "On the variance of the adaptive learning
    rate and beyond", algorithm 2; trusted above 5, and eps inside, as PyTorch has it.
    """
    grad = after_decay(param, grad, lr, weight_decay, decoupled)
    exp_avg *= beta1
    exp_avg += (1 - beta1) * grad
    exp_avg_sq *= beta2
    exp_avg_sq += (1 - beta2) * grad * grad
    size = lr / (1 - beta1**step)
    correction = 1 - beta2**step
    limit = 2 / (1 - beta2) - 1
    rho = limit - 2 * step * beta2**step / correction
    if rho <= 5:
        param -= size * exp_avg
        return
    r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    denominator = array_module(param).sqrt(exp_avg_sq)
    denominator += eps
    param -= (size * r * math.sqrt(correction)) * exp_avg / denominator


@for_each
def sparse_adam(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Step: Adam's on the rows that have a gradient, all arrays holding only these.

    The other rows keep their means as they are, where Adam would let them decay. ``eps`` is added
    before the correction of v, as PyTorch does.
    """
    exp_avg += (1 - beta1) * (grad - exp_avg)
    exp_avg_sq += (1 - beta2) * (grad * grad - exp_avg_sq)
    denominator = array_module(param).sqrt(exp_avg_sq)
    denominator += eps
    param -= (lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)) * exp_avg / denominator


@for_each
def rmsprop(
    param: Array,
    grad: Array,
    square_avg: Array,
    momentum_buffer: Array | None,
    grad_avg: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """Step: v = a v + (1 - a) g^2;  b = momentum b + g / (sqrt(v) + eps);  param -= lr b.

    With ``grad_avg``, the mean of the gradient itself, v is taken around it: v - grad_avg^2.

    Source: Tieleman, Hinton (2012), "Lecture 6.5: rmsprop"; Graves (2013), "Generating sequences
    with recurrent neural networks", eq. 38-45, for the centered one.
    """
    grad = with_decay(param, grad, weight_decay)
    xp = array_module(param)
    square_avg *= alpha
    square_avg += (1 - alpha) * grad * grad
    spread = square_avg
    if grad_avg is not None:
        grad_avg += (1 - alpha) * (grad - grad_avg)
        spread = xp.maximum(square_avg - grad_avg * grad_avg, 0)  # below 0 by rounding alone
    denominator = xp.sqrt(spread)
    denominator += eps
    direction = grad / denominator
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        momentum_buffer += direction
        direction = momentum_buffer
    param -= lr * direction


@for_each
def adagrad(
    param: Array, grad: Array, total: Array, lr: float, eps: float, weight_decay: float
) -> None:
    """Step: G = G + g^2;  param -= lr g / (sqrt(G) + eps).

    Source: Duchi, Hazan, Singer (2011), "Adaptive subgradient methods for online learning and
    stochastic optimization", eq. 1 with the diagonal of G.
    """
    grad = with_decay(param, grad, weight_decay)
    total += grad * grad
    denominator = array_module(param).sqrt(total)
    denominator += eps
    param -= lr * grad / denominator


@for_each
def adadelta(
    param: Array,
    grad: Array,
    square_avg: Array,
    acc_delta: Array,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Step: v = r v + (1 - r) g^2;  d = sqrt(D + eps) / sqrt(v + eps) g;  param -= lr d.

    D = r D + (1 - r) d^2 is the running mean of the steps' squares, so that d has the unit of the
    parameter.

    Source: Zeiler (2012), "ADADELTA: an adaptive learning rate method", algorithm 1.
    """
    grad = with_decay(param, grad, weight_decay)
    xp = array_module(param)
    square_avg *= rho
    square_avg += (1 - rho) * grad * grad
    delta = xp.sqrt(acc_delta + eps)
    delta /= xp.sqrt(square_avg + eps)
    delta *= grad
    acc_delta *= rho
    acc_delta += (1 - rho) * delta * delta
    param -= lr * delta


def squares(grad: list[Array]) -> float:
    """Return the sum of the squares of all elements, added up in float64.

    The squares of 11 million float32 gradients are beyond float32's precision, if not its range.
    """
    return float(sum((array.astype("float64") ** 2).sum() for array in grad))
