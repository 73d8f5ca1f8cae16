"""Compiled machine code, kept on disk: a variant is compiled once per machine, not per process."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from tinymed.kernels.cuda.nvrtc import OPTIONS, Compiled, compile_variant, library_version
from tinymed.kernels.cuda.variant import Variant

__all__ = ["cache_folder", "compiled", "cubin", "key"]


@cache
def cache_folder() -> Path:
    """Return where compiled code is kept: ``TINYMED_CUDA_CACHE``, else in the user's cache.

    Where nothing can be written, each process compiles anew, in a folder of its own.
    """
    named = os.environ.get("TINYMED_CUDA_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinymed" / "cuda"
    folder = Path(named) if named else user
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    return folder if writable else Path(tempfile.mkdtemp(prefix="tinymed-cuda-"))


def key(variant: Variant, architecture: str) -> str:
    """Return the hash of all that decides a variant's machine code, the compiler included."""
    release = ".".join(map(str, library_version()))
    return variant.digest(architecture, release, *OPTIONS)


def cubin(variant: Variant, architecture: str) -> Path:
    """Return the file with a variant's machine code, compiling it where there is none yet.

    Raises
    ------
    CompileError
        With the line of the source, the options and a hint.
    ImportError
        If it has to be compiled and NVRTC is not installed.
    """
    place = cache_folder() / f"{key(variant, architecture)}.cubin"
    if not (place.exists() and place.with_suffix(".log").exists()):
        made = compile_variant(variant, architecture)
        _write(place.with_suffix(".log"), made.log.encode())
        _write(place, made.cubin)
    return place


def compiled(variant: Variant, architecture: str) -> Compiled:
    """Return a variant's machine code and what the compiler said about it."""
    place = cubin(variant, architecture)
    return Compiled(place.read_bytes(), place.with_suffix(".log").read_text())


def _write(place: Path, content: bytes) -> None:
    """Write a file whole or not at all: another process may be reading it."""
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, place)
