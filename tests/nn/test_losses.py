"""Losses as layers: they hand on their settings, and hold their weights as buffers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinymed import nn, ops
from tinymed.creation import tensor
from tinymed.tensor import Tensor

RANDOM = np.random.default_rng(3)
X = RANDOM.standard_normal((2, 3, 4))
P = RANDOM.uniform(0, 1, (2, 3, 4))
MASKS, CLASSES = RANDOM.integers(0, 2, (2, 3, 4)), RANDOM.integers(0, 3, (2, 4))
WEIGHT = np.array([1.0, 2.0, 3.0])
REGIONS: dict[str, Any] = {
    "include_background": False, "smooth_nr": 0.5, "smooth_dr": 2.0, "batch": True,
    "reduction": "none",
}  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "function", "inputs"),
    [
        (nn.HingeLoss(), lambda x, t: ops.hinge_loss(x, t), (X, 2 * MASKS - 1)),
        (nn.HingeLoss("sum"), lambda x, t: ops.hinge_loss(x, t, "sum"), (X, 2 * MASKS - 1)),
        (nn.FocalLoss(), lambda x, t: ops.sigmoid_focal_loss(x, t, None, 2.0, "mean"), (X, MASKS)),
        (
            nn.FocalLoss(0.3, 1.5, "none"),
            lambda x, t: ops.sigmoid_focal_loss(x, t, 0.3, 1.5),
            (X, MASKS),
        ),
        (nn.FocalLoss(use_softmax=True), lambda x, t: ops.focal_loss(x, t), (X, CLASSES)),
        (
            nn.FocalLoss(tensor(WEIGHT), 1.5, "sum", use_softmax=True, ignore_index=1),
            lambda x, t: ops.focal_loss(x, t, WEIGHT, 1.5, 1, "sum"),
            (X, CLASSES),
        ),
        (
            nn.GeneralizedCrossEntropyLoss(0.4, 1, "none"),
            lambda x, t: ops.generalized_cross_entropy(x, t, 0.4, 1, "none"),
            (X, CLASSES),
        ),
        (
            nn.SymmetricCrossEntropyLoss(0.3, 2.0, -6.0, 1, "sum"),
            lambda x, t: ops.symmetric_cross_entropy(x, t, 0.3, 2.0, -6.0, 1, "sum"),
            (X, CLASSES),
        ),
        (nn.DiceLoss(), lambda x, t: ops.dice_loss(x, t), (P, MASKS)),
        (
            nn.DiceLoss(sigmoid=True, squared_pred=True, **REGIONS),
            lambda x, t: ops.dice_loss(x, t, sigmoid=True, squared_pred=True, **REGIONS),
            (X, MASKS),
        ),
        (
            nn.DiceLoss(softmax=True),
            lambda x, t: ops.dice_loss(x, t, softmax=True),
            (X, CLASSES),
        ),
        (nn.TverskyLoss(), lambda x, t: ops.tversky_loss(x, t), (P, MASKS)),
        (
            nn.TverskyLoss(alpha=0.3, beta=0.7, gamma=4 / 3, softmax=True, **REGIONS),
            lambda x, t: ops.tversky_loss(
                x, t, alpha=0.3, beta=0.7, gamma=4 / 3, softmax=True, **REGIONS
            ),
            (X, CLASSES),
        ),
        (
            nn.TverskyLoss(sigmoid=True),
            lambda x, t: ops.tversky_loss(x, t, sigmoid=True),
            (X, MASKS),
        ),
    ],
)
def test_what_pytorch_has_not(
    layer: nn.Module, function: Callable[..., Any], inputs: tuple[Any, ...]
) -> None:
    found = layer(*map(Tensor, inputs))
    np.testing.assert_array_equal(found.data, function(*inputs))
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    "make",
    [
        nn.CrossEntropyLoss,
        nn.NLLLoss,
        nn.BCELoss,
        nn.BCEWithLogitsLoss,
        lambda weight: nn.MultiMarginLoss(weight=weight),
        nn.MultiLabelSoftMarginLoss,
    ],
)
def test_weights_are_buffers(make: Callable[[Any], nn.Module]) -> None:
    loss = make(tensor([1.0, 2.0]))
    assert list(loss.state_dict()) == ["weight"]
    assert loss.double().state_dict()["weight"].dtype == np.float64
    assert list(make(None).state_dict()) == []


def test_weights_of_the_focal_loss_are_a_buffer() -> None:
    assert list(nn.FocalLoss(tensor([1.0, 2.0]), use_softmax=True).state_dict()) == ["alpha"]
    assert list(nn.FocalLoss(0.25).state_dict()) == []


def test_focal_loss_refuses_what_belongs_to_the_other_form() -> None:
    with pytest.raises(TypeError, match=r"FocalLoss: alpha=0.25 with use_softmax=True expected"):
        nn.FocalLoss(0.25, use_softmax=True)
    with pytest.raises(TypeError, match=r"weights of classes need use_softmax=True"):
        nn.FocalLoss(tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="ignore_index=3 needs use_softmax=True"):
        nn.FocalLoss(ignore_index=3)


def test_a_distance_of_your_own_may_be_learned() -> None:
    scale = nn.Parameter(tensor([1.0, 2.0]))

    def distance(a: Any, b: Any) -> Any:
        return ((a - b) * scale).abs().sum(-1)

    loss = nn.TripletMarginWithDistanceLoss(distance_function=distance, margin=5.0)
    anchor, positive, negative = tensor([[0.0, 0.0]]), tensor([[1.0, 1.0]]), tensor([[0.0, 1.0]])
    value = loss(anchor, positive, negative)
    value.backward()
    assert value.item() == 5 + 3 - 2
    assert scale.grad.tolist() == [1, 0]


def test_ctc_learns_to_write() -> None:
    """Gradient descent on logits finds an alignment of the labels."""
    logits = nn.Parameter(Tensor(RANDOM.standard_normal((8, 1, 4))))
    loss, labels = nn.CTCLoss(), tensor([[1, 2, 2, 3]])
    for _ in range(200):
        logits.grad = None
        value = loss(ops.log_softmax(logits, 2), labels, (8,), (4,))
        value.backward()
        logits.data -= 2 * logits.grad.data
    assert value.item() < 0.05
    best = logits.data[:, 0].argmax(1).tolist()
    merged = [c for i, c in enumerate(best) if c and (i == 0 or c != best[i - 1])]
    assert merged == [1, 2, 2, 3]
    assert math.isfinite(value.item())
