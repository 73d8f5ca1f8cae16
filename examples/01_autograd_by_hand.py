"""Lesson 1: what `backward` does, by hand and by the engine.

Run: python examples/01_autograd_by_hand.py
"""

import numpy as np

import tinymed as tm
from tinymed import ops

# One layer y = tanh(W x + b) and a loss L = sum y^2. With plain arrays an op just computes.
rng = np.random.default_rng(0)
x, weight, bias = rng.normal(size=3), rng.normal(size=(2, 3)), rng.normal(size=2)
z = weight @ x + bias
y = ops.tanh(z)
print("arrays in, array out:", type(y).__name__)

# The chain rule by hand, from the loss back to the weight:
grad_y = 2 * y  # dL/dy of a sum of squares
grad_z = grad_y * (1 - y * y)  # tanh' = 1 - tanh^2
grad_weight = np.outer(grad_z, x)  # z_i = sum_j W_ij x_j, so dz_i/dW_ij = x_j
print("by hand:\n", grad_weight)

# The same with Tensors: each op is recorded, `backward` walks the record from the end.
w = tm.tensor(weight, requires_grad=True)
y = ops.tanh(ops.matmul(w, tm.tensor(x)) + bias)
loss = (y * y).sum()
node, path = loss.grad_fn, []
while node is not None:  # follow the first edge of each node back to the weight
    path.append(type(node).__name__)
    target = next((edge[0] for edge in node.edges if edge), None)
    node = target if isinstance(target, tm.Function) else None
print("recorded:", " <- ".join(path))
loss.backward()
print("by the engine:\n", w.grad.numpy())

# And by finite differences, which know nothing of derivatives:
step = 1e-6
numeric = np.zeros_like(weight)
for index in np.ndindex(weight.shape):
    moved = weight.copy()
    moved[index] += step
    up = (np.tanh(moved @ x + bias) ** 2).sum()
    moved[index] -= 2 * step
    numeric[index] = (up - (np.tanh(moved @ x + bias) ** 2).sum()) / (2 * step)
print("largest difference to finite differences:", np.abs(numeric - w.grad.numpy()).max())


# An op of your own: forward on arrays, backward with operators. It is registered, checked by
# `gradcheck`, and differentiable as often as you like.
class Swish(tm.Function):
    """y = x sigmoid(x);  dL/dx = (s + x s (1 - s)) dL/dy, s = sigmoid(x)."""

    def output_shape(self, x):
        return x

    def forward(self, x):
        return x * ops.sigmoid(x)

    def backward(self, grad_output, x):
        s = ops.sigmoid(x)
        return (grad_output * (s + x * s * (1 - s)),)


points = tm.tensor(rng.normal(size=4), requires_grad=True)
print("gradcheck:", tm.gradcheck(lambda p: Swish()(p), [points]))
print("gradgradcheck:", tm.gradgradcheck(lambda p: Swish()(p), [points]))

# Where gradients come from can be watched...
hidden = Swish()(points)
hidden.register_hook(lambda gradient: print("gradient at the hidden value:", gradient.numpy()))
(hidden * hidden).sum().backward()

# ... and the first NaN is named where it is made, not where it is noticed.
try:
    with tm.detect_anomaly():
        (points * 0).log().sum().backward()
except tm.AnomalyError as error:
    print("anomaly:", error)
