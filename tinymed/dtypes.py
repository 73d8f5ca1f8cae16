"""The dtypes under PyTorch's names: ``tm.float32``, or ``tm.float``, is NumPy's dtype.

Wherever a dtype is asked for, its name ("float32") and NumPy's type serve as well.

>>> import tinymed as tm
>>> tm.zeros(2, dtype=tm.long).dtype == tm.int64
True
"""

import numpy as np

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
