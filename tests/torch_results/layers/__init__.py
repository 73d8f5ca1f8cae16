"""Layers, settings and inputs, one module for each family of layers: all are found and loaded.

``python -m tests.torch_results.make layers.FAMILY`` stores what PyTorch's layers answer;
`tests/nn/test_against_torch.py` reads it.
"""

import importlib
import pkgutil

from tests.torch_results.layers.case import (
    CASES,
    ONLY_HERE,
    Case,
    Drawn,
    begin,
    build,
    draw,
    flat,
    nested,
)

__all__ = ["CASES", "FAMILIES", "ONLY_HERE", "Case", "Drawn", "build", "draw", "flat", "nested"]

FAMILIES = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "case"]
for family in FAMILIES:
    begin(family)
    importlib.import_module(f"{__name__}.{family}")
