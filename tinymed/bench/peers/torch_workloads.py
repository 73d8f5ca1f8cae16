"""The workloads in PyTorch, eager, with its autograd and its optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tinymed.bench.contest import Attempt, CannotError
from tinymed.bench.networks import HIDDEN, WIDTHS
from tinymed.bench.peers.torch_kernels import arrays, image
from tinymed.bench.peers.torch_optimizers import KINDS
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
)
from tinymed.precision import widened

__all__ = ["workload"]

Attempts = Attempt | Mapping[str, Attempt]


def workload(spec: Spec, arrays: Arrays, variant: str) -> Attempts:
    """Return PyTorch's attempt at a workload; ``variant`` is "", "channels-last" or "graph"."""
    if type(spec) not in _MADE:
        raise CannotError("not written for PyTorch")
    if variant == "graph":
        if not (isinstance(spec, Network) and spec.training):
            raise CannotError("only steps of training are captured")
        return _captured(spec, arrays)
    last = variant == "channels-last"
    if last and not (isinstance(spec, Conv | MaxPool | Network) and arrays["x"].ndim == 4):
        raise CannotError("its layout does not matter here")
    return _MADE[type(spec)](spec, arrays, last)


def as_arrays(results: Any) -> list[Any]:
    """Return tensors as arrays, those of 16 bits in float32."""
    return [widened(one) for one in arrays(results)]


def _precision(spec: Spec) -> Any:
    """Return what a forward pass stands in."""
    where, dtype = torch.get_default_device().type, getattr(torch, spec.autocast or "bfloat16")
    return torch.autocast(where, dtype, enabled=bool(spec.autocast))


def _leaf(array: Any, last: bool = False) -> Any:
    return image(array, last).requires_grad_()


def _conv(spec: Conv, arrays: Arrays, last: bool) -> Attempt:
    x, weight, bias = (_leaf(arrays[name], last) for name in ("x", "weight", "bias"))
    dy, settings = image(arrays["grad"], last), (spec.stride, spec.padding, 1, spec.groups)
    precision = _precision(spec)

    def forward() -> Any:
        with torch.inference_mode(), precision:
            y = F.conv2d(x, weight, bias, *settings)
            return F.max_pool2d(y.relu_(), 2) if spec.pool else y

    def both() -> Any:
        with precision:
            y = F.conv2d(x, weight, bias, *settings)
        return y, *torch.autograd.grad(y, (x, weight, bias), dy)

    return Attempt(both if spec.backward else forward, as_arrays)


def _max_pool(spec: MaxPool, arrays: Arrays, last: bool) -> Attempt:
    x, dy = _leaf(arrays["x"], last), image(arrays["grad"], last)

    def call() -> Any:
        y = F.max_pool2d(x, spec.kernel, spec.stride, spec.padding)
        return y, *torch.autograd.grad(y, x, dy)

    return Attempt(call, as_arrays)


def _recurrent(spec: Recurrent, arrays: Arrays, last: bool) -> Attempt:
    layer = getattr(nn, spec.kind.upper())(spec.features, spec.hidden)
    _set(layer, arrays["parameters"])
    parameters, x, dy = list(layer.parameters()), _leaf(arrays["x"]), image(arrays["grad"], last)
    precision = _precision(spec)

    def call() -> Any:
        with precision:
            y, _ = layer(x)
        return y, *torch.autograd.grad(y, (x, *parameters), dy)

    return Attempt(call, as_arrays)


def _embedding(spec: Embedding, arrays: Arrays, last: bool) -> Attempt:
    weight, ids = _leaf(arrays["weight"]), image(arrays["ids"], last)
    dy = image(arrays["grad"], last)

    def call() -> Any:
        y = F.embedding(ids, weight, sparse=spec.sparse)
        (gradient,) = torch.autograd.grad(y, weight, dy)
        # tinymed's gradient has each row once; so has this one when it is coalesced
        return y, gradient.coalesce() if spec.sparse else gradient

    return Attempt(call, lambda found: as_arrays([found[0], found[1].to_dense()]))


def _adam(spec: Adam, arrays: Arrays, last: bool) -> dict[str, Attempt]:
    def attempt(kind: Mapping[str, bool]) -> Attempt:
        parameter = nn.Parameter(image(arrays["param"], last))
        parameter.grad = image(arrays["grad"], last)
        optimizer = torch.optim.Adam([parameter], **kind)

        def call() -> Any:
            optimizer.step()
            return parameter

        return Attempt(call, as_arrays)

    return {name: attempt(kind) for name, kind in KINDS.items()}


class _Block(nn.Module):  # type: ignore[misc]  # Any, to the type checker
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if before != after or stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu_()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu_()


class _Classifier(nn.Module):  # type: ignore[misc]
    def __init__(self, kind: str, features: int, classes: int) -> None:
        super().__init__()
        self.layer = getattr(nn, kind)(features, HIDDEN, batch_first=True)
        self.fc = nn.Linear(HIDDEN, classes)

    def forward(self, x: Any) -> Any:
        output, _ = self.layer(x)
        return self.fc(output[:, -1])


def _resnet18(channels: int, classes: int, widths: tuple[int, ...]) -> nn.Module:
    before = widths[0]
    layers: list[nn.Module] = [nn.Conv2d(channels, before, 3, 1, 1, bias=False)]
    layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
    for stage, after in enumerate(widths):
        layers += [_Block(before, after, 2 if stage else 1), _Block(after, after, 1)]
        before = after
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)]
    return nn.Sequential(*layers)


def _build(spec: Network) -> nn.Module:
    if spec.model in WIDTHS:
        return _resnet18(spec.shape[0], spec.classes, WIDTHS[spec.model])
    if spec.model in ("gru", "lstm"):
        return _Classifier(spec.model.upper(), spec.shape[1], spec.classes)
    if spec.model == "mlp":
        sizes = (nn.Linear(spec.shape[0], 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        return nn.Sequential(*sizes, nn.Linear(32, spec.classes))
    layers: list[nn.Module] = []
    for before, after in ((spec.shape[0], 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    flat = 64 * (spec.shape[1] // 8) * (spec.shape[2] // 8)
    layers += [nn.Flatten(), nn.Linear(flat, 128), nn.ReLU(), nn.Linear(128, spec.classes)]
    return nn.Sequential(*layers)


def _network(spec: Network, arrays: Arrays, last: bool) -> Attempts:
    x, labels = image(arrays["x"], last), image(arrays["labels"], last)
    precision = _precision(spec)

    def made() -> nn.Module:
        model = _model(spec, arrays)
        if last:
            model.to(memory_format=torch.channels_last)
        return model

    def training(kind: Mapping[str, bool]) -> Attempt:
        step, _, _ = _training(made(), x, labels, kind, precision)
        return _losses(lambda: step().item())

    if spec.training:
        return {name: training(kind) for name, kind in KINDS.items() if name != "foreach"}
    model = made().eval()

    def predict() -> Any:
        with torch.inference_mode(), precision:
            return model(x)

    return Attempt(predict, as_arrays)


def _captured(spec: Network, arrays: Arrays) -> Attempt:
    """Return a step of training as a CUDA graph, in the way that PyTorch's notes on them give."""
    x, labels = image(arrays["x"], False), image(arrays["labels"], False)
    if not x.is_cuda:
        raise CannotError("CUDA graphs are for a GPU")
    kind = {"capturable": True}
    training = _training(_model(spec, arrays), x, labels, kind, _precision(spec))
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        _warm_up(*training)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = training[0]()

    def replay() -> float:
        graph.replay()
        return float(loss.item())

    return _losses(replay)


def _model(spec: Network, arrays: Arrays) -> nn.Module:
    model = _build(spec)
    _set(model, arrays["parameters"])
    return model


def _training(
    model: nn.Module, x: Any, labels: Any, kind: Mapping[str, bool], precision: Any
) -> tuple[Callable[[], Any], nn.Module, torch.optim.Optimizer]:
    """Return a step of training, which returns the loss, and what it trains and by what."""
    optimizer = torch.optim.Adam(model.parameters(), **kind)

    def step() -> Any:
        optimizer.zero_grad()
        with precision:
            loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step, model, optimizer


def _warm_up(step: Callable[[], Any], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Take three steps, as a capture wants it, and take back what they changed, in place."""
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(3):
        step()
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), before, strict=True):
            parameter.copy_(value)
        for state in optimizer.state.values():
            for value in state.values():  # steps taken, and both means
                value.zero_()


def _losses(step: Callable[[], float]) -> Attempt:
    """Return the attempt of steps of training, known by their losses."""
    rest = range(STEPS - 1)
    return Attempt(step, lambda first: [np.array([first, *(step() for _ in rest)], np.float32)])


def _set(module: nn.Module, values: list[Any]) -> None:
    """Give a module's parameters these values."""
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))


_MADE: dict[type, Callable[[Any, Arrays, bool], Attempts]] = {
    Conv: _conv,
    MaxPool: _max_pool,
    Recurrent: _recurrent,
    Embedding: _embedding,
    Adam: _adam,
    Network: _network,
}
