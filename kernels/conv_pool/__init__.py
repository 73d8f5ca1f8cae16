"""A first layer in one pass: convolution, bias, ReLU and 2x2 max pooling.

``forward(x, weight, bias, padding)`` -> y, winner
``grad_weight(grad_output, winner, x, padding)`` -> (K, C, 3, 3), (K,): dL/dweight, dL/dbias

x (N, C, H, W), weight (K, C, 3, 3), bias (K,), padding (2,), y and winner (N, K, H' // 2, W' // 2),
H' = H + 2 padding - 2. The winner is the number, 0 to 3 row by row, of the output that the pooling
chose, or 4 where ReLU made all of them 0: what the gradient has to know.
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "numba_cpu", "cuda")
grad_weight = kernel(__name__, "grad_weight", "reference", "numba_cpu", "cuda")
