"""NVIDIA's run-time compiler, called through ctypes: CUDA C to machine code, without a GPU.

CuPy has it too, but only where there is a driver; the compile gate runs where there is none.

References
----------
NVIDIA, "NVRTC: CUDA Runtime Compilation", release 13.0.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tinymed.kernels.cuda.variant import Variant

__all__ = ["CompileError", "Compiled", "compile_variant", "library_version"]

OPTIONS = ("--std=c++17", "--ptxas-options=-v")
INSTALL = "pip install tinymed[cuda13] or, for a CUDA 12 driver, tinymed[cuda12]"
LOG_ERROR = re.compile(
    r"^(?P<file>[^\s(]+)\((?P<line>\d+)\): (?:catastrophic )?error:? ?(.*)", re.M
)
HINTS = (
    (r"could not open source file", "include only files beside the source or in kernels/cuda/"),
    (r"identifier \"(\w+)\" is undefined", "declare it, or give it by -D in the Variant's defines"),
    (
        r"uses too much shared data",
        "more than 48 KiB must be dynamic: DYNAMIC_SHARED and `shared=`",
    ),
    (r"not supported on \.target|requires \.target", "leave this GPU out of `architectures`"),
    (
        r"invalid value for --gpu-architecture",
        "this NVRTC does not know the GPU; see ARCHITECTURES",
    ),
)


class CompileError(RuntimeError):
    """A CUDA source does not compile; the message has its line, the options and a hint."""


class Compiled(NamedTuple):
    """Machine code, and what the compiler says about it."""

    cubin: bytes
    log: str


@cache
def _library() -> Any:
    """Load NVRTC: from its wheel, else from where the system has it."""
    spec = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in (spec.submodule_search_locations or ())] if spec else []
    for root in roots:
        for path in sorted(root.glob("c*/lib/libnvrtc.so.*")):  # of CUDA 13 first
            # The wheel's library looks for its built-in functions by name, not by its own folder.
            for builtins in sorted(path.parent.glob("libnvrtc-builtins.so.*")):
                ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(str(path))
    name = ctypes.util.find_library("nvrtc")
    if name is None:
        raise ImportError(f"compile_variant: needs NVRTC, NVIDIA's compiler: {INSTALL}")
    return ctypes.CDLL(name)


@cache
def library_version() -> tuple[int, int]:
    """Return NVRTC's version, (13, 0); `ImportError` where it is not installed."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def compile_variant(variant: Variant, architecture: str) -> Compiled:
    """Compile a variant for one GPU architecture, "sm_90".

    Raises
    ------
    CompileError
        With the line of the source, the options and a hint.
    ImportError
        If NVRTC is not installed.
    """
    options = (f"--gpu-architecture={architecture}", *OPTIONS, *variant.options)
    library, program = _library(), ctypes.c_void_p()
    headers = variant.headers()
    texts, names = (
        (ctypes.c_char_p * len(headers))(*[part.encode() for part in parts])
        for parts in (headers.values(), headers.keys())
    )
    text = variant.text()
    library.nvrtcCreateProgram(
        ctypes.byref(program), text.encode(), variant.source.encode(), len(headers), texts, names
    )
    try:
        given = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        failed = library.nvrtcCompileProgram(program, len(options), given)
        log = _output(program, "ProgramLog").rstrip(b"\0").decode()
        if failed:
            raise CompileError(_explain(variant, options, log, text))
        return Compiled(_output(program, "CUBIN"), log)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def _output(program: ctypes.c_void_p, what: str) -> bytes:
    """Return something that NVRTC made of a program, as bytes."""
    size = ctypes.c_size_t()
    getattr(_library(), f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(_library(), f"nvrtcGet{what}")(program, buffer)
    return buffer.raw


def _explain(variant: Variant, options: tuple[str, ...], log: str, text: str) -> str:
    """Word a compile error: the first message with its source line, all options, a hint."""
    lines = [f"{variant.name}: {variant.source} does not compile"]
    found = LOG_ERROR.search(log)
    if found:
        name, number = found["file"], int(found["line"])
        source = variant.headers().get(Path(name).name, text).splitlines()
        lines.append(f"  {name}:{number}: {found[3]}")
        lines.append(f"    {source[number - 1].strip()}" if number <= len(source) else "")
    else:
        lines.append(f"  {log.strip()}")
    lines.append(f"  options: {' '.join(options)}")
    hint = next((hint for pattern, hint in HINTS if re.search(pattern, log)), None)
    if hint:
        lines.append(f"  hint: {hint}")
    return "\n".join(line for line in lines if line)
