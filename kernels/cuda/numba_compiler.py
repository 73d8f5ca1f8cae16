"""Whether numba-cuda can compile here: it may be installed, and still lack what it needs."""

from __future__ import annotations

from functools import cache

__all__ = ["refusal"]


@cache
def refusal() -> str | None:
    """Return why numba-cuda compiles nothing, and what to do; None if it does. No GPU is asked.

    It compiles by NVVM, which is a package of its own, and numba-cuda 0.30 does not know NumPy 2.5,
    of which its metadata say nothing.
    """
    import numpy as np
    from numba import cuda

    try:
        cuda.compile_ptx(_nothing, (), cc=(7, 5))
    except Exception as error:  # of numba, of NVVM's loader, or an attribute that NumPy has no more
        return (
            f"numba-cuda compiles nothing here ({type(error).__name__}: {error}); pip install "
            "tinymed[cuda13], or tinymed[cuda12] if `nvidia-smi` says CUDA 12, and, with NumPy "
            f"{np.__version__}, a numba-cuda that knows it, or 'numpy<2.5'"
        )
    return None


def _nothing() -> None:
    """Do nothing."""
