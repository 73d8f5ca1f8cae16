"""Softmax and the losses on top of it, in one pass over the logits.

``softmax(x)`` -> exp(x) / sum exp(x) along axis 1 of (M, C, L); ``softmax_grad(grad_output, y)``
``log_softmax(x)`` -> its logarithm; ``log_softmax_grad(grad_output, y)``, y the logarithms

``cross_entropy(logits, target)`` -> -log softmax(logits)[target], (M,); logits (M, C), target (M,)
``cross_entropy_grad(grad_output, logits, target)`` -> (softmax(logits) - onehot(target)) * grad
``mean_cross_entropy(logits, target)`` -> the mean of these, (), over at least one row
``mean_cross_entropy_grad(grad_output, logits, target)`` -> the same gradient from that of the mean
"""

from tinymed.kernels.registry import kernel

softmax = kernel(__name__, "softmax", "reference", "numba_cpu", "cuda")
softmax_grad = kernel(__name__, "softmax_grad", "reference", "numba_cpu", "cuda")
log_softmax = kernel(__name__, "log_softmax", "reference", "numba_cpu", "cuda")
log_softmax_grad = kernel(__name__, "log_softmax_grad", "reference", "numba_cpu", "cuda")
cross_entropy = kernel(__name__, "cross_entropy", "reference", "numba_cpu", "cuda", "numba_cuda")
cross_entropy_grad = kernel(
    __name__, "cross_entropy_grad", "reference", "numba_cpu", "cuda", "numba_cuda"
)
mean_cross_entropy = kernel(
    __name__, "mean_cross_entropy", "reference", "numba_cpu", "cuda", "numba_cuda"
)
mean_cross_entropy_grad = kernel(
    __name__, "mean_cross_entropy_grad", "reference", "numba_cpu", "cuda", "numba_cuda"
)
