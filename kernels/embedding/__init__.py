"""Rows of a table by their numbers, bags of them, and gradients that touch only these rows.

``forward(weight, ids)`` -> (*ids, D): the row of each id
``sum_rows(values, ids)`` -> the different ids in order (k,), and the sums (k, D) of their values
``grad_weight(grad_output, ids, rows)`` -> (rows, D): the same sums, all other rows 0
``bag_sum(weight, ids, offsets, scale)`` -> (B, D): the sum of scale * row over each bag
``bag_max(weight, ids, offsets)`` -> (B, D) the largest elements, and the ids (B, D) that had them
``renormalize(weight, rows, max_norm, norm_type)`` -> whether a row was too long; in place

A weight is (V, D), ids are (n,) int64 in [0, V) (`forward` takes any shape). Bag b holds the ids
from ``offsets[b]`` up to ``offsets[b + 1]``; offsets are (B + 1,), from 0 to n, and never decrease.
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "numba_cpu", "cuda", "numba_cuda", moves=True)
sum_rows = kernel(__name__, "sum_rows", "reference", "numba_cpu", "cuda")
grad_weight = kernel(__name__, "grad_weight", "reference", "numba_cpu", "cuda", "numba_cuda")
bag_sum = kernel(__name__, "bag_sum", "reference", "numba_cpu", "cuda")
bag_max = kernel(__name__, "bag_max", "reference", "numba_cpu", "cuda")
renormalize = kernel(__name__, "renormalize", "reference", "numba_cpu", "cuda", writes=(0,))
