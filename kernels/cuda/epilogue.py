"""The numbers by which kernels know an activation: those of epilogue.cuh."""

__all__ = ["ACTIVATIONS"]

ACTIVATIONS: dict[str | None, int] = {None: 0, "relu": 1, "tanh": 2, "sigmoid": 3}
