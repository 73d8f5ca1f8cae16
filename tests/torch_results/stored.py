"""Reading the files that `make.py` wrote, and telling which of their entries are out of date."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

__all__ = ["FOLDER", "fingerprint", "read"]

FOLDER = Path(__file__).parent


def fingerprint(entry: Any) -> str:
    """Return what changes when an entry of a table changes: its dataclass's text, hashed."""
    return hashlib.sha256(repr(entry).encode()).hexdigest()[:16]


def read(name: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Return the arrays of each entry, {entry: {key: array}}, and the facts about the file."""
    found: dict[str, dict[str, Any]] = {}
    with safe_open(FOLDER / f"{name}.safetensors", framework="np") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        for path in file.keys():  # noqa: SIM118 (it is not a dict)
            entry, _, key = path.partition("|")
            found.setdefault(entry, {})[key] = file.get_tensor(path)
    return found, facts
