"""What memory bounds on a GPU: grids, entry points and settings, and what is read back from it."""

from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import emulated, unavailable
from tests.kernels.test_cuda_launcher import Fake
from tinymed.kernels.activation import cuda as activation
from tinymed.kernels.dropout import cuda as dropout
from tinymed.kernels.dropout import reference
from tinymed.kernels.losses import cuda as losses
from tinymed.kernels.matmul import cuda as matmul
from tinymed.kernels.optimizer import cuda as optimizer

needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


def zeros(*shape: int, dtype: Any = np.float32) -> Any:
    return np.zeros(shape, dtype)


def launched(gpu: Fake) -> list[tuple[str, tuple[int, ...]]]:
    return [(asked[1], tuple(asked[2])) for asked in gpu.asked]


def test_an_activation_is_an_entry_point_and_its_parameters(gpu: Fake) -> None:
    activation.forward(zeros(3, 1000), "elu", 1, 2, 3)
    activation.grad(zeros(4, dtype=np.float64), zeros(4, dtype=np.float64), "relu")
    assert launched(gpu) == [("forward_elu", (3, 1, 1)), ("grad_relu", (1, 1, 1))]
    assert gpu.asked[0][4][-3:] == (1, 2, 3)
    assert {type(number) for number in gpu.asked[0][4][-3:]} == {np.float32}
    assert gpu.asked[1][4][-3:] == (0, 0, 0)


def test_a_loss_is_added_up_in_chunks(gpu: Fake) -> None:
    losses.mean_squares(zeros(2 * losses.CHUNK + 1), zeros(2 * losses.CHUNK + 1))
    losses.mean_squares_grad(zeros(), zeros(4096), zeros(4096))
    assert launched(gpu) == [
        ("squares", (3, 1, 1)), ("mean", (1, 1, 1)), ("squares_grad", (4, 1, 1))
    ]  # fmt: skip
    assert gpu.asked[2][4][-1] == np.float32(2 / 4096)


@pytest.mark.parametrize(
    ("shape", "first", "merged"),
    [
        ((32, 64, 56, 56), ("planes", (64, 16, 1)), True),
        ((32, 2048, 49), ("planes", (2048, 1, 1)), False),
        ((8192, 4096), ("columns", (128, 8, 1)), True),
        ((8, 33), ("columns", (2, 1, 1)), False),
    ],
)
def test_the_gradient_of_a_bias_is_shared_by_blocks(
    gpu: Fake, shape: Any, first: Any, merged: bool
) -> None:
    matmul.bias_grad(np.broadcast_to(np.float32(0), shape))
    assert launched(gpu)[0] == first
    assert [name for name, _ in launched(gpu)[1:]] == ["merge"] * merged


def test_dropout_of_elements_and_of_channels(gpu: Fake) -> None:
    dropout.forward(zeros(3, 1024), 1, 0.5, 2**64 - 1, 2.0, 0.0, 0.0)
    dropout.forward(zeros(2, 4, 512, dtype=np.float64), 512, 0.25, 7, 2.0, 0.0, 0.0)
    assert launched(gpu) == [("elements", (3, 1, 1)), ("channels", (8, 1, 1))]
    assert gpu.asked[0][4][4:6] == (2**64 - 1, 2**31)
    assert gpu.asked[1][4][2:7] == (4096, 512, True, 7, 2**30)


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mask_of_a_kernel_is_that_of_the_reference_in_every_element(dtype: Any) -> None:
    for shape, inner in (((5000,), 1), ((30, 7, 5), 5)):
        given = np.ones(shape, dtype), inner, 0.37, 0xFEDCBA9876543210, 1.0, 0.0, 0.0
        with emulated():
            y = dropout.forward(*given)
        np.testing.assert_array_equal(y, reference.forward(*given))


@pytest.mark.parametrize(("step", "trusted"), [(3, False), (30, True)])
def test_radam_trusts_its_variance_after_some_steps(gpu: Fake, step: int, trusted: bool) -> None:
    lists: Any = [[zeros(5)] for _ in range(4)]
    optimizer.radam(*lists, step, 1, 0.9, 0.999, 1e-8, 0, True)
    numbers = gpu.asked[0][4][2:]
    assert bool(numbers[-1]) == trusted
    assert {type(number) for number in numbers[:-1]} == {np.float32}


def test_squares_of_many_arrays_end_in_one_sum(gpu: Fake) -> None:
    sizes = [3] * 64 + [optimizer.CHUNK + 1]
    optimizer.squares([zeros(size) for size in sizes])
    assert launched(gpu) == [
        ("squares", (64, 1, 1)), ("squares", (2, 1, 1)), ("total", (1, 1, 1))
    ]  # fmt: skip
    assert [int(asked[4][-1]) for asked in gpu.asked] == [0, 64, 66]


@needs_compiler
@pytest.mark.parametrize("wrong", [-0.01, 1.01, np.nan, np.inf])
def test_targets_that_are_no_probabilities_are_told(wrong: float) -> None:
    x, target = zeros(70, 300), zeros(70, 300)
    target[69, 298] = wrong
    words = r"mean_logistic: target holds values outside \[0, 1\] or NaN"
    with emulated(), pytest.raises(ValueError, match=words):
        losses.mean_logistic(x, target)
