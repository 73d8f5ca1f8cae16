"""Settings and inputs for every op, one module for each family of ops: all are found and loaded.

`CASES` then holds what each module added with `case`.
"""

import importlib
import pkgutil

from tests.ops.cases.case import CASES, Case

__all__ = ["CASES", "Case"]

for module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{module.name}")
