"""Maps from derivatives against known ones, and the promises that all maps share."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import interpret, nn

RANDOM = np.random.default_rng(0)
METHODS = {
    "saliency": interpret.saliency,
    "gradient_x_input": interpret.gradient_x_input,
    "smooth_grad": interpret.smooth_grad,
    "integrated_gradients": interpret.integrated_gradients,
    "occlusion": interpret.occlusion,
    "grad_cam": interpret.grad_cam,
    "grad_cam_plus_plus": interpret.grad_cam_plus_plus,
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def all_but(name):
    rest = {key: method for key, method in METHODS.items() if key != name}
    return pytest.mark.parametrize("method", rest.values(), ids=rest)


def network(classes=3):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(4 * 36, classes),
    )  # fmt: skip


def images(count=3):
    return RANDOM.standard_normal((count, 2, 8, 8)).astype(np.float32)


def by_hand(model, x, weigh):
    """Return the gradient of sum(weigh * logits) at x, in eval mode."""
    model.eval()
    leaf = tm.tensor(x, requires_grad=True)
    (model(leaf) * tm.tensor(weigh)).sum().backward()
    model.zero_grad()
    return leaf.grad.numpy()


@pytest.mark.parametrize("target", [1, np.array([0, 2, 1])])
def test_saliency_is_the_gradient_of_the_logit_that_is_asked_for(target):
    model, x = network(), images()
    weigh = np.eye(3, dtype=np.float32)[np.broadcast_to(target, 3)]
    expected = by_hand(model, x, weigh)
    signed = interpret.saliency(model, x, target, signed=True, batch_size=2)
    np.testing.assert_allclose(signed, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(interpret.saliency(model, x, target, batch_size=2), abs(signed))
    product = interpret.gradient_x_input(model, x, target, baseline=0.5)
    np.testing.assert_allclose(product, expected * (x - 0.5), rtol=1e-5, atol=1e-7)


def test_without_a_target_the_predicted_class_is_explained():
    model, x = network(), images(5)
    model.eval()
    predicted = model(tm.tensor(x)).data.argmax(axis=1)
    assert len(set(predicted)) > 1
    found, expected = (interpret.saliency(model, x, t) for t in (None, predicted))
    np.testing.assert_array_equal(found, expected)


@all_but("grad_cam_plus_plus")  # it counts what raises the score only
def test_a_single_logit_speaks_for_class_1_and_its_negative_for_class_0(method):
    model, x = network(1), images()
    settings = {"signed": True} if "signed" in method.__kwdefaults__ else {}

    def map_of(target):
        extra = {"generator": np.random.default_rng(1)} if "noise" in method.__kwdefaults__ else {}
        if extra and settings:  # the mean keeps its sign
            settings["samples"] = 4
        return method(model, x, target, **settings, **extra)

    np.testing.assert_array_equal(map_of(None), map_of(1))
    np.testing.assert_allclose(map_of(0), -map_of(1), atol=1e-6)
    assert np.ptp(map_of(1)) > 0


def test_positive_speaks_for_the_target():
    """The score is what the first column holds less what the second does: the sign is fixed."""

    def model(x):
        return x[:, :1] - x[:, 1:]

    x = np.array([[3.0, 2.0]])
    for method in (
        interpret.gradient_x_input,
        interpret.integrated_gradients,
        lambda *asked: interpret.occlusion(*asked, window=1),
    ):
        np.testing.assert_allclose(method(model, x), [[3, -2]], atol=1e-12)
        np.testing.assert_allclose(method(model, x, 0), [[-3, 2]], atol=1e-12)


def test_integrated_gradients_of_a_product_are_its_closed_form():
    """Of x_0^2 x_1 from 0: shares 2/3 and 1/3 of the whole."""
    x = RANDOM.standard_normal((4, 2))
    found = interpret.integrated_gradients(lambda x: x[:, 0] ** 2 * x[:, 1], x, steps=4)
    whole = x[:, 0] ** 2 * x[:, 1]
    np.testing.assert_allclose(found, whole[:, None] * np.array([2 / 3, 1 / 3]), rtol=1e-12)


def test_integrated_gradients_add_up_from_any_baseline():
    model, x = network().double(), images().astype(np.float64)
    base = RANDOM.standard_normal((1, 2, 8, 8))
    asked = {"target": 2, "baseline": base}
    found = interpret.integrated_gradients(model, x, steps=32, batch_size=7, **asked)
    assert interpret.completeness_error(model, x, found, **asked).max() < 1e-6
    off = found.copy()
    off[1] += 0.1 * abs(found[1]).sum() / found[1].size
    assert interpret.completeness_error(model, x, off, **asked)[1] > 0.01
    at_base = interpret.completeness_error(model, base, 0 * base, **asked)
    np.testing.assert_array_equal(at_base, [0.0])
    assert np.isinf(interpret.completeness_error(model, base, 1 + 0 * base, **asked)).all()


def test_smooth_grad_is_the_mean_gradient_of_noisy_copies():
    """The gradient of x^3 about 2 with deviation s has mean 3 (4 + s^2)."""
    x = np.array([[2.0, -2.0]])  # range 4
    found = interpret.smooth_grad(
        lambda x: (x**3).sum(1), x, noise=0.25, samples=20000, batch_size=20000
    )
    np.testing.assert_allclose(found, [[15.0, 15.0]], rtol=0.03)


def test_log_odds_and_probability_are_those_of_the_softmax():
    logits = RANDOM.standard_normal((5, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for c in range(3):
        odds = interpret.log_odds(c)(tm.tensor(logits)).data
        np.testing.assert_allclose(odds, np.log(p[:, c] / (1 - p[:, c])), rtol=1e-9)
        np.testing.assert_allclose(interpret.probability(c)(tm.tensor(logits)).data, p[:, c])
    single = tm.tensor(logits[:, :1])
    one, zero = (interpret.probability(c)(single).data for c in (1, 0))
    np.testing.assert_allclose(one, 1 / (1 + np.exp(-logits[:, 0])))
    np.testing.assert_allclose(one + zero, 1)
    with pytest.raises(ValueError, match=r"log_odds: outputs \(5, 1\)"):
        interpret.log_odds(0)(single)


class Reader(nn.Module):
    """Ids (N, T), embedded and read by an LSTM."""

    def __init__(self):
        super().__init__()
        self.words, self.memory = nn.Embedding(9, 4), nn.LSTM(4, 5, batch_first=True)
        self.answer = nn.Linear(5, 2)

    def forward(self, x):
        states, _ = self.memory(self.words(x))
        return self.answer(states[:, -1])


def test_ids_are_explained_at_the_layer_that_embeds_them():
    model, x = Reader().double(), RANDOM.integers(0, 9, (3, 6))
    found = interpret.integrated_gradients(model, x, 1, layer="words", steps=16)
    assert found.shape == (3, 6)
    assert interpret.completeness_error(model, x, found, 1, layer="words").max() < 1e-6
    same = interpret.gradient_x_input(model, x, 1, layer=model.words)
    weights = model.words.weight.data
    words = np.repeat(weights[x][:1], 6, axis=0)  # (6, T, E): row t for the derivative of word t
    along = 1e-5 * np.eye(6)[:, :, None] * weights[x][0]
    ends = [
        model.answer(model.memory(tm.tensor(each))[0][:, -1])
        for each in (words + along, words - along)
    ]
    slope = (ends[0] - ends[1]).data[:, 1] / 2e-5
    np.testing.assert_allclose(same[0], slope, rtol=1e-6, atol=1e-10)
    with pytest.raises(TypeError, match="saliency: x is int64, floats expected; for ids name"):
        interpret.saliency(model, x)
    with pytest.raises(ValueError, match=r"the layer makes \(3, 2\) of x \(3, 6\)"):
        interpret.saliency(model, x, layer="answer")


@every_method
def test_the_model_is_left_as_it_was(method):
    model, x = network(), images()
    model[3].eval()
    model[0].weight.requires_grad_(False)
    model[5].bias.grad = tm.ones(3)
    before = {name: value.data.copy() for name, value in model.state_dict().items()}
    given = x.copy()
    with tm.no_grad():  # also where nothing is recorded
        found = method(model, tm.tensor(x))
    assert found.shape == x.shape
    assert found.dtype == np.float32
    assert [m.training for m in model.modules()] == [True, True, True, True, False, True, True]
    assert [p.requires_grad for p in model.parameters()] == [False, *[True] * 5]
    assert [p.grad is None for p in model.parameters()] == [*[True] * 5, False]
    np.testing.assert_array_equal(model[5].bias.grad.data, 1)
    np.testing.assert_array_equal(x, given)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value.data, before[name], err_msg=name)
    assert not any(m._forward_hooks for m in model.modules())


@all_but("smooth_grad")  # it draws
def test_samples_do_not_depend_on_their_company(method):
    model, x = network(), images(4)
    together = method(model, x, 1, batch_size=3)
    alone = np.concatenate([method(model, x[i : i + 1], 1) for i in range(4)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


@every_method
def test_what_cannot_be_asked_is_refused_and_the_model_restored(method):
    model, x, name = network(), images(), method.__name__
    for target, error, words in (
        (3, IndexError, f"{name}: target is 3, a class 0 .. 2 expected"),
        (-1, IndexError, f"{name}: target is -1"),
        (0.5, TypeError, f"{name}: target is .*0.5.*, a class index expected"),
        (lambda y: y, ValueError, rf"{name}: the target makes \(\d+, 3\) of \d+ samples"),
    ):
        with pytest.raises(error, match=words):
            method(model, x, target)
        assert all(m.training for m in model.modules())
        assert all(p.requires_grad for p in model.parameters())
    for wrong in ([1.0], np.zeros(3, np.float32), np.zeros((0, 2, 8, 8), np.float32)):
        with pytest.raises(ValueError, match=f"{name}: x is .*, a Tensor or array"):
            method(model, wrong)
    with pytest.raises(ValueError, match=f"{name}: batch_size is 0"):
        method(model, x, batch_size=0)
    planes = nn.Sequential(nn.Conv2d(2, 3, 3))
    with pytest.raises(ValueError, match=rf"{name}: the model returns \(1, 3, 6, 6\), logits"):
        method(planes, x)


def test_layers_that_are_none_are_refused():
    model, x = network(), images()
    for layer, words in (
        ("no", r"saliency: no layer 'no', one of \['0', '1'"),
        ("", "saliency: no layer ''"),
        (nn.ReLU(), "saliency: layer ReLU is not part of the model"),
    ):
        with pytest.raises(ValueError, match=words):
            interpret.saliency(model, x, layer=layer)
    shared = nn.ReLU()
    twice = nn.Sequential(nn.Flatten(), nn.Linear(128, 4), shared, nn.Linear(4, 4), shared)
    with pytest.raises(ValueError, match="layer ReLU ran 2 times, once expected"):
        interpret.saliency(twice, x, layer=shared)
    with pytest.raises(TypeError, match="layer= needs a Module, the model is function"):
        interpret.saliency(lambda x: x.sum((1, 2, 3)), x, layer="0")
    with pytest.raises(ValueError, match=r"baseline \(5,\) does not broadcast to \(3, 2, 8, 8\)"):
        interpret.gradient_x_input(model, x, baseline=np.zeros(5))
    with pytest.raises(ValueError, match="steps is 0"):
        interpret.integrated_gradients(model, x, steps=0)
    with pytest.raises(ValueError, match="noise 0"):
        interpret.smooth_grad(model, x, noise=0)
    with pytest.raises(ValueError, match=r"attribution \(2,\), the shape of x"):
        interpret.completeness_error(model, x, np.zeros(2))
