"""Batch norm folded into convolutions: the same outputs."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn
from tinymed.medical.models.nodule_cnn import NoduleCNN
from tinymed.nn.utils.fusion import folded, fuse_conv_bn_eval


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
    assert kinds.count("Conv2d") == 4
    np.testing.assert_allclose(found(x).data, model(x).data, 1e-5, 1e-5)
    assert isinstance(model.features[1], nn.BatchNorm2d)


def test_what_stands_between_is_kept():
    layers = nn.Sequential(
        nn.Conv2d(1, 2, 3, activation="relu"), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.ReLU()
    )
    found = folded(used(layers))
    assert [type(layer) for layer in found] == [type(layer) for layer in layers]


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
