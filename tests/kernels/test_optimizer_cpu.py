"""What agreement does not see of the optimizers' kernels: many arrays, by their addresses."""

import ctypes
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels import KERNELS, optimizer, use_backend
from tinymed.kernels.case import Case
from tinymed.kernels.optimizer.cases import PROOFS, network
from tinymed.kernels.simd.many import HEADER, table_of
from tinymed.kernels.threads import get_num_threads, set_num_threads

STEPS = [case for case in PROOFS if case.kernel != "optimizer.squares"]
ADAM = (7, 1e-2, 0.9, 0.99, 1e-8, None, 0.0, False)


def made(case: Case, dtype: str = "float32") -> tuple[Any, ...]:
    return case.make(np.random.default_rng(3), np.dtype(dtype))


def run(kernel: str, backend: str, given: tuple[Any, ...]) -> list[np.ndarray]:
    """Return all arrays after a step."""
    with use_backend(backend), np.errstate(all="ignore"):
        KERNELS[kernel](*given)
    return [array for column in given if isinstance(column, list) for array in column]


@pytest.mark.parametrize("case", STEPS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_together_is_one_by_one(case: Case, dtype: str) -> None:
    together, alone = made(case, dtype), made(case, dtype)
    found = run(case.kernel, "numba_cpu", together)
    for i in range(len(together[0])):
        one = tuple([a[i]] if isinstance(a, list) else a for a in alone)
        run(case.kernel, "numba_cpu", one)
    expected = [array for column in alone if isinstance(column, list) for array in column]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", STEPS, ids=str)
def test_infinities_go_where_the_reference_has_them(case: Case) -> None:
    pair = [made(case, "float64") for _ in range(2)]
    for given in pair:
        given[0][2][4:6] = np.inf, -np.inf
        given[1][2][6:8] = np.inf, -np.inf
    found, expected = (
        run(case.kernel, backend, given)
        for backend, given in zip(("numba_cpu", "reference"), pair, strict=True)
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        np.testing.assert_array_equal(np.isinf(a), np.isinf(b))
        np.testing.assert_array_equal(a > 0, b > 0)


def test_where_the_elements_of_an_array_begin() -> None:
    """The table holds objects; NumPy's documented layout says where the address is in them."""
    whole = np.zeros((4, 6))
    arrays = [whole, whole[1:], whole[0, 3:], np.array(2.0, np.float32), np.empty((0, 3))]
    table = table_of(arrays, arrays[::-1])
    assert table.shape == (3, 5)
    assert table[0].tolist() == [24, 18, 3, 1, 0]
    for row, expected in ((1, arrays), (2, arrays[::-1])):
        found = [ctypes.c_void_p.from_address(int(at) + HEADER).value for at in table[row]]
        assert found == [array.ctypes.data for array in expected]


@pytest.mark.parametrize("shape", [(1,), (15,), (16,), (33,), (5, 7)])
def test_nothing_is_written_beside_the_arrays(shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape))
    around = [np.full(size + 40, 7.0, np.float32) for _ in range(4)]
    columns = [[array[20 : 20 + size].reshape(shape)] for array in around]
    with use_backend("numba_cpu"):
        optimizer.adam(*columns, *ADAM)
    for array in around:
        assert (array[:20] == 7).all()
        assert (array[20 + size :] == 7).all()
    assert (columns[0][0] != 7).all()
    assert (columns[1][0] == 7).all()  # the gradient


def test_arrays_that_do_not_fit_stay_with_the_reference() -> None:
    def given(*arrays: Any) -> tuple[Any, ...]:
        return (*([array] for array in arrays), *ADAM)

    zeros, wide, other = (np.zeros(3, dtype) for dtype in ("f4", "f8", ">f4"))
    short = np.zeros(2, "f4")
    for arrays in (
        (zeros, short, zeros, zeros),
        (zeros, zeros, zeros, short),
        (zeros, wide, zeros, zeros),
        (other, other, other, other),
    ):
        with use_backend("numba_cpu"), pytest.raises(LookupError, match="cannot do"):
            optimizer.adam(*given(*arrays))
    with pytest.raises(ValueError, match="broadcast"):
        optimizer.adam(*given(zeros, short, zeros.copy(), zeros.copy()))


def test_what_may_not_be_written_is_not() -> None:
    param, *others = (np.ones(5, np.float32) for _ in range(4))
    param.flags.writeable = False
    with use_backend("numba_cpu"), pytest.raises(ValueError, match="read-only"):
        optimizer.adam([param], *([array] for array in others), *ADAM)
    assert (param == 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_squares_of_large_and_odd_numbers(dtype: str) -> None:
    """1e30 squared is beyond float32; blocks are added in one order for any number of threads."""
    rng = np.random.default_rng(0)
    arrays = [np.full(3, 1e30, dtype), rng.standard_normal(40_001).astype(dtype) * 1e30]
    exact = sum(float((array.astype(np.float64) ** 2).sum()) for array in arrays)
    with use_backend("numba_cpu"):
        assert optimizer.squares(arrays) == pytest.approx(exact, rel=1e-12)
        assert np.isnan(optimizer.squares([*arrays, np.array([np.nan, np.inf], dtype)]))
        assert optimizer.squares([*arrays, np.array(-np.inf, dtype)]) == np.inf


def test_a_scalar_is_no_array() -> None:
    """What NumPy returns for -x without axes has no elements at an address."""
    param, gradient = np.array(1.0, np.float32), -np.array(2.0, np.float32)
    assert not isinstance(gradient, np.ndarray)
    with use_backend("numba_cpu"):
        optimizer.sgd([param], [gradient], None, 0.5, 0.0, 0.0, False, True, 0.0)
    assert param == 2


def test_arrays_on_the_same_memory_are_changed_one_after_the_other() -> None:
    memory, gradient = np.zeros(300_001, np.float32), np.ones(300_000, np.float32)
    before = get_num_threads()
    set_num_threads(3)
    try:
        with use_backend("numba_cpu"):
            columns = [memory[1:], memory[:-1]], [gradient, 2 * gradient]
            optimizer.sgd(*columns, None, 1.0, 0.0, 0.0, False, True, 0.0)
    finally:
        set_num_threads(before)
    assert (memory[1:-1] == -3).all()
    assert memory[[0, -1]].tolist() == [-2, -1]


def test_whole_numbers_as_settings_are_no_other_function() -> None:
    """lr = 1 must not be compiled apart from lr = 1.0, nor be cut to a whole number."""
    from tinymed.kernels.optimizer import loops

    make = network([(5,)], None, 1, 0, 0, False, True, 0)
    with use_backend("numba_cpu"):
        optimizer.sgd(*make(np.random.default_rng(0), np.dtype("float32")))
        before = len(loops.sgd.signatures)
        optimizer.sgd(*make(np.random.default_rng(0), np.dtype("float32"))[:3], 0.5, 0, 0, 0, 1, 0)
    assert len(loops.sgd.signatures) == before
