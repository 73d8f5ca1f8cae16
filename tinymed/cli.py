"""The ``tinymed`` command: one sub-command a line, each delegating at once."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import numpy as np

from tinymed import __version__, serialization
from tinymed.bench import command as bench
from tinymed.kernels.devices import device_count, why_no_gpu
from tinymed.kernels.registry import table
from tinymed.medical.check.command import add_check
from tinymed.medical.detection.command import add_scan
from tinymed.medical.tasks.task import TASKS, WritesPredictions, load_model, task_of

__all__ = ["main"]

# What a user can cause: said in one line. Anything else is a defect and shows its traceback.
EXPECTED = (ImportError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for an error, 130 when interrupted."""
    print_whatever_comes()
    options = parser().parse_args(arguments)
    try:
        if getattr(options, "json", None) is not None:
            serialization.check_writable(options.json)
        if getattr(options, "compiles", False):
            say_when_compiling()
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads the output, `head` for one, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 1
    except EXPECTED as error:
        if os.environ.get("TINYMED_DEBUG"):
            raise
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"tinymed: error: {message}{notes}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tinymed: interrupted; what was written so far is kept", file=sys.stderr)
        return 130
    return 0


def print_whatever_comes() -> None:
    """Write what a terminal has no character for as an escape: no run ends for a file's name."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all sub-commands."""
    top = argparse.ArgumentParser(
        prog="tinymed",
        description="Deep learning in medicine. Research software, not a medical device.",
    )
    top.add_argument("--version", action="version", version=f"tinymed {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name in TASKS:
        task = task_of(name)
        command = commands.add_parser(name, help=task.help, description=task.help)
        task.add_arguments(command)
        command.set_defaults(
            run=lambda options, task=task: report(task.train(options), options.json),
            compiles=True,
        )
    _add_evaluate(commands.add_parser("evaluate", help="measure a trained model on a file"))
    _add_predict(commands.add_parser("predict", help="apply a trained model to images"))
    add_check(commands.add_parser("check", help="leakage, duplicates, doubted labels of a file"))
    add_scan(commands.add_parser("scan", help="find what could be nodules in a whole chest CT"))
    info = commands.add_parser("info", help="versions, backends, and why a GPU is not used")
    info.set_defaults(run=lambda options: print(installation()))
    bench.add_bench(commands.add_parser("bench", help="time kernels side by side, and peers"))
    bench.add_verify(commands.add_parser("verify", help="prove kernels against the reference"))
    bench.add_kernels(commands.add_parser("kernels", help="list the kernels, or compile them all"))
    return top


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", type=Path, metavar="MODEL", help="folder of a run, or its model.safetensors"
    )
    command.add_argument(
        "--data", type=Path, required=True, metavar="PATH", help="file or folder with labels"
    )
    command.add_argument("--split", help="train, val or test (default: test, or all there is)")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the metrics here")
    command.set_defaults(run=evaluate, compiles=True)


def _add_predict(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", type=Path, metavar="MODEL", help="folder of a run, or its model.safetensors"
    )
    command.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="npz, npy, picture, DICOM slice, NIfTI, or folder with a CSV: what the task reads",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write there what fits into no line: masks (segment), images without noise (enhance)",
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the predictions here")
    command.set_defaults(run=predict, compiles=True)


def say_when_compiling() -> None:
    """Let the first kernel that is compiled, not taken from the cache, say so on a line."""
    if find_spec("numba") is None:
        return
    from tinymed.kernels import compiled

    def once(function: str) -> None:
        compiled.announce = silent
        print("compiling kernels, once on this machine: it can take a minute", file=sys.stderr)

    silent, compiled.announce = compiled.be_silent, once


def evaluate(options: argparse.Namespace) -> None:
    """``tinymed evaluate``: the task that trained the model measures it."""
    saved = load_model(options.model)
    task = task_of(saved.about["task"])
    report(task.evaluate(saved, options.data, options.split), options.json)


def predict(options: argparse.Namespace) -> None:
    """``tinymed predict``: one line per image."""
    saved = load_model(options.model)
    task = task_of(saved.about["task"])
    if options.out is None:
        predictions = task.predict(saved, options.paths)
    elif isinstance(task, WritesPredictions):
        predictions = task.write_predictions(saved, options.paths, options.out)
    else:
        raise ValueError(f"predict: {task.name} says all in a line or --json; leave out --out")
    for each in predictions:
        print("  ".join(f"{key}={shown(value)}" for key, value in each.items()))
    write_json(predictions, options.json)


def report(metrics: dict[str, Any], path: Path | None) -> None:
    """Print metrics, one a line, and write them as JSON where asked to."""
    width = max(map(len, metrics))
    for key, value in metrics.items():
        if key != "warnings":
            print(f"{key.ljust(width)}  {shown(value)}")
    for warning in metrics.get("warnings", ()):
        print(f"warning: {warning}")
    write_json(metrics, path)


def write_json(content: Any, path: Path | None) -> None:
    """Write JSON to a file, whole or not at all."""
    if path is not None:
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        serialization.write_bytes(text.encode(), path)


def shown(value: Any) -> str:
    """Return a number with four digits, how many records there are, anything else as it is."""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return f"{len(value)} entries, in the JSON"
    if isinstance(value, list):
        return " to ".join(map(shown, value)) if len(value) == 2 else str(value)
    return "undefined" if value is None else str(value)


def installation() -> str:
    """Return versions, what is installed, the kernels and the state of the GPU, as text."""
    lines = [
        f"tinymed {__version__}, Python {sys.version.split()[0]}, NumPy {np.__version__}",
        f"processors: {os.cpu_count()}",
    ]
    for extra, packages in EXTRAS.items():
        lacking = [name for name in packages if find_spec(name) is None]
        state = (
            f"needs {', '.join(lacking)}: pip install tinymed[{extra}]" if lacking else "installed"
        )
        lines.append(f"extra {extra}: {state}")
    lines += [f"GPU: {gpu()}", "kernels:"]
    lines += [f"  {name} on {backend}: {state}" for name, backend, state in table()]
    return "\n".join(lines)


EXTRAS = {
    "fast": ("numba",),
    "bfloat16": ("ml_dtypes",),
    "medical": ("pydicom", "PIL", "scipy", "nibabel"),
    "report": ("matplotlib", "jinja2"),
    "cli": ("rich",),
}


def gpu() -> str:
    """Say which GPU there is, or why none is used."""
    if find_spec("cupy") is None:
        return "not used: CuPy is not installed; pip install tinymed[cuda12] or tinymed[cuda13]"
    import cupy

    if why := why_no_gpu(cupy):
        return f"not used: {why}"
    count = device_count(cupy)
    names = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
    return ", ".join(names)
