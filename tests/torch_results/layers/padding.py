"""Cases of padding layers."""

from tests.torch_results.layers.case import case

SHAPES = {1: (3, 2, 4), 2: (2, 2, 4, 5), 3: (1, 2, 3, 3, 4)}
AMOUNTS = {1: (1, 2), 2: (2, 0, 1, 3), 3: (1, 0, 2, 1, 0, 2)}
CUT = {1: (-1, 2), 2: (-1, 1, 2, -2), 3: (1, -1, 0, 0, -1, 1)}
for n, shape in SHAPES.items():
    for mode in ("Constant", "Zero", "Reflection", "Replication", "Circular"):
        layer = f"{mode}Pad{n}d"
        value = {"value": 1.5} if mode == "Constant" else {}
        case(f"{layer}: one amount", shape, padding=2, **value)
        case(f"{layer}: each side its own", shape, padding=AMOUNTS[n], **value)
        case(f"{layer}: cut off", shape, padding=CUT[n], **value)
        case(f"{layer}: unbatched", shape[1:], padding=1, **value)
        case(f"{layer}: zero batch", (0, *shape[1:]), padding=1, **value)
