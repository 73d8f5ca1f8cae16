"""Losses of values, each with its mean and its gradient as one pass.

``mean_squares(x, target)`` -> mean of (x - target)^2, ()
``mean_squares_grad(grad_output, x, target)`` -> 2 (x - target) / n * grad
``mean_logistic(x, target)`` -> mean of log(1 + exp(x)) - target x, (), targets in [0, 1]
``mean_logistic_grad(grad_output, x, target)`` -> (sigmoid(x) - target) / n * grad

x and target are of one shape and not empty; that of logits is binary cross-entropy.
"""

from tinymed.kernels.registry import kernel

mean_squares = kernel(__name__, "mean_squares", "reference", "numba_cpu", "cuda")
mean_squares_grad = kernel(__name__, "mean_squares_grad", "reference", "numba_cpu", "cuda")
mean_logistic = kernel(__name__, "mean_logistic", "reference", "numba_cpu", "cuda")
mean_logistic_grad = kernel(__name__, "mean_logistic_grad", "reference", "numba_cpu", "cuda")
