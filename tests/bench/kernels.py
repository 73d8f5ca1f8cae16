"""A kernel with implementations that agree, that do not, and that are not there."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType

import numpy as np

from tinymed.kernels import KERNELS, registry, rules
from tinymed.kernels.case import Case
from tinymed.kernels.registry import Kernel

NAME = "fake.double"


def double(x, factor):
    """Return factor x: the reference."""
    return x * x.dtype.type(factor)


def wrong(x, factor):
    """Return something else."""
    return x * x.dtype.type(factor) + 1


def make(n, rng, dtype):
    """Return arguments."""
    return rng.standard_normal(n).astype(dtype), 2.0


def CASE(n=3, terms=1):
    """Return a case."""
    return Case(NAME, str(n), partial(make, n), terms, flops=n, bytes=8 * n)


def install(monkeypatch):
    """Register the kernel, its rules and its cases; return it."""
    names = ("right", "wrong", "never", "absent")
    kernel = Kernel(NAME, {f"numba_cpu:{name}": "nowhere:nothing" for name in names})
    kernel.implementations["reference"] = "nowhere:nothing"
    kernel.loaded = {"reference": double, "numba_cpu:right": double, "numba_cpu:wrong": wrong}
    found = tuple(
        rules.Rule(f"numba_cpu:{name}", can, can, "a test")
        for name, can in (
            ("right", rules.always),
            ("wrong", rules.always),
            ("never", lambda *given: False),
            ("absent", rules.always),
        )
    )
    monkeypatch.setitem(KERNELS, NAME, kernel)
    monkeypatch.setitem(rules.RULES, NAME, found)
    cases = ModuleType("tinymed.kernels.fake.cases")
    cases.PROOFS, cases.BENCHES = [CASE(3), CASE(5)], [CASE(64), CASE(128)]
    monkeypatch.setitem(sys.modules, "tinymed.kernels.fake", ModuleType("tinymed.kernels.fake"))
    monkeypatch.setitem(sys.modules, cases.__name__, cases)

    real = registry.missing

    def missing(implementation):
        if implementation == "numba_cpu:absent":
            return "a package"
        return None if implementation in kernel.implementations else real(implementation)

    for module in ("tinymed.bench.contests", "tinymed.bench.verify"):
        monkeypatch.setattr(sys.modules[module], "missing", missing)
    monkeypatch.setattr(registry, "missing", missing)
    np.testing.assert_array_equal(kernel(np.ones(2), 2.0), [2, 2])
    return kernel
