"""What ``torch.cuda`` is asked most: whether there is a GPU, and how many.

>>> device = "cuda" if is_available() else "cpu"
"""

import importlib.util

__all__ = ["device_count", "is_available"]


def device_count() -> int:
    """Return how many GPUs CuPy can use; 0 without CuPy, a driver or a GPU."""
    if importlib.util.find_spec("cupy") is None:
        return 0
    import cupy

    try:
        return int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError:  # no driver, or no GPU
        return 0


def is_available() -> bool:
    """Tell whether tensors can live on a GPU."""
    return device_count() > 0
