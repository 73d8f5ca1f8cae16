"""What is wrong is found, what rounding may do is not, and the kernels' own proof is this one."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.bench.proof import (
    DisagreementError,
    able,
    arguments,
    bound,
    compare,
    outcome,
    prove,
    prove_bits,
    strided,
)
from tinymed.bench.verify import verdicts
from tinymed.kernels import KERNELS
from tinymed.kernels.threads import get_num_threads, set_num_threads

from .kernels import CASE, double


@pytest.mark.parametrize(
    ("found", "expected", "message"),
    [
        ([np.float32([1, 2])], [np.array([1.0, 2.001])], r"result 0: 2.0 is not 2.001 at \(1,\)"),
        ([np.float32([1, np.nan])], [np.array([1.0, 2.0])], "nan is not 2.0"),
        ([np.float32([1, 3])], [np.array([1.0, np.nan])], "3.0 is not nan"),
        ([np.float32([np.inf])], [np.array([-np.inf])], "inf is not -inf"),
        ([np.float32([1])], [np.array([1.0, 1.0])], r"shape \(1,\) is not \(2,\)"),
        ([np.float64([1])], [np.array([1.0])], "dtype float64 is not float32"),
        ([np.int32([1])], [np.int64([1])], "dtype int32 is not int64"),
        ([np.int64([1])], [np.int64([2])], "1 is not 2"),
        ([None], [np.array([1.0])], "NoneType, not an array"),
        ([1], [True], "1 is not True"),
        ([], [None], "0 results, not 1"),
    ],
)
def test_what_differs_is_named(found, expected, message):
    with pytest.raises(DisagreementError, match=message):
        compare(found, expected, {np.dtype("f4"): 1e-5})


def test_rounding_is_allowed_up_to_the_bound():
    exact = np.array([1.0, 10.0, np.nan, np.inf])
    found = (exact + np.array([0, 1e-4, 0, 0])).astype(np.float32)
    error = compare([found], [exact], {np.dtype("f4"): 1e-5})
    assert error == pytest.approx(1e-4 / (1e-5 * 20), rel=0.02)
    with pytest.raises(DisagreementError):
        compare([found], [exact], {np.dtype("f4"): 4e-6})


def test_nothing_is_equal_to_nothing():
    assert compare([np.zeros((0, 3), np.float32)], [np.zeros((0, 3))], {np.dtype("f4"): 1e-5}) == 0


def test_the_bound_grows_with_the_terms():
    many = bound(CASE(terms=100), np.float32)
    assert many == pytest.approx(10 * bound(CASE(terms=1), np.float32))
    assert bound(CASE(), np.float64) < 1e-8 * bound(CASE(), np.float32)


def test_strided_arguments_are_equal_and_not_contiguous():
    x = np.arange(12.0).reshape(3, 4)
    view, (inside,) = strided(x), strided([x])
    for found in (view, inside):
        np.testing.assert_array_equal(found, x)
        assert not found.flags.c_contiguous
    assert strided("relu") == "relu"


def test_what_is_written_to_is_part_of_the_outcome():
    x, state = np.ones(2), [np.zeros(2)]

    def step(x, state):
        state[0] += x

    found = outcome(step, (x, state))
    assert found[0] is None
    np.testing.assert_array_equal(found[2], [1, 1])


def test_a_right_kernel_is_proved(fake):
    assert prove(CASE(), "numba_cpu:right", np.float32) < 1
    assert prove_bits(CASE(), "numba_cpu:right")


def test_a_wrong_kernel_is_found(fake):
    with pytest.raises(DisagreementError, match="contiguous float64: result 0"):
        prove(CASE(), "numba_cpu:wrong", np.float64)


def test_a_kernel_that_is_wrong_on_strided_arrays_is_found(fake):
    def careless(x, factor):
        return double(x if x.flags.c_contiguous else x + 1, factor)

    with pytest.raises(DisagreementError, match="strided float32"):
        prove(CASE(), "mine", np.float32, careless)


def test_a_kernel_that_changes_its_input_is_found(fake):
    def greedy(x, factor):
        y = double(x, factor)
        x[...] = 0
        return y

    with pytest.raises(DisagreementError, match="result 1"):
        prove(CASE(), "mine", np.float32, greedy)


def test_bits_that_depend_on_threads_are_found(fake):
    before = get_num_threads()
    set_num_threads(2)
    fake.loaded["numba_cpu:right"] = lambda x, factor: double(x, factor) + get_num_threads()
    try:
        with pytest.raises(DisagreementError, match="changes from run to run"):
            prove_bits(CASE(), "numba_cpu:right")
        assert get_num_threads() == 2
    finally:
        set_num_threads(before)


def test_arguments_are_the_same_each_time():
    first, again = (arguments(CASE(), np.float32) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])


def test_the_rules_say_what_is_not_for_a_case(fake):
    given = arguments(CASE(), np.float32)
    assert able(fake.name, "numba_cpu:right", given)
    assert not able(fake.name, "numba_cpu:never", given)
    assert prove(CASE(), "numba_cpu:never", np.float32) is None
    assert not prove_bits(CASE(), "numba_cpu:never")


def test_verdicts_tell_right_from_wrong(fake):
    found = {v.implementation: v for v in verdicts([fake.name], {fake.name: {"mine": double}})}
    right, wrong, mine = found["numba_cpu:right"], found["numba_cpu:wrong"], found["mine"]
    assert (right.proved, right.failures) == (4, [])
    assert "agrees on 4 cases" in str(right)
    assert len(wrong.failures) == 2
    assert "disagrees on 2 cases\n  3: contiguous" in str(wrong)
    assert mine.proved == 4
    assert "needs" in found["numba_cpu:absent"].note


def test_a_kernel_that_raises_is_a_failure_and_the_others_go_on(fake):
    def broken(x, factor):
        raise ZeroDivisionError("oops")

    *_, last = verdicts([fake.name], {fake.name: {"mine": broken}})
    assert last.failures[0] == "3: ZeroDivisionError: oops"


def test_every_kernel_of_the_package_can_be_asked_for():
    assert all("reference" in kernel.implementations for kernel in KERNELS.values())


def test_results_in_float32_beside_16_bits_have_their_own_limit():
    half, single = np.dtype(np.float16), np.dtype(np.float32)
    limits = {half: 1e-3, single: 1e-6}
    expected = [np.ones(2), np.ones(2, single)]
    assert compare([np.ones(2, half), np.ones(2, single)], expected, limits) == 0
    with pytest.raises(DisagreementError, match=r"result 1: 1\.0001\d* is not 1\.0"):
        compare([np.ones(2, half), np.full(2, 1.0001, single)], expected, limits)
    with pytest.raises(DisagreementError, match="result 1: dtype float16 is not float32"):
        compare([np.ones(2, half), np.ones(2, half)], expected, limits)
