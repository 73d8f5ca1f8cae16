"""Class activation maps against what they come to for a network that ends in a mean."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import interpret, nn

RANDOM = np.random.default_rng(1)
CONVS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


class Mean(nn.Module):
    """Convolution, relu, mean over the places, linear: CAM of Zhou et al. (2016) is exact."""

    def __init__(self, dims, stride=1):
        super().__init__()
        self.conv = CONVS[dims](2, 4, 3, padding=1, stride=stride)
        self.relu, self.answer, self.dims = nn.ReLU(), nn.Linear(4, 3), dims

    def forward(self, x):
        planes = self.relu(self.conv(x))
        return self.answer(planes.mean(tuple(range(2, 2 + self.dims))))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_grad_cam_of_a_mean_is_the_class_activation_map(dims):
    model, x = Mean(dims).double(), RANDOM.standard_normal((2, 2, *(6, 5, 4)[:dims]))
    planes = np.maximum(model.conv(tm.tensor(x)).data, 0)  # (N, K, *places), of the size of x
    weights = model.answer.weight.data[1] / np.prod(x.shape[2:])
    cam = np.tensordot(planes, weights, (1, 0))[:, None]
    for layer in (None, "relu", model.relu):
        signed = interpret.grad_cam(model, x, 1, layer=layer, signed=True)
        np.testing.assert_allclose(signed, np.broadcast_to(cam, x.shape), rtol=1e-6, atol=1e-12)
    found = interpret.grad_cam(model, x, 1)
    np.testing.assert_allclose(found, np.maximum(signed, 0))
    assert 0 < np.mean(found == 0) < 1


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_grad_cam_plus_plus_is_its_formula_place_by_place(dims):
    model, x = Mean(dims).double(), RANDOM.standard_normal((1, 2, *(6, 5, 4)[:dims]))
    planes = np.maximum(model.conv(tm.tensor(x)).data, 0)[0]
    slope = model.answer.weight.data[2] / np.prod(x.shape[2:])  # the same at all places
    expected = np.zeros(x.shape[2:])
    for k, g in enumerate(slope):
        alpha = g**2 / (2 * g**2 + planes[k].sum() * g**3)
        expected += alpha * max(g, 0) * planes[k].size * planes[k]
    found = interpret.grad_cam_plus_plus(model, x, 2)
    np.testing.assert_allclose(found[0, 1], np.maximum(expected, 0), rtol=1e-6, atol=1e-12)
    assert found.max() > 0


@pytest.mark.parametrize("dims", [2, 3])
def test_a_coarse_map_is_drawn_out_over_what_it_saw(dims):
    """One bright block, a convolution by steps of 2: the map peaks on the block."""
    model, x = Mean(dims, stride=2), np.zeros((1, 2, *(12,) * dims), np.float32)
    with tm.no_grad():
        model.conv.weight.fill_(1.0)
        model.conv.bias.fill_(0.0)
        model.answer.weight.fill_(1.0)
    block = (0, slice(None), *(slice(6, 9),) * dims)
    x[block] = 1
    found = interpret.grad_cam(model, x, 0)
    assert found.shape == x.shape
    top = np.unravel_index(found.argmax(), x.shape)
    assert all(6 <= place < 9 for place in top[2:])
    assert found[(0, 0, *(0,) * dims)] == 0


def test_the_last_plane_is_behind_norm_and_activation():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 3, 1), nn.Flatten(),
    )  # fmt: skip
    x = RANDOM.standard_normal((2, 1, 9, 9)).astype(np.float32)
    found, named, other = (interpret.grad_cam(model, x, 1, layer=i) for i in (None, "4", "1"))
    np.testing.assert_array_equal(found, named)
    assert abs(found - other).max() > 1e-4
    with pytest.raises(ValueError, match=r"makes \(2, 3\), x \(2, 1, 9, 9\) has 2 axes of places"):
        interpret.grad_cam(model, x, 1, layer="7")
    flat = nn.Sequential(nn.Flatten(), nn.Linear(81, 2))
    with pytest.raises(ValueError, match="grad_cam: Sequential runs no convolution"):
        interpret.grad_cam(flat, x)
    with pytest.raises(TypeError, match="grad_cam: model is function, a Module expected"):
        interpret.grad_cam(lambda x: x, x)


class Sentence(nn.Module):
    """Ids or features (N, T[, F]), read by a convolution along T."""

    def __init__(self, embed):
        super().__init__()
        self.words = nn.Embedding(9, 4) if embed else nn.Identity()
        self.conv, self.answer = nn.Conv1d(4, 6, 3, padding=1), nn.Linear(6, 2)

    def forward(self, x):
        return self.answer(self.conv(self.words(x).transpose(1, 2)).relu().amax(2))


def test_sequences_have_their_places_on_their_own_axis():
    ids = RANDOM.integers(0, 9, (2, 7))
    assert interpret.grad_cam(Sentence(True), ids, 1).shape == (2, 7)
    features = RANDOM.standard_normal((2, 7, 4)).astype(np.float32)
    found = interpret.grad_cam(Sentence(False), features, 1, channel_axis=-1, signed=True)
    assert found.shape == features.shape
    np.testing.assert_array_equal(found, np.repeat(found[..., :1], 4, axis=2))
    assert np.ptp(found[0, :, 0]) > 0
