"""One step of an optimizer on one array of parameters, in place.

``sgd(param, grad, momentum_buffer, lr, momentum, dampening, nesterov, first)``
``adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, max_exp_avg_sq)``
``adamax(param, grad, exp_avg, exp_inf, step, lr, beta1, beta2, eps)``
``nadam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, mu, mu_next, mu_product)``
``radam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps)``
``sparse_adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps)``
``rmsprop(param, grad, square_avg, momentum_buffer, grad_avg, lr, alpha, eps, momentum)``
``adagrad(param, grad, total, lr, eps)``
``adadelta(param, grad, square_avg, acc_delta, lr, rho, eps)``
"""

from tinymed.kernels.registry import kernel

sgd = kernel(__name__, "sgd", "reference")
adam = kernel(__name__, "adam", "reference")
adamax = kernel(__name__, "adamax", "reference")
nadam = kernel(__name__, "nadam", "reference")
radam = kernel(__name__, "radam", "reference")
sparse_adam = kernel(__name__, "sparse_adam", "reference")
rmsprop = kernel(__name__, "rmsprop", "reference")
adagrad = kernel(__name__, "adagrad", "reference")
adadelta = kernel(__name__, "adadelta", "reference")
