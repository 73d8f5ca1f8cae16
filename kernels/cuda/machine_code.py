"""What the compiler made of a kernel: registers, spills, shared memory, and its instructions."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tinymed.kernels.cuda.cubins import compiled, cubin
from tinymed.kernels.cuda.variant import Variant

__all__ = ["BEGUN", "Figures", "figures"]

# What a reader of the table wants to know: arithmetic, tensor cores, memory by its width, waiting.
COUNTED = (
    *(
        "FFMA",
        "DFMA",
        "HFMA2",
        "HMMA",
        "IMMA",
        "HGMMA",
        "UTCHMMA",
        "MUFU",
        "SHFL",
        "BAR",
        "UCGABAR",
    ),
    *("LDG", "STG", "LDS", "STS", "LDSM", "LDGSTS", "UTMALDG", "LDL", "STL"),
    *("ATOM", "ATOMG", "ATOMS", "RED", "REDG"),
)
BEGUN = "WARPGROUP.ARRIVE"  # before products of warpgroups that follow each other unwaited
WIDE = ("LDG", "STG", "LDS", "STS")  # also counted where they move 128 bits at a time
FUNCTION = re.compile(r"^\.text\.(\w+):")
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)")
ENTRY = re.compile(r"Compiling entry function '(\w+)'(.*?)(?=Compiling entry function|\Z)", re.S)


@dataclass(frozen=True)
class Figures:
    """One entry point on one architecture; bytes of spills a thread, of shared memory a block."""

    registers: int
    spills: int
    stack: int
    shared: int
    instructions: int
    opcodes: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON writes it."""
        return asdict(self)


@cache
def _disassembler() -> str:
    """Return nvdisasm: from its wheel, else from the path."""
    spec = importlib.util.find_spec("nvidia")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        for path in Path(root).glob("c*/bin/nvdisasm"):
            return str(path)
    found = shutil.which("nvdisasm")
    if found is None:
        raise ImportError("figures: needs nvdisasm; pip install tinymed[gpu-proof]")
    return found


def figures(variant: Variant, architecture: str) -> dict[str, Figures]:
    """Return the figures of each entry point that is in a variant's machine code.

    Raises
    ------
    CompileError
        If it does not compile.
    ImportError
        If NVRTC or nvdisasm is not installed.
    """
    log = compiled(variant, architecture).log
    counts = _opcodes(cubin(variant, architecture))
    found = {}
    for name, said in ENTRY.findall(log):
        count = counts[name]
        found[name] = Figures(
            registers=_number(r"Used (\d+) registers", said),
            spills=sum(int(n) for n in re.findall(r"(\d+) bytes spill", said)),
            stack=_number(r"(\d+) bytes stack frame", said),
            shared=_number(r"(\d+) bytes smem", said),
            instructions=count.total(),
            opcodes=_chosen(count),
        )
    return found


def _number(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    return int(match[1]) if match else 0


def _opcodes(path: Path) -> dict[str, Counter[str]]:
    """Return how often each instruction stands in each function, with its modifiers."""
    run = subprocess.run(
        [_disassembler(), "-c", str(path)], capture_output=True, text=True, check=True
    )
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    function = ""
    for line in run.stdout.splitlines():
        if match := FUNCTION.match(line):
            function = match[1]
        elif "@!PT" not in line and (match := INSTRUCTION.match(line)):  # !PT: never carried out
            counts[function][match[1]] += 1
    for count in counts.values():
        del count["NOP"]  # only fills up the last cache line
    return counts


def _chosen(count: Counter[str]) -> dict[str, int]:
    """Return the counts of `COUNTED`, `BEGUN` and 128-bit accesses, those that are not 0."""
    chosen: Counter[str] = Counter()
    for opcode, times in count.items():
        stem, *modifiers = opcode.split(".")
        if stem in COUNTED or opcode == BEGUN:
            chosen[opcode if opcode == BEGUN else stem] += times
        if stem in WIDE and "128" in modifiers:
            chosen[f"{stem}.128"] += times
    return dict(sorted(chosen.items()))
