"""summary: multiply-adds are those that plain loops perform, parameters and bytes are exact."""

import math
from typing import Any

import numpy as np
import pytest

from tests.loops import conv_products
from tinymed import nn
from tinymed.creation import ones


def products(layer: Any, x: tuple[int, ...]) -> int:
    """Count the products of a convolution without padding, one after the other."""
    loops = conv_products(
        x, layer.weight.shape, layer.stride, layer.padding, layer.dilation, layer.groups
    )
    return sum(1 for _ in loops)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(2, 4, 3, stride=2), (3, 2, 8)),
        (nn.Conv2d(1, 3, (3, 2), dilation=(1, 2)), (2, 1, 5, 6)),
        (nn.Conv2d(4, 6, 3, groups=2, bias=False), (1, 4, 5, 5)),
        (nn.Conv2d(3, 3, 3, groups=3, stride=2), (2, 3, 6, 7)),
        (nn.Conv3d(2, 3, 2, stride=(1, 2, 2), activation="relu"), (1, 2, 3, 4, 5)),
    ],
)
def test_convolutions(layer: Any, shape: tuple[int, ...]) -> None:
    found = nn.summary(layer, shape)
    assert found.multiply_adds == products(layer, shape)
    assert found.parameters == sum(math.prod(p.shape) for p in layer.parameters())


def test_padding_counts() -> None:
    """Products with the zeros of the padding are performed as well."""
    padded, wide = nn.Conv1d(2, 3, 3, padding=2), nn.Conv1d(2, 3, 3)
    assert nn.summary(padded, (1, 2, 5)).multiply_adds == products(wide, (1, 2, 9))


@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3)])
def test_linear(shape: tuple[int, ...]) -> None:
    rows = math.prod(shape[:-1])
    count = sum(1 for _ in range(rows) for _ in range(4) for _ in range(3))
    assert nn.summary(nn.Linear(3, 4), shape).multiply_adds == count


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(32, 3),
    )


def test_every_row() -> None:
    found = nn.summary(network(), (2, 1, 8, 8))
    rows = [(r.path, r.kind, r.output_shape, r.parameters, r.multiply_adds) for r in found.layers]
    assert rows == [
        ("0", "Conv2d", (2, 2, 8, 8), 20, 2 * 2 * 64 * 9),
        ("1.0", "BatchNorm2d", (2, 2, 8, 8), 4, 0),
        ("1.1", "ReLU", (2, 2, 8, 8), 0, 0),
        ("1.2", "MaxPool2d", (2, 2, 4, 4), 0, 0),
        ("2", "Flatten", (2, 32), 0, 0),
        ("3", "Dropout", (2, 32), 0, 0),
        ("4", "Linear", (2, 3), 99, 2 * 3 * 32),
    ]
    assert found.parameters == 20 + 4 + 99
    assert found.parameter_bytes == 4 * 123
    assert [row.output_bytes for row in found.layers] == [
        4 * math.prod(row.output_shape) for row in found.layers
    ]
    assert found.output_bytes == 4 * (3 * 256 + 3 * 64 + 6)
    assert found.multiply_adds == 2304 + 192


def test_the_table() -> None:
    lines = str(nn.summary(network(), (2, 1, 8, 8))).splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds", "bytes"]
    assert lines[1].split() == ["0", "Conv2d", "(2,", "2,", "8,", "8)", "20", "2,304", "1,024"]
    assert lines[-1].split() == ["total", "123", "2,496", "3,864"]
    assert len({line.rfind("Conv2d") for line in lines[1:2]} | {lines[0].find("kind")}) == 1
    assert "(network)" in str(nn.summary(nn.Linear(3, 2), (1, 3)))


def test_it_leaves_no_trace() -> None:
    model = network()
    model[1].eval()
    before = [module.training for module in model.modules()]
    state = {key: tensor.data.copy() for key, tensor in model.state_dict().items()}
    nn.summary(model, (2, 1, 8, 8))
    with pytest.raises(ValueError, match="channels"):
        nn.summary(model, (2, 3, 8, 8))
    assert [module.training for module in model.modules()] == before
    assert all(not module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    for key, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.data, state[key])


def test_shared_layers_count_their_parameters_once_and_their_work_each_time() -> None:
    layer = nn.Linear(3, 3)
    found = nn.summary(nn.Sequential(layer, nn.ReLU(), layer), (2, 3))
    assert [row.parameters for row in found.layers] == [12, 0, 0]
    assert found.parameters == 12
    assert found.multiply_adds == 2 * (2 * 9)


class Gated(nn.Module):
    """Parameters of its own and a layer below, one that never runs, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Parameter(np.ones(3, np.float32))
        self.inner = nn.Linear(3, 2)
        self.unused = nn.Linear(5, 5)

    def forward(self, x: Any, y: Any) -> Any:
        return self.inner(x * self.gate), y + 1


def test_parameters_of_its_own_several_inputs_and_outputs() -> None:
    found = nn.summary(Gated(), (4, 3), (4, 1))
    assert [(row.path, row.parameters, row.output_bytes) for row in found.layers] == [
        ("inner", 8, 4 * 8),
        ("", 3, 4 * (8 + 4)),
    ]
    assert found.parameters == 3 + 8 + 30
    assert found.parameter_bytes == 4 * 41


def test_inputs_are_of_the_models_dtype() -> None:
    found = nn.summary(nn.Linear(3, 2).double(), (1, 3))
    assert found.parameter_bytes == 8 * 8
    assert found.output_bytes == 8 * 2
    assert nn.summary(nn.ReLU(), (5,)).output_bytes == 4 * 5
    assert nn.summary(nn.ReLU(), (5,), dtype="float64").output_bytes == 8 * 5
    with pytest.raises(TypeError, match="float64"):
        nn.summary(nn.Linear(3, 2), (1, 3), dtype=np.float64)


def test_hooks_of_the_user_stay() -> None:
    layer, seen = nn.Linear(3, 2), []
    layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    nn.summary(layer, (1, 3))
    layer(ones(4, 3))
    assert seen == [(1, 2), (4, 2)]
