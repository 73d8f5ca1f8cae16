"""The emulator's results beside a GPU's: for each implementation those of one small trial."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tinymed.bench.gpu.checks import At, run
from tinymed.bench.gpu.device import Gpu
from tinymed.bench.gpu.guard import OtherGpuError
from tinymed.bench.gpu.journal import Row
from tinymed.bench.gpu.trials import Trial, allowed, same_bits, trials
from tinymed.bench.proof import DisagreementError, compare

__all__ = ["GoldenFile", "digest", "golden", "packed"]

SAMPLE = 64  # numbers of each array that are kept, spread over all of it


class GoldenFile:
    """What the emulator computed: for each implementation the results of one small trial.

    Made by ``python -m tests.cuda_emulator.golden``. A GPU rounds divisions and functions in its
    own way, so its results may differ by what rounding may cause. Where they differ by more, and
    the emulator agrees with the reference, the emulator is not what the GPU is: in the layouts of
    fragments, say, which it has from a document.
    """

    def __init__(self, path: Path) -> None:
        self.of: dict[str, dict[str, Any]] = json.loads(path.read_text())["results"]

    def trial(self, kernel: str, implementation: str) -> Trial | None:
        """Return the trial whose results are kept, None if there are none."""
        known = self.of.get(f"{kernel} {implementation}", {}).get("trial")
        return next((t for t in trials(kernel, implementation) if str(t) == known), None)

    def results(self, kernel: str, implementation: str) -> list[Any]:
        """Return samples of what the emulator computed; None for what was left as it was."""
        kept = self.of[f"{kernel} {implementation}"]["results"]
        return [None if one is None else _unpacked(one) for one in kept]

    def inputs(self, kernel: str, implementation: str) -> str:
        """Return the hash of the arguments."""
        found: str = self.of[f"{kernel} {implementation}"]["inputs"]
        return found


def packed(trial: Trial, found: list[Any]) -> dict[str, Any]:
    """Return what a golden file keeps of a trial; what is as it was given is left out."""
    given = [a.tobytes() for a in _flat(trial.arguments())]
    own = [isinstance(one, np.ndarray) and one.tobytes() not in given for one in found]
    kept = [_packed(one) if new else None for one, new in zip(found, own, strict=True)]
    return {"trial": str(trial), "inputs": digest(trial), "results": kept}


def digest(trial: Trial) -> str:
    """Return the hash of a trial's arguments."""
    return hashlib.sha256(b"".join(a.tobytes() for a in _flat(trial.arguments()))).hexdigest()[:16]


def _flat(given: tuple[Any, ...]) -> list[np.ndarray[Any, Any]]:
    """Return the arrays among arguments and in their lists."""
    parts = (part for one in given for part in (one if isinstance(one, list) else [one]))
    return [part for part in parts if isinstance(part, np.ndarray)]


def _packed(array: np.ndarray[Any, Any]) -> list[Any]:
    sample = base64.b64encode(zlib.compress(_sample(array).tobytes(), 9)).decode()
    return [array.dtype.name, list(array.shape), sample]


def _sample(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return `SAMPLE` elements of an array, from the first to the last; all of a small one."""
    flat = array.reshape(-1)
    if flat.size <= SAMPLE:
        return flat
    return flat[np.linspace(0, flat.size - 1, SAMPLE).astype(np.int64)]


def _unpacked(one: list[Any]) -> np.ndarray[Any, Any]:
    """Return the sample of an array that a golden file keeps."""
    dtype, _, data = one
    return np.frombuffer(zlib.decompress(base64.b64decode(data)), dtype)


def golden(gpu: Gpu, file: GoldenFile, kernel: str, implementation: str, at: At) -> Row:
    """Return the row that compares a GPU with the emulator."""
    row: Row = {"kernel": kernel, "implementation": implementation, "state": "proved"}
    trial = file.trial(kernel, implementation)
    if trial is None:
        return row | {"state": "not run", "note": "no results of the emulator are kept"}
    if digest(trial) != file.inputs(kernel, implementation):
        return row | {"state": "not run", "note": "this NumPy draws other numbers"}
    at(f"golden: {trial}")
    try:
        found, _ = run(gpu, trial)
        pairs = zip(found, file.results(kernel, implementation), strict=True)
        both = [(_sample(np.asarray(a)), b) for a, b in pairs if b is not None]
        limits = {one: 2 * limit for one, limit in allowed(trial).items()}  # each may be off by one
        wide = [b.astype(np.float64) if b.dtype == trial.dtype else b for _, b in both]
        row["worst"] = compare([a for a, _ in both], wide, limits)
        row["same_bits"] = same_bits([a for a, _ in both], [b for _, b in both])
    except OtherGpuError as error:
        row |= {"state": "not run", "note": str(error)}
    except DisagreementError as error:
        row |= {"state": "wrong", "note": f"{trial}: {error}"}
    return row
