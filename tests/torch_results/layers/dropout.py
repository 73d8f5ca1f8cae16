"""Cases of dropout layers: off, and where all or nothing is dropped."""

from tests.torch_results.layers.case import case

SHAPES = {
    "Dropout1d": (2, 3, 4),
    "Dropout2d": (2, 3, 2, 2),
    "Dropout3d": (2, 3, 2, 1, 2),
    "AlphaDropout": (3, 4),
    "FeatureAlphaDropout": (2, 3, 4),
}
for layer, shape in SHAPES.items():
    case(f"{layer}: eval", shape, p=0.5)
    case(f"{layer}: train, none dropped", shape, p=0.0, training=True)
    case(f"{layer}: train, all dropped", shape, p=1.0, training=True)
    case(f"{layer}: zero batch", (0, *shape[1:]), p=1.0, training=True)
case("Dropout1d: unbatched", (3, 4), p=1.0, training=True)
case("Dropout2d: three axes", (2, 3, 4), p=1.0, training=True)
case("Dropout3d: unbatched", (3, 2, 1, 2), p=1.0, training=True)
