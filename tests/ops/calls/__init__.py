"""Calls that are made in tinymed and in PyTorch, one module for each family: all are loaded.

``python -m tests.torch_results.make calls.FAMILY`` stores what PyTorch answers; `test_torch` reads
it, and needs no PyTorch.
"""

import importlib
import pkgutil

from tests.ops.calls.call import CALLS, DEVIATIONS, ROUNDED, Call, Constant, begin

__all__ = ["CALLS", "DEVIATIONS", "FAMILIES", "ROUNDED", "Call", "Constant"]

FAMILIES = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "call"]
for family in FAMILIES:
    begin(family)
    importlib.import_module(f"{__name__}.{family}")
