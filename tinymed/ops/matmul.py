"""Matrix products, and the layer y = f(W x + b)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinymed.autograd import Function, Variable
from tinymed.kernels import matmul as kernels
from tinymed.kernels.arrays import Array
from tinymed.ops.activation import activation_gradient, bias_gradient, check_activation
from tinymed.ops.broadcasting import Broadcasting, Shape
from tinymed.ops.promotion import same_dtype
from tinymed.ops.shaping import squeeze, transpose, unsqueeze

__all__ = ["linear", "matmul"]


class MatMul(Broadcasting):
    """Y = A B over the last two axes;  dL/dA = dL/dY B^T, dL/dB = A^T dL/dY."""

    as_given = True

    def output_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        if len(a) < 2 or len(b) < 2 or a[-1] != b[-2]:
            raise ValueError(
                f"matmul: a {a} and b {b} do not fit; the last axis of a must equal "
                "the second last of b"
            )
        try:
            return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
        except ValueError:
            raise ValueError(
                f"matmul: the batch axes of a {a} and b {b} do not broadcast"
            ) from None

    def forward(self, a: Array, b: Array) -> Array:
        return kernels.product(a, b)  # (..., N, K)(..., K, M) -> (..., N, M)

    def backward(self, grad_output: Array, a: Array, b: Array) -> tuple[Any, ...]:
        to_a, to_b = self.edges
        return (
            matmul(grad_output, transpose(b, -1, -2)) if to_a else None,
            matmul(transpose(a, -1, -2), grad_output) if to_b else None,
        )


class Linear(Function):
    """Y = X W^T + b;  dL/dX = dL/dY W, dL/dW = dL/dY^T X, dL/db = sum dL/dY."""

    as_given = True

    activation: str | None = None

    def output_shape(self, x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
        if len(weight) != 2 or not x or x[-1] != weight[1]:
            raise ValueError(
                f"linear: x {x} has {x[-1] if x else 'no'} features but weight {weight} "
                f"expects {weight[-1] if weight else 'two axes'}"
            )
        if bias not in (None, (weight[0],)):
            raise ValueError(
                f"linear: bias {bias} does not fit weight {weight}; expected one per row"
            )
        return (*x[:-1], weight[0])

    def forward(self, x: Array, weight: Array, bias: Array | None) -> Array:
        shape = self.output_shape(x.shape, weight.shape, None if bias is None else bias.shape)
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        return kernels.linear(rows, weight, bias, self.activation).reshape(shape)

    def backward(self, grad_output: Array, x: Array, weight: Array) -> tuple[Any, ...]:
        to_x, to_weight, to_bias = self.edges
        count, (outputs, features) = math.prod(x.shape[:-1]), weight.shape
        arrays = not isinstance(grad_output, Variable)
        product = kernels.product if arrays else matmul  # the op's checks have all been made
        rows = grad_output.reshape(count, outputs)  # (M, H)
        grad_x = grad_weight = grad_bias = None
        if to_x:
            grad_x = product(rows, weight).reshape(x.shape)
        if to_weight:
            grad_weight = product(rows.T, x.reshape(count, features))
        if to_bias:
            grad_bias = bias_gradient(rows)
        return grad_x, grad_weight, grad_bias


class LinearActivated(Linear):
    """Y = f(X W^T + b) in one node; f' is read off Y."""

    def __init__(self, activation: str) -> None:
        self.activation = activation

    def backward(  # type: ignore[override]
        self, grad_output: Array, x: Array, weight: Array, output: Array
    ) -> tuple[Any, ...]:
        return super().backward(
            activation_gradient(grad_output, output, self.activation), x, weight
        )


def matmul(a: Any, b: Any) -> Any:
    """Return the matrix product of the last two axes, the axes before them broadcast.

    A vector is a row on the left and a column on the right; the axis made for it is taken away.
    """
    same_dtype("matmul", a=a, b=b)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: a {a.shape} and b {b.shape} need at least one axis; use *")
    row, column = a.ndim == 1, b.ndim == 1
    y = MatMul()(unsqueeze(a, 0) if row else a, unsqueeze(b, 1) if column else b)
    y = squeeze(y, -1) if column else y
    return squeeze(y, -1 if column else -2) if row else y


def linear(x: Any, weight: Any, bias: Any = None, activation: str | None = None) -> Any:
    """Return f(x weight^T + bias).

    Parameters
    ----------
    x : (..., D)
    weight : (H, D)
    bias : (H,) or None
    activation : None, "relu", "tanh" or "sigmoid"
        Fused into the same node: the input of f is not kept.

    Returns
    -------
    (..., H)
    """
    same_dtype("linear", x=x, weight=weight, bias=bias)
    check_activation("linear", activation)
    node = Linear() if activation is None else LinearActivated(activation)
    return node(x, weight, bias)
