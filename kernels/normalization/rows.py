"""Sums and maps along contiguous rows, which all normalisations are made of."""

from __future__ import annotations

from tinymed.kernels.simd.loops import elementwise, reduction

__all__ = [
    "added",
    "centred_product",
    "centred_square",
    "gradient",
    "gradient_and_sums",
    "plain_sum",
    "products_added",
    "scaled",
    "scaled_by_column",
    "square_added",
    "weighted_product",
    "weighted_sum",
]

# Numbers from rows: sums of x, (x - m)^2, g (x - m), w g and w g (x - m).
plain_sum = reduction(lambda code, x: x, 0, lambda code, a, b: a + b)
centred_square = reduction(lambda code, x, m: (x - m) * (x - m), 0, lambda code, a, b: a + b)
centred_product = reduction(lambda code, g, x, m: g * (x - m), 0, lambda code, a, b: a + b)
weighted_sum = reduction(lambda code, g, w: g * w, 0, lambda code, a, b: a + b)
weighted_product = reduction(lambda code, g, w, x, m: g * w * (x - m), 0, lambda code, a, b: a + b)

# Rows from rows: y = (x - m) a + b, dL/dx = a (w g - p - q (x - m)).
scaled = elementwise(lambda code, x, m, a, b: code.fma(x - m, a, b))
gradient = elementwise(lambda code, g, x, m, a, w, p, q: a * (g * w - p - q * (x - m)))
# y = ((x - m) a) weight + bias: a row of layer norm.
scaled_by_column = elementwise(
    lambda code, x, weight, bias, m, a: code.fma((x - m) * a, weight, bias)
)

# Sums over rows, a column in each lane: total + x, total + (x - m)^2, total + g, total + g (x - m).
added = elementwise(lambda code, total, x: total + x)
square_added = elementwise(lambda code, total, x, m: code.fma(x - m, x - m, total))
products_added = elementwise(
    lambda code, total, product, g, x, m: (total + g, code.fma(g, x - m, product))
)
# A row's gradient in layer norm, with g (x - m) a and g added to the sums.
gradient_and_sums = elementwise(
    lambda code, g, x, w, product, total, m, a, p, q: (
        a * (g * w - p - q * (x - m)),
        code.fma(g, (x - m) * a, product),
        total + g,
    )
)
