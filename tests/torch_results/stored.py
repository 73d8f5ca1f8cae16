"""Files of stored results: compressed safetensors whose keys are ``entry|what``."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

__all__ = ["fingerprint", "read", "write"]

FOLDER = Path(__file__).parent / "results"
Arrays = dict[str, np.ndarray[Any, Any]]


def fingerprint(entry: Any) -> str:
    """Return what changes when an entry of a table changes: its dataclass's text, hashed."""
    return hashlib.sha256(repr(entry).encode()).hexdigest()[:16]


def write(name: str, results: dict[str, Arrays], facts: dict[str, Any]) -> None:
    """Write the arrays of each entry, and facts about them; the same results give the same file."""
    path = FOLDER / f"{name}.safetensors.gz"
    arrays = {
        f"{entry}|{key}": np.ascontiguousarray(array).reshape(array.shape)
        for entry, found in results.items()
        for key, array in found.items()
    }
    content = save(arrays, {"facts": json.dumps(facts, sort_keys=True)})
    path.write_bytes(gzip.compress(content, mtime=0))
    print(f"{path.name}: {len(results)} entries, {path.stat().st_size / 1000:.0f} kB")


def read(name: str) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Return the arrays of each entry, {entry: {key: array}}, and the facts; nothing if no file."""
    path = FOLDER / f"{name}.safetensors.gz"
    if not path.exists():
        return {}, {"entries": {}}
    content = gzip.decompress(path.read_bytes())
    found: dict[str, Arrays] = {}
    for path_of, array in load(content).items():
        entry, _, key = path_of.partition("|")
        found.setdefault(entry, {})[key] = array
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    facts: dict[str, Any] = json.loads(header["__metadata__"]["facts"])
    return found, facts
