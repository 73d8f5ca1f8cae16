"""The workloads as a user of tinymed writes them: layers, gradients, optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinymed import nn, ops, optim
from tinymed.autograd import no_grad
from tinymed.backpropagation import grad
from tinymed.bench.contest import Attempt
from tinymed.bench.networks import build
from tinymed.bench.workloads import (
    Adam,
    Arrays,
    Conv,
    Embedding,
    MaxPool,
    Network,
    Recurrent,
    Spec,
)
from tinymed.creation import tensor
from tinymed.kernels.arrays import is_array
from tinymed.nn import functional as F
from tinymed.nn.module import Parameter

__all__ = ["attempt"]


def attempt(spec: Spec, arrays: Arrays) -> Attempt:
    """Return tinymed's attempt at a workload."""
    return _MADE[type(spec)](spec, arrays)


def _leaf(array: Any) -> Any:
    return tensor(array, requires_grad=True)


def _arrays(results: Any) -> list[Any]:
    """Return Tensors as arrays."""
    results = results if isinstance(results, tuple | list) else [results]
    return [r if is_array(r) else r.numpy() for r in (getattr(r, "data", r) for r in results)]


def _conv(spec: Conv, arrays: Arrays) -> Attempt:
    x, weight, bias = (_leaf(arrays[name]) for name in ("x", "weight", "bias"))
    dy = tensor(arrays["grad"])
    settings = (spec.stride, spec.padding, 1, spec.groups)

    def forward() -> Any:
        with no_grad():
            if spec.pool:
                return ops.conv_pool2d(x, weight, bias, spec.padding)
            return F.conv2d(x, weight, bias, *settings)

    def both() -> Any:
        y = F.conv2d(x, weight, bias, *settings)
        return y.detach(), *grad(y, (x, weight, bias), dy)

    return Attempt(both if spec.backward else forward, _arrays)


def _max_pool(spec: MaxPool, arrays: Arrays) -> Attempt:
    x, dy = _leaf(arrays["x"]), tensor(arrays["grad"])

    def call() -> Any:
        y = F.max_pool2d(x, spec.kernel, spec.stride, spec.padding)
        return y.detach(), *grad(y, x, dy)

    return Attempt(call, _arrays)


def _recurrent(spec: Recurrent, arrays: Arrays) -> Attempt:
    layer = getattr(nn, spec.kind.upper())(spec.features, spec.hidden)
    _set(layer, arrays["parameters"])
    parameters = list(layer.parameters())
    x, dy = _leaf(arrays["x"]), tensor(arrays["grad"])

    def call() -> Any:
        y, _ = layer(x)
        return y.detach(), *grad(y, (x, *parameters), dy)

    return Attempt(call, _arrays)


def _embedding(spec: Embedding, arrays: Arrays) -> Attempt:
    weight, ids, dy = _leaf(arrays["weight"]), tensor(arrays["ids"]), tensor(arrays["grad"])

    def call() -> Any:
        y = F.embedding(ids, weight, sparse=spec.sparse)
        return y.detach(), *grad(y, weight, dy)

    def results(found: Any) -> list[Any]:
        y, gradient = found
        if spec.sparse:
            dense = np.zeros(gradient.shape, gradient.values.dtype)
            dense[gradient.rows] = gradient.values
            return [y.data, dense]
        return _arrays(found)

    return Attempt(call, results)


def _adam(spec: Adam, arrays: Arrays) -> Attempt:
    parameter = Parameter(tensor(arrays["param"].copy()))
    parameter.grad = tensor(arrays["grad"])
    optimizer = optim.Adam([parameter])

    def call() -> Any:
        optimizer.step()
        return parameter

    return Attempt(call, _arrays)


def _network(spec: Network, arrays: Arrays) -> Attempt:
    model = build(spec.model, spec.shape, spec.classes)
    _set(model, arrays["parameters"])
    x, labels = tensor(arrays["x"]), tensor(arrays["labels"])
    if not spec.training:
        model.eval()

        def predict() -> Any:
            with no_grad():
                return model(x)

        return Attempt(predict, _arrays)
    optimizer = optim.Adam(model.parameters())

    def step() -> Any:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Attempt(step, lambda first: [np.array([first, step(), step()], np.float32)])


def _set(module: nn.Module, values: list[Any]) -> None:
    """Give a module's parameters these values."""
    for parameter, value in zip(module.parameters(), values, strict=True):
        parameter.data[...] = value


_MADE: dict[type, Callable[[Any, Arrays], Attempt]] = {
    Conv: _conv,
    MaxPool: _max_pool,
    Recurrent: _recurrent,
    Embedding: _embedding,
    Adam: _adam,
    Network: _network,
}
