"""`compile` of models that predict: what they say eagerly, whatever happens between the calls."""

import threading

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, optim
from tinymed.kernels import recording
from tinymed.medical.models.nodule_cnn import NoduleCNN
from tinymed.nn.utils.fusion import folded

pytest.importorskip("numba")


class LastOutput(nn.Module):
    """A recurrent layer whose last output is classified."""

    def __init__(self, kind):
        super().__init__()
        self.layer, self.classifier = getattr(nn, kind)(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.classifier(self.layer(x)[0][-1])


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 6, activation="relu"))


def cnn():
    return NoduleCNN(widths=(4, 8))


MODELS = {
    "cnn, one image": (cnn, (1, 1, 12, 12)),
    "cnn, 256 images": (cnn, (256, 1, 12, 12)),
    "mlp": (mlp, (7, 6)),
    **{kind: (lambda kind=kind: LastOutput(kind), (4, 7, 5)) for kind in ("RNN", "LSTM", "GRU")},
}


@pytest.mark.parametrize("name", MODELS)
def test_compiled_models_say_what_they_say_eagerly(name):
    make, shape = MODELS[name]
    tm.manual_seed(0)
    model, rng = make(), np.random.default_rng(0)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.data[:] = rng.standard_normal(norm.num_features) / 4
            norm.running_var.data[:] = rng.random(norm.num_features) + 0.5
    network = folded(model.eval())
    compiled = tm.compile(network)
    for call in range(5):
        x = rng.standard_normal(shape).astype(np.float32)
        with tm.no_grad(), tm.use_backend("reference"):
            expected, plain = network(tm.Tensor(x)).data, model(tm.Tensor(x)).data
        found = compiled(x).data
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, 0, 1e-6 * max(1, largest), f"call {call}")
        np.testing.assert_allclose(found, plain, 0, 3e-6 * max(1, largest))
    (plan,) = compiled.plans.values()
    assert plan.program is not None


@pytest.fixture
def step():
    """Return a model, its optimizer, and a function that makes inputs that differ."""
    tm.manual_seed(0)
    model, rng = mlp(), np.random.default_rng(0)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    loss_of = nn.CrossEntropyLoss()

    def train(x, y):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def draw():
        return rng.standard_normal((7, 6)).astype(np.float32), rng.integers(0, 6, 7)

    return model, optimizer, train, draw


def test_steps_loads_and_writes_between_the_calls_are_seen(step):
    model, _, train, draw = step
    predict, fast_train = tm.compile(lambda x: model(x)), tm.compile(train)
    saved = {key: tm.Tensor(tensor.data.copy()) for key, tensor in model.state_dict().items()}

    def check():
        x = draw()[0]
        with tm.no_grad():
            expected = model(tm.Tensor(x)).data
            np.testing.assert_allclose(predict(x).data, expected, 1e-5, 1e-6)
        return expected

    for _ in range(4):
        check()
        train(*map(tm.Tensor, draw()))
    for _ in range(4):
        fast_train(*draw())
        check()
    model.load_state_dict(saved)
    check()
    model[0].weight.data[:] = 0  # by NumPy, of which nobody is told
    before = check()
    np.testing.assert_array_equal(before, before[:1].repeat(7, 0))
    model[0].weight = nn.Parameter(tm.ones(16, 6))
    assert np.ptp(check()) > 0


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_an_interrupt_leaves_everything_usable(step, calls, monkeypatch):
    model, optimizer, train, draw = step
    compiled = tm.compile(train)
    for _ in range(calls):
        compiled(*draw())
    with monkeypatch.context() as patched:
        patched.setattr(type(optimizer), "arguments", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            compiled(*draw())
    assert recording.active() is None
    assert recording.slot() is None
    losses = []
    other = threading.Thread(target=lambda: losses.append(compiled(*draw()).item()))
    other.start()
    other.join(60)
    for _ in range(3):
        x, y = draw()
        with tm.no_grad():
            expected = nn.functional.cross_entropy(model(tm.Tensor(x)), tm.Tensor(y)).item()
        losses.append(compiled(x, y).item() - expected)
    np.testing.assert_allclose(losses[1:], 0, atol=1e-5)
    assert losses[0] > 0
    assert next(iter(compiled.plans.values())).program is not None


def _interrupted(*arguments):
    raise KeyboardInterrupt


def test_an_interrupted_prediction_is_made_again(step):
    model, _, _, draw = step
    turns = iter([False, True, False, False, False])

    def predict(x):
        if next(turns):
            raise KeyboardInterrupt
        return model(x)

    compiled = tm.compile(predict)
    compiled(draw()[0])
    with pytest.raises(KeyboardInterrupt):
        compiled(draw()[0])
    for _ in range(4):
        x = draw()[0]
        np.testing.assert_allclose(compiled(x).data, model(tm.Tensor(x)).data, 1e-5, 1e-6)
