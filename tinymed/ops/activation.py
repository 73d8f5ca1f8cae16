"""Activations: the f in y = f(W x + b), those that are smooth; softmax.

Those with kinks are in `rectifiers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from tinymed.autograd import Variable
from tinymed.errors import check_dim
from tinymed.kernels import activation as kernels
from tinymed.kernels import matmul as layer_kernels
from tinymed.kernels import softmax as softmax_kernels
from tinymed.kernels.activation.reference import GELU_CUBIC, GELU_FAR, GELU_LINEAR
from tinymed.kernels.arrays import Array
from tinymed.ops.arithmetic import add, multiply, subtract
from tinymed.ops.division import divide
from tinymed.ops.elementwise import Unary, abs, clamp, exp, where
from tinymed.ops.joining import split
from tinymed.ops.promotion import cast, floating, rounded_once
from tinymed.ops.reduction import check_floating, sum
from tinymed.ops.special import normal_density, normal_distribution

__all__ = [
    "gelu",
    "glu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
]

FUSED = (None, "relu", "tanh", "sigmoid")  # what linear and convolution take as activation=


class Activation(Unary):
    """The family of f(x) and f'(x) dL/dy by kernels, which see to 16 bits by themselves.

    `derivative` says the same by ops, for a second derivative.
    """

    as_given = True
    name: ClassVar[str]  # of the kernels' formula
    parameters: tuple[float, ...] = ()
    derivative: Callable[..., Any]

    def gradient(self, grad_output: Any, known: Any) -> tuple[Any, ...]:
        """Return dL/dx from dL/dy and x, or y."""
        if not isinstance(grad_output, Variable):
            return (kernels.grad(grad_output, known, self.name, *self.parameters),)
        return (rounded_once(self.derivative)(grad_output, known),)


class OfInput:
    """What an `Activation` is too whose gradient needs x."""

    def forward(self: Any, x: Array) -> Any:
        return kernels.forward(x, self.name, *self.parameters)

    def backward(self: Any, grad_output: Any, x: Any) -> Any:
        return self.gradient(grad_output, x)


class OfOutput:
    """What an `Activation` is too whose gradient is read off y: x need not be kept."""

    def forward(self: Any, x: Array) -> Any:
        return kernels.forward(x, self.name, *self.parameters)

    def backward(self: Any, grad_output: Any, output: Any) -> Any:
        return self.gradient(grad_output, output)


class ReLU(OfOutput, Activation):
    """y = max(x, 0);  dL/dx = dL/dy where y > 0 (or NaN), else 0."""

    name = "relu"

    def derivative(self, grad_output: Any, y: Any) -> Any:
        return where(y != 0, grad_output, 0.0)


class Tanh(OfOutput, Activation):
    """y = tanh(x);  dL/dx = (1 - y^2) dL/dy."""

    name = "tanh"

    def derivative(self, grad_output: Any, y: Any) -> Any:
        return grad_output * (1 - y * y)


class Sigmoid(OfOutput, Activation):
    """y = 1 / (1 + exp(-x));  dL/dx = y (1 - y) dL/dy."""

    name = "sigmoid"

    def derivative(self, grad_output: Any, y: Any) -> Any:
        return grad_output * (y * (1 - y))


class Softplus(OfInput, Activation):
    """y = log(1 + exp(beta x)) / beta, and x where beta x > threshold.

    dL/dx = sigmoid(beta x) dL/dy, and dL/dy beyond the threshold. No overflow for large |x|.
    """

    name = "softplus"

    def __init__(self, beta: float = 1.0, threshold: float = math.inf) -> None:
        self.parameters = float(beta), float(threshold)

    def derivative(self, grad_output: Any, x: Any) -> Any:
        beta, threshold = self.parameters
        z = x * beta
        return where(z > threshold, grad_output, grad_output * sigmoid(z))


class LogSigmoid(OfInput, Activation):
    """y = -log(1 + exp(-x));  dL/dx = sigmoid(-x) dL/dy.  No overflow for large |x|."""

    name = "logsigmoid"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        return grad_output * sigmoid(-x)


class SiLU(OfInput, Activation):
    """y = x s, s = sigmoid(x);  dL/dx = s (1 + x (1 - s)) dL/dy."""

    name = "silu"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        s = sigmoid(x)
        return grad_output * (s * (1 + x * (1 - s)))


class Mish(OfInput, Activation):
    """y = x t, t = tanh(softplus(x));  dL/dx = (t + x (1 - t^2) sigmoid(x)) dL/dy."""

    name = "mish"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        t = tanh(Softplus()(x))
        return grad_output * (t + x * (1 - t * t) * sigmoid(x))


class GELU(OfInput, Activation):
    """y = x P, P = (1 + erf(x / sqrt(2))) / 2;  dL/dx = (P + x exp(-x^2/2) / sqrt(2 pi)) dL/dy."""

    name = "gelu"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        return grad_output * (normal_distribution(x) + x * normal_density(x))


class GELUTanh(OfInput, Activation):
    """y = x s, s = sigmoid(a x + b x^3);  dL/dx = (s + x s (1 - s) (a + 3 b x^2)) dL/dy.

    a = sqrt(8 / pi), b = 0.044715 a: s is (1 + tanh((a x + b x^3) / 2)) / 2.
    """

    name = "gelu_tanh"

    def derivative(self, grad_output: Any, x: Any) -> Any:
        a, b, z = GELU_LINEAR, GELU_CUBIC, clamp(x, -GELU_FAR, GELU_FAR)
        s = sigmoid(z * (a + b * (z * z)))
        return grad_output * (s + z * (s * (1 - s)) * (a + 3 * b * (z * z)))


class AlongClasses(Unary):
    """The family of softmax ops: the kernels have the classes in the middle, (M, C, L)."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def in_the_middle(self, x: Array) -> Array:
        """Return ``x`` as (M, C, L)."""
        shape = x.shape or (1,)
        inner = math.prod(shape[self.dim + 1 :])
        return x.reshape(math.prod(shape[: self.dim]), shape[self.dim], inner)


class Softmax(AlongClasses):
    """y_i = exp(x_i) / sum_j exp(x_j) along an axis;  dL/dx = y (dL/dy - sum_j y_j dL/dy_j)."""

    def forward(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        return softmax_kernels.softmax(self.in_the_middle(x)).reshape(x.shape)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable) or output.size == 0:
            share = grad_output * output
            return (share - output * sum(share, self.dim, keepdim=True),)
        given = self.in_the_middle(grad_output), self.in_the_middle(output)
        return (softmax_kernels.softmax_grad(*given).reshape(output.shape),)


class LogSoftmax(AlongClasses):
    """y_i = x_i - log sum_j exp(x_j) along an axis;  dL/dx = dL/dy - exp(y) sum_j dL/dy_j."""

    def forward(self, x: Array) -> Array:
        if x.size == 0:
            return x.copy()
        return softmax_kernels.log_softmax(self.in_the_middle(x)).reshape(x.shape)

    def backward(self, grad_output: Array, output: Array) -> tuple[Any, ...]:
        if isinstance(grad_output, Variable) or output.size == 0:
            return (grad_output - exp(output) * sum(grad_output, self.dim, keepdim=True),)
        given = self.in_the_middle(grad_output), self.in_the_middle(output)
        return (softmax_kernels.log_softmax_grad(*given).reshape(output.shape),)


def activation_gradient(grad_output: Any, output: Any, activation: str | None) -> Any:
    """Return dL/dx of y = f(x) from dL/dy and y: what a fused f needs to know of its input."""
    if activation is not None and not isinstance(grad_output, Variable):
        return kernels.grad(grad_output, output, activation)
    if activation == "relu":
        return where(output != 0, grad_output, 0.0)
    if activation == "tanh":
        return grad_output * (1 - output * output)
    if activation == "sigmoid":
        return grad_output * (output * (1 - output))
    return grad_output


def bias_gradient(grad_output: Any) -> Any:
    """Return dL/dbias (C,) of a layer from dL/dy (N, C, *S): the sum over the other axes."""
    if not isinstance(grad_output, Variable):
        return layer_kernels.bias_grad(grad_output)
    return sum(grad_output, (0, *range(2, grad_output.data.ndim)))


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


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """Return log(1 + exp(``beta`` x)) / ``beta``, without overflow.

    As in PyTorch it is x itself where ``beta`` x > ``threshold``, which at 20 changes 2e-9;
    ``threshold=inf`` is exact.
    """
    check_floating("softplus", x)
    if beta == 0:
        raise ValueError("softplus: beta is 0, by which it divides")
    return Softplus(beta, threshold)(x)


def logsigmoid(x: Any) -> Any:
    """Return log(sigmoid(x)), exact also where sigmoid underflows."""
    check_floating("logsigmoid", x)
    return LogSigmoid()(x)


@rounded_once
def softsign(x: Any) -> Any:
    """Return x / (1 + abs(x)): from -1 to 1 as tanh, but slowly."""
    return divide(x, add(abs(x), 1))


@rounded_once
def tanhshrink(x: Any) -> Any:
    """Return x - tanh(x)."""
    return subtract(x, tanh(x))


def silu(x: Any) -> Any:
    """Return x sigmoid(x), also called swish (Elfwing et al., 2017)."""
    check_floating("silu", x)
    return SiLU()(x)


def mish(x: Any) -> Any:
    """Return x tanh(softplus(x)) (Misra, 2019)."""
    check_floating("mish", x)
    return Mish()(x)


def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x P(a standard normal number <= x): x (1 + erf(x / sqrt(2))) / 2.

    Parameters
    ----------
    approximate : "none" or "tanh"
        "tanh": x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, off by at most 5e-4, as some
        published weights expect it.

    References
    ----------
    Hendrycks & Gimpel (2016), "Gaussian error linear units".
    """
    check_floating("gelu", x)
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate={approximate!r} is not one of 'none', 'tanh'")
    return GELU()(x) if approximate == "none" else GELUTanh()(x)


@rounded_once
def glu(x: Any, dim: int = -1) -> Any:
    """Return a sigmoid(b) of the two halves a and b of ``x`` along ``dim``.

    References
    ----------
    Dauphin et al. (2016), "Language modeling with gated convolutional networks".
    """
    check_floating("glu", x)
    axis = check_dim("glu", dim, x.ndim)
    if not x.shape or x.shape[axis] % 2:
        raise ValueError(f"glu: x {x.shape} has no two halves along dim {dim}")
    a, b = split(x, x.shape[axis] // 2, axis) if x.shape[axis] else (x, x)
    return multiply(a, sigmoid(b))


def softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """Return exp(x) / sum(exp(x)) along ``dim``, without overflow; computed in ``dtype``."""
    return Softmax(check_dim("softmax", dim, x.ndim))(logits("softmax", x, dtype))


def softmin(x: Any, dim: int, dtype: Any = None) -> Any:
    """Return softmax(-x) along ``dim``."""
    return Softmax(check_dim("softmin", dim, x.ndim))(-logits("softmin", x, dtype))


def log_softmax(x: Any, dim: int, dtype: Any = None) -> Any:
    """Return log(softmax(x)) along ``dim``, exact also where softmax underflows."""
    return LogSoftmax(check_dim("log_softmax", dim, x.ndim))(logits("log_softmax", x, dtype))


def logits(name: str, x: Any, dtype: Any) -> Any:
    """Return ``x`` in ``dtype``, or raise if it is not of floats."""
    x = x if dtype is None else cast(x, dtype)
    check_floating(name, x)
    return x
