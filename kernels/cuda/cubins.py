"""Compiled machine code, kept on disk: a variant is compiled once per machine, not per process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from tinymed.kernels.cuda.nvrtc import OPTIONS, Compiled, compile_variant, library_version
from tinymed.kernels.cuda.variant import Variant

__all__ = ["cache_folder", "compile_ahead", "compiled", "cubin", "key"]


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
    place = _place(variant, architecture)
    if not _is_kept(place):
        _keep(place, compile_variant(variant, architecture))
    return place


def compile_ahead(
    pairs: Iterable[tuple[Variant, str]], processes: int | None = None
) -> Iterator[tuple[Variant, str, Exception | None]]:
    """Compile for architectures what is not kept yet; yield each pair, and what went wrong.

    NVRTC compiles one program at a time in a process, whatever threads ask it: so they are several,
    as many as there are processors if ``processes`` is None. They do not touch a GPU.
    """
    missing = []
    for pair in pairs:
        if _is_kept(_place(*pair)):
            yield *pair, None
        else:
            missing.append(pair)
    with ProcessPoolExecutor(processes or os.cpu_count(), get_context("spawn")) as pool:
        begun = {pool.submit(compile_variant, *pair): pair for pair in missing}
        for done in as_completed(begun):
            error = done.exception()
            if error is None:
                _keep(_place(*begun[done]), done.result())
            elif not isinstance(error, Exception):
                raise error
            yield *begun[done], error


def compiled(variant: Variant, architecture: str) -> Compiled:
    """Return a variant's machine code and what the compiler said about it."""
    place = cubin(variant, architecture)
    return Compiled(place.read_bytes(), place.with_suffix(".log").read_text())


def _place(variant: Variant, architecture: str) -> Path:
    """Return where a variant's machine code is kept, once it is."""
    return cache_folder() / f"{key(variant, architecture)}.cubin"


def _is_kept(place: Path) -> bool:
    """Return whether all of it is there."""
    return place.exists() and place.with_suffix(".log").exists()


def _keep(place: Path, made: Compiled) -> None:
    """Write machine code, after what the compiler said about it."""
    _write(place.with_suffix(".log"), made.log.encode())
    _write(place, made.cubin)


def _write(place: Path, content: bytes) -> None:
    """Write a file whole or not at all: another process may be reading it."""
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, place)
