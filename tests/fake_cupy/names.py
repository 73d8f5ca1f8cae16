"""What CuPy has: its functions with the names of their parameters, its ufuncs.

``python -m tests.fake_cupy.names`` writes them down from the CuPy that is installed.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("names.txt")


def found_in(cupy: Any) -> list[str]:
    """One line for each callable of CuPy that NumPy has too: its name, then its parameters."""
    import numpy as np

    lines = []
    for name in sorted(vars(cupy)):
        given = getattr(cupy, name)
        if name.startswith("_") or not callable(getattr(np, name, None)) or isinstance(given, type):
            continue
        words = [name]
        if inspect.isfunction(given):
            marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
            parameters = inspect.signature(given).parameters.values()
            words += [marks.get(p.kind, "") + p.name for p in parameters]
        else:
            words += ["ufunc"] if isinstance(given, cupy.ufunc) else ["*args", "**kwargs"]
        lines.append(" ".join(words))
    return lines


def known() -> dict[str, list[str]]:
    """Return the parameters of each function, by its name."""
    lines = FILE.read_text().splitlines()
    return {name: words for name, *words in map(str.split, lines)}


if __name__ == "__main__":
    import cupy

    FILE.write_text("\n".join(found_in(cupy)) + "\n")
