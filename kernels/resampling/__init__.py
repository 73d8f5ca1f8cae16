"""Weighted sums along one axis: resizing of images, its gradient, and the gradient of that.

``forward(x, index, weight, dim)`` -> x with as many elements along ``dim`` as ``index`` has rows

Output o is the sum over k of weight[o, k] x[index[o, k]]; an index of -1 adds nothing, and what
follows it in its row is -1 too. The gradient is the same sum with the taps transposed: to each
input belong the outputs that it went to. Nobody may write index and weight afterwards.
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "numba_cpu", "cuda")
