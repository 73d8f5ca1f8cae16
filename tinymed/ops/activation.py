"""Activations: the f in y = f(W x + b), and softmax."""

from __future__ import annotations

from typing import Any

from tinymed.errors import check_dim
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.matmul.reference import activate
from tinymed.ops.elementwise import Unary, exp
from tinymed.ops.promotion import floating
from tinymed.ops.reduction import sum

__all__ = ["log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]

FUSED = (None, "relu", "tanh", "sigmoid")  # what linear and convolution take as activation=


class ReLU(Unary):
    """y = max(x, 0);  dL/dx = dL/dy where y > 0, else 0."""

    def forward(self, x: Array) -> Array:
        return array_module(x).maximum(x, 0)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output > 0),)


class Tanh(Unary):
    """y = tanh(x);  dL/dx = (1 - y^2) dL/dy."""

    def forward(self, x: Array) -> Array:
        return array_module(x).tanh(x)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (1 - output * output),)


class Sigmoid(Unary):
    """y = 1 / (1 + exp(-x));  dL/dx = y (1 - y) dL/dy."""

    def forward(self, x: Array) -> Array:
        return activate(x.copy(), "sigmoid")

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output * (output * (1 - output)),)


class Softplus(Unary):
    """y = log(1 + exp(x));  dL/dx = sigmoid(x) dL/dy.  No overflow for large |x|."""

    def forward(self, x: Array) -> Array:
        xp = array_module(x)
        return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, grad_output: Array, x: Array) -> tuple[Any, ...]:
        return (grad_output * sigmoid(x),)


class Softmax(Unary):
    """y_i = exp(x_i) / sum_j exp(x_j) along an axis;  dL/dx = y (dL/dy - sum_j y_j dL/dy_j)."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        y = array_module(x).exp(x - x.max(axis=self.dim, keepdims=True))
        y /= y.sum(axis=self.dim, keepdims=True)
        return y

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        share = grad_output * output
        return (share - output * sum(share, self.dim, keepdim=True),)


class LogSoftmax(Unary):
    """y_i = x_i - log sum_j exp(x_j) along an axis;  dL/dx = dL/dy - exp(y) sum_j dL/dy_j."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def forward(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        xp = array_module(x)
        shifted = x - x.max(axis=self.dim, keepdims=True)
        return shifted - xp.log(xp.exp(shifted).sum(axis=self.dim, keepdims=True))

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        return (grad_output - exp(output) * sum(grad_output, self.dim, keepdim=True),)


def activation_gradient(grad_output: Any, output: Any, activation: str | None) -> Any:
    """Return dL/dx of y = f(x) from dL/dy and y: what a fused f needs to know of its input."""
    if activation == "relu":
        return grad_output * (output > 0)
    if activation == "tanh":
        return grad_output * (1 - output * output)
    if activation == "sigmoid":
        return grad_output * (output * (1 - output))
    return grad_output


def check_activation(name: str, activation: str | None) -> None:
    """Raise if ``activation`` is not one that can be fused."""
    if activation not in FUSED:
        raise ValueError(
            f"{name}: activation={activation!r} is not one of {', '.join(map(repr, FUSED))}; "
            "put other activations after the layer"
        )


def relu(x: Any) -> Any:
    """Return max(x, 0); NaN stays NaN."""
    return ReLU()(x)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return Tanh()(floating(x))


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return Sigmoid()(floating(x))


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), without overflow."""
    return Softplus()(floating(x))


def softmax(x: Any, dim: int) -> Any:
    """Return exp(x) / sum(exp(x)) along ``dim``, without overflow."""
    return Softmax(check_dim("softmax", dim, x.ndim))(floating(x))


def log_softmax(x: Any, dim: int) -> Any:
    """Return log(softmax(x)) along ``dim``, exact also where softmax underflows."""
    return LogSoftmax(check_dim("log_softmax", dim, x.ndim))(floating(x))
