"""What convolutions are proved and timed on."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tinymed.kernels.case import Case
from tinymed.kernels.conv.reference import Ints, output_size


class Layer(NamedTuple):
    """A convolution: x (N, C, *S), weight (K, C / groups, *kernel) and its settings."""

    shape: Ints  # of x
    k: int
    kernel: Ints
    stride: int | Ints = 1
    padding: int | Ints = 0
    dilation: int | Ints = 1
    groups: int = 1
    activation: str | None = None
    bias: bool = True
    short: int = 0  # positions by which the gradients' O is less than S has room for

    def settings(self) -> tuple[Ints, Ints, Ints]:
        """Return stride, padding and dilation, one number per axis."""
        given = (self.stride, self.padding, self.dilation)
        first, second, third = (
            (one,) * len(self.kernel) if isinstance(one, int) else one for one in given
        )
        return first, second, third

    def out(self) -> Ints:
        """Return the spatial shape of y."""
        return tuple(map(output_size, self.shape[2:], self.kernel, *self.settings()))

    def weight(self) -> Ints:
        """Return the shape of the weight."""
        return (self.k, self.shape[1] // self.groups, *self.kernel)

    def __str__(self) -> str:
        size, kernel = ("x".join(map(str, given)) for given in (self.shape, self.kernel))
        parts = [f"{size} to {self.k}, {kernel}"]
        names = zip(("stride", "padding", "dilation"), self[3:6], (1, 0, 1), strict=True)
        parts += [f"{name} {value}" for name, value, usual in names if value != usual]
        parts += [f"{self.groups} groups"] * (self.groups > 1)
        parts += [self.activation] if self.activation else []
        return ", ".join(parts + ["no bias"] * (not self.bias) + ["less of dy"] * self.short)


def _cases(layer: Layer, timed: bool) -> list[Case]:
    """Return the layer and its two gradients."""

    def arrays(rng: np.random.Generator, dtype: Any) -> tuple[Any, Any, Any]:
        y = tuple(o - layer.short for o in layer.out())
        shapes = (layer.shape, layer.weight(), (layer.shape[0], layer.k, *y))
        x, w, dy = (rng.standard_normal(shape, np.float32).astype(dtype) for shape in shapes)
        return x, w, dy

    def forward(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        x, w, _ = arrays(rng, dtype)
        bias = rng.standard_normal(layer.k).astype(dtype) if layer.bias else None
        return (x, w, bias, *layer.settings(), layer.groups, layer.activation)

    def grad_input(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        _, w, dy = arrays(rng, dtype)
        return (dy, w, layer.shape[2:], *layer.settings(), layer.groups)

    def grad_weight(rng: np.random.Generator, dtype: Any) -> tuple[Any, ...]:
        x, _, dy = arrays(rng, dtype)
        return (dy, x, layer.kernel, *layer.settings(), layer.groups)

    x, w, positions = map(math.prod, (layer.shape, layer.weight(), layer.out()))
    terms = {
        "forward": w // layer.k,
        "grad_input": w * layer.groups // layer.shape[1],
        "grad_weight": layer.shape[0] * positions,
    }
    flops = 2.0 * layer.shape[0] * w * positions * timed
    moved = 4.0 * (x + w + layer.shape[0] * layer.k * positions) * timed
    makes = {"forward": forward, "grad_input": grad_input, "grad_weight": grad_weight}
    return [
        Case(f"conv.{name}", str(layer), make, terms[name], flops, moved)
        for name, make in makes.items()
        if not (name == "forward" and layer.short)
    ]


ODD = [
    # no image, one, odd channels and widths; one position; a plane in several blocks
    Layer((0, 3, 8, 8), 4, (3, 3), padding=1),
    Layer((1, 3, 9, 11), 5, (3, 3), padding=1, activation="relu"),
    Layer((2, 1, 5, 37), 1, (3, 3), activation="tanh"),
    Layer((3, 7, 1, 1), 9, (1, 1), activation="sigmoid"),
    Layer((2, 5, 3, 3), 3, (3, 3), bias=False),
    Layer((1, 33, 70, 65), 17, (3, 3), padding=1, activation="relu"),
    Layer((1, 40, 12, 12), 40, (3, 3), padding=1),
    # 1-d and 3-d, a kernel longer than a register, a row in several blocks
    Layer((2, 3, 50), 4, (21,), padding=10, activation="relu"),
    Layer((1, 2, 100_003), 3, (5,), stride=2, padding=2),
    Layer((2, 3, 5, 6, 7), 4, (3, 2, 3), padding=(1, 0, 2)),
    Layer((1, 4, 9, 8, 10), 6, (3, 3, 3), stride=(2, 1, 3), dilation=(1, 2, 1), groups=2),
    # strides, dilations; some taps or positions are never used
    Layer((2, 3, 17, 18), 8, (7, 7), stride=2, padding=3),
    Layer((2, 4, 16, 16), 6, (3, 3), stride=2, padding=1, activation="relu"),
    Layer((2, 3, 14, 15), 4, (2, 3), stride=(4, 3)),
    Layer((2, 3, 14, 15), 4, (3, 3), stride=(1, 2), padding=(2, 0), dilation=(3, 2)),
    Layer((1, 2, 13, 13), 2, (1, 1), stride=3, padding=2),
    # transposed convolutions with an output_padding come with less of dy than fits
    Layer((2, 3, 16, 15), 4, (3, 3), stride=2, padding=1, short=1),
    Layer((1, 2, 9, 9), 3, (2, 2), stride=3, dilation=3, short=1),
    # groups, depthwise, depthwise with several results
    Layer((2, 6, 10, 9), 9, (3, 3), padding=1, groups=3),
    Layer((2, 6, 19, 18), 6, (3, 3), padding=1, groups=6, activation="relu"),
    Layer((2, 3, 9, 48), 3, (3, 3), padding=1, groups=3, activation="tanh"),
    Layer((3, 2, 20, 33), 4, (3, 3), padding=(0, 2), groups=2),
    Layer((1, 2, 12, 700), 2, (3, 3), padding=(3, 1), groups=2, short=1),
    Layer((1, 3, 12, 20), 12, (5, 3), stride=2, padding=2, groups=3),
    Layer((2, 5, 40), 5, (9,), padding=4, groups=5),
    # 1x1: as a matrix product
    Layer((2, 19, 7, 7), 21, (1, 1), activation="relu"),
    Layer((1, 8, 3, 5), 3, (1, 1)),
    Layer((2, 64, 50), 40, (1,), bias=False, activation="tanh"),
    Layer((1, 12, 20, 20), 6, (1, 1), groups=2),
    Layer((1, 300, 9, 9), 33, (1, 1)),
]

MODELS = [
    Layer((32, 16, 64, 64), 16, (3, 3), padding=1, activation="relu"),
    Layer((16, 32, 56, 56), 32, (3, 3), padding=1, activation="relu"),
    Layer((8, 64, 56, 56), 64, (3, 3), padding=1, activation="relu"),
    Layer((8, 128, 28, 28), 128, (3, 3), padding=1, activation="relu"),
    Layer((8, 256, 14, 14), 256, (3, 3), padding=1),
    Layer((8, 256, 28, 28), 128, (1, 1)),
    Layer((8, 64, 56, 56), 256, (1, 1)),
    Layer((8, 64, 56, 56), 128, (3, 3), stride=2, padding=1),
    Layer((8, 3, 224, 224), 64, (7, 7), stride=2, padding=3),
    Layer((32, 1, 64, 64), 16, (3, 3), padding=1, activation="relu"),
    Layer((16, 64, 56, 56), 64, (3, 3), padding=1, groups=64),
    Layer((8, 128, 28, 28), 128, (3, 3), padding=1, groups=128),
    Layer((2, 16, 32, 64, 64), 16, (3, 3, 3), padding=1, activation="relu"),
]

PROOFS = [case for layer in ODD for case in _cases(layer, timed=False)]
BENCHES = [case for layer in MODELS for case in _cases(layer, timed=True)]

# What tensor cores are busy with for some 40 microseconds; and images as medicine has them, where
# half of the time is memory's.
LARGE = [
    case
    for layer in (
        Layer((8, 128, 112, 112), 128, (3, 3), padding=1, activation="relu"),
        Layer((2, 32, 512, 512), 32, (3, 3), padding=1, activation="relu"),
    )
    for case in _cases(layer, timed=True)
]

# Winograd's tiles: a few positions, tiles of 2x2 and 4x4 that pass the edge, several blocks of
# them, padding that reaches further than the window, channels that fill no register or several
# chunks.
TILES = [
    Layer((33, 4, 1, 1), 3, (3, 3), padding=1),
    Layer((2, 16, 6, 5), 24, (3, 3), padding=1, activation="sigmoid"),
    Layer((5, 9, 13, 14), 10, (3, 3), padding=2, activation="relu"),
    Layer((1, 3, 2, 2), 2, (3, 3), padding=(3, 5), activation="tanh"),
    Layer((3, 40, 28, 30), 20, (3, 3), padding=(0, 1)),
    Layer((1, 2, 127, 126), 18, (3, 3), padding=1, short=1),
    Layer((2, 130, 9, 7), 70, (3, 3), padding=(1, 0)),
    # volumes: layers of a window that lie in the padding, some of them for all slices
    Layer((2, 9, 3, 7, 9), 5, (3, 3, 3), padding=(1, 0, 2), activation="relu"),
    Layer((3, 17, 1, 5, 6), 8, (3, 3, 3), padding=(2, 1, 1)),
]
PROOFS += [case for layer in TILES for case in _cases(layer, timed=False)]

# Tiles of a GPU: of 128 and 64 rows, where there are blocks enough, here one for each group.
BLOCKS = [
    Layer((1, 16, 3), 16 * 70, (1,), groups=16, activation="relu"),
    Layer((1, 128, 3), 128 * 70, (1,), groups=128, activation="relu"),
    Layer((1, 256, 3), 128 * 40, (2,), padding=1, groups=128),
    Layer((2, 1, 4, 5), 130, (3, 3), padding=1),
    # sums of over 1000 terms, of phases with more and with fewer taps, which few tiles split
    Layer((1, 130, 3, 3), 5, (3, 3), padding=1, activation="relu"),
    Layer((2, 5, 7, 6), 130, (5, 6), stride=2, padding=2),
]
PROOFS += [case for layer in BLOCKS for case in _cases(layer, timed=False)]
