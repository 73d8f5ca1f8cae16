"""Normalisation: batch norm over every axis but the channels', group norm within each sample.

``batch_norm(x, weight, bias, eps)`` -> y, mean (C,), variance (C,): statistics of this batch
``batch_norm_grad(grad_output, x, weight, mean, variance, eps)`` -> dL/dx, dL/dweight, dL/dbias

``affine(x, mean, scale, bias)`` -> (x - mean) * scale + bias, with each channel's (C,) numbers

``group_norm(x, weight, bias, groups, eps)`` -> y, mean (N, G), variance (N, G); x is (N, C, L)
``group_norm_grad(grad_output, x, weight, mean, variance, eps)`` -> dL/dx, dL/dweight, dL/dbias

Layer norm is group norm of one group with L = 1; instance norm has as many groups as channels.
Where x, y and their gradients have 16 bits, all that channels and groups have one number of is
float32.
"""

from tinymed.kernels.registry import kernel

ON_ALL = ("reference", "numba_cpu", "cuda", "numba_cuda")

batch_norm = kernel(__name__, "batch_norm", *ON_ALL, narrow=(0,))
batch_norm_grad = kernel(__name__, "batch_norm_grad", *ON_ALL, narrow=(0,))
affine = kernel(__name__, "affine", *ON_ALL[:3], narrow=(0,))
group_norm = kernel(__name__, "group_norm", *ON_ALL, narrow=(0,))
group_norm_grad = kernel(__name__, "group_norm_grad", *ON_ALL, narrow=(0,))
