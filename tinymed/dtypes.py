"""The dtypes under PyTorch's names: ``tm.float32``, or ``tm.float``, is NumPy's dtype.

Wherever a dtype is asked for, its name ("float32") and NumPy's type serve as well.

>>> import tinymed as tm
>>> tm.zeros(2, dtype=tm.long).dtype == tm.int64
True

``tm.bfloat16`` is looked for when it is named: NumPy has it from `ml_dtypes`, without which that is
an ImportError with what to install.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from tinymed import precision

__all__ = [
    "bool",
    "double",
    "float",
    "float16",
    "float32",
    "float64",
    "half",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "short",
    "uint8",
]

float16 = half = np.dtype("float16")
float32 = float = np.dtype("float32")
float64 = double = np.dtype("float64")
int8 = np.dtype("int8")
int16 = short = np.dtype("int16")
int32 = int = np.dtype("int32")
int64 = long = np.dtype("int64")
uint8 = np.dtype("uint8")
bool = np.dtype("bool")

if TYPE_CHECKING:
    bfloat16: np.dtype[Any]
else:

    def __getattr__(name: str) -> Any:
        """Return bfloat16."""
        if name == "bfloat16":
            return precision.bfloat16()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
