"""Convolution of float32 on tensor cores, in three products of TF32 each. See cuda_tensor.py."""

from __future__ import annotations

import functools

from tinymed.kernels.conv.cuda_tensor import (
    Family,
    gradient,
    layer,
    of_weight,
    parts_of_weight,
    sum_of_taps,
)

__all__ = ["VARIANTS", "forward", "grad_input", "grad_weight"]

FAMILIES = {"float32": Family.of("tf32x3")}
VARIANTS = (FAMILIES["float32"].channels_last, *FAMILIES["float32"].all)

FILL, ADD = (functools.partial(one, FAMILIES) for one in (sum_of_taps, parts_of_weight))
forward = functools.partial(layer, FILL)
grad_input = functools.partial(gradient, FILL)
grad_weight = functools.partial(of_weight, ADD)
