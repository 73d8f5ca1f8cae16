"""The stand-in refuses what CuPy refuses; where CuPy is installed, it has the same names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy
from tests.fake_cupy.names import FILE, found_in


def test_names_are_those_of_the_cupy_that_is_installed() -> None:
    real = pytest.importorskip("cupy", reason="CuPy is not installed")
    if real.__version__.split(".")[0] != "14":
        pytest.skip(f"names.txt is of CuPy 14, this is {real.__version__}")
    lines = FILE.read_text().splitlines()
    known = [line for line in lines if hasattr(np, line.split()[0])]  # others, of another NumPy
    assert known == found_in(real)


@pytest.mark.parametrize(
    "mixed",
    [
        lambda cupy, x: np.asarray(x),
        lambda cupy, x: np.ones(2) + x,
        lambda cupy, x: x * np.ones(2),
        lambda cupy, x: cupy.where(x > 0, np.ones(2), x),
        lambda cupy, x: np.concatenate([x, np.ones(2)]),
        lambda cupy, x: cupy.maximum(np.ones(()), x),
        lambda cupy, x: x.max(initial=0),
        lambda cupy, x: cupy.sum(x, where=x > 0),
        lambda cupy, x: range(10)[x.astype(int).sum()],  # no __index__
    ],
)
def test_no_mixing_and_no_argument_that_cupy_has_not(mixed: Any, cupy: FakeCuPy) -> None:
    with pytest.raises(TypeError):
        mixed(cupy, cupy.asarray([1.0, 2.0]))


def test_other_refusals(cupy: FakeCuPy) -> None:
    x = cupy.asarray([1.0, 2.0])
    with pytest.raises(AttributeError, match="module 'cupy' has no attribute 'errstate'"):
        _ = cupy.errstate
    with pytest.raises(NotImplementedError, match="accumulate"):
        cupy.maximum.accumulate(x)
    with pytest.raises(ValueError, match=r"numpy\.ndarray cannot be used for fill"):
        x[:] = np.ones(2)
    with pytest.raises(TypeError, match="int8 is not supported"):
        cupy.add.at(x.astype("int8"), cupy.asarray([0]), 1)


def test_results_are_arrays_and_each_wait_is_counted(cupy: FakeCuPy) -> None:
    x = cupy.asarray([1.0, 2.0])
    for y in (x.sum(), x[0], cupy.exp(x[0]), x.max() + 1.0):
        assert isinstance(y, cupy.ndarray)
        assert y.shape == ()
    assert cupy.host_reads == 0
    assert bool(x[0] == 1)
    assert (float(x[1]), x.item(0), x.tolist(), x[x > 1].shape) == (2.0, 1.0, [1.0, 2.0], (1,))
    assert cupy.host_reads == 5
    assert np.exp(x).sum().host == pytest.approx(np.exp([1, 2]).sum())  # NumPy asks CuPy


def test_a_capture_computes_nothing_and_a_launch_all(cupy: FakeCuPy) -> None:
    x, total = cupy.asarray([1.0, 2.0]), cupy.zeros(2)
    with cupy.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        y = (x * 2)[::-1]
        total += y
        with pytest.raises(RuntimeError, match="so D2H transfers are disallowed"):
            float(y[0])
        with pytest.raises(RuntimeError, match="so H2D transfers are disallowed"):
            x.set(np.ones(2))
        graph = stream.end_capture()
    assert np.isnan(y.host).all()
    assert total.host.tolist() == [0, 0]
    graph.launch()
    x[:] = cupy.asarray([5.0, 7.0])
    graph.launch()
    assert (y.host.tolist(), total.host.tolist()) == ([14, 10], [18, 12])
