"""Sums and products of two arrays of one shape, for compiled steps and for 16 bits on a GPU.

``add(a, b)`` -> a + b; ``multiply(a, b)`` -> a b. NumPy and CuPy do both as well; but what Python
does between kernels, `tinymed.compile` could not repeat, and numbers of 16 bits are computed in
float32: as arrays that would be four passes over memory and more.
"""

from tinymed.kernels.registry import kernel

add = kernel(__name__, "add", "reference", "numba_cpu", "cuda")
multiply = kernel(__name__, "multiply", "reference", "numba_cpu", "cuda")
