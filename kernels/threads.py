"""How many threads the CPU kernels use; without Numba there are none but the caller's."""

from __future__ import annotations

import os
from numbers import Integral

__all__ = ["get_num_threads", "set_num_threads"]


def _from_environment() -> int:
    """Return ``TINYMED_NUM_THREADS``, or the number of cores that this process may use."""
    asked = os.environ.get("TINYMED_NUM_THREADS")
    if asked is None:
        affinity = getattr(os, "sched_getaffinity", None)  # Linux only
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if not asked.isdigit() or int(asked) < 1:
        raise ValueError(f"TINYMED_NUM_THREADS={asked!r} is not a number of threads >= 1")
    return int(asked)


_threads = _from_environment()


def get_num_threads() -> int:
    """Return how many threads a compiled kernel may use.

    At first that is ``TINYMED_NUM_THREADS``, else the number of cores this process may run on.
    """
    return _threads


def set_num_threads(threads: int) -> None:
    """Let compiled kernels use ``threads`` threads, the calling one among them.

    The results do not depend on it, not by a bit. NumPy's own threads, in matrix products on the
    reference, are set by ``OPENBLAS_NUM_THREADS`` or threadpoolctl.

    Raises
    ------
    ValueError
        If ``threads`` is not an integer >= 1.
    """
    global _threads
    if not isinstance(threads, Integral) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"set_num_threads: {threads!r} is not an integer >= 1")
    _threads = int(threads)
