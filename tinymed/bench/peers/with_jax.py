"""JAX, compiled by ``jit``; arguments are passed: what is closed over would be folded away."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.workloads import STEPS, Arrays, Conv, MaxPool, Network, Recurrent, Spec

__all__ = ["kernel", "workload"]

RATE, BETAS, EPS = 1e-3, (0.9, 0.999), 1e-8  # Adam's defaults


def kernel(name: str, arguments: tuple[Any, ...], variant: str) -> Attempt:
    """Return JAX's attempt at a kernel."""
    if name not in _KERNELS:
        raise CannotError("not written for JAX")
    return _KERNELS[name](*arguments)


def workload(spec: Spec, arrays: Arrays, variant: str) -> Attempt:
    """Return JAX's attempt at a workload."""
    if type(spec) not in _WORKLOADS:
        raise CannotError("not written for JAX")
    return _WORKLOADS[type(spec)](spec, arrays)


def _jitted(function: Callable[..., Any], *given: Any) -> Attempt:
    compiled, moved = jax.jit(function), [jnp.asarray(g) for g in given]
    return Attempt(lambda: jax.block_until_ready(compiled(*moved)), _arrays)


def _arrays(results: Any) -> list[Any]:
    return [np.asarray(r) for r in jax.tree_util.tree_leaves(results)]


def _convolve(x: Any, weight: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    around = [(p, p) for p in padding]
    return lax.conv_general_dilated(
        x, weight, stride, around, rhs_dilation=dilation, feature_group_count=groups
    )


def _conv(x: Any, weight: Any, bias: Any, *settings: Any) -> Attempt:
    *geometry, activation = settings
    offset = np.zeros(len(weight), x.dtype) if bias is None else bias

    def forward(x: Any, weight: Any, offset: Any) -> Any:
        y = _convolve(x, weight, *geometry) + offset.reshape(-1, *[1] * (x.ndim - 2))
        return _activate(y, activation)

    return _jitted(forward, x, weight, offset)


def _activate(y: Any, activation: str | None) -> Any:
    made = {None: lambda y: y, "relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}
    return made[activation](y)


def _linear(x: Any, weight: Any, bias: Any, activation: str | None) -> Attempt:
    offset = np.zeros(len(weight), x.dtype) if bias is None else bias
    return _jitted(lambda x, w, b: _activate(x @ w.T + b, activation), x, weight, offset)


def _cross_entropy(logits: Any, target: Any) -> Attempt:
    def losses(logits: Any, target: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), target[:, None], 1)[:, 0]

    return _jitted(losses, logits, target)


_KERNELS: dict[str, Callable[..., Attempt]] = {
    "matmul.product": lambda a, b: _jitted(jnp.matmul, a, b),
    "matmul.linear": _linear,
    "conv.forward": _conv,
    "softmax.cross_entropy": _cross_entropy,
    "embedding.forward": lambda weight, ids: _jitted(lambda w, i: w[i], weight, ids),
}


def _with_gradients(function: Callable[..., Any], inputs: list[Any], dy: Any) -> Attempt:
    def both(dy: Any, *inputs: Any) -> Any:
        y, backward = jax.vjp(function, *inputs)
        return y, *backward(dy)

    return _jitted(both, dy, *inputs)


def _conv_layer(spec: Conv, arrays: Arrays) -> Attempt:
    geometry = ([spec.stride] * 2, [spec.padding] * 2, (1, 1), spec.groups)

    def forward(x: Any, weight: Any, bias: Any) -> Any:
        y = _convolve(x, weight, *geometry) + bias[:, None, None]
        return _pooled(jax.nn.relu(y), 2, 2, 0) if spec.pool else y

    inputs = [arrays[name] for name in ("x", "weight", "bias")]
    if not spec.backward:
        return _jitted(forward, *inputs)
    return _with_gradients(forward, inputs, arrays["grad"])


def _pooled(x: Any, kernel: int, stride: int, padding: int) -> Any:
    around = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    window = (1, 1, kernel, kernel)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, (1, 1, stride, stride), around)


def _max_pool(spec: MaxPool, arrays: Arrays) -> Attempt:
    geometry = (spec.kernel, spec.stride, spec.padding)
    return _with_gradients(lambda x: _pooled(x, *geometry), [arrays["x"]], arrays["grad"])


def _layer(kind: str, x: Any, w: Any, u: Any, b: Any, b_hidden: Any) -> Any:
    """The products with x for all steps at once, the others in a scan."""
    zero = jnp.zeros((x.shape[1], u.shape[1]), x.dtype)

    def rnn(h: Any, s: Any) -> Any:
        h = jnp.tanh(s + h @ u.T + b_hidden)
        return h, h

    def gru(h: Any, s: Any) -> Any:
        r, z, new = jnp.split(s, 3, axis=1)
        r_h, z_h, new_h = jnp.split(h @ u.T + b_hidden, 3, axis=1)
        z = jax.nn.sigmoid(z + z_h)
        h = (1 - z) * jnp.tanh(new + jax.nn.sigmoid(r + r_h) * new_h) + z * h
        return h, h

    def lstm(state: Any, s: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(s + h @ u.T + b_hidden, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    step = {"rnn": rnn, "gru": gru, "lstm": lstm}[kind]
    begin: Any = (zero, zero) if kind == "lstm" else zero
    return lax.scan(step, begin, x @ w.T + b)[1]


def _recurrent(spec: Recurrent, arrays: Arrays) -> Attempt:
    layer = functools.partial(_layer, spec.kind)
    return _with_gradients(layer, [arrays["x"], *arrays["parameters"]], arrays["grad"])


def _features(model: str, parameters: Any, x: Any) -> Any:
    """What a network's last layer is given: of the MLP, or of the recurrent classifier."""
    if model == "gru":
        return _layer(model, x.swapaxes(0, 1), *parameters)[-1]
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        x = jax.nn.relu(x @ weight.T + bias)
    return x


def _network(spec: Network, arrays: Arrays) -> Attempt:
    """A step of training, its state handed from call to call."""
    if spec.model not in ("mlp", "gru"):
        raise CannotError("not written for JAX")

    def loss_of(parameters: Any, x: Any, labels: Any) -> Any:
        x = _features(spec.model, parameters[:-2], x)
        logits = jax.nn.log_softmax(x @ parameters[-2].T + parameters[-1])
        return -jnp.take_along_axis(logits, labels[:, None], 1).mean()

    def step(state: Any, x: Any, labels: Any) -> Any:
        parameters, first, second, count = state
        loss, gradient = jax.value_and_grad(loss_of)(parameters, x, labels)
        count = count + 1
        pairs = zip(first, gradient, strict=True)
        first = [BETAS[0] * m + (1 - BETAS[0]) * g for m, g in pairs]
        pairs = zip(second, gradient, strict=True)
        second = [BETAS[1] * v + (1 - BETAS[1]) * g * g for v, g in pairs]
        size, spread = RATE / (1 - BETAS[0] ** count), jnp.sqrt(1 - BETAS[1] ** count)
        parameters = [
            p - size * m / (jnp.sqrt(v) / spread + EPS)
            for p, m, v in zip(parameters, first, second, strict=True)
        ]
        return loss, (parameters, first, second, count)

    compiled = jax.jit(step)
    x, labels = jnp.asarray(arrays["x"]), jnp.asarray(arrays["labels"])
    parameters = [jnp.asarray(p) for p in arrays["parameters"]]
    zeros = [jnp.zeros_like(p) for p in parameters]
    state = (parameters, zeros, zeros, jnp.float32(0))

    def call() -> float:
        nonlocal state
        loss, state = jax.block_until_ready(compiled(state, x, labels))
        return float(loss)

    rest = range(STEPS - 1)
    return Attempt(call, lambda first: [np.array([first, *(call() for _ in rest)], np.float32)])


_WORKLOADS: dict[type, Callable[[Any, Arrays], Attempt]] = {
    Conv: _conv_layer,
    MaxPool: _max_pool,
    Recurrent: _recurrent,
    Network: _network,
}
