"""Sums and products of two arrays of one shape, for steps that are compiled as a whole.

``add(a, b)`` -> a + b; ``multiply(a, b)`` -> a b. NumPy does both as well as compiled code; but
what Python does between kernels, `tinymed.compile` could not repeat.
"""

from tinymed.kernels.registry import kernel

add = kernel(__name__, "add", "reference", "numba_cpu", "cuda")
multiply = kernel(__name__, "multiply", "reference", "numba_cpu", "cuda")
