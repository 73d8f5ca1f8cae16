"""The compile gate: every variant, for every GPU it is for, is what it was when it was looked at.

``python -m tinymed.kernels.cuda.gate`` compiles each variant for each of its architectures (no GPU
is needed), and compares what came out with ``gate.json``: its entry points, registers, spills,
shared memory and counts of instructions. ``--update`` writes the file anew: a deliberate act.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tinymed.kernels.cuda import machine_code
from tinymed.kernels.cuda.cubins import cache_folder, compile_ahead, key
from tinymed.kernels.cuda.machine_code import BEGUN, Figures, figures
from tinymed.kernels.cuda.nvrtc import CompileError, library_version
from tinymed.kernels.cuda.variant import Variant, variants

__all__ = ["RECORD", "compiler", "main", "measured", "objections", "written"]

RECORD = Path(__file__).parent / "gate.json"
REGISTERS = 65536  # of a multiprocessor: a block must find room
# Bytes of shared memory that a block may have, by compute capability (CUDA C Programming Guide,
# "Technical specifications per compute capability").
SHARED = {75: 64, 80: 163, 86: 99, 89: 99, 90: 227, 100: 227, 103: 227, 120: 99, 121: 99}
SHOWN = (
    "FFMA",
    "DFMA",
    "HMMA",
    "HGMMA",
    "UTMALDG",
    "LDG",
    "LDG.128",
    "LDGSTS",
    "LDS",
    "LDS.128",
    "LDSM",
    "BAR",
)


def compiler() -> str:
    """Return the release that figures belong to: registers differ between releases."""
    try:
        return importlib.metadata.version("nvidia-cuda-nvrtc")
    except importlib.metadata.PackageNotFoundError:
        return ".".join(map(str, library_version()))


def measured(variant: Variant, architecture: str) -> dict[str, Figures]:
    """Return a variant's figures, from the cache where nothing has changed."""
    counting = hashlib.sha256(Path(machine_code.__file__).read_bytes()).hexdigest()[:8]
    place = cache_folder() / f"{key(variant, architecture)}-{counting}.json"
    if place.exists():
        return {name: Figures(**one) for name, one in json.loads(place.read_text()).items()}
    found = figures(variant, architecture)
    place.write_text(json.dumps({name: one.as_json() for name, one in found.items()}))
    return found


def objections(
    variant: Variant, architecture: str, found: dict[str, Figures], record: dict[str, Any]
) -> Iterator[str]:
    """Yield what is wrong with a variant's machine code, and how it differs from the record."""
    for entry in variant.entries:
        one = found.get(entry)
        if one is None or one.instructions < 8:
            yield f'no code for the entry point {entry!r}; is it extern "C", and not a template?'
            continue
        if one.spills or one.opcodes.keys() & {"LDL", "STL"}:
            yield f"{entry} spills registers ({one.spills} bytes); make its tile smaller"
        if 1 < one.opcodes.get("HGMMA", 0) <= one.opcodes.get(BEGUN, 0):
            yield f"{entry} waits for each product of a warpgroup; is there a way past the first?"
        if one.registers * variant.threads > REGISTERS:
            yield f"{entry}: {one.registers} registers x {variant.threads} threads > {REGISTERS}"
        number = int(architecture.removeprefix("sm_").rstrip("af"))
        if one.shared + variant.shared > SHARED[number] * 1024:
            yield f"{entry}: {one.shared + variant.shared} bytes shared, {SHARED[number]} KiB exist"
        known = record.get(entry)
        if known is None:
            yield f"{entry} is not in {RECORD.name}; look at the figures, then --update"
        elif known != one.as_json():
            yield f"{entry} is not what {RECORD.name} says: {_difference(known, one.as_json())}"


def _difference(known: dict[str, Any], now: dict[str, Any]) -> str:
    """Say which figures differ, from what to what."""
    before, after = ({**one, **one["opcodes"]} for one in (known, now))
    names = sorted((before.keys() | after.keys()) - {"opcodes"})
    changed = [n for n in names if before.get(n, 0) != after.get(n, 0)]
    return ", ".join(f"{name} {before.get(name, 0)} -> {after.get(name, 0)}" for name in changed)


def written(record: dict[str, Any]) -> str:
    """Return a record as JSON with a line for each variant and GPU: what changes is seen."""
    lines = []
    for name, known in sorted(record["figures"].items()):
        own = ",\n".join(
            f'  "{gpu}": {json.dumps(one, sort_keys=True)}' for gpu, one in sorted(known.items())
        )
        lines.append(f' "{name}": {{\n{own}\n }}')
    every = ",\n".join(lines)
    return f'{{"compiler": "{record["compiler"]}", "figures": {{\n{every}\n}}}}\n'


def _row(variant: Variant, architecture: str, entry: str, one: Figures) -> str:
    counts = " ".join(f"{one.opcodes.get(name, 0):>7}" for name in SHOWN)
    name = variant.name if entry in variant.name else f"{variant.name} {entry}"
    return (
        f"{name:44} {architecture:7} {one.registers:>5} {one.spills:>6} "
        f"{one.shared + variant.shared:>7} {one.instructions:>6} {counts}"
    )


def _judge(pair: tuple[Variant, str]) -> tuple[dict[str, Figures], str | None]:
    """Return the figures of a variant on an architecture, or why it does not compile."""
    try:
        return measured(*pair), None
    except CompileError as error:
        return {}, str(error)


def main(argv: Sequence[str] | None = None) -> int:
    """Compile, print the table, then what is wrong; return 1 if anything is, else 0."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--update", action="store_true", help=f"write {RECORD.name} anew")
    parser.add_argument("--only", default="", help="variants whose name contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilations at once")
    options = parser.parse_args(argv)
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {"figures": {}}
    chosen = [v for v in variants() if options.only in v.name]
    pairs = [(v, a) for v in chosen for a in v.architectures]
    for _ in compile_ahead(pairs, options.jobs):  # what does not compile is judged below
        pass
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(_judge, pairs))
    head = " ".join(f"{name:>7}" for name in SHOWN)
    print(f"{'kernel':44} {'GPU':7} {'regs':>5} {'spills':>6} {'shared':>7} {'instr.':>6} {head}")
    wrong, now = [], {n: one for n, one in record["figures"].items() if options.only not in n}
    for (variant, architecture), (found, failure) in zip(pairs, results, strict=True):
        known = record["figures"].get(variant.name, {}).get(architecture, {})
        now.setdefault(variant.name, {})[architecture] = {
            entry: one.as_json() for entry, one in found.items()
        }
        print(*(_row(variant, architecture, *item) for item in found.items()), sep="\n")
        said = [failure] if failure else objections(variant, architecture, found, known)
        wrong += [f"{variant.name} on {architecture}: {one}" for one in said]
    status = _finish(options.update, wrong, {"compiler": compiler(), "figures": now}, record)
    print(f"gate: {len(pairs)} variants x architectures, compiler {compiler()}, {status} wrong")
    return min(status, 1)


def _finish(update: bool, wrong: list[str], now: dict[str, Any], record: dict[str, Any]) -> int:
    """Write or compare the record, say what is wrong; return how much is."""
    if update:
        RECORD.write_text(written(now))
        wrong = [one for one in wrong if RECORD.name not in one]
    elif record.get("compiler") != now["compiler"]:
        wrong.append(f"compiled by {now['compiler']}, {RECORD.name} by {record.get('compiler')}")
    elif gone := record["figures"].keys() - now["figures"].keys():
        wrong.append(f"{RECORD.name} has {', '.join(sorted(gone))}, which no longer exist")
    for one in wrong:
        print(f"gate: {one}", file=sys.stderr)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main())
