"""Batch normalisation: over every axis but the channels', which is the second.

``batch_norm(x, weight, bias, eps)`` -> y, mean (C,), variance (C,): statistics of this batch
``batch_norm_grad(grad_output, x, weight, mean, variance, eps)`` -> dL/dx, dL/dweight, dL/dbias
"""

from tinymed.kernels.registry import kernel

batch_norm = kernel(__name__, "batch_norm", "reference")
batch_norm_grad = kernel(__name__, "batch_norm_grad", "reference")
