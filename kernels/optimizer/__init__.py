"""One step of an optimizer on one array of parameters, in place.

``sgd(param, grad, momentum_buffer, lr, momentum, dampening, nesterov, first)``
``adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, max_exp_avg_sq)``
"""

from tinymed.kernels.registry import kernel

sgd = kernel(__name__, "sgd", "reference")
adam = kernel(__name__, "adam", "reference")
