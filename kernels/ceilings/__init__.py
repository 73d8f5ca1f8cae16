"""What a GPU can do at most, as small kernels: each keeps one part of it busy and nothing else.

``copy(x)`` -> x: memory. ``multiply_add(x, rounds)``: the pipes of float32. ``tile_product(a, b,
tiles, rounds)``: the tensor cores, as ``mma.sync`` reaches them, ``warpgroup_product(a, b, tiles,
rounds)`` as ``wgmma`` does. They are proved like all others, and timed they are the roof that the
others are held against: see `tinymed.bench.gpu`. No op uses them.
"""

from tinymed.kernels.registry import kernel

copy = kernel(__name__, "copy", "reference", "cuda")
multiply_add = kernel(__name__, "multiply_add", "reference", "cuda")
tile_product = kernel(__name__, "tile_product", "reference", "cuda:tensor")
warpgroup_product = kernel(__name__, "warpgroup_product", "reference", "cuda:wgmma")
