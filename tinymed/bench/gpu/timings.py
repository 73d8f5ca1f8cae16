"""Kernels, layers and whole steps timed on a GPU, each proved on the very numbers it is timed on.

A contest has one arithmetic. In float32 nobody may use TF32; in "tf32" those take part who round
their input to it; in bfloat16 and float16 all arrays are. PyTorch takes part as it is, in its
channels-last layout, with cuDNN's search for the fastest algorithm (``cudnn.benchmark``); in steps
of training also as one CUDA graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from tinymed.bench.contest import Attempt, CannotError, Contest, Entry, InstallError
from tinymed.bench.gpu.device import Gpu, on_device
from tinymed.bench.gpu.trials import ROUNDED, Trial, allowed, bfloat16, by_reference, lacking
from tinymed.bench.peers import PEERS, Attempts
from tinymed.bench.proof import arguments
from tinymed.kernels import KERNELS
from tinymed.kernels.case import Case

__all__ = ["ARITHMETICS", "TORCH", "kernel_contest", "precision", "torch_entries"]

ARITHMETICS = ("float32", "tf32", "bfloat16", "float16")
TORCH = {
    "torch": "torch",
    "torch channels-last": "torch-channels-last",
    "torch graph": "torch-graph",
}
TORCH_DEVICE = "cuda"


def kernel_contest(
    case: Case, arithmetic: str, backends: Sequence[str], gpu: Gpu
) -> Contest | None:
    """Return that of implementations on ``backends`` and PyTorch; None where none is for a case."""
    dtype = np.dtype({"bfloat16": bfloat16, "float16": np.float16}.get(arithmetic, np.float32))
    given = arguments(case, dtype)
    able, chosen = _able(case, arithmetic, given, backends)
    if not able:
        return None
    entries = {
        name: Entry(partial(_attempt, gpu, case.kernel, name, given), ours=name == chosen)
        for name in able
    }
    return Contest(
        case.kernel,
        f"{case.name}, {arithmetic}",
        partial(by_reference, Trial(case, able[0], dtype)),
        allowed(Trial(case, able[0], dtype)),
        entries | torch_entries("kernels", "kernel", case.kernel, given),
        case.flops,
        case.bytes * dtype.itemsize / 4,
    )


def _able(
    case: Case, arithmetic: str, given: tuple[Any, ...], backends: Sequence[str]
) -> tuple[list[str], str | None]:
    """Return the implementations that take part, and the one that runs by itself or is the first.

    In float32 these are the exact ones, in tf32 those that round, in 16 bits all that take them.
    """
    rules = [r for r in KERNELS[case.kernel].candidates(on_host=False) if r.can(*given)]
    rules = [
        r
        for r in rules
        if r.implementation.partition(":")[0] in backends
        and (
            arithmetic in ("bfloat16", "float16")
            or (r.implementation in ROUNDED) == (arithmetic == "tf32")
        )
    ]
    paying = (r.implementation for r in rules if r.here(*given) and r.pays(*given))
    names = [r.implementation for r in rules]
    return names, next(paying, names[0] if names else None)


def _attempt(gpu: Gpu, kernel: str, implementation: str, arguments: tuple[Any, ...]) -> Attempt:
    """Return the attempt of an implementation, on copies of the arguments of its own."""
    if needs := lacking(implementation):
        raise InstallError(needs)
    function = KERNELS[kernel].load(implementation)
    try:  # it compiles, if nothing has before
        function(*on_device(gpu, list(arguments)))
    except LookupError as error:  # a variant for other GPUs
        raise CannotError(str(error)) from error
    given = on_device(gpu, list(arguments))

    def results(found: Any) -> list[Any]:
        every = list(found) if isinstance(found, tuple) else [found]
        parts = (part for one in given for part in (one if isinstance(one, list) else [one]))
        every += [part for part in parts if gpu.holds(part)]
        return [gpu.host(one) if gpu.holds(one) else one for one in every]

    return Attempt(lambda: function(*given), results)


def torch_entries(files: str, function: str, subject: Any, given: Any) -> dict[str, Entry]:
    """Return entries of PyTorch on the GPU, from the ``kernels`` or ``workloads`` of `peers`."""

    def entry(peer: str) -> Entry:
        def make() -> Attempts:
            if find_spec("torch") is None:
                raise InstallError("pip install torch")
            import torch

            if not torch.cuda.is_available():
                raise InstallError("this PyTorch is without CUDA, or its CUDA is not the driver's")
            file = getattr(PEERS[peer], files)
            with torch.device(TORCH_DEVICE):  # while it is made: calls in this mode are slower
                made = PEERS[peer].made(file, function, subject, given)
            return made

        return Entry(make, peer=True)

    return {name: entry(peer) for name, peer in TORCH.items() if getattr(PEERS[peer], files)}


@contextmanager
def precision(tf32: bool) -> Iterator[None]:
    """Let PyTorch use TF32 inside, or not; and search for cuDNN's fastest algorithms."""
    if find_spec("torch") is None:
        yield
        return
    import torch

    switches = [
        (torch.backends.cuda.matmul, "allow_tf32", tf32),
        (torch.backends.cudnn, "allow_tf32", tf32),
        (torch.backends.cudnn, "benchmark", True),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in switches]
    try:
        for place, name, value in switches:
            setattr(place, name, value)
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)
