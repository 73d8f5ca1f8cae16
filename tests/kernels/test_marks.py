"""Tests that are left out of the run with Numba: they exist, and a kernel in one of them fails."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tinymed.kernels import KERNELS


@pytest.fixture
def shared(pytestconfig: pytest.Config) -> Any:
    """The conftest.py of all tests."""
    plugins = pytestconfig.pluginmanager.get_plugins()
    return next(plugin for plugin in plugins if hasattr(plugin, "WITHOUT_KERNELS"))


def test_there_are_tests_under_each_name(shared: Any) -> None:
    names = [path.relative_to(shared.TESTS).as_posix() for path in shared.TESTS.rglob("test_*.py")]
    for start in shared.WITHOUT_KERNELS:
        assert any(name.startswith(start) for name in names), start
    assert not any(name.startswith(shared.WITHOUT_KERNELS) for name in names if "kernels" in name)


@pytest.mark.parametrize("marked", [True, False])
def test_a_kernel_in_a_test_without_kernels_fails(shared: Any, marked: bool) -> None:
    item = SimpleNamespace(path=Path("test_x.py"), get_closest_marker=lambda name: marked or None)
    run, kernel = shared.pytest_runtest_protocol(item), KERNELS["softmax.softmax"]
    next(run)
    try:
        if marked:
            with pytest.raises(AssertionError, match=r"test_x\.py runs a kernel, but WITHOUT"):
                kernel(np.ones((2, 3, 4)))
        else:
            kernel(np.ones((2, 3, 4)))
    finally:
        run.close()
    kernel(np.ones((2, 3, 4)))
