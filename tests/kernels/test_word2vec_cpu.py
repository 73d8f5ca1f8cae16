"""word2vec's and GloVe's steps are along gradients that autograd finds, and draws are known ones.

That compiled code does what the reference does is in test_agreement.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed import ops
from tinymed.gradcheck import gradcheck
from tinymed.kernels import glove, use_backend, word2vec
from tinymed.kernels.registry import missing
from tinymed.kernels.word2vec.reference import Draws
from tinymed.medical.text import huffman_tree

BACKENDS = ["reference", "numba_cpu"]
ALWAYS = 2**31 - 1
ALPHA = 0.3


@pytest.fixture(autouse=True, params=BACKENDS)
def backend(request: Any) -> Any:
    if missing(request.param):
        pytest.skip(f"needs {missing(request.param)}")
    with use_backend(request.param):
        yield


def logistic_loss(h: Any, rows: Any, signs: Any) -> Any:
    """Return -sum log sigmoid(y_t h o_t), as the papers have it."""
    return -ops.sum(ops.logsigmoid(signs * (rows @ h)))


Hidden = Callable[[Any], Any]


def learnt(inputs: Any, outputs: Any, predictions: list[tuple[Hidden, Any, Any]]) -> Any:
    """Step along autograd's gradient for each prediction: (hidden of inputs, rows, signs)."""
    for hidden, rows, signs in predictions:
        x, y = (tm.tensor(table, requires_grad=True) for table in (inputs, outputs))
        logistic_loss(hidden(x), y[np.array(rows)], np.array(signs, np.float64)).backward()
        inputs, outputs = (t.data - ALPHA * t.grad.data for t in (x, y))
    return inputs, outputs


def tables(rows: int, nodes: int, width: int = 3) -> Any:
    rng = np.random.default_rng(7)
    return rng.standard_normal((rows, width)), rng.standard_normal((nodes, width))


def text(words: list[int], rows: int) -> Any:
    return np.array(words), np.array([0, len(words)]), np.full(rows, ALWAYS, np.int32)


def noise_of(word: int, rows: int) -> Any:
    """Return a table from which this word is always drawn."""
    return np.stack([np.full(rows, -1), np.full(rows, word)], axis=1).astype(np.int32)


def row(number: int) -> Hidden:
    return lambda x: x[number]


def mean(*numbers: int) -> Hidden:
    return lambda x: ops.mean(x[np.array(numbers)], dim=0)


def total(*numbers: int) -> Hidden:
    return lambda x: ops.sum(x[np.array(numbers)], dim=0)


def test_skip_gram_with_negative_sampling():
    inputs, outputs = tables(4, 4)
    targets = {word: ([word, 2, 2, 2], [1, -1, -1, -1]) for word in (0, 1)}
    targets[2] = ([2], [1])  # the noise is the word itself, and is left out
    predictions = [(row(h), *targets[w]) for w, h in ((0, 1), (1, 0), (1, 2), (2, 1))]
    expected = learnt(inputs, outputs, predictions)
    given = *text([0, 1, 2], 4), noise_of(2, 4)
    left = word2vec.skip_gram_negative(inputs, outputs, *given, 1, False, 3, ALPHA, 0)
    np.testing.assert_allclose(inputs, expected[0], rtol=1e-12)
    np.testing.assert_allclose(outputs, expected[1], rtol=1e-12)
    assert left == 3


@pytest.mark.parametrize(("hidden", "by_mean"), [(mean, True), (total, False)])
def test_cbow_with_negative_sampling(hidden, by_mean):
    inputs, outputs = tables(4, 4)
    words = [0, 1, 1, 0]
    predictions = [
        (hidden(*(words[:i] + words[i + 1 :])), [word, 3, 3], [1, -1, -1])
        for i, word in enumerate(words)
    ]
    expected = learnt(inputs, outputs, predictions)
    given = *text(words, 4), noise_of(3, 4)
    word2vec.cbow_negative(inputs, outputs, *given, 3, False, by_mean, 2, ALPHA, 0)
    np.testing.assert_allclose(inputs, expected[0], rtol=1e-12)
    np.testing.assert_allclose(outputs, expected[1], rtol=1e-12)


def way_to(word: int, tree: Any) -> tuple[Any, Any]:
    nodes, labels, paths = tree
    way = slice(paths[word], paths[word + 1])
    return nodes[way], 2 * labels[way] - 1


def test_hierarchical_softmax():
    tree = huffman_tree([4, 1, 7, 2, 2])
    tree = tree[0], tree[1].astype(np.float64), tree[2]
    words = [3, 1, 4]
    for bags in (False, True):
        inputs, outputs = tables(5, 4)
        if bags:
            predictions = [
                (mean(*(words[:i] + words[i + 1 :])), *way_to(word, tree))
                for i, word in enumerate(words)
            ]
        else:
            predictions = [
                (row(words[j]), *way_to(word, tree))
                for i, word in enumerate(words)
                for j in range(3)
                if j != i
            ]
        expected = learnt(inputs, outputs, predictions)
        given = inputs, outputs, *text(words, 5), *tree, 2, False
        if bags:
            word2vec.cbow_hierarchical(*given, True, ALPHA, 0)
        else:
            word2vec.skip_gram_hierarchical(*given, ALPHA, 0)
        np.testing.assert_allclose(inputs, expected[0], rtol=1e-12)
        np.testing.assert_allclose(outputs, expected[1], rtol=1e-12)


def test_the_chances_of_all_words_in_a_tree_add_up_to_one():
    tree = huffman_tree([4, 1, 7, 2, 2])
    h, nodes = np.random.default_rng(0).standard_normal(3), tables(5, 4)[1]
    chances = []
    for word in range(5):
        rows, signs = way_to(word, tree)
        chances.append(np.exp(-float(logistic_loss(tm.tensor(h), tm.tensor(nodes[rows]), signs))))
    np.testing.assert_allclose(sum(chances), 1, rtol=1e-12)


def test_the_objective_itself_by_finite_differences():
    signs = np.array([1.0, -1, -1])
    inputs, outputs = (tm.tensor(t, requires_grad=True) for t in tables(4, 3))
    assert gradcheck(lambda x, y: logistic_loss(ops.mean(x, dim=0), y, signs), (inputs, outputs))


# ------------------------------------------------------------------------------------- draws


def test_draws_are_those_of_splitmix64():
    draws = Draws(1234567)  # what Java's SplittableRandom and Rosetta Code have for this seed
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [draws.next() for _ in range(3)] == expected


def test_words_are_kept_as_often_as_asked_and_seeds_differ():
    words = np.random.default_rng(0).integers(0, 2, 4000)
    keep = np.array([ALWAYS, 2**31 // 4], np.int32)
    starts = np.array([0, len(words)])
    lefts = []
    for seed in (1, 2):
        inputs, outputs = tables(2, 2, 1)
        given = inputs, outputs, words, starts, keep, noise_of(0, 2)
        lefts.append(word2vec.skip_gram_negative(*given, 1, True, 0, 0.0, seed))
    expected = (words == 0).sum() + (words == 1).sum() / 4
    assert lefts[0] != lefts[1]
    np.testing.assert_allclose(lefts, expected, rtol=0.03)


# ------------------------------------------------------------------------------------- GloVe


def glove_loss(w: Any, c: Any, b: Any, d: Any, i: Any, j: Any, t: Any, f: Any) -> Any:
    """Return 1/2 sum f (w_i c_j + b_i + d_j - t)^2."""
    errors = ops.sum(w[i] * c[j], dim=1) + b[i] + d[j] - t
    return ops.sum(f * errors * errors) / 2


def glove_tables() -> list[Any]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal(shape) for shape in ((5, 3), (5, 3), (5,), (5,))]


def test_glove_steps_along_the_gradient_of_its_loss():
    values, squares = glove_tables(), [np.full(a.shape, 0.5) for a in glove_tables()]
    i, j = np.array([0, 4, 0]), np.array([2, 0, 2])
    t, f = np.array([0.1, -2.0, 1.0]), np.array([1.0, 0.3, 0.7])
    expected, sums, losses = [a.copy() for a in values], [a.copy() for a in squares], 0.0
    for k in range(3):
        tensors = [tm.tensor(a, requires_grad=True) for a in expected]
        one = slice(k, k + 1)
        loss = glove_loss(*tensors, i[one], j[one], t[one], f[one])
        loss.backward()
        losses += float(loss)
        for n, tensor in enumerate(tensors):
            sums[n] = sums[n] + tensor.grad.data**2
            expected[n] = expected[n] - 0.1 * tensor.grad.data / np.sqrt(sums[n])
    found = glove.adagrad(*values, *squares, i, j, t, f, np.array([0, 3]), 0.1)
    np.testing.assert_allclose(found, losses, rtol=1e-12)
    for one, other in zip(values + squares, expected + sums, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_gloves_objective_by_finite_differences():
    i, j = np.array([0, 4, 0]), np.array([2, 0, 2])
    t, f = np.array([0.1, -2.0, 1.0]), np.array([1.0, 0.3, 0.7])
    tensors = tuple(tm.tensor(a, requires_grad=True) for a in glove_tables())
    assert gradcheck(lambda *given: glove_loss(*given, i, j, t, f), tensors)
