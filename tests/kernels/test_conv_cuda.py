"""The launch of convolutions on a GPU: tiles, grids and parts, chosen by sizes, without one."""

from typing import Any

import numpy as np
import pytest

from tinymed.kernels.conv import cuda, cuda_tensor, cuda_tf32x3, ladder
from tinymed.kernels.cuda import LAUNCHER, Grid, Resources, Variant
from tinymed.kernels.device_rules import DEVICE_RULES


class Recorder:
    """Writes down what it is asked to launch."""

    def __init__(self) -> None:
        self.launched: list[tuple[str, str, Grid]] = []
        self.compute = (9, 0)

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def capability(self, array: Any) -> tuple[int, int]:
        return self.compute

    def resources(self, array: Any) -> Resources:
        return Resources(132, 227 * 1024)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return np.empty(shape, dtype)

    def run(self, variant: Variant, entry: str, grid: Grid, threads: int, arguments: Any) -> None:
        self.launched.append((variant.name, entry, grid))


@pytest.fixture
def recorder() -> Any:
    one = Recorder()
    token = LAUNCHER.set(one)
    yield one
    LAUNCHER.reset(token)


def numbers(*shape: int, dtype: Any = np.float32) -> Any:
    return np.broadcast_to(np.zeros((), dtype), shape)


@pytest.mark.parametrize(
    ("size", "rows", "columns", "name"),
    [
        (4, 256, 100_000, "conv/float32_128"),
        (4, 256, 64 * 128, "conv/float32_128"),
        (4, 256, 40 * 128, "conv/float32_64"),
        (4, 256, 128, "conv/float32_32"),
        (4, 64, 100_000, "conv/float32_64"),
        (4, 65, 100_000, "conv/float32_128"),
        (4, 16, 100_000, "conv/float32_32"),
        (8, 1, 1, "conv/float64_64"),
    ],
)
def test_tiles_are_half_full_and_make_blocks_enough(
    size: int, rows: int, columns: int, name: str
) -> None:
    assert cuda.choose(size, rows, columns).name == name


def test_the_gradient_has_a_launch_for_all_phases(recorder: Recorder) -> None:
    dy, weight = numbers(2, 64, 28, 28), numbers(64, 32, 3, 3)
    cuda.grad_input(dy, weight, (56, 55), (2, 2), (1, 1), (1, 1), 1)
    (steps, _, before), (name, _, grid) = recorder.launched
    assert steps == "conv/steps"
    assert before == Grid(1, 4)  # at most 4 of 9 taps meet in a phase: 64 * 4 steps
    assert (name, grid) == ("conv/float32_32", Grid(-(-2 * 28 * 28 // 128), 4, 1))


def test_the_gradient_of_the_weight_is_cut_into_parts_and_added(recorder: Recorder) -> None:
    dy, x = numbers(8, 128, 28, 28), numbers(8, 128, 28, 28)
    dw = cuda.grad_weight(dy, x, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    _, (name, entry, grid), (_, last, _) = recorder.launched
    assert (name, entry, last) == ("conv/grad_weight_float32_128", "grad_weight", "add_parts")
    assert grid == Grid(9, 12, 1)
    assert dw.shape == (128, 128, 3, 3)


def test_channels_come_last_and_the_result_as_it_is(recorder: Recorder) -> None:
    x, weight = numbers(8, 70, 28, 28, dtype=np.float16), numbers(256, 35, 3, 3, dtype=np.float16)
    y = cuda_tensor.forward(x, weight, None, (2, 2), (1, 1), (1, 1), 2, "tanh")
    assert (y.shape, y.dtype) == ((8, 256, 14, 14), np.float16)
    assert recorder.launched == [
        ("conv/channels_last_16_bits", "channels_last", Grid(8 * 2 * 25, 2)),  # 40 channels, 784
        ("conv/channels_last_16_bits", "channels_last", Grid(256, 2)),
        ("conv/steps", "steps", Grid(1, 1)),
        ("conv/tensor_float16_64", "sum_of_taps", Grid(2 * 13, 1, 2)),
        ("matmul/activation_float16", "activation", Grid(8 * 256 * 14 * 14 // 2048)),
    ]


def test_tiles_of_tensor_cores_are_half_full_and_fill_the_gpu(recorder: Recorder) -> None:
    tf32, like = cuda_tensor.TF32, numbers(1)
    for rows, columns, tile in ((128, 132 * 128, 128), (128, 131 * 128, 64), (64, 10**6, 64)):
        assert cuda_tensor.choose(tf32, rows, columns, 1, like) is tf32.tiles[tile]
    families = (cuda_tensor.TF32, cuda_tensor.FLOAT16, *cuda_tf32x3.FAMILIES.values())
    assert max(v.shared for family in families for v in family.all) <= 99 * 1024  # as sm_120 has


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_gradient_of_the_weight_on_tensor_cores_is_split(
    recorder: Recorder, dtype: Any
) -> None:
    dy, x = numbers(8, 128, 28, 28, dtype=dtype), numbers(8, 64, 28, 28, dtype=dtype)
    dw = cuda_tensor.grad_weight(dy, x, (3, 3), (1, 1), (1, 1), (1, 1), 1)
    assert (dw.shape, dw.dtype) == ((128, 64, 3, 3), dtype)
    *_, (_, entry, grid), (_, last, _) = recorder.launched
    assert (entry, grid, last) == ("grad_weight", Grid(2 * 5, 12), "add_parts")


def test_halves_run_on_tensor_cores_by_themselves_and_float32_only_if_asked() -> None:
    x, weight = numbers(1, 3, 8, 8), numbers(4, 3, 3, 3)
    settings = ((1, 1), (1, 1), (1, 1), 1, None)

    def chosen(dtype: Any, compute: tuple[int, int]) -> list[str]:
        given = (x.astype(dtype), weight.astype(dtype), None, *settings)
        one = Recorder()
        one.compute = compute
        token = LAUNCHER.set(one)
        try:
            able = [r for r in DEVICE_RULES["conv.forward"] if r.can(*given) and r.here(*given)]
            return [r.implementation for r in able if r.pays(*given)]
        finally:
            LAUNCHER.reset(token)

    assert chosen(np.float16, (8, 0)) == ["cuda:tensor"]
    assert chosen(np.float16, (7, 5)) == []  # the reference
    assert "cuda:tensor" not in chosen(np.float32, (9, 0))
    assert not {"cuda:tensor", "cuda:tf32x3"} & set(chosen(np.float64, (9, 0)))


def test_nothing_is_launched_for_no_images(recorder: Recorder) -> None:
    y = cuda.forward(
        numbers(0, 3, 8, 8), numbers(4, 3, 3, 3), None, (1, 1), (1, 1), (1, 1), 1, None
    )
    assert y.shape == (0, 4, 8, 8)
    assert not recorder.launched


def test_what_the_kernels_cannot_do_is_left_to_the_reference() -> None:
    x, weight = numbers(1, 3, 8, 8), numbers(4, 3, 3, 3)
    settings = ((1, 1), (1, 1), (1, 1), 1, None)
    rules = {rule.implementation: rule for rule in DEVICE_RULES["conv.forward"]}
    able = rules["cuda"].can
    assert able(x, weight, None, *settings)
    assert not able(x, weight.astype(np.float64), None, *settings)
    assert not able(x.astype(np.float16), weight.astype(np.float16), None, *settings)
    assert not able(numbers(1 << 20, 3, 32, 32), weight, None, *settings)


@pytest.mark.parametrize(
    ("channels", "k", "groups", "implementation"),
    [(64, 64, 64, "cuda:depthwise"), (64, 64, 1, "cuda"), (3, 64, 1, "cuda"),
     (64, 2, 1, "cuda:depthwise"),
     (8, 32, 8, "cuda:depthwise"), (8, 40, 8, "cuda")],
)  # fmt: skip
def test_few_channels_of_results_have_a_kernel_of_their_own(
    channels: int, k: int, groups: int, implementation: str
) -> None:
    given = (numbers(2, channels, 9, 9), numbers(k, channels // groups, 3, 3), None)
    rules = DEVICE_RULES["conv.forward"]
    able = (r for r in rules if r.can(*given, (1, 1), (1, 1), (1, 1), groups, None))
    assert next(r.implementation for r in able if r.pays(*given)) == implementation


def test_the_course_has_a_grid_for_each_step() -> None:
    found = {name: ladder.grid(name, 70, 1000) for name in ladder.STEPS}
    assert found == {"naive": Grid(4, 70), "shared": Grid(32, 3), "register_tiles": Grid(16, 2)}
