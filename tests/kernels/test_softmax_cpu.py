"""Softmax in vector code on logits that are no numbers, where the reference warns."""

from typing import Any

import numpy as np
import pytest

from tinymed.kernels.softmax import reference

pytest.importorskip("numba")

from tinymed.kernels.softmax import numba_cpu

VALUES = np.array([np.nan, np.inf, -np.inf, 0.0, 80.0, -200.0])
NAMES = "softmax", "log_softmax", "cross_entropy", "cross_entropy_grad"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 5])
def test_no_numbers_come_out_where_the_reference_has_none(
    name: str, dtype: Any, length: int
) -> None:
    rng = np.random.default_rng(0)
    for classes in (1, 2, 3, 19, 40):
        x = rng.choice(VALUES, (30, classes, length)).astype(dtype)
        x[0], x[1] = -np.inf, np.nan
        given: tuple[Any, ...] = (x,)
        if name.startswith("cross"):
            target = rng.integers(0, classes, 30)
            given = (x[:, :, 0], target)
        if name.endswith("grad"):
            given = (rng.standard_normal(30).astype(dtype), *given)
        with np.errstate(all="ignore"):
            expected = getattr(reference, name)(*given)
        found = getattr(numba_cpu, name)(*given)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, equal_nan=True)
