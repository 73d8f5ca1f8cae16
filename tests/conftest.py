"""What all tests share: fixtures, one seed for everything they draw, which ones run no kernel."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # A process for each processor: threads of theirs beside it wait for each other, scikit-learn's
    # up to thirty times as long as the work takes. Read when a library is loaded, so before that.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import tinymed as tm
from tests.fake_cupy import FakeCuPy
from tinymed.autograd import Function
from tinymed.kernels import Kernel, use_backend
from tinymed.kernels.registry import missing

# Layers in parameter lists are built while the tests are collected, before any fixture runs.
tm.manual_seed(0)
gc.disable()  # until then: see pytest_collection_finish

TESTS = Path(__file__).parent
# What is tested here runs no kernel, in any process: with Numba nothing about it is another. So
# .ci/run tries it once, without Numba, and leaves it out of the second run (-m "not no_kernels").
WITHOUT_KERNELS = (
    "data/", "medical/detection/test_candidates", "medical/imaging/",
    "medical/report/test_model_card", "medical/report/test_pictures",
    "medical/signals/", "medical/sequences/", "medical/survival/test_metrics",
    "medical/molecules/", "test_metrics", "test_names", "test_random.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(TESTS):
            continue  # doctests of the package
        if item.path.relative_to(TESTS).as_posix().startswith(WITHOUT_KERNELS):
            item.add_marker("no_kernels")


def pytest_collection_finish() -> None:
    """Tell the garbage collector that tests are none: thirty thousand, for it to look through."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Keep the promise of the mark, in fixtures too: every call of a kernel asks what to run."""
    if item.get_closest_marker("no_kernels") is None:
        return (yield)
    says = f"{item.path.name} runs a kernel, but WITHOUT_KERNELS of tests/conftest.py has it"
    with mock.patch.object(Kernel, "choose", side_effect=AssertionError(says)):
        return (yield)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """Each test draws the same numbers, alone or among others: a failure can be repeated."""
    tm.manual_seed(0)


@pytest.fixture
def leave_registry() -> Iterator[None]:
    """Forget the ops that a test defines, so that the registry holds the package's only."""
    before = dict(Function.registry)
    yield
    Function.registry.clear()
    Function.registry.update(before)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCuPy]:
    """A stand-in where CuPy would be: a GPU that runs kernels as their reference, without CUDA."""
    fake = FakeCuPy()
    monkeypatch.setitem(sys.modules, "cupy", fake)
    missing.cache_clear()  # CuPy is there as long as its stand-in is
    with use_backend("reference"):
        yield fake
    missing.cache_clear()
