"""Matrix products, plain and with the rest of a layer fused in.

``product(a, b)``: a b, (..., M, K)(..., K, N) -> (..., M, N), the leading axes broadcast
``linear(x, weight, bias, activation)``: f(x weight^T + bias), x (M, D), weight (H, D), bias (H,)
or None, activation None, "relu", "tanh" or "sigmoid"
``bias_grad(grad_output)``: (N, C, *S) -> (C,), summed over all axes but the channels',
of 16 bits in float32
"""

from tinymed.kernels.registry import kernel

ON_GPUS = ("cuda", "cuda:wgmma", "cuda:tensor", "cuda:tf32x3", "numba_cuda")
product = kernel(__name__, "product", "reference", "numba_cpu", *ON_GPUS)
linear = kernel(__name__, "linear", "reference", "numba_cpu", *ON_GPUS)
bias_grad = kernel(__name__, "bias_grad", "reference", "numba_cpu", "cuda", narrow=())

# The course: the same product on a GPU in seven steps, each a file of ladder/.
for step in (
    *("naive", "coalesced", "shared", "register_tiles", "vectorised", "tensor_cores"),
    "warpgroups",
):
    product.add(f"cuda:{step}", f"{__name__}.ladder:{step}")
