"""The sums of biases, as the loops over time take them. One of no elements is none."""

from __future__ import annotations

from typing import Any

from tinymed.kernels.compiled import compiled

__all__ = ["add_biases", "gru_biases"]


@compiled
def add_biases(first: int, last: int, total: Any, a: Any, b: Any) -> None:
    """Write the sum of both."""
    for i in range(total.size):
        total[i] = (a[i] if a.size else 0) + (b[i] if b.size else 0)


@compiled
def gru_biases(first: int, last: int, total: Any, of_input: Any, of_state: Any) -> None:
    """Write the biases of r, z and n in W x, and that of n in U h, which r is to reach."""
    size = total.size // 4
    for i in range(3 * size):
        total[i] = of_input[i] if of_input.size else 0
    for i in range(size):
        for gate in range(2):
            total[gate * size + i] += of_state[gate * size + i] if of_state.size else 0
        total[3 * size + i] = of_state[2 * size + i] if of_state.size else 0
