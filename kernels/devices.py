"""Whether there is a GPU, and if not, why not and what to do: asked by all who are to use one.

CuPy is imported here, when a GPU is asked for, and nowhere else outside of `tinymed.kernels.cuda`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["cupy_on_gpu", "device_count", "out_of_memory", "why_no_gpu"]


def cupy_on_gpu(who: str) -> Any:
    """Return CuPy, with a GPU for it.

    Parameters
    ----------
    who : str
        What needs it: how an error begins.

    Raises
    ------
    ImportError
        If CuPy is not installed, or cannot be loaded.
    RuntimeError
        If there is no driver, one that is older than CuPy's CUDA, or no GPU.
    """
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            f"{who} needs cupy ({error}); pip install tinymed[cuda13], or tinymed[cuda12] where "
            "`nvidia-smi` says CUDA 12"
        ) from error
    if why := why_no_gpu(cupy):
        raise RuntimeError(f"{who} needs a GPU: {why}")
    return cupy


def device_count(cupy: Any) -> int:
    """Return how many GPUs CuPy can use; 0 without a driver that fits."""
    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:
        return 0


def why_no_gpu(cupy: Any) -> str | None:
    """Return why CuPy can use no GPU, and what to do; None if it can."""
    runtime = cupy.cuda.runtime
    try:
        if runtime.getDeviceCount():
            return None
    except runtime.CUDARuntimeError as error:
        try:
            driver, built_for = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        except runtime.CUDARuntimeError:
            driver = built_for = 0  # there is no driver to ask
        if 0 < driver // 1000 < built_for // 1000:
            return (
                f"the driver is for CUDA {driver // 1000}, cupy is built for CUDA "
                f"{built_for // 1000}; pip install tinymed[cuda{driver // 1000}], or update the "
                "driver"
            )
        return (
            f"no NVIDIA driver or GPU ({error}); run where `nvidia-smi` lists a GPU, or keep the "
            "arrays in NumPy"
        )
    return "no GPU is visible; see CUDA_VISIBLE_DEVICES, or keep the arrays in NumPy"


def out_of_memory(cupy: Any, who: str, error: Exception) -> MemoryError:
    """Word the error for a GPU whose memory does not suffice, with the sizes in use."""
    pool = cupy.get_default_memory_pool()
    free, total = cupy.cuda.runtime.memGetInfo()
    used, held = pool.used_bytes(), pool.total_bytes()
    limit = f", its limit is {_gib(pool.get_limit())}" if pool.get_limit() else ""
    return MemoryError(
        f"{who} is more than the GPU has left ({error}); arrays have {_gib(used)}, "
        f"{_gib(held - used)} lie ready in the pool{limit}, {_gib(free)} of the GPU's "
        f"{_gib(total)} are free; use smaller batches, or tinymed.cuda.empty_cache() if another "
        "process needs the GPU too"
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB"
