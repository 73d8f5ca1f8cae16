"""One step of an optimizer on many arrays of parameters, in place.

``sgd(param, grad, momentum_buffer, lr, momentum, dampening, nesterov, first, weight_decay)``
``adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, max_exp_avg_sq,
weight_decay, decoupled)``
``adamax(param, grad, exp_avg, exp_inf, step, lr, beta1, beta2, eps, weight_decay)``
``nadam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, mu, mu_next, mu_product,
weight_decay, decoupled)``
``radam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps, weight_decay, decoupled)``
``sparse_adam(param, grad, exp_avg, exp_avg_sq, step, lr, beta1, beta2, eps)``
``rmsprop(param, grad, square_avg, momentum_buffer, grad_avg, lr, alpha, eps, momentum,
weight_decay)``
``adagrad(param, grad, total, lr, eps, weight_decay)``
``adadelta(param, grad, square_avg, acc_delta, lr, rho, eps, weight_decay)``,

and what clipping starts from:

``squares(grad)`` -> the sum of the squares of all elements, added up in float64

Arrays come in lists of the same length, at least 1, with one entry for each parameter: a network
has dozens of small ones, and one call for all of them costs what one call for one does. The result
is that of a call for each, to the bit. All arrays of a parameter have its shape, and all arrays one
dtype. Gradients are only read. ``weight_decay`` adds weight_decay * param to the gradient;
if ``decoupled``, param is multiplied by 1 - lr weight_decay before the step instead.
"""

from tinymed.kernels.registry import kernel

sgd = kernel(__name__, "sgd", "reference", "numba_cpu", "cuda", writes=(0, 2))
adam = kernel(__name__, "adam", "reference", "numba_cpu", "cuda", "numba_cuda", writes=(0, 2, 3, 9))
adamax = kernel(__name__, "adamax", "reference", "numba_cpu", "cuda", writes=(0, 2, 3))
nadam = kernel(__name__, "nadam", "reference", "numba_cpu", "cuda", writes=(0, 2, 3))
radam = kernel(__name__, "radam", "reference", "numba_cpu", "cuda", writes=(0, 2, 3))
sparse_adam = kernel(__name__, "sparse_adam", "reference", "numba_cpu", "cuda", writes=(0, 2, 3))
rmsprop = kernel(__name__, "rmsprop", "reference", "numba_cpu", "cuda", writes=(0, 2, 3, 4))
adagrad = kernel(__name__, "adagrad", "reference", "numba_cpu", "cuda", writes=(0, 2))
adadelta = kernel(__name__, "adadelta", "reference", "numba_cpu", "cuda", writes=(0, 2, 3))
squares = kernel(__name__, "squares", "reference", "numba_cpu", "cuda")
