"""Softmax and the losses on top of it, in one pass over the logits.

``cross_entropy(logits, target)`` -> -log softmax(logits)[target], (M,); logits (M, C), target (M,)
``cross_entropy_grad(grad_output, logits, target)`` -> (softmax(logits) - onehot(target)) * grad
"""

from tinymed.kernels.registry import kernel

cross_entropy = kernel(__name__, "cross_entropy", "reference")
cross_entropy_grad = kernel(__name__, "cross_entropy_grad", "reference")
