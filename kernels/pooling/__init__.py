"""Pooling windows in one, two or three dimensions.

``max_forward(x, kernel, stride, padding, dilation, out)`` -> y (N, C, *out) and which tap won
``max_grad_input(grad_output, winner, spatial, kernel, stride, padding, dilation)`` -> like x
``max_gather(x, winner, kernel, stride, padding, dilation)`` -> the winners' places read from x
``avg_forward(x, kernel, stride, padding, out, divisor)`` -> (N, C, *out)
``avg_grad_input(grad_output, spatial, kernel, stride, padding, divisor)`` -> (N, C, *spatial)

A tap is a place in the window, numbered row by row; ``divisor`` is a number or an array (*out).
"""

from tinymed.kernels.registry import kernel

max_forward = kernel(__name__, "max_forward", "reference", "numba_cpu", "cuda", "numba_cuda")
max_grad_input = kernel(__name__, "max_grad_input", "reference", "numba_cpu", "cuda", "numba_cuda")
max_gather = kernel(__name__, "max_gather", "reference", "numba_cpu", "cuda")
avg_forward = kernel(__name__, "avg_forward", "reference", "numba_cpu", "cuda", "numba_cuda")
avg_grad_input = kernel(__name__, "avg_grad_input", "reference", "numba_cpu", "cuda", "numba_cuda")
