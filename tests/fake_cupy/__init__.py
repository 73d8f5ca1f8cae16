"""A stand-in for CuPy, for tests without a GPU: arrays that NumPy computes and nobody can mix up.

What it is for is to catch what would fail, or be slow, on a GPU. So it refuses what CuPy refuses:
to become a NumPy array by itself, host arrays among its arguments, functions and arguments that
CuPy has not (`names.txt`). Reductions and elements are arrays without axes, and each time a value
is read by the host, which waits for the GPU, is counted in ``module.host_reads``.

>>> from tests.fake_cupy import FakeCuPy
>>> cupy = FakeCuPy()
>>> x = cupy.asarray([1.0, 2.0])
>>> x.sum().shape, float(x.sum()), cupy.host_reads
((), 3.0, 1)

The fixture ``cupy`` of `tests.conftest` puts it where CuPy would be.
"""

from tests.fake_cupy.array import ndarray
from tests.fake_cupy.module import FakeCuPy

__all__ = ["FakeCuPy", "ndarray"]
