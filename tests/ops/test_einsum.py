"""einsum against NumPy's, on drawn equations; its order, its gradients, what it refuses."""

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rounding import assert_rounded
from tinymed import ops
from tinymed.gradcheck import gradcheck, gradgradcheck
from tinymed.tensor import Tensor

SIZES = {"a": 2, "b": 3, "c": 1, "d": 4, "e": 2}


@st.composite
def equations(draw: st.DrawFn) -> tuple[str, list[tuple[int, ...]]]:
    """Draw up to four operands with repeated letters, axes of 1 and ellipses."""
    inputs, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        letters = draw(st.lists(st.sampled_from("abcde"), max_size=3))
        shape = [SIZES[c] for c in letters]
        if draw(st.booleans()):
            at = draw(st.integers(0, len(letters)))
            middle = draw(st.lists(st.sampled_from((1, 3)), max_size=2))
            shape[at:at] = middle
            letters.insert(at, "...")
        for i, c in enumerate(letters):
            if (
                c != "..."
                and letters.count(c) == 1
                and "..." not in letters
                and draw(st.booleans())
            ):
                shape[i] = draw(st.sampled_from((1, SIZES[c])))
        inputs.append("".join(letters))
        shapes.append(tuple(shape))
    known = sorted(set("".join(inputs)) - {"."})
    output = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
    return f"{','.join(inputs)}->...{''.join(output)}", shapes


@settings(max_examples=150, deadline=None)
@given(equations(), st.randoms(use_true_random=False))
def test_equals_numpy(drawn: Any, random: Any) -> None:
    equation, shapes = drawn
    generator = np.random.default_rng(random.getrandbits(32))
    operands = [generator.standard_normal(shape) for shape in shapes]
    expected = np.einsum(equation, *operands)
    scale = np.sqrt(np.einsum(equation, *[x**2 for x in operands])) + 1
    found = ops.einsum(equation, *operands)
    assert_rounded(found, expected, terms=200, scale=scale)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 2)]),
        ("bij,bjk->bik", [(2, 2, 2), (2, 2, 2)]),
        ("ii->i", [(3, 3)]),
        ("iji->j", [(2, 3, 2)]),
        ("ij,ij->i", [(2, 3), (1, 3)]),
        ("i,ij,j", [(2,), (2, 3), (3,)]),
        ("...i,...ij->...j", [(2, 3), (3, 2)]),
        ("i,j->ji", [(2,), (3,)]),
        ("ij->", [(2, 3)]),
    ],
)
def test_gradients(equation: str, shapes: Any) -> None:
    generator = np.random.default_rng(1)
    operands = [Tensor(generator.standard_normal(s), requires_grad=True) for s in shapes]
    assert gradcheck(lambda *xs: ops.einsum(equation, *xs), operands)
    assert gradgradcheck(lambda *xs: ops.einsum(equation, *xs), operands)


def test_small_products_come_first() -> None:
    """Without an order, (n, n) (n, n) (n,) would make an (n, n) matrix of n^3 products."""
    n = 700
    a, v = np.ones((n, n)), np.ones(n)
    tracemalloc.start()
    found = ops.einsum("ij,jk,kl,l->i", a, a, a, v)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0] == n**3
    assert peak < 2 * n * 100


def test_all_orders_agree() -> None:
    generator = np.random.default_rng(2)
    terms = {s: generator.standard_normal([SIZES[c] for c in s]) for s in ("ab", "bd", "de", "ea")}
    found = [
        ops.einsum(",".join(order), *(terms[s] for s in order))
        for order in itertools.permutations(terms)
    ]
    np.testing.assert_allclose(found, found[0], 1e-12)


def test_dtype_is_kept() -> None:
    for dtype in ("f2", "f4", "i4", "u1"):
        x = np.ones((2, 3), dtype)
        assert ops.einsum("ij,kj->ik", x, x).dtype == dtype
        assert ops.einsum("ij->", x).dtype == dtype


def test_arrays_in_arrays_out() -> None:
    assert type(ops.einsum("i,i", np.ones(2), np.ones(2))) is np.ndarray
    assert isinstance(ops.einsum("i,i", Tensor(np.ones(2)), np.ones(2)), Tensor)


@pytest.mark.parametrize(
    ("kind", "words", "arguments"),
    [
        (
            ValueError,
            r"subscript j has size 3 in operand 0 \(2, 3\) but 2 in operand 1 \(2, 4\)",
            ("ij,jk", np.ones((2, 3)), np.ones((2, 4))),
        ),
        (
            ValueError,
            r"subscript of the ellipsis has size 4 in operand 0 \(4, 2\) but 3 in operand 1",
            ("...i,...i", np.ones((4, 2)), np.ones((3, 2))),
        ),
        (
            ValueError,
            r"subscript i is repeated in operand 0 \(2, 3\), but with sizes 2 and 3",
            ("ii", np.ones((2, 3))),
        ),
        (ValueError, "subscript k of 'ij->k' is in no operand", ("ij->k", np.ones((2, 3)))),
        (ValueError, "subscript i of 'ij->ii' is twice in the output", ("ij->ii", np.ones((2, 3)))),
        (ValueError, "has subscripts for 2 operands, 1 given", ("ij,jk", np.ones((2, 3)))),
        (ValueError, r"'ijk' of operand 0 \(2, 3\) name 3 axes, it has 2", (
            "ijk", np.ones((2, 3)))),
        (ValueError, "more than letters and one '...'", ("i1", np.ones((2, 3)))),
        (ValueError, "an equation and at least one operand", ("ij",)),
        (ValueError, "subscript 52 is not a number from 0 to 51", (np.ones(2), [52])),
        (TypeError, "operand 1 is float32 but operand 0 is float64", (
            "i,i", np.ones(2), np.ones(2, "f4"))),
        (TypeError, "einsum: operand 0 is float, expected a Tensor or array", ("i", [1.0])),
        (TypeError, "einsum: bools are not added up; cast them", ("i->", np.ones(2, bool))),
    ],
)  # fmt: skip
def test_refuses(kind: type[Exception], words: str, arguments: Any) -> None:
    with pytest.raises(kind, match=words):
        ops.einsum(*arguments)


def test_tensordot_equals_numpy() -> None:
    generator = np.random.default_rng(3)
    a, b = generator.standard_normal((2, 3, 4)), generator.standard_normal((4, 3, 5))
    for dims in (([1, 2], [1, 0]), ([2], [0]), (2, 0), 0, ([], [])):
        np.testing.assert_allclose(ops.tensordot(a, b, dims), np.tensordot(a, b, dims), 1e-12)
    with pytest.raises(ValueError, match=r"axis 1 of a \(2, 3, 4\) has size 3, axis 0 of b"):
        ops.tensordot(a, b, (1, 0))
    with pytest.raises(IndexError, match="tensordot: dim 3 is out of range"):
        ops.tensordot(a, b, (3, 0))
