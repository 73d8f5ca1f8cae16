"""Layers and whole training steps on a GPU: those of ``tinymed bench``, and what GPUs are for.

tinymed takes part as users write it, and, where `tinymed.cuda.capture` is there, with its step as
one CUDA graph.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tinymed import cuda
from tinymed.bench.contest import Attempt, CannotError, Contest, Entry
from tinymed.bench.gpu.device import Gpu, on_device
from tinymed.bench.gpu.timings import torch_entries
from tinymed.bench.ours import attempt, training_step
from tinymed.bench.proof import SEED
from tinymed.bench.workloads import Conv, Network, Recurrent, Words, Workload, size_of, workloads
from tinymed.kernels import use_backend
from tinymed.precision import SINGLE

__all__ = ["gpu_contest", "gpu_workloads", "is_network"]

WIDE = 512  # units of a recurrent layer whose products are work for tensor cores
BOUND_16 = 2.0**-5  # of results behind several roundings to 8 bits


def gpu_workloads() -> list[Workload]:
    """Return the workloads of the CPU, and what it lacks."""
    known = [w for w in workloads() if not w.compiled and not isinstance(w.spec, Words)]
    more = [Workload("LSTM classifier step", Network("lstm", 32, (100, 8)), {}, 1e-3)]
    for hidden in (256, 512, 1024):
        for kind in ("lstm", "gru"):
            spec = Recurrent(kind, 64, 32, hidden, hidden)
            more.append(Workload(f"{kind.upper()} forward + backward", spec, {}, 1e-3))
    for n, c, size in ((8, 16, 512), (8, 32, 256), (4, 64, 256)):  # as medical images are
        more.append(Workload("conv 3x3 forward + backward", Conv(n, c, size, c), {}, 1e-3))
    every = [*more, *known]
    return [*every, *(_in_16_bits(workload) for workload in every if _gains(workload.spec))]


def _gains(spec: Any) -> bool:
    """Return whether it is work for tensor cores."""
    if isinstance(spec, Network):
        return spec.training and spec.model in ("cnn", "resnet18")
    return (isinstance(spec, Conv) and spec.backward and spec.groups == 1) or (
        isinstance(spec, Recurrent) and spec.hidden >= WIDE
    )


def _in_16_bits(workload: Workload) -> Workload:
    """Return it under autocast to bfloat16, which needs no scaling of the loss."""
    spec: Any = workload.spec
    return replace(workload, spec=replace(spec, autocast="bfloat16"), goal={}, bound=BOUND_16)


def is_network(workload: Workload) -> bool:
    """Return whether it is a whole network, not a layer."""
    return isinstance(workload.spec, Network)


def gpu_contest(workload: Workload, gpu: Gpu) -> Contest:
    """Return that of tinymed, eager and as a graph, and PyTorch."""
    spec = workload.spec
    arrays = spec.inputs(np.random.default_rng(SEED))

    def expected() -> list[Any]:
        with use_backend("reference"):
            by_reference = attempt(spec, arrays)
            return list(by_reference.results(by_reference.call()))

    ours = {"tinymed": Entry(partial(_attempt, gpu, spec, arrays), ours=True)}
    if isinstance(spec, Network) and spec.training:
        ours["tinymed graph"] = Entry(partial(_captured, gpu, spec, arrays), ours=True)
    return Contest(
        workload.name,
        str(spec),
        expected,
        {SINGLE: workload.bound},
        ours | torch_entries("workloads", "workload", spec, arrays),
        flops=spec.flops,
        bytes=size_of(arrays) if spec.flops else 0,
    )


def _on_host(gpu: Gpu, made: Attempt) -> Attempt:
    """Return an attempt whose results are NumPy arrays."""
    return Attempt(
        made.call,
        lambda found: [gpu.host(r) if gpu.holds(r) else r for r in made.results(found)],
    )


def _attempt(gpu: Gpu, spec: Any, arrays: Any) -> Attempt:
    return _on_host(gpu, attempt(spec, on_device(gpu, arrays)))


def _captured(gpu: Gpu, spec: Network, arrays: Any) -> Attempt:
    """Return a step of training captured as a CUDA graph."""
    capture = getattr(cuda, "capture", None)
    if capture is None or not cuda.is_available():
        raise CannotError("there is no tinymed.cuda.capture, or no GPU for it")
    return _on_host(gpu, training_step(spec, on_device(gpu, arrays), capture))
