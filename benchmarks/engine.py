"""The engine against PyTorch: a chain of small ops, a training step, the import.

    python -m benchmarks.engine [--repeats N] [--batch N] [--json [FILE]]

Run it from the root of the repository, on a quiet machine. PyTorch and threadpoolctl
(``pip install tinymed[bench]``) are optional: rows that need them say so. Nothing is timed before
both sides agree on its result.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import tinymed as tm
from tinymed import nn
from tinymed.bench.machine import cores, machine
from tinymed.bench.timing import Interval, alternate, median_interval, ratio

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "benchmarks" / "record" / "engine.json"
LENGTH = 50
PEERS = {  # PyTorch's memory layout, and whether Adam is fused
    "torch": (False, False),
    "torch, channels_last": (True, False),
    "torch, channels_last, fused Adam": (True, True),
}
# What a fresh interpreter takes to import tinymed when NumPy is there already, in seconds.
IMPORT = (
    "import time, numpy; t = time.perf_counter(); import tinymed; print(time.perf_counter() - t)"
)

Step = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One comparison; times in seconds."""

    work: str
    peer: str
    ours: Interval | None = None
    theirs: Interval | None = None
    ratio: Interval | None = None
    note: str = ""


def chain_rows(repeats: int) -> Iterator[Row]:
    """Forward and backward of 50 products of 8 x 8 float32 arrays, on one thread."""
    leaves: dict[str, Any] = {"tinymed": tm.ones(8, 8, requires_grad=True)}
    if torch := torch_or_none():
        torch.set_num_threads(1)
        leaves["torch"] = torch.ones(8, 8, requires_grad=True)
    for factor in (1.01, None):
        candidates = {name: partial(chain, leaf, factor) for name, leaf in leaves.items()}
        for name, candidate in candidates.items():
            expected = 51.0 if factor is None else factor**LENGTH  # x is 1: d/dx x^51
            np.testing.assert_allclose(candidate(), expected, rtol=1e-5, err_msg=name)
        work = f"y = y * {factor or 'x'}, 8 x 8, {LENGTH} times: an op, forward + backward"
        yield from compared(work, candidates, repeats, ["torch"], per_call=LENGTH)


def chain(x: Any, factor: float | None) -> Any:
    """Return the gradient of the sum of x * factor * factor * ..., None standing for x itself."""
    x.grad = None
    y = x
    for _ in range(LENGTH):
        y = y * (x if factor is None else factor)
    y.sum().backward()
    return x.grad


def step_rows(repeats: int, batch: int) -> Iterator[Row]:
    """Training steps of a CNN for 64 x 64 CT patches, on one and on two threads."""
    for threads in (1, 2):
        work = f"lung CNN step, batch {batch}, {threads} thread{'s' * (threads > 1)}"
        if importlib.util.find_spec("threadpoolctl") is None:
            yield Row(work, "torch", note="needs threadpoolctl: pip install tinymed[bench]")
        elif threads > cores():
            yield Row(work, "torch", note="this machine has one core")
        else:
            with limited(threads):
                yield from compared(work, steps(batch), repeats, list(PEERS))


@contextlib.contextmanager
def limited(threads: int) -> Iterator[None]:
    """Let NumPy's BLAS and PyTorch use so many threads."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    if torch := torch_or_none():
        torch.set_num_threads(threads)
    with threadpool_limits(threads, user_api="blas"):
        yield


def steps(batch: int) -> dict[str, Step]:
    """Return the step of each candidate, from the same parameters on the same batch."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 1, 64, 64), dtype=np.float32)
    labels = rng.integers(0, 2, batch)
    layers: list[nn.Module] = []
    for before, after in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1, activation="relu"), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(64 * 8 * 8, 128, activation="relu"), nn.Linear(128, 2)]
    model = nn.Sequential(*layers)
    start = [parameter.data.copy() for parameter in model.parameters()]
    candidates = {"tinymed": our_step(model, images, labels)}
    if torch_or_none():
        candidates |= {name: their_step(start, images, labels, *PEERS[name]) for name in PEERS}
        losses = {name: [step() for _ in range(3)] for name, step in candidates.items()}
        for name, loss in losses.items():
            np.testing.assert_allclose(loss, losses["tinymed"], rtol=1e-3, err_msg=name)
    return candidates


def our_step(model: nn.Module, images: Any, labels: Any) -> Step:
    """Return a step of tinymed on the reference kernels."""
    x, y = tm.tensor(images), tm.tensor(labels)
    optimizer = tm.optim.Adam(model.parameters())
    criterion = nn.CrossEntropyLoss()

    def step() -> float:
        with tm.use_backend("reference"):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            return float(loss.item())

    return step


def their_step(
    start: list[Any], images: Any, labels: Any, channels_last: bool, fused: bool
) -> Step:
    """Return a step of PyTorch."""
    torch = torch_or_none()
    functional = torch.nn.functional
    layout = torch.channels_last if channels_last else torch.contiguous_format
    parameters = [torch.tensor(array) for array in start]
    parameters = [
        (p.contiguous(memory_format=layout) if p.ndim == 4 else p).requires_grad_()
        for p in parameters
    ]
    x = torch.tensor(images).contiguous(memory_format=layout)
    y = torch.tensor(labels)
    optimizer = torch.optim.Adam(parameters, fused=fused)

    def step() -> float:
        optimizer.zero_grad()
        h = x
        for weight, bias in zip(parameters[0:6:2], parameters[1:6:2], strict=True):
            h = functional.max_pool2d(functional.conv2d(h, weight, bias, padding=1).relu(), 2)
        h = functional.linear(h.flatten(1), parameters[6], parameters[7]).relu()
        h = functional.linear(h, parameters[8], parameters[9])
        loss = functional.cross_entropy(h, y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def import_rows(repeats: int) -> Iterator[Row]:
    """``import tinymed`` in fresh interpreters that have imported NumPy, from byte code."""
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", IMPORT]

        def seconds() -> float:
            return float(subprocess.check_output(command, env=environment, cwd=ROOT, text=True))

        seconds()
        if not any(Path(cache).rglob("tensor.*.pyc")):
            raise RuntimeError("import_rows: no byte code was written, the time would be another")
        ours = median_interval([seconds() for _ in range(repeats)])
    yield Row("import tinymed, NumPy being there", "none", ours)


def compared(
    work: str, candidates: dict[str, Any], repeats: int, peers: list[str], per_call: int = 1
) -> Iterator[Row]:
    """Time candidates, and yield a row for each peer; ``per_call`` units of work are in a call."""
    found = alternate(candidates, repeats)
    seconds = {name: [s / per_call for s in samples.wall] for name, samples in found.items()}
    ours = median_interval(seconds["tinymed"])
    for peer in peers:
        if peer in seconds:
            quotient = ratio(seconds["tinymed"], seconds[peer])
            yield Row(work, peer, ours, median_interval(seconds[peer]), quotient)
        else:
            yield Row(work, peer, ours, note="PyTorch is not installed")


def torch_or_none() -> Any:
    """Return PyTorch where it is installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def shown(interval: Interval | None, scale: float = 1.0) -> str:
    """Return "median (low to high)"."""
    if interval is None:
        return "-"
    median = f"{interval.median * scale:.3g}"
    if interval.low is None or interval.high is None:
        return median
    return f"{median} ({interval.low * scale:.3g} to {interval.high * scale:.3g})"


def line(row: Row) -> str:
    """Return a row of the Markdown table."""
    times = (shown(row.ours, 1e3), shown(row.theirs, 1e3))
    return f"| {row.work} | {row.peer} | {' | '.join(times)} | {row.note or shown(row.ratio)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--repeats", type=int, default=60, help="measurements of each candidate")
    parser.add_argument("--batch", type=int, default=32, help="images in the training step")
    parser.add_argument("--json", type=Path, nargs="?", const=RECORD, help="also write a record")
    options = parser.parse_args()
    for name in ("repeats", "batch"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} {getattr(options, name)} is not positive")
    facts = machine()
    print(f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']}, {facts['versions']}")
    print(f"Medians of {options.repeats} measurements made in turns, with 95 % intervals.\n")
    print("| work | peer | tinymed, ms | peer, ms | ratio |\n| --- | --- | --- | --- | --- |")
    rows = []
    for row in itertools.chain(
        chain_rows(options.repeats),
        step_rows(options.repeats, options.batch),
        import_rows(options.repeats),
    ):
        rows.append(row)
        print(line(row), flush=True)
    if options.json is not None:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        record = {"machine": facts, "repeats": options.repeats, "rows": [asdict(r) for r in rows]}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
