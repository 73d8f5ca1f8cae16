"""The workloads as a user of tinymed writes them: layers, gradients, optimizers."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from tinymed import nn, ops, optim
from tinymed.amp import autocast
from tinymed.backpropagation import grad
from tinymed.bench.contest import Attempt, InstallError
from tinymed.bench.networks import build
from tinymed.bench.workloads import (
    STEPS,
    Adam,
    Arrays,
    Conv,
    Embedding,
    MaxPool,
    Network,
    Recurrent,
    Spec,
    Words,
)
from tinymed.compilation import compile
from tinymed.creation import as_tensor
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import is_array, place
from tinymed.kernels.registry import missing
from tinymed.kernels.threads import get_num_threads
from tinymed.nn import functional as F
from tinymed.nn.module import Parameter
from tinymed.nn.utils.fusion import folded
from tinymed.precision import widened

__all__ = ["attempt", "compiled_attempt", "training_step"]


def attempt(spec: Spec, arrays: Arrays) -> Attempt:
    """Return tinymed's attempt at a workload."""
    return _MADE[type(spec)](spec, arrays)


def compiled_attempt(spec: Spec, arrays: Arrays) -> Attempt:
    """Return tinymed's attempt at a network through `tinymed.compile`.

    What is compiled is compared with itself on a second batch, so there are two: the samples as
    they are and in the opposite order, which has the same loss. A prediction is compiled on others.

    Raises
    ------
    CompileError
        From here or from one of the first calls, where it cannot be repeated.
    """
    if lacks := missing("numba_cpu"):
        raise InstallError(f"needs {lacks}: pip install tinymed[fast]")
    if not isinstance(spec, Network):
        raise TypeError(f"compiled_attempt: a {type(spec).__name__} is not a Network")
    model, x = _model(spec, arrays), arrays["x"]
    if not spec.training:
        predict = compile(folded(model.eval()))
        for factor in (0.5, 2.0):
            predict(x * np.float32(factor))
        return Attempt(lambda: predict(x), _arrays)
    step = compile(_step(model, spec.autocast))
    batches = itertools.cycle([(x, arrays["labels"]), (x[::-1], arrays["labels"][::-1])])
    return _losses(lambda: step(*next(batches)).item())


def _tensor(array: Any) -> Any:
    """Return a Tensor with a copy of an array, where the array is."""
    return as_tensor(array.copy())


def _leaf(array: Any) -> Any:
    return _tensor(array).requires_grad_()


def _arrays(results: Any) -> list[Any]:
    """Return Tensors as arrays, those of 16 bits in float32."""
    results = results if isinstance(results, tuple | list) else [results]
    found = [r if is_array(r) else r.numpy() for r in (getattr(r, "data", r) for r in results)]
    return [widened(r) for r in found]


def _precision(dtype: str, array: Any) -> AbstractContextManager[object]:
    """Return what a forward pass stands in: the dtype of its products, and where its input is."""
    return autocast(place(array).type, dtype) if dtype else nullcontext()


def _conv(spec: Conv, arrays: Arrays) -> Attempt:
    x, weight, bias = (_leaf(arrays[name]) for name in ("x", "weight", "bias"))
    dy = _tensor(arrays["grad"])
    settings = (spec.stride, spec.padding, 1, spec.groups)

    def forward() -> Any:
        with no_grad(), _precision(spec.autocast, dy.data):
            if spec.pool:
                return ops.conv_pool2d(x, weight, bias, spec.padding)
            return F.conv2d(x, weight, bias, *settings)

    def both() -> Any:
        with _precision(spec.autocast, dy.data):
            y = F.conv2d(x, weight, bias, *settings)
        return y.detach(), *grad(y, (x, weight, bias), dy)

    return Attempt(both if spec.backward else forward, _arrays)


def _max_pool(spec: MaxPool, arrays: Arrays) -> Attempt:
    x, dy = _leaf(arrays["x"]), _tensor(arrays["grad"])

    def call() -> Any:
        y = F.max_pool2d(x, spec.kernel, spec.stride, spec.padding)
        return y.detach(), *grad(y, x, dy)

    return Attempt(call, _arrays)


def _recurrent(spec: Recurrent, arrays: Arrays) -> Attempt:
    layer = getattr(nn, spec.kind.upper())(spec.features, spec.hidden)
    _set(layer, arrays["parameters"])
    parameters = list(layer.parameters())
    x, dy = _leaf(arrays["x"]), _tensor(arrays["grad"])

    def call() -> Any:
        with _precision(spec.autocast, dy.data):
            y, _ = layer(x)
        return y.detach(), *grad(y, (x, *parameters), dy)

    return Attempt(call, _arrays)


def _embedding(spec: Embedding, arrays: Arrays) -> Attempt:
    weight, ids, dy = _leaf(arrays["weight"]), _tensor(arrays["ids"]), _tensor(arrays["grad"])

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
    parameter = Parameter(_tensor(arrays["param"]))
    parameter.grad = _tensor(arrays["grad"])
    optimizer = optim.Adam([parameter])

    def call() -> Any:
        optimizer.step()
        return parameter

    return Attempt(call, _arrays)


def _network(spec: Network, arrays: Arrays) -> Attempt:
    if spec.training:
        return training_step(spec, arrays, lambda step: step)
    x, model = _tensor(arrays["x"]), _model(spec, arrays).eval()

    def predict() -> Any:
        with no_grad(), _precision(spec.autocast, x.data):
            return model(x)

    return Attempt(predict, _arrays)


def training_step(
    spec: Network, arrays: Arrays, made: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Attempt:
    """Return the attempt of a step of training, of which ``made`` makes what is called."""
    step = made(_step(_model(spec, arrays), spec.autocast))
    x, labels = _tensor(arrays["x"]), _tensor(arrays["labels"])
    return _losses(lambda: step(x, labels).item())


def _model(spec: Network, arrays: Arrays) -> nn.Module:
    model = build(spec.model, spec.shape, spec.classes)
    _set(model, arrays["parameters"])
    return model


def _step(model: nn.Module, dtype: str) -> Callable[[Any, Any], Any]:
    """Return a step of training."""
    optimizer = optim.Adam(model.parameters())

    def step(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        with _precision(dtype, getattr(x, "data", x)):
            loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def _losses(step: Callable[[], float]) -> Attempt:
    """Return the attempt of steps of training, known by their losses."""
    rest = range(STEPS - 1)
    return Attempt(step, lambda first: [np.array([first, *(step() for _ in rest)], np.float32)])


def _words(spec: Words, arrays: Arrays) -> Attempt:
    # By its name, as peers are: medicine is a layer above the bench.
    word2vec = importlib.import_module("tinymed.medical.text.word2vec")
    training = word2vec.Word2Vec(workers=get_num_threads(), **spec.settings)

    def results(found: Any) -> list[Any]:
        return [spec.together(np.stack([found[word] for word in spec.frequent()]))]

    return Attempt(lambda: training.train(arrays["documents"]), results)


def _set(module: nn.Module, values: list[Any]) -> None:
    """Give a module's parameters these values, and move it to where they are."""
    module.to(place(values[0]))
    for parameter, value in zip(module.parameters(), values, strict=True):
        parameter.data[...] = value


_MADE: dict[type, Callable[[Any, Arrays], Attempt]] = {
    Conv: _conv,
    MaxPool: _max_pool,
    Recurrent: _recurrent,
    Embedding: _embedding,
    Adam: _adam,
    Network: _network,
    Words: _words,
}
