"""Occlusion against loops over its windows."""

import itertools

import numpy as np
import pytest

import tinymed as tm
from tinymed import interpret, nn

RANDOM = np.random.default_rng(2)


def begins(length, size, step):
    found, at = [], 0
    while at < length - size:
        found.append(at)
        at += step
    return [*found, length - size]


@pytest.mark.parametrize(
    ("shape", "window", "stride", "sizes", "steps"),
    [
        ((2, 7), 3, 2, (3,), (2,)),
        ((2, 3, 7), 4, None, (3, 4), (1, 2)),  # the channels as a whole
        ((2, 3, 7), (2, 3), (1, 3), (2, 3), (1, 3)),  # and not
        ((2, 2, 6, 5), (3, 2), (2, 2), (2, 3, 2), (1, 2, 2)),
        ((1, 1, 4, 5, 9), 4, 3, (1, 4, 4, 4), (1, 3, 3, 3)),
        ((2, 1, 6, 5), 8, None, (1, 6, 5), (1, 6, 5)),  # larger than x
    ],
)
def test_each_element_has_the_mean_loss_of_its_windows(shape, window, stride, sizes, steps):
    x = RANDOM.standard_normal(shape)
    weights = RANDOM.standard_normal(shape[1:])

    def score(x):
        return (x * weights).reshape(len(x), -1).sum(1) ** 2

    expected, times = np.zeros(shape), np.zeros(shape)
    axes = [begins(n, size, s) for n, size, s in zip(shape[1:], sizes, steps, strict=True)]
    for corner in itertools.product(*axes):
        at = (slice(None), *(slice(c, c + n) for c, n in zip(corner, sizes, strict=True)))
        covered = x.copy()
        covered[at] = 0.25
        loss = score(x) - score(covered)
        expected[at] += loss.reshape(-1, *[1] * (x.ndim - 1))
        times[at] += 1
    assert times.min() == 1 or times.min() > 0
    found = interpret.occlusion(
        lambda x: score(x), x, window=window, stride=stride, baseline=0.25, batch_size=5
    )
    np.testing.assert_allclose(found, expected / times, rtol=1e-9, atol=1e-9)


def test_ids_are_covered_by_another_id():
    model = nn.Sequential(nn.Embedding(5, 1), nn.Flatten(1), nn.Linear(6, 1)).double()
    ids = RANDOM.integers(1, 5, (2, 6))
    value, weight = model[0].weight.data[:, 0], model[2].weight.data[0]
    found = interpret.occlusion(model, ids, window=1, baseline=0)
    np.testing.assert_allclose(found, weight * (value[ids] - value[0]), atol=1e-9)


def test_windows_that_do_not_fit_are_refused():
    x = np.zeros((1, 1, 6, 6))
    for settings, words in (
        ({"window": 0}, "window is 0"),
        ({"window": (2, 2, 2, 2)}, "for 2 axes of places"),
        ({"window": 2.5}, "window is 2.5"),
        ({"window": 2, "stride": 3}, "stride 3 leaves gaps between windows of 2"),
        ({"window": (1, 2, 2), "stride": 1}, "differ in their axes"),
    ):
        with pytest.raises(ValueError, match=words):
            interpret.occlusion(lambda x: x.sum((1, 2, 3)), tm.tensor(x), **settings)
