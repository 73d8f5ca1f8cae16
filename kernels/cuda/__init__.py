"""What all CUDA kernels stand on: declared variants, the compiler, the launcher, the gate.

A kernel is a real ``.cu`` file in the folder of its operation, and ``cuda.py`` beside it chooses a
`Variant`, computes its grid and calls `launch`. No file here needs a GPU to be imported, and all of
it but the last step, the launch by CuPy, is tested without one. `README.md` is how to add a kernel.
"""

from tinymed.kernels.cuda.launcher import (
    LAUNCHER,
    Launcher,
    Resources,
    Struct,
    address,
    capability,
    empty,
    launch,
    launch_python,
    resources,
)
from tinymed.kernels.cuda.tensor_map import TensorMap
from tinymed.kernels.cuda.variant import ARCHITECTURES, SCALARS, Grid, Variant, blocks, variants

__all__ = [
    "ARCHITECTURES",
    "LAUNCHER",
    "SCALARS",
    "Grid",
    "Launcher",
    "Resources",
    "Struct",
    "TensorMap",
    "Variant",
    "address",
    "blocks",
    "capability",
    "empty",
    "launch",
    "launch_python",
    "resources",
    "variants",
]
