"""Matrix products with the rest of a layer fused in.

``linear(x, weight, bias, activation)``: f(x weight^T + bias), x (M, D), weight (H, D), bias (H,)
or None, activation None, "relu", "tanh" or "sigmoid".
"""

from tinymed.kernels.registry import kernel

linear = kernel(__name__, "linear", "reference")
