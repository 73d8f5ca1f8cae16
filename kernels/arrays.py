"""The only file that asks "NumPy or CuPy?".

CuPy is never imported here: an array can only be a CuPy array if its owner has imported CuPy.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np

__all__ = ["Array", "array_module", "is_array", "place", "to_host", "to_place"]

Array = Any  # a NumPy or CuPy array


def array_module(*arrays: Any) -> Any:
    """Return ``cupy`` if one of ``arrays`` is a CuPy array, else ``numpy``.

    Examples
    --------
    >>> array_module(np.ones(2)).__name__
    'numpy'
    """
    cupy = sys.modules.get("cupy")
    if cupy is not None and any(isinstance(array, cupy.ndarray) for array in arrays):
        return cupy
    return np


def is_array(x: Any) -> bool:
    """Tell whether ``x`` is a NumPy or CuPy array."""
    return type(x) is np.ndarray or isinstance(x, array_module(x).ndarray)


def place(array: Any) -> str:
    """Return where ``array`` lives: ``"cpu"`` or ``"cuda:0"``, ``"cuda:1"`` ..."""
    return "cpu" if array_module(array) is np else f"cuda:{array.device.id}"


def to_place(array: Any, device: str) -> Array:
    """Return ``array`` on ``device``; itself where it is there already.

    Raises
    ------
    ValueError
        If ``device`` is not ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    ImportError
        If a GPU is asked for and CuPy is not installed.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: {device!r} is not 'cpu', 'cuda' or 'cuda:N'")
    if device == "cpu":
        return to_host(array)
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            f"device: {device!r} needs cupy; pip install tinymed[cuda12] or tinymed[cuda13]"
        ) from error
    with cupy.cuda.Device(int(device.partition(":")[2] or 0)):
        return cupy.asarray(array)


def to_host(array: Any) -> np.ndarray[Any, Any]:
    """Return ``array`` as a NumPy array, sharing memory where it can."""
    module = array_module(array)
    host: np.ndarray[Any, Any] = np.asarray(array) if module is np else module.asnumpy(array)
    return host
