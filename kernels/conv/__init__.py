"""Convolution in one, two or three dimensions: the layer and its two gradients.

``forward(x, weight, bias, stride, padding, dilation, groups, activation)``
``grad_input(grad_output, weight, spatial, stride, padding, dilation, groups)``
``grad_weight(grad_output, x, kernel, stride, padding, dilation, groups)``

x (N, C, *S), weight (K, C / groups, *kernel), y (N, K, *O), one number per spatial axis in each
setting, O = floor((S + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. The three are linear
in each array, and each is a derivative of the others. The gradients take O from grad_output: it may
be less than S has room for, as in a transposed convolution with an output_padding >= the stride.
"""

from tinymed.kernels.registry import kernel

forward = kernel(
    __name__,
    "forward",
    "reference",
    "numba_cpu:winograd",
    "numba_cpu:pointwise",
    "numba_cpu:small_maps",
    "numba_cpu:direct",
    "cuda",
    "cuda:depthwise",
    "cuda:wgmma",
    "cuda:tensor",
    "cuda:tf32x3",
    "numba_cuda",
)
grad_input = kernel(
    __name__,
    "grad_input",
    "reference",
    "numba_cpu:winograd",
    "numba_cpu:pointwise",
    "numba_cpu:small_maps",
    "numba_cpu:direct",
    "cuda",
    "cuda:depthwise",
    "cuda:wgmma",
    "cuda:tensor",
    "cuda:tf32x3",
    "numba_cuda",
)
grad_weight = kernel(
    __name__,
    "grad_weight",
    "reference",
    "numba_cpu:winograd",
    "numba_cpu:small_maps",
    "numba_cpu:direct",
    "cuda",
    "cuda:depthwise",
    "cuda:wgmma",
    "cuda:tensor",
    "cuda:tf32x3",
    "numba_cuda",
)

# The course: the layer on a GPU in three steps, each a file of ladder/.
for step in ("naive", "shared", "register_tiles"):
    forward.add(f"cuda:{step}", f"{__name__}.ladder:{step}")
