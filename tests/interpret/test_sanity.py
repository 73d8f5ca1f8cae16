"""The checks themselves, and the methods under them: phantoms with a lesion at a known place."""

import functools

import numpy as np
import pytest

import tinymed as tm
from tests.interpret.lesions import phantoms, trained
from tinymed import interpret, nn
from tinymed.interpret import similarity

METHODS = {
    "saliency": interpret.saliency,
    "gradient_x_input": interpret.gradient_x_input,
    "smooth_grad": functools.partial(interpret.smooth_grad, noise=0.05),
    "integrated_gradients": functools.partial(interpret.integrated_gradients, steps=32),
    "grad_cam": interpret.grad_cam,
    "grad_cam_plus_plus": interpret.grad_cam_plus_plus,
    "occlusion": functools.partial(interpret.occlusion, window=6, stride=3),
}
every_method = pytest.mark.parametrize("name", METHODS)
RANDOM = np.random.default_rng(4)


@functools.cache
def lesions():
    """Return images with a lesion and their masks, unseen in training."""
    images, labels, masks = phantoms(60, np.random.default_rng(5))
    return images[labels == 1], masks[labels == 1]


@functools.cache
def maps(name):
    return METHODS[name](trained()[0], lesions()[0], 1)


def test_the_network_knows_what_a_lesion_is():
    assert trained()[1] >= 0.97


@every_method
def test_the_maximum_lies_on_the_lesion(name):
    assert interpret.pointing_game(maps(name), lesions()[1]).mean() >= 0.9
    shifted = np.roll(lesions()[1], 12, axis=2)
    assert interpret.pointing_game(maps(name), shifted).mean() <= 0.3


@every_method
def test_the_map_collapses_when_the_weights_are_forgotten(name):
    model, _ = trained()
    before = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    told = interpret.weight_randomization(
        METHODS[name], model, lesions()[0][:6], 1, generator=np.random.default_rng(0)
    )
    assert told.layers[0] == "classifier"
    assert told.layers[-1] == "features.0"
    assert told.similarity.shape == (len(told.layers), 6)
    assert abs(told.similarity[-1].mean()) < 0.5
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key], err_msg=key)


def test_a_map_of_edges_does_not_collapse():
    """What shows the picture, whatever the model: the check must tell."""

    def edges(model, x, target):
        return abs(np.diff(x, axis=2, append=0))

    told = interpret.weight_randomization(edges, trained()[0], lesions()[0][:4], 1)
    np.testing.assert_allclose(told.similarity, 1)


@every_method
def test_what_is_named_first_is_missed_first(name):
    model, target = trained()[0], interpret.probability(1)
    images, found = lesions()[0][:12], maps(name)[:12]
    drawn = np.random.default_rng(0).random(images.shape)
    deleted, inserted = (
        [curve(model, images, each, target).area.mean() for each in (found, drawn)]
        for curve in (interpret.deletion_curve, interpret.insertion_curve)
    )
    assert deleted[0] < deleted[1]
    if name not in ("gradient_x_input", "integrated_gradients"):
        assert inserted[0] > inserted[1]  # their bright dots alone make no lesion on black ground


def test_integrated_gradients_add_up_to_one_percent():
    model, images = trained()[0], lesions()[0]
    found = interpret.integrated_gradients(model, images[:12], 1)
    assert interpret.completeness_error(model, images[:12], found, 1).max() < 0.01
    rough = interpret.integrated_gradients(model, images[:12], 1, steps=1)
    assert interpret.completeness_error(model, images[:12], rough, 1).max() > 0.01


def test_curves_are_those_of_a_loop():
    x, weights = RANDOM.standard_normal((2, 1, 5)), np.array([3.0, 0, -1, 2, 1])
    importance = np.broadcast_to(weights, x.shape)

    def score(x):
        return (x * weights).sum((1, 2))

    deleted = interpret.deletion_curve(score, x, importance, lambda y: y, baseline=0.5, steps=5)
    inserted = interpret.insertion_curve(score, x, importance, lambda y: y, baseline=0.5, steps=5)
    for k in range(6):
        gone = np.isin(np.arange(5), [0, 3, 4, 1, 2][:k])
        np.testing.assert_allclose(deleted.score[:, k], score(np.where(gone, 0.5, x)))
        np.testing.assert_allclose(inserted.score[:, k], score(np.where(gone, x, 0.5)))
    area = ((deleted.score[:, :-1] + deleted.score[:, 1:]) / 10).sum(axis=1)
    np.testing.assert_allclose(deleted.area, area)
    with pytest.raises(ValueError, match="steps is 0"):
        interpret.deletion_curve(score, x, importance, steps=0)
    with pytest.raises(ValueError, match=r"insertion_curve: attribution \(5,\)"):
        interpret.insertion_curve(score, x, weights, lambda y: y)


def test_pointing_counts_the_distance_to_the_mask():
    maps = np.zeros((1, 9, 9))
    maps[0, 2, 3] = 1
    mask = np.zeros((1, 9, 9), int)
    mask[0, 5, 7] = 1  # 5 away
    assert interpret.pointing_game(maps, mask, tolerance=5).all()
    assert not interpret.pointing_game(maps, mask, tolerance=4.9).any()
    assert not interpret.pointing_game(0 * maps, mask, tolerance=99).any()
    for wrong, words in (
        (0 * mask, "mask 0 is empty"),
        (2 * mask, "other values"),
        (mask[0], "one shape"),
    ):
        with pytest.raises(ValueError, match=words):
            interpret.pointing_game(maps, wrong)


def test_rank_correlation_equals_scipys():
    stats = pytest.importorskip("scipy.stats", reason="SciPy is the oracle")
    a, b = RANDOM.integers(0, 6, (2, 3, 4, 5))
    expected = [stats.spearmanr(x.ravel(), y.ravel())[0] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(interpret.rank_correlation(a, b), expected, atol=1e-12)
    assert interpret.rank_correlation(a, 0 * a).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="one shape"):
        interpret.rank_correlation(a, b[:2])
    with pytest.raises(ValueError, match="not finite"):
        interpret.rank_correlation(a, b * np.nan)


@pytest.mark.parametrize("shape", [(2, 1, 9, 10), (1, 9, 8, 8), (2, 12)])
def test_structural_similarity_is_its_formula_window_by_window(shape):
    a, b = RANDOM.random((2, *shape))
    b = (a + b) / 2
    expected = []
    for x, y in zip(a, b, strict=True):
        x, y = ((v - v.min()) / (v.max() - v.min()) for v in (np.squeeze(x), np.squeeze(y)))
        each = []
        for corner in np.ndindex(*(n - 6 for n in x.shape)):
            at = tuple(slice(c, c + 7) for c in corner)
            p, q = x[at].ravel(), y[at].ravel()
            covariance = np.cov(p, q)
            top = (2 * p.mean() * q.mean() + 1e-4) * (2 * covariance[0, 1] + 9e-4)
            low = (p.mean() ** 2 + q.mean() ** 2 + 1e-4) * (np.trace(covariance) + 9e-4)
            each.append(top / low)
        expected.append(np.mean(each))
    np.testing.assert_allclose(interpret.structural_similarity(a, b), expected)
    np.testing.assert_allclose(interpret.structural_similarity(a, a), 1)


def test_structural_similarity_refuses_what_has_no_window():
    small = np.zeros((1, 1, 5, 9))
    with pytest.raises(ValueError, match="7 or more along each axis"):
        interpret.structural_similarity(small, small)
    with pytest.raises(ValueError, match="window is 4"):
        interpret.structural_similarity(small, small, window=4)
    assert similarity.ranks(np.array([3.0, 1, 3])).tolist() == [2.5, 1, 2.5]


def test_what_cannot_forget_is_refused():
    x = tm.ones(1, 2)
    with pytest.raises(TypeError, match="model is function, a Module expected"):
        interpret.weight_randomization(interpret.saliency, lambda x: x.sum(1), x)
    with pytest.raises(ValueError, match="Tanh has no parameters"):
        interpret.weight_randomization(interpret.saliency, nn.Tanh(), x)
