"""Dropout by a counter: what is kept follows from a seed and a number, and is not stored.

``forward(x, inner, p, seed, scale, shift, floor)`` -> scale x + shift where an element is kept,
0 x + floor where it is not

Neighbours share their fate ``inner`` at a time: 1 for single elements, H W for the channels of
(N, C, H, W). Group g is dropped if word g % 4 of Philox-4x32-10 (Salmon et al., 2011) with counter
g // 4 and the key ``seed``, an int from 0 to 2^64 - 1, is below p 2^32. So the mask is the same
wherever and by how many threads it is computed. y is linear in x: what goes back through it is
``forward(grad_output, inner, p, seed, scale, 0.0, 0.0)``.

``uniform(like, seed, low, high)`` -> low + (high - low) u, of the shape and dtype of ``like``; u is
word i % 4 of counter i // 4 of the same generator, its upper 24 bits over 2^24, for element i
"""

from tinymed.kernels.registry import kernel

forward = kernel(__name__, "forward", "reference", "cuda", "numba_cuda")
uniform = kernel(__name__, "uniform", "reference", "cuda")
