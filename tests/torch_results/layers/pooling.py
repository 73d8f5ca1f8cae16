"""Cases of pooling that says where, of unpooling, of p-norms, and of sizes that are asked for."""

import math

from tests.torch_results.layers.case import Drawn, case, only_here

for n, (small, large) in enumerate([((7,), (9,)), ((5, 6), (7, 6)), ((4, 3, 5), (5, 4, 6))], 1):
    pool = f"MaxPool{n}d"
    case(f"{pool}: indices", (2, 2, *small), kernel_size=2, return_indices=True)
    case(f"{pool}: indices, padded, ceil", (1, 2, *large), kernel_size=3, stride=2, padding=1,
         ceil_mode=True, return_indices=True)  # fmt: skip
    case(f"{pool}: indices, unbatched", (2, *small), kernel_size=2, return_indices=True)

    pool, pooled = f"MaxUnpool{n}d", tuple(s // 2 for s in small)
    places = math.prod(2 * s for s in pooled)
    case(f"{pool}: default", (2, 2, *pooled), Drawn("classes", (2, 2, *pooled), places),
         kernel_size=2)  # fmt: skip
    case(f"{pool}: overlapping, padded", (1, 2, *[3] * n), Drawn("classes", (1, 2, *[3] * n), 5**n),
         kernel_size=3, stride=2, padding=1)  # fmt: skip
    case(f"{pool}: output_size", (2, 2, *pooled), Drawn("classes", (2, 2, *pooled), places),
         kernel_size=2, call={"output_size": [2 * s + 1 for s in pooled]})  # fmt: skip
    case(f"{pool}: output_size, all axes", (2, 2, *pooled), Drawn("classes", (2, 2, *pooled), 2),
         kernel_size=2, call={"output_size": [2, 2, *(2 * s - 1 for s in pooled)]})  # fmt: skip
    case(f"{pool}: unbatched", (2, *pooled), Drawn("classes", (2, *pooled), places), kernel_size=2)
    case(f"{pool}: zero batch", (0, 2, *pooled), Drawn("classes", (0, 2, *pooled), 1),
         kernel_size=2)  # fmt: skip

    pool = f"LPPool{n}d"
    case(f"{pool}: 2", (2, 2, *large), norm_type=2, kernel_size=2)
    case(f"{pool}: 1.5, overlapping", Drawn("positive", (1, 2, *large)), norm_type=1.5,
         kernel_size=3, stride=2)  # fmt: skip
    case(f"{pool}: 3, ceil", Drawn("positive", (1, 2, *small)), norm_type=3, kernel_size=2,
         ceil_mode=True)  # fmt: skip
    case(f"{pool}: infinity", (1, 2, *small), norm_type=math.inf, kernel_size=2)
    case(f"{pool}: unbatched", (2, *small), norm_type=2, kernel_size=2, stride=1)
    case(f"{pool}: zero batch", (0, 2, *small), norm_type=2, kernel_size=2)

    pool = f"AdaptiveMaxPool{n}d"
    case(f"{pool}: global", (2, 2, *small), output_size=1)
    case(f"{pool}: sizes that do not divide", (1, 2, *large), output_size=(3, 4, 5)[:n],
         return_indices=True)  # fmt: skip
    case(f"{pool}: more than there are", (1, 1, *[3] * n), output_size=5, return_indices=True)
    case(f"{pool}: unbatched", (2, *small), output_size=2, return_indices=True)
    case(f"{pool}: zero batch", (0, 2, *small), output_size=2)
    if n > 1:
        case(f"{pool}: axes as they are", (1, 2, *small), output_size=(None, 2, None)[:n])
        case(f"AdaptiveAvgPool{n}d: axes as they are", (1, 2, *small),
             output_size=(2, None, 1)[:n])  # fmt: skip

# Where (size - kernel) / (output - 1) is whole, all samples give the same windows.
for n, size in ((2, (7, 9)), (3, (7, 9, 4))):
    pool, fits = f"FractionalMaxPool{n}d", (3, 4, 2)[:n]
    case(f"{pool}: output_size", (2, 2, *size), kernel_size=(3, 3, 2)[:n], output_size=fits,
         return_indices=True)  # fmt: skip
    case(f"{pool}: one window", (2, 2, *size), kernel_size=2, output_size=1)
    case(f"{pool}: windows apart", (1, 2, *[7] * n), kernel_size=1, output_size=3)
    case(f"{pool}: ratio", (1, 2, *[6] * n), kernel_size=2, output_ratio=0.5, return_indices=True)
    case(f"{pool}: unbatched", (2, *size), kernel_size=(3, 3, 2)[:n], output_size=fits)
    case(f"{pool}: zero batch", (0, 2, *size), kernel_size=2, output_size=fits)

only_here("ConvPool2d", "tests/nn/test_conv_pool.py")
