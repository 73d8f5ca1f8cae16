"""PyTorch's optimizers on given state: as they are by default, for-each, and fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from tinymed.bench.contest import Attempt, CannotError

__all__ = ["KINDS", "adam", "sgd"]

KINDS: Mapping[str, dict[str, bool]] = {
    "": {},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
Arrays = list[np.ndarray[Any, Any]]


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
) -> dict[str, Attempt]:
    """Return an attempt for each way there is."""
    if max_exp_avg_sq is not None:
        raise CannotError("without AMSGrad only")
    made = torch.optim.AdamW if decoupled else torch.optim.Adam
    settings = {"lr": lr, "betas": (beta1, beta2), "eps": eps, "weight_decay": weight_decay}
    state = {"exp_avg": exp_avg, "exp_avg_sq": exp_avg_sq}
    return {
        name: _attempt(made, param, grad, state, step, settings | kind)
        for name, kind in KINDS.items()
    }


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
) -> dict[str, Attempt]:
    """Return an attempt for each way there is."""
    settings = {
        "lr": lr,
        "momentum": momentum,
        "dampening": dampening,
        "nesterov": nesterov,
        "weight_decay": weight_decay,
    }
    state = {} if momentum_buffer is None or first else {"momentum_buffer": momentum_buffer}
    if first and momentum_buffer is not None:
        raise CannotError("the first step is not like the others")
    return {
        name: _attempt(torch.optim.SGD, param, grad, state, None, settings | kind)
        for name, kind in KINDS.items()
    }


def _attempt(
    made: Any,
    param: Arrays,
    grad: Arrays,
    state: Mapping[str, Arrays],
    step: int | None,
    settings: dict[str, Any],
) -> Attempt:
    """Return steps of an optimizer whose state begins as given."""
    parameters = [torch.nn.Parameter(_tensor(one)) for one in param]
    optimizer = made(parameters, **settings)
    for number, (parameter, gradient) in enumerate(zip(parameters, grad, strict=True)):
        parameter.grad = _tensor(gradient)
        kept = {name: _tensor(arrays[number]) for name, arrays in state.items()}
        if step is not None:
            place = torch.get_default_device() if "fused" in settings else "cpu"
            kept["step"] = torch.tensor(float(step - 1), device=place)
        if kept:
            optimizer.state[parameter] = kept

    def results(_: Any) -> list[Any]:
        found: list[Any] = [None, *(p.detach().cpu().numpy() for p in parameters), *grad]
        for name in state:
            found += [optimizer.state[p][name].cpu().numpy() for p in parameters]
        return found

    return Attempt(optimizer.step, results)


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    """Return a copy of an array on PyTorch's default device."""
    return torch.from_numpy(array.copy()).to(torch.get_default_device())
