"""Convolution of float32 on tensor cores, in three products of TF32 each. See cuda_tensor.py."""

from __future__ import annotations

import functools

from tinymed.kernels.conv.cuda_tensor import Family, gradient, layer, of_weight

__all__ = ["VARIANTS", "forward", "grad_input", "grad_weight"]

FAMILIES = {"float32": Family.of("tf32x3")}
VARIANTS = (FAMILIES["float32"].channels_last, *FAMILIES["float32"].all)

forward = functools.partial(layer, FAMILIES)
grad_input = functools.partial(gradient, FAMILIES)
grad_weight = functools.partial(of_weight, FAMILIES)
