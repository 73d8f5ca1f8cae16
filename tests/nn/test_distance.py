"""Layers that compare two batches of points: what their settings do, beside PyTorch's results."""

import numpy as np

from tinymed import nn, ops
from tinymed.tensor import Tensor


def test_a_length_below_eps_counts_as_eps() -> None:
    """Values alone: PyTorch's gradient does not know of it."""
    x, y = np.array([[3.0, 4.0], [0.6, 0.8], [0.0, 0.0]]), np.array([[0.0, 2.0]] * 3)
    found = nn.CosineSimilarity(eps=4.0)(Tensor(x), Tensor(y)).data
    np.testing.assert_allclose(found, [8 / 20, 1.6 / 16, 0.0])


def test_layers_are_the_functions_with_their_settings() -> None:
    x, y = (np.random.default_rng(seed).standard_normal((2, 3, 4)) for seed in range(2))
    layer = nn.CosineSimilarity(dim=-1, eps=0.5)
    np.testing.assert_array_equal(layer(x, y), ops.cosine_similarity(x, y, -1, 0.5))
    assert repr(layer) == "CosineSimilarity(dim=-1, eps=0.5)"
    far = nn.PairwiseDistance(1.0, 0.25, True)
    np.testing.assert_array_equal(far(x, y), ops.pairwise_distance(x, y, 1.0, 0.25, True))
    assert repr(far) == "PairwiseDistance(p=1.0, eps=0.25, keepdim=True)"
