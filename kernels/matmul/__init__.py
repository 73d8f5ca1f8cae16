"""Matrix products, plain and with the rest of a layer fused in.

``product(a, b)``: a b, (..., M, K)(..., K, N) -> (..., M, N), the leading axes broadcast
``linear(x, weight, bias, activation)``: f(x weight^T + bias), x (M, D), weight (H, D), bias (H,)
or None, activation None, "relu", "tanh" or "sigmoid"
``bias_grad(grad_output)``: (N, C, *S) -> (C,), summed over all axes but the channels'
"""

from tinymed.kernels.registry import kernel

product = kernel(__name__, "product", "reference", "numba_cpu")
linear = kernel(__name__, "linear", "reference", "numba_cpu")
bias_grad = kernel(__name__, "bias_grad", "reference", "numba_cpu")
