"""Activations y = f(x), one element at a time, and what goes back through them.

``forward(x, name, *parameters)`` -> f(x)
``grad(grad_output, known, name, *parameters)`` -> dL/dx = f'(x) dL/dy from dL/dy and what is
``known``: y for relu, sigmoid and tanh, x for all others. The three arrays have one shape.

=========== ========================================= ===================
name        f(x)                                      parameters
=========== ========================================= ===================
relu        max(x, 0)
leaky_relu  x where x > 0, else slope x               slope
elu         scale x, scale alpha (exp(rate x) - 1)    alpha, scale, rate
hardtanh    min(max(x, low), high)                    low, high
hardsigmoid min(max(x + 3, 0), 6) / 6
hardswish   x hardsigmoid(x)
sigmoid     1 / (1 + exp(-x))
tanh        (exp(2 x) - 1) / (exp(2 x) + 1)
softplus    log(1 + exp(beta x)) / beta, x above      beta, threshold
logsigmoid  -log(1 + exp(-x))
silu        x sigmoid(x)
mish        x tanh(softplus(x))
gelu        x (1 + erf(x / sqrt(2))) / 2
gelu_tanh   x sigmoid(sqrt(8 / pi) (x + c x^3))
=========== ========================================= ===================
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "numba_cpu", "cuda", "numba_cuda")
grad = kernel(__name__, "grad", "reference", "numba_cpu", "cuda", "numba_cuda")
