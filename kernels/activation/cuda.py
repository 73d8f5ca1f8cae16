"""Activations in CUDA: an entry point for each, one pass over memory."""

from __future__ import annotations

from tinymed.kernels.activation.reference import FORMULAS
from tinymed.kernels.arrays import Array
from tinymed.kernels.cuda import SCALARS, Variant
from tinymed.kernels.cuda.elements import for_elements
from tinymed.precision import of_sums

__all__ = ["VARIANTS", "forward", "grad"]

PARAMETERS = 3  # that every entry point takes; most formulas use fewer
OF_DTYPE = {
    dtype: Variant(
        f"activation/{dtype}",
        "activation/activation.cu",
        tuple(f"{direction}_{name}" for name in FORMULAS for direction in ("forward", "grad")),
        (("SCALAR", scalar), ("SUM", of_sum)),
    )
    for dtype, (scalar, of_sum) in SCALARS.items()
}
VARIANTS = tuple(OF_DTYPE.values())


def forward(x: Array, name: str, *parameters: float) -> Array:
    """Return f(x)."""
    return _of_elements(f"forward_{name}", (x,), parameters)


def grad(grad_output: Array, known: Array, name: str, *parameters: float) -> Array:
    """Return dL/dx from dL/dy and x, or y for relu, sigmoid and tanh."""
    return _of_elements(f"grad_{name}", (grad_output, known), parameters)


def _of_elements(entry: str, arrays: tuple[Array, ...], parameters: tuple[float, ...]) -> Array:
    dtype = arrays[0].dtype
    numbers = (*parameters, *[0.0] * (PARAMETERS - len(parameters)))
    return for_elements(OF_DTYPE[dtype.name], entry, arrays, *map(of_sums(dtype).type, numbers))
