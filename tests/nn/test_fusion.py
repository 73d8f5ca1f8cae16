"""Batch norm folded into convolutions: the same outputs."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn
from tinymed.medical.models.nodule_cnn import NoduleCNN
from tinymed.nn.utils.fusion import folded, fuse_conv_bn_eval


@pytest.fixture(autouse=True)
def _reference():
    """What is computed is looked at, not by which kernels; these need no compiling."""
    with tm.use_backend("reference"):
        yield


def used(model):
    """Return a model whose norms have seen something, in evaluation mode."""
    rng = np.random.default_rng(0)
    for norm in model.modules():
        if hasattr(norm, "running_mean"):
            for name in ("weight", "bias", "running_mean", "running_var"):
                if (tensor := getattr(norm, name)) is not None:
                    tensor.data[:] = rng.random(tensor.shape) + 0.2
    return model.eval()


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_one_convolution_does_what_two_layers_do(axes, bias, affine):
    conv = getattr(nn, f"Conv{axes}d")(4, 6, 3, padding=1, groups=2, bias=bias)
    norm = getattr(nn, f"BatchNorm{axes}d")(6, affine=affine)
    layers, x = used(nn.Sequential(conv, norm)), tm.rand(2, 4, *[5] * axes)
    before = conv.weight.data.copy()
    fused = fuse_conv_bn_eval(conv, norm)
    np.testing.assert_allclose(fused(x).data, layers(x).data, 1e-5, 1e-5)
    np.testing.assert_array_equal(conv.weight.data, before)


def test_a_whole_model_is_folded():
    model, x = used(NoduleCNN(widths=(4, 8))), tm.rand(3, 1, 16, 16)
    found = folded(model)
    kinds = [type(layer).__name__ for layer in found.features]
    assert "BatchNorm2d" not in kinds
    assert "ReLU" not in kinds
    assert kinds.count("Conv2d") + kinds.count("ConvPool2d") == 4
    np.testing.assert_allclose(found(x).data, model(x).data, 1e-5, 1e-5)
    assert isinstance(model.features[1], nn.BatchNorm2d)


def kinds_of(*layers):
    """Return the layers' kinds once folded, having compared what both say."""
    model = used(nn.Sequential(*layers))
    found, x = folded(model), tm.rand(2, 2, 12, 9)
    np.testing.assert_allclose(found(x).data, model(x).data, 1e-5, 1e-5)
    return [type(layer).__name__ for layer in found]


def test_activations_are_part_of_layers():
    assert kinds_of(
        nn.Conv2d(2, 5, 3), nn.Tanh(), nn.Conv2d(5, 3, 1, bias=False), nn.BatchNorm2d(3), nn.ReLU(),
        nn.Flatten(), nn.Linear(210, 4), nn.Sigmoid(), nn.Linear(4, 2, bias=False),
    ) == [
        "Conv2d", "Identity", "Conv2d", "Identity", "Identity",
        "Flatten", "Linear", "Identity", "Linear",
    ]  # fmt: skip


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d((2, 2))])
def test_a_first_layer_is_one(pool):
    layers = nn.Conv2d(2, 3, 3, padding=(1, 0), bias=False), nn.BatchNorm2d(3), nn.ReLU(), pool
    assert kinds_of(*layers) == ["ConvPool2d", "Identity", "Identity", "Identity"]
    assert kinds_of(nn.Conv2d(2, 3, 3, bias=False), nn.ReLU(), pool)[0] == "ConvPool2d"


@pytest.mark.parametrize(
    ("settings", "pool"),
    [
        ({"stride": 2}, {}),
        ({"dilation": 2}, {}),
        ({"groups": 2}, {}),
        ({"padding": "same"}, {}),
        ({"padding": 1, "padding_mode": "reflect"}, {}),
        ({"kernel_size": 5}, {}),
        ({"activation": "tanh"}, {}),
        ({}, {"kernel_size": 3}),
        ({}, {"stride": 1}),
        ({}, {"padding": 1}),
        ({}, {"ceil_mode": True}),
    ],
)
def test_other_first_layers_are_two(settings, pool):
    conv = nn.Conv2d(2, 4, **{"kernel_size": 3, "activation": "relu"} | settings)
    assert kinds_of(conv, nn.MaxPool2d(**{"kernel_size": 2} | pool)) == ["Conv2d", "MaxPool2d"]


def test_what_stands_between_is_kept():
    layers = nn.Conv2d(2, 2, 3, activation="relu"), nn.BatchNorm2d(2), nn.ReLU(), nn.Tanh()
    assert kinds_of(*layers) == ["Conv2d", "BatchNorm2d", "ReLU", "Tanh"]
    assert kinds_of(nn.ReLU(), nn.Conv2d(2, 2, 1), nn.GELU(), nn.ReLU())[1:3] == ["Conv2d", "GELU"]


def test_layers_that_somebody_looks_at_are_kept():
    conv, norm = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)
    conv.register_forward_hook(lambda layer, inputs, output: None)
    assert kinds_of(conv, norm, nn.ReLU()) == ["Conv2d", "BatchNorm2d", "ReLU"]


def test_a_layer_that_stands_at_two_places_is_two():
    shared = nn.Conv2d(2, 2, 3, padding=1)
    assert kinds_of(shared, nn.ReLU(), shared, nn.Tanh(), shared) == [
        "Conv2d", "Identity", "Conv2d", "Identity", "Conv2d"
    ]  # fmt: skip


def test_random_numbers_are_not_drawn():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, activation="relu"), nn.MaxPool2d(2)).eval()
    tm.manual_seed(0)
    expected = tm.rand(3)
    tm.manual_seed(0)
    folded(model)
    np.testing.assert_array_equal(tm.rand(3).data, expected.data)


def test_what_cannot_be_one_is_refused():
    conv, norm = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
    with pytest.raises(ValueError, match=r"in training mode; call eval\(\) first"):
        fuse_conv_bn_eval(conv, norm)
    with pytest.raises(ValueError, match=r"folded: the model is in training mode"):
        folded(conv)
    with pytest.raises(ValueError, match="has 3 channels, expected 2"):
        fuse_conv_bn_eval(conv.eval(), nn.BatchNorm2d(3).eval())
    with pytest.raises(ValueError, match="no running statistics"):
        fuse_conv_bn_eval(conv, nn.BatchNorm2d(2, track_running_stats=False).eval())
    relu = nn.Conv2d(1, 2, 3, activation="relu").eval()
    with pytest.raises(ValueError, match="activation='relu' comes before the norm"):
        fuse_conv_bn_eval(relu, norm.eval())
