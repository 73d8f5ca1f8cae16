"""Cases of pooling that says where, and of unpooling."""

import numpy as np

from tests.ops.cases.case import RANDOM, any_, case, strided

# x, kernel, stride, padding, dilation, ceil_mode
INDEXED = {
    "1d": ((2, 2, 5), (2,), (2,), (0,), (1,), False),
    "1d overlapping, padded, ceil": ((1, 1, 6), (3,), (2,), (1,), (2,), True),
    "2d": ((1, 2, 4, 3), (2, 2), (1, 2), (1, 0), (1, 1), False),
    "2d no images": ((0, 1, 3, 3), (2, 2), (2, 2), (0, 0), (1, 1), False),
    "3d": ((1, 1, 2, 3, 2), (2, 2, 1), (1, 1, 2), (0, 1, 0), (1, 2, 1), False),
}
for name, (x, *settings) in INDEXED.items():
    case("MaxPoolWithIndices", name, strided(*x), settings=tuple(settings))

UNPOOLED = {  # x, the spatial lengths of y
    "1d": ((2, 2, 3), (6,)),
    "2d": ((1, 2, 2, 2), (3, 3)),
    "2d no images": ((0, 1, 2, 2), (3, 3)),
    "3d": ((1, 1, 2, 1, 2), (2, 3, 2)),
}
for name, (shape, spatial) in UNPOOLED.items():
    places = int(np.prod(spatial))
    once = RANDOM.permuted(np.tile(np.arange(places), (*shape[:2], 1)), axis=-1)
    index = once[..., : int(np.prod(shape[2:]))].reshape(shape)
    case("MaxUnpool", name, strided(*shape), index, settings=(spatial,))

SHIFTED = np.array([[[[0, 1], [3, 4]], [[1, 2], [2, 3]]]])  # windows of each channel its own
case("MaxPlace", "1d", any_(2, 2, 5), settings=(SHIFTED,))
case("MaxPlace", "2d", any_(1, 2, 5, 5), settings=(SHIFTED, np.array([[[[4, 0, 0]]]])))
case("MaxPlace", "no images", any_(0, 2, 5), settings=(SHIFTED,))
case(
    "MaxPlace", "NaN and ties", np.array([[[1.0, np.nan, 2.0, 2.0, 2.0]] * 2]), settings=(SHIFTED,)
)
