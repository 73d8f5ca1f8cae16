"""Golden files: what the emulator computes, for a GPU to be held against.

``python -m tests.cuda_emulator.golden`` writes ``benchmarks/record/golden.json`` anew: for each
implementation in CUDA a sample of the results of one trial, the largest of a few thousand numbers
in float32, or else in float16, with the hash of its arguments.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.trials import Trial, expected, implementations, run, trials
from tinymed.bench.gpu.golden import packed

__all__ = ["GOLDEN", "chosen", "main"]

GOLDEN = Path(__file__).parents[2] / "benchmarks" / "record" / "golden.json"
LARGEST = 4000  # numbers of all results and arguments of a trial


def chosen(kernel: str, implementation: str) -> Trial:
    """Return the trial of an implementation that is kept."""
    every = trials(kernel, implementation)
    kinds = ([t for t in every if t.dtype == dtype] for dtype in (np.float32, np.float16))
    own = next(filter(None, kinds), list(every))
    fit = (t for t in reversed(own) if 0 < sum(map(np.size, expected(t))) <= LARGEST)
    return next(fit, own[-1])


def written(kept: dict[str, dict[str, Any]]) -> str:
    """Return JSON with a line for each implementation."""
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(one)}" for name, one in kept.items())
    made = json.dumps("python -m tests.cuda_emulator.golden")
    return f'{{"made by": {made}, "results": {{\n{lines}\n}}}}\n'


def main() -> int:
    """Write the file; return the exit status."""
    argparse.ArgumentParser(prog="python -m tests.cuda_emulator.golden").parse_args()
    if unavailable():
        print(f"golden: {unavailable()}", file=sys.stderr)
        return 1
    kept = {}
    for kernel, implementation in implementations():
        trial = chosen(kernel, implementation)
        kept[f"{kernel} {implementation}"] = packed(trial, run(trial))
    GOLDEN.write_text(written(kept))
    print(f"golden: {len(kept)} implementations, {GOLDEN.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
