"""Products of 16 bits whose sums are not rounded: by which kernel, and to how many digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import SCHEDULES, emulated, unavailable
from tinymed.kernels.matmul import sums

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("sizes", "compute", "ran"),
    [
        ((5, 40, 7), (9, 0), ["matmul/float16_nn"]),
        ((5, 600, 3), (8, 0), ["matmul/float16_nn", "matmul/parts_float32"]),
        ((64, 64, 72), (9, 0), ["matmul/wgmma_float16_128"]),
        ((64, 64, 72), (10, 0), ["matmul/float16_nn"]),
        ((64, 600, 64), (9, 0), ["matmul/wgmma_float16_128", "matmul/parts_float32"]),
    ],
)
def test_sums_of_float16_are_those_of_float32(
    sizes: tuple[int, int, int], compute: tuple[int, int], ran: list[str], bias: bool, schedule: str
) -> None:
    (m, k, n), rng = sizes, np.random.default_rng(0)
    a, b, c = (rng.standard_normal(s).astype(np.float16) for s in ((m, k), (k, n), (n,)))
    with emulated(schedule, capability=compute) as launcher:
        y = sums.product(a, b, c if bias else None)
    assert [variant.name for variant, _ in launcher.ran] == ran
    exact = a.astype(np.float64) @ b.astype(np.float64) + (c if bias else 0)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-6 * k)
    rounded = exact.astype(np.float16)
    assert abs(rounded - exact).max() > 1e-3, "or it would be seen if they were rounded"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_others_are_products_in_their_own_dtype(dtype: Any) -> None:
    a, b, c = (np.ones(shape, dtype) for shape in ((2, 3), (3, 4), (4,)))
    with emulated() as launcher:
        y = sums.product(a, b, c)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.full((2, 4), 4))
    assert launcher.ran[0][0].source == "matmul/tiles.cu"


def test_a_gpu_without_tensor_cores_for_16_bits_is_told_so() -> None:
    a = np.ones((2, 2), np.float16)
    with (
        emulated(capability=(7, 5)),
        pytest.raises(LookupError, match=r"matmul/float16_nn is for sm_80.* this GPU's sm_75"),
    ):
        sums.product(a, a)
