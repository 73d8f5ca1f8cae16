"""Calls of padding in its four modes."""

from typing import Any

import numpy as np

from tests.ops.calls.call import SPECIAL, compare, deviates, nan, normal, whole

IMAGE = normal(2, 3, 4, 5)


def padded(name: str, x: np.ndarray, amounts: tuple[int, ...], mode: str, **named: Any) -> None:
    compare(f"pad {mode} {name}", lambda m, x: m.pad(x, amounts, mode, **named), x)


for mode in ("constant", "reflect", "replicate", "circular"):
    padded("one axis", IMAGE[0], (1, 2), mode)
    padded("two axes", IMAGE, (1, 2, 0, 3), mode)
    padded("two axes, no batch", IMAGE[0], (2, 0, 1, 1), mode)
    padded("three axes", IMAGE[:1], (0, 0, 0, 0, 0, 0), mode)
    padded("three axes and a batch", normal(1, 2, 2, 3, 2), (1, 1, 2, 0, 1, 0), mode)
    padded("nothing", IMAGE[0], (0, 0), mode)
    padded("cut off", IMAGE[0], (-1, -2), mode)
    padded("cut off low, added high", IMAGE[0, :1], (-2, 3), mode)
    padded("added low, cut off high", IMAGE[0, :1], (2, -2), mode)
    padded("cut off too much", IMAGE[0], (-4, -4), mode)
    padded("as long as the axis", IMAGE[0], (5, 1), mode)
    padded("one less than the axis", IMAGE[0], (4, 4), mode)
    padded("longer than the axis", IMAGE[0], (6, 6), mode)
    padded("integers", whole(1, 2, 3), (2, 1), mode)
    padded("float32", normal(1, 2, 3).astype(np.float32), (2, 1), mode)
    padded("float16", normal(1, 2, 3).astype(np.float16), (2, 1), mode)
    padded("special", SPECIAL[None], (3, 3), mode)
    padded("no batch at all", IMAGE[:0], (1, 1, 1, 1), mode)
    padded("an empty axis", IMAGE[..., :0], (1, 1), mode)
    padded("odd amounts", IMAGE, (1, 1, 1), mode)
    padded("too many amounts", IMAGE[0, 0], (1,) * 6, mode)
    padded("value", IMAGE[0], (1, 1), mode, value=3.5)
    padded("no value", IMAGE[0], (1, 1), mode, value=None)
padded("bools", np.array([True, False]), (1, 2), "constant")
padded("bools with True", np.array([True, False]), (1, 2), "constant", value=True)
padded("integers with a number", whole(3), (1, 2), "constant", value=7)
padded("integers with a fraction", whole(3), (1, 2), "constant", value=0.5)
padded("NaN around", normal(2), (1, 1), "constant", value=nan)
padded("beyond float32", normal(2).astype(np.float32), (1, 1), "constant", value=1e300)
padded("beyond uint8", np.array([1], np.uint8), (1, 1), "constant", value=300)
padded("no axes", np.array(1.0), (), "constant")
padded("all axes", normal(2, 1), (1, 0, 0, 2), "constant")
padded("mode", IMAGE, (1, 1), "wrap")
deviates("pad constant integers with a fraction", "refused; PyTorch cuts the fraction off")
