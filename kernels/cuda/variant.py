"""A CUDA kernel as Python declares it: which file, which constants, which GPUs, how it is launched.

One ``.cu`` file is a family of kernels: constants that it leaves open (tile sizes, data types) are
given by ``-D``, so that the source stays plain CUDA that a compiler and a reader see unchanged.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["ARCHITECTURES", "KERNELS_FOLDER", "SCALARS", "Grid", "Variant", "blocks", "variants"]

KERNELS_FOLDER = Path(__file__).parents[1]
# Turing, Ampere and Ada (sm_86 and sm_89 run the code of sm_80), Hopper, Blackwell (B200; RTX 50).
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
# Of a dtype what arrays hold and what is computed in, as C calls them (scalars.cuh).
SCALARS = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "bfloat16": ("bfloat16", "float"),
    "float16": ("float16", "float"),
}
INCLUDE = re.compile(r'^\s*#include\s+"([^"]+)"', re.MULTILINE)


class Grid(NamedTuple):
    """How many blocks are launched along x, y and z."""

    x: int
    y: int = 1
    z: int = 1


@dataclass(frozen=True)
class Variant:
    """One way to compile a ``.cu`` file, and what a launch of it needs.

    Parameters
    ----------
    name : str
        Its own among all variants: "matmul/float32_128x128".
    source : str
        The file, from the folder ``kernels/``: "matmul/tiles.cu".
    entries : tuple of str
        Its ``extern "C"`` kernels.
    defines : tuple of (str, int or str)
        The constants that the source leaves open.
    architectures : tuple of str
        Which GPUs it is for; a GPU runs what was compiled for an earlier one of its own generation.
    threads : int
        Threads of a block, as ``__launch_bounds__`` says it.
    shared : int
        Bytes of dynamic shared memory of a block; what is launched `with_shared` more is the same.
    cooperative : bool
        Whether all blocks wait for each other, and so must all be resident.
    cluster : int
        Blocks of a cluster, which reach into each other's shared memory (from sm_90); 1 for none.
    """

    name: str
    source: str
    entries: tuple[str, ...]
    defines: tuple[tuple[str, int | str], ...] = ()
    architectures: tuple[str, ...] = ARCHITECTURES
    threads: int = 256
    shared: int = field(default=0, compare=False)
    cooperative: bool = False
    cluster: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.threads <= 1024:
            raise ValueError(f"Variant {self.name}: {self.threads} threads, expected 1 to 1024")
        if not self.entries:
            raise ValueError(f"Variant {self.name}: no entry points")

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        """Return where the source is."""
        return KERNELS_FOLDER / self.source

    @property
    def options(self) -> tuple[str, ...]:
        """Return the ``-D`` options."""
        return tuple(f"-D{name}={value}" for name, value in self.defines)

    def with_shared(self, size: int) -> Variant:
        """Return the same machine code, launched with ``size`` bytes of dynamic shared memory."""
        return replace(self, shared=size)

    def target(self, capability: tuple[int, int]) -> str:
        """Return what to compile for on a GPU of this compute capability, (9, 0) for sm_90.

        Raises
        ------
        LookupError
            If the variant is not for such a GPU.
        """
        major, minor = capability
        for name in (f"sm_{major}{minor}a", *(f"sm_{major}{m}" for m in range(minor, -1, -1))):
            if name in self.architectures:
                return name
        raise LookupError(
            f"{self.name} is for {', '.join(self.architectures)}, not for this GPU's "
            f"sm_{major}{minor}; choose another variant"
        )

    def text(self) -> str:
        """Return the source."""
        return self.path.read_text()

    def headers(self) -> dict[str, str]:
        """Return the text of each file that the source includes, directly or not, by its name."""
        return _headers(self.path)

    def digest(self, *others: str) -> str:
        """Return a hash of all that decides the machine code: sources, constants and ``others``."""
        parts = (self.text(), *self.headers().values(), *self.options, *self.entries, *others)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _headers(path: Path) -> dict[str, str]:
    """Return the included files: those beside a source come before those in ``kernels/cuda/``."""
    found: dict[str, str] = {}
    waiting = [path]
    while waiting:
        for name in INCLUDE.findall(waiting.pop().read_text()):
            if name in found:
                continue
            places = [folder / name for folder in (path.parent, KERNELS_FOLDER / "cuda")]
            place = next((p for p in places if p.exists()), None)
            if place is None:
                raise FileNotFoundError(
                    f"{path.name}: #include {name!r} is neither beside it nor in kernels/cuda/"
                )
            found[name] = place.read_text()
            waiting.append(place)
    return found


def blocks(count: int, each: int) -> int:
    """Return how many blocks of ``each`` cover ``count``.

    Examples
    --------
    >>> blocks(128, 128), blocks(129, 128), blocks(0, 128)
    (1, 2, 0)
    """
    return -(-count // each)


@cache
def variants() -> tuple[Variant, ...]:
    """Return all variants: the ``VARIANTS`` of the Python files beside CUDA sources.

    Raises
    ------
    LookupError
        If two have one name, or a source belongs to none, so that nothing would prove it.
    """
    found: list[Variant] = []
    sources = sorted(KERNELS_FOLDER.glob("*/**/*.cu"))
    for folder in sorted({path.parent for path in sources}):
        package = ".".join(folder.relative_to(KERNELS_FOLDER).parts)
        for path in sorted(folder.glob("*.py")):
            if re.search(r"^VARIANTS\b", path.read_text(), re.MULTILINE):
                name = package if path.stem == "__init__" else f"{package}.{path.stem}"
                module: Any = importlib.import_module(f"tinymed.kernels.{name}")
                found += module.VARIANTS
    names = [variant.name for variant in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LookupError(f"variants: {', '.join(twice)} declared twice")
    orphans = sorted({str(path) for path in sources} - {str(v.path) for v in found})
    if orphans:
        raise LookupError(f"variants: no VARIANTS names {', '.join(orphans)}")
    return tuple(found)
