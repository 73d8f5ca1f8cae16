"""What layers do beyond calling their op: fused activations, batch statistics, dropout."""

from typing import Any

import numpy as np
import pytest

from tinymed import nn
from tinymed.backpropagation import grad
from tinymed.creation import ones, tensor
from tinymed.random import manual_seed
from tinymed.tensor import Tensor

ACTIVATIONS = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "sigmoid": nn.Sigmoid()}
LAYERS = [
    (nn.Linear, (3, 4), (5, 3)),
    (nn.Linear, (3, 4, False), (2, 2, 3)),
    (nn.Conv1d, (2, 3, 3), (2, 2, 6)),
    (nn.Conv2d, (2, 4, 3, 2, 1, 1, 2), (2, 2, 4, 5)),
    (nn.Conv3d, (1, 2, 2, 1, 0, 1, 1, False), (1, 1, 3, 3, 2)),
]


def everything(model: Any, array: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """Return output, gradients, and the gradients of the size of the gradients."""
    x = Tensor(array, requires_grad=True)
    leaves = [x, *model.parameters()]
    output = model(x)
    weight = np.cos(np.arange(output.numel())).reshape(output.shape)
    first = grad(output, leaves, weight, create_graph=True)
    size = sum((g * g).sum() for g in first)
    second = grad(size, leaves, allow_unused=True)
    return [output.data, *(g.data for g in first), *(s.data for s in second if s is not None)]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("kind", "settings", "shape"), LAYERS)
def test_fused_activation(kind: Any, settings: Any, shape: Any, name: str) -> None:
    """activation= is the layer followed by the activation, to the second derivative."""
    generator = np.random.default_rng(4)
    fused = kind(*settings, activation=name, generator=generator).double()
    plain = kind(*settings).double()
    plain.load_state_dict(fused.state_dict())
    array = generator.standard_normal(shape)
    found = everything(fused, array)
    expected = everything(nn.Sequential(plain, ACTIVATIONS[name]), array)
    assert len(found) == len(expected) >= 1 + 2 * 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert fused(Tensor(array)).grad_fn is not None
    assert len(fused(Tensor(array)).grad_fn.edges) == 3, "one node for both"


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d])
def test_an_activation_that_cannot_be_fused(kind: Any) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}: activation='softplus' is not one of"):
        kind(2, 2, 1, activation="softplus")


# ------------------------------------------------------------------------------ batch statistics


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(nn.BatchNorm1d, (2, 3, 4, 4)), (nn.BatchNorm2d, (2, 3)), (nn.BatchNorm3d, (2, 3, 4, 4))],
)
def test_batch_norm_of_other_axes(kind: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}: x .* must have [\d or]+ axes"):
        kind(3)(ones(*shape))


def test_batch_norm_of_other_things() -> None:
    with pytest.raises(TypeError, match="BatchNorm2d: x is list, expected a Tensor or array"):
        nn.BatchNorm2d(3)([[1.0]])
    with pytest.raises(ValueError, match=r"x \(2, 4, 1, 1\) must have 4 axes and 3 channels"):
        nn.BatchNorm2d(3)(ones(2, 4, 1, 1))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_a_refused_batch_leaves_no_trace(momentum: float | None) -> None:
    norm = nn.BatchNorm1d(2, momentum=momentum)
    before = {key: value.data.copy() for key, value in norm.state_dict().items()}
    with pytest.raises(ValueError, match="1 value per channel; training needs 2"):
        norm(ones(1, 2))
    for key, value in norm.state_dict().items():
        np.testing.assert_array_equal(value.data, before[key])
    assert norm.eval()(ones(1, 2)).shape == (1, 2)


def test_running_statistics_follow_the_batches() -> None:
    """Without momentum they are the means over all batches, in eval they are what is used."""
    batches = np.random.default_rng(0).standard_normal((5, 8, 3)) * 2 + 1
    moving, averaging = nn.BatchNorm1d(3, momentum=0.3).double(), nn.BatchNorm1d(3, momentum=None)
    averaging.double()
    mean = np.zeros(3)
    for batch in batches:
        moving(Tensor(batch))
        averaging(Tensor(batch))
        mean = 0.7 * mean + 0.3 * batch.mean(0)
    np.testing.assert_allclose(moving.running_mean.data, mean)
    np.testing.assert_allclose(averaging.running_mean.data, batches.mean((0, 1)))
    variances = batches.var(1, ddof=1).mean(0)
    np.testing.assert_allclose(averaging.running_var.data, variances)
    assert averaging.num_batches_tracked.item() == 5
    y = averaging.eval()(Tensor(batches[0])).data
    expected = (batches[0] - batches.mean((0, 1))) / np.sqrt(variances + 1e-5)
    np.testing.assert_allclose(y, expected)
    assert averaging.num_batches_tracked.item() == 5


def test_batch_norm_without_running_statistics_has_none_to_save() -> None:
    norm = nn.BatchNorm2d(3, track_running_stats=False)
    assert list(norm.state_dict()) == ["weight", "bias"]
    assert list(nn.BatchNorm2d(3, affine=False).state_dict()) == [
        *("running_mean", "running_var", "num_batches_tracked"),
    ]
    assert nn.BatchNorm2d(3, bias=False).bias is None
    assert nn.BatchNorm2d(3, affine=False, bias=True).bias is None


# ---------------------------------------------------------------------------------------- dropout


def test_dropout_draws_from_its_generator() -> None:
    x = ones(50, 50)
    first = nn.Dropout(0.4, generator=np.random.default_rng(3))
    again = nn.Dropout(0.4, generator=np.random.default_rng(3))
    masks = [layer(x).data for layer in (first, again, first)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
    manual_seed(5)
    third = nn.Dropout(0.4)(x).data
    manual_seed(5)
    np.testing.assert_array_equal(nn.Dropout(0.4)(x).data, third)
    assert set(np.unique(third)) == {0.0, np.float32(1 / np.float32(0.6))}
    assert abs((third == 0).mean() - 0.4) < 5 * np.sqrt(0.24 / 2500)
    assert first.eval()(x) is x


def test_dropout_gives_gradients_to_what_it_kept() -> None:
    x = ones(20, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_of_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match=f"Dropout: p={p} is not a probability"):
        nn.Dropout(p)


# ----------------------------------------------------------------------------------------- losses


def test_weights_of_losses_move_with_them() -> None:
    loss = nn.BCEWithLogitsLoss(pos_weight=tensor([2.0])).double()
    assert loss.pos_weight.dtype == np.float64
    x, target = tensor([[0.5]], dtype=np.float64), tensor([[1.0]], dtype=np.float64)
    assert loss(x, target).item() == pytest.approx(2 * np.log1p(np.exp(-0.5)))
    assert list(nn.CrossEntropyLoss(tensor([1.0, 2.0])).state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


@pytest.mark.parametrize("kind", [nn.MSELoss, nn.BCEWithLogitsLoss])
def test_losses_of_other_shapes_or_reductions(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"x \(3,\) and target \(3, 1\) differ in shape"):
        kind()(ones(3), ones(3, 1))
    with pytest.raises(ValueError, match="reduction='avg' is not 'mean', 'sum' or 'none'"):
        kind(reduction="avg")(ones(3), ones(3))
