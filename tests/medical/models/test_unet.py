"""U-Net: sizes, places, both dimensions."""

from __future__ import annotations

import numpy as np
import pytest

import tinymed as tm
from tinymed.medical.models.unet import UNet


@pytest.mark.parametrize(
    "shape", [(41, 41), (7, 16), (5, 6, 7), (2, 3), (9, 8, 1)], ids=lambda shape: str(shape)
)
def test_any_size_comes_back(shape):
    network = UNet(len(shape), 2, 3, widths=(4, 8, 8, 12))
    assert network(tm.zeros(2, 2, *shape)).shape == (2, 3, *shape)


def logits(network, x):
    network.eval()
    with tm.no_grad():
        return network(tm.tensor(x)).numpy()


def test_what_comes_back_from_below_lies_over_what_it_was_made_of():
    # only the coarse path is open, and it hands on the largest of each 2 x 2: any other place, or
    # a resize of 3 coarse to 5 fine pixels instead of a crop, would spread it differently
    network = UNet(2, 1, 1, widths=(1, 1))
    for name, value in network.state_dict().items():
        if value.ndim == 4:
            value.data[...] = 0
            value.data[:, -1, value.shape[2] // 2, value.shape[3] // 2] = 1
        elif name.endswith("weight"):
            value.data[...] = 1
        elif not name.endswith("var"):
            value.data[...] = 0
    x = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    last = [1, 1, 3, 3, 4]  # the largest of rows (columns) 0-1, 2-3 and of 4 alone
    expected = x[0, 0][np.ix_(last, last)]
    np.testing.assert_allclose(logits(network, x)[0, 0], expected, rtol=1e-3)


def test_dimensions_are_the_same_formula():
    """A volume that is the same in each slice, through kernels that look at one slice only."""
    tm.manual_seed(0)
    flat, deep = UNet(2, 1, 1, widths=(4, 8)), UNet(3, 1, 1, widths=(4, 8))
    state = flat.state_dict()
    for name, value in deep.state_dict().items():
        given = state[name].numpy()
        if value.ndim == 5:
            value.data[...] = 0
            value.data[:, :, value.shape[2] // 2] = given
        else:
            value.data[...] = given
    x = np.random.default_rng(0).standard_normal((1, 1, 11, 9)).astype(np.float32)
    volume = np.repeat(x[:, :, None], 4, axis=2)  # (1, 1, 4, 11, 9)
    np.testing.assert_allclose(logits(deep, volume)[:, :, 2], logits(flat, x), atol=1e-5)


def test_it_starts_from_the_share_it_expects():
    network = UNet(2, prior=0.2)
    network.head.weight.data[...] = 0
    expected = np.log(0.2 / 0.8)
    found = logits(network, np.zeros((1, 1, 8, 8), np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_it_learns_where_a_disc_is():
    generator = np.random.default_rng(0)
    tm.manual_seed(0)
    rows, columns = np.indices((17, 17))
    centres = generator.uniform(5, 12, (8, 2))
    discs = np.array([np.hypot(rows - r, columns - c) < 3 for r, c in centres], np.float32)[:, None]
    x = tm.tensor(discs + generator.normal(0, 0.5, discs.shape).astype(np.float32))
    network, target = UNet(2, widths=(4, 8)), tm.tensor(discs)
    optimizer = tm.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        loss = tm.nn.BCEWithLogitsLoss()(network(x), target)
        loss.backward()
        optimizer.step()
    found = logits(network, x.numpy()) > 0
    assert 2 * (found & (discs > 0)).sum() / (found.sum() + discs.sum()) > 0.9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimensions": 1}, "dimensions=1, 2 or 3"),
        ({"widths": ()}, "no widths"),
        ({"prior": 1.0}, "prior=1.0"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        UNet(**settings)
