"""What a network says of images: joined and compiled or not, it says the same."""

import logging

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn
from tinymed.medical.tasks import views
from tinymed.medical.tasks.views import Predictor, positive, probabilities, symmetric_views


@pytest.fixture
def network():
    tm.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))


def planes(count):
    return np.random.default_rng(count).standard_normal((count, 1, 4, 4)).astype(np.float32)


def said(network, x):
    with tm.no_grad():
        return network(tm.Tensor(x)).data


@pytest.mark.parametrize("count", [0, 1, 4, 7])
def test_batches_are_put_together(network, count, monkeypatch):
    monkeypatch.setattr(views, "BATCH", 4)
    x = planes(count)
    np.testing.assert_allclose(Predictor(network)(x), said(network, x), 1e-5, 1e-6)
    assert network.training  # a copy was switched to evaluation


def test_shapes_that_come_often_are_compiled(network, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(views, "OFTEN", 2)
    predictor = Predictor(network)
    for seed in range(6):
        x = planes(3) + np.float32(seed)
        np.testing.assert_allclose(predictor(x), said(network, x), 1e-5, 1e-6)
        assert bool(predictor.compiled.plans) == (seed >= 2)
    (plan,) = predictor.compiled.plans.values()
    assert plan.program is not None
    assert predictor.refusal is None


class Exponential(nn.Module):
    def forward(self, x):
        return tm.exp(x.flatten(1))


def test_what_is_refused_runs_as_it_is_and_says_why(monkeypatch, caplog):
    pytest.importorskip("numba")
    monkeypatch.setattr(views, "OFTEN", 0)
    predictor, x = Predictor(Exponential()), planes(3)
    with caplog.at_level(logging.DEBUG):
        np.testing.assert_allclose(predictor(x), said(Exponential(), x), 1e-6)
    assert isinstance(predictor.refusal, tm.CompileError)
    assert "not compiled: compile: no compiled kernel does the op Exp" in caplog.text


def test_without_numba_it_runs_too(network, monkeypatch):
    monkeypatch.setattr(views, "OFTEN", 0)
    monkeypatch.setattr("tinymed.compilation.missing", lambda backend: "numba")
    predictor, x = Predictor(network), planes(3)
    np.testing.assert_allclose(predictor(x), said(network, x), 1e-5, 1e-6)
    assert isinstance(predictor.refusal, ImportError)


def test_probabilities_are_the_mean_over_views(network):
    x = planes(5)
    each = [positive(said(network, view)) for view in symmetric_views(x)]
    assert len(each) == 8
    np.testing.assert_allclose(probabilities(network, x, symmetric=True), np.mean(each, 0), 1e-5)
    np.testing.assert_allclose(probabilities(network, x, symmetric=False), each[0], 1e-5)


def test_sure_logits_are_sure():
    logits = np.array([[1e30, 0], [0, 1e30], [2, 2]], np.float32)
    np.testing.assert_array_equal(positive(logits), [1 / (1 + np.exp(700)), 1, 0.5])
