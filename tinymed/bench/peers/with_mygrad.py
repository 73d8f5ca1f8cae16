"""MyGrad: an autograd library on NumPy, as tinymed's reference is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mygrad
import numpy as np
from mygrad import nnet

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.workloads import Arrays, Conv, MaxPool, Spec

__all__ = ["kernel", "workload"]


def kernel(name: str, arguments: tuple[Any, ...], variant: str) -> Attempt:
    """Return MyGrad's attempt at a kernel."""
    if name not in _KERNELS:
        raise CannotError("not written for MyGrad")
    return _KERNELS[name](*arguments)


def workload(spec: Spec, arrays: Arrays, variant: str) -> Attempt:
    """Return MyGrad's attempt at a workload."""
    if type(spec) not in _WORKLOADS:
        raise CannotError("not written for MyGrad")
    return _WORKLOADS[type(spec)](spec, arrays)


def _arrays(results: Any) -> list[Any]:
    results = results if isinstance(results, tuple) else (results,)
    return [getattr(r, "data", r) if isinstance(r, mygrad.Tensor) else r for r in results]


def _conv(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, *more: Any
) -> Attempt:
    groups, activation = more
    if groups != 1 or activation not in (None, "relu"):
        raise CannotError("one group, no activation but ReLU")
    geometry = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    if any((size + 2 * p - d * (k - 1) - 1) % s for size, k, s, p, d in geometry):
        raise CannotError("strides must divide what the window moves over")
    offset = None if bias is None else bias.reshape(1, -1, *[1] * (x.ndim - 2))

    def call() -> Any:
        with mygrad.no_autodiff:
            y = nnet.layers.conv_nd(x, weight, stride=stride, padding=padding, dilation=dilation)
            y = y if offset is None else y + offset
            return nnet.activations.relu(y) if activation else y

    return Attempt(call, _arrays)


def _product(a: Any, b: Any) -> Attempt:
    def call() -> Any:
        with mygrad.no_autodiff:
            return mygrad.matmul(a, b)

    return Attempt(call, _arrays)


_KERNELS: dict[str, Callable[..., Attempt]] = {"matmul.product": _product, "conv.forward": _conv}


def _conv_layer(spec: Conv, arrays: Arrays) -> Attempt:
    odd = (spec.size + 2 * spec.padding - spec.kernel) % spec.stride
    if spec.groups != 1 or spec.pool or not spec.backward or odd:
        raise CannotError("not written for MyGrad")
    x, weight = mygrad.tensor(arrays["x"]), mygrad.tensor(arrays["weight"])
    bias = mygrad.tensor(arrays["bias"].reshape(1, -1, 1, 1))

    def call() -> Any:
        y = nnet.layers.conv_nd(x, weight, stride=spec.stride, padding=spec.padding) + bias
        y.backward(arrays["grad"])
        return y, x.grad, weight.grad, bias.grad

    return Attempt(call, lambda r: [*_arrays(r[:3]), np.ravel(r[3])])


def _max_pool(spec: MaxPool, arrays: Arrays) -> Attempt:
    if spec.padding or (spec.size - spec.kernel) % spec.stride:
        raise CannotError("no padding, and strides that divide")
    x = mygrad.tensor(arrays["x"])

    def call() -> Any:
        y = nnet.layers.max_pool(x, (spec.kernel, spec.kernel), spec.stride)
        y.backward(arrays["grad"])
        return y, x.grad

    return Attempt(call, _arrays)


_WORKLOADS: dict[type, Callable[[Any, Arrays], Attempt]] = {
    Conv: _conv_layer,
    MaxPool: _max_pool,
}
