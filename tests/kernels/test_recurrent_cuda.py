"""How recurrent layers are cut into blocks, and which way is chosen, on GPUs that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.cuda_emulator.emulate import EmulatedLauncher, emulated
from tests.test_precision import NARROW, dtype_of
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import LAUNCHER, Resources
from tinymed.kernels.recurrent import cuda, cuda_cluster, cuda_grid
from tinymed.kernels.recurrent.resident import (
    NEEDS,
    VARIANTS,
    Layer,
    Need,
    cluster_plan,
    grid_plan,
    shared_bytes,
)
from tinymed.precision import finfo

H100 = Resources(multiprocessors=132, shared=227 * 1024)
A100 = Resources(multiprocessors=108, shared=163 * 1024)
T4 = Resources(multiprocessors=40, shared=64 * 1024)
RTX = Resources(multiprocessors=170, shared=99 * 1024)


class Recorded(EmulatedLauncher):
    """A GPU that writes down what it is asked, and does nothing."""

    def __init__(self, compute: tuple[int, int], has: Resources) -> None:
        super().__init__(capability=compute)
        self.has = has
        self.asked: list[Any] = []

    def resources(self, array: Any) -> Resources:
        return self.has

    def run(self, *asked: Any) -> None:
        self.asked.append(asked)


@contextmanager
def gpu(compute: tuple[int, int] = (9, 0), has: Resources = H100) -> Iterator[Recorded]:
    launcher = Recorded(compute, has)
    token = LAUNCHER.set(launcher)
    try:
        yield launcher
    finally:
        LAUNCHER.reset(token)


def ones(*shape: int, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


def lstm(size: int, batch: int, steps: int = 2, dtype: Any = np.float32) -> tuple[Any, ...]:
    """Return the arguments of an LSTM's forward; its memory is not touched."""
    weight = np.broadcast_to(dtype(1), (4 * size, size))
    state = ones(batch, size, dtype=dtype)
    x, weight_ih = ones(steps * batch, 3, dtype=dtype), ones(4 * size, 3, dtype=dtype)
    absent = None, None, None, None  # biases, projection, peepholes
    return x, state, state, weight_ih, weight, *absent, (batch,) * steps, False, True


def lstm_back(size: int, batch: int) -> tuple[Any, ...]:
    weight, state = np.broadcast_to(np.float32(1), (4 * size, size)), ones(batch, size)
    return None, state, state, ones(batch, 4 * size), state, weight, None, None, (batch,), False


def rnn(size: int, batch: int) -> tuple[Any, ...]:
    weight = np.broadcast_to(np.float32(1), (size, size))
    x, state = ones(batch, 3), ones(batch, size)
    return x, state, ones(size, 3), weight, None, None, (batch,), False, "relu"


def rnn_back(size: int, batch: int) -> tuple[Any, ...]:
    weight, state = np.broadcast_to(np.float32(1), (size, size)), ones(batch, size)
    return None, state, state, weight, (batch,), False, "relu"


def gru(size: int, batch: int, reset_after: bool) -> tuple[Any, ...]:
    weight = np.broadcast_to(np.float32(1), (3 * size, size))
    x, state = ones(batch, 3), ones(batch, size)
    return x, state, ones(3 * size, 3), weight, None, None, (batch,), False, reset_after, True


def gru_back(size: int, batch: int, reset_after: bool) -> tuple[Any, ...]:
    weight, state = np.broadcast_to(np.float32(1), (3 * size, size)), ones(batch, size)
    kept = ones(batch, 3 * size), state if reset_after else None, state
    return None, state, *kept, weight, (batch,), False


def halved(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the same arguments in float16."""
    return tuple(a.astype(np.float16) if isinstance(a, np.ndarray) else a for a in given)


def plain(size: int) -> Layer:
    """Return a layer in float32 whose state is as long as its cell."""
    return Layer(size, size)


def chosen(kernel: str, given: tuple[Any, ...]) -> str:
    """Return the first implementation that can and pays, as on a GPU."""
    rules = KERNELS[kernel].candidates(on_host=False)
    able = (r for r in rules if r.can(*given) and r.here(*given))
    return next(r.implementation for r in able if r.pays(*given))


# --------------------------------------------------------------------------------- which is chosen


@pytest.mark.parametrize(
    ("compute", "has", "size", "batch", "way"),
    [
        ((9, 0), H100, 64, 32, "cuda:cluster"),
        ((9, 0), H100, 448, 32, "cuda:cluster"),
        ((9, 0), H100, 449, 32, "cuda:grid"),
        ((9, 0), H100, 448, 36, "cuda:grid"),  # 9 clusters of 16 do not run at once
        ((9, 0), H100, 1241, 32, "cuda:grid"),
        ((9, 0), H100, 1242, 32, "cuda"),
        ((9, 0), H100, 1024, 64, "cuda:grid"),
        ((9, 0), H100, 1024, 65, "cuda"),
        ((9, 0), H100, 256, 64, "cuda:cluster"),
        ((9, 0), H100, 256, 256, "cuda:grid"),
        ((9, 0), H100, 256, 257, "cuda"),
        ((8, 0), A100, 64, 32, "cuda:grid"),
        ((8, 0), A100, 864, 32, "cuda:grid"),
        ((8, 0), A100, 865, 32, "cuda"),
        ((7, 5), T4, 248, 8, "cuda:grid"),
        ((7, 5), T4, 249, 8, "cuda"),
        ((12, 0), RTX, 196, 32, "cuda:cluster"),
        ((12, 0), RTX, 197, 32, "cuda:grid"),
    ],
)
def test_the_way_of_an_lstm_by_size_and_gpu(
    compute: Any, has: Resources, size: int, batch: int, way: str
) -> None:
    with gpu(compute, has):
        assert chosen("recurrent.lstm_forward", lstm(size, batch)) == way


def test_the_way_back_has_limits_of_its_own() -> None:
    with gpu():
        found = [
            chosen("recurrent.lstm_backward", lstm_back(h, 32)) for h in (416, 417, 1320, 1321)
        ]
    assert found == ["cuda:cluster", "cuda:grid", "cuda:grid", "cuda"]


@pytest.mark.parametrize(
    ("kernel", "given", "limits"),
    [
        ("rnn_forward", rnn, (891, 2640, 1282, 3720)),
        ("rnn_backward", rnn_back, (891, 2640, 1282, 3720)),
        ("lstm_forward", lstm, (448, 1241, 640, 1773)),
        ("lstm_backward", lstm_back, (416, 1320, 608, 1848)),
        ("gru_forward", partial(gru, reset_after=True), (514, 1436, 738, 2112)),
        ("gru_backward", partial(gru_back, reset_after=True), (487, 1550, 717, 2112)),
        ("gru_forward", partial(gru, reset_after=False), (523, 1493, 752, 2112)),
        ("gru_backward", partial(gru_back, reset_after=False), (509, 1550, 736, 2112)),
    ],
)
def test_every_cell_has_the_room_that_its_weights_and_its_exchange_leave(
    kernel: str, given: Any, limits: tuple[int, int, int, int]
) -> None:
    """In float32, and in 16 bits, which leave room for twice as many."""
    with gpu():
        for (cluster, grid), as_given in zip(
            (limits[:2], limits[2:]), (tuple, halved), strict=True
        ):
            sizes = cluster, cluster + 1, grid, grid + 1
            found = [chosen(f"recurrent.{kernel}", as_given(given(size, 4))) for size in sizes]
            assert found == ["cuda:cluster", "cuda:grid", "cuda:grid", "cuda"]


def test_before_tensor_cores_16_bits_are_the_references_to_compute_in_float32() -> None:
    with gpu((7, 5), T4):
        assert chosen("recurrent.lstm_forward", halved(lstm(64, 8))) == "reference"
        assert chosen("recurrent.gru_backward", halved(gru_back(64, 8, True))) == "reference"


def test_what_is_float64_goes_step_by_step() -> None:
    with gpu():
        assert chosen("recurrent.lstm_forward", lstm(64, 8, dtype=np.float64)) == "cuda"
        given = list(lstm(64, 8))
        given[8] = ones(3, 64)  # peepholes
        assert chosen("recurrent.lstm_forward", tuple(given)) == "cuda:cluster"


@pytest.mark.parametrize(
    ("h", "p", "way"),
    [(64, 32, "cuda:cluster"), (700, 100, "cuda:cluster"), (1000, 400, "cuda:grid"),
     (2600, 800, "cuda")],
)  # fmt: skip
def test_an_lstm_with_a_projection_is_cut_by_both_its_lengths(h: int, p: int, way: str) -> None:
    given = list(lstm(h, 8))
    given[1], given[4], given[7] = (
        ones(8, p),
        np.broadcast_to(np.float32(1), (4 * h, p)),
        ones(p, h),
    )
    back = None, ones(8, p), ones(8, h), ones(8, 4 * h), ones(8, h), given[4], given[7], None, (8,)
    with gpu() as one:
        assert chosen("recurrent.lstm_forward", tuple(given)) == way
        assert chosen("recurrent.lstm_backward", (*back, False)) == way
        if way == "cuda":
            return
        module = {"cuda:grid": cuda_grid, "cuda:cluster": cuda_cluster}[way]
        module.lstm_forward(*given)
        *_, asked = one.asked
    assert asked[1] == "lstm_projected_forward"
    size, units, r, state, of_state = asked[4][3], asked[4][4], *asked[4][-3:]
    shares = -(-h // int(units))
    assert (int(size), int(state), r.shape) == (h, p, (p, h))
    assert int(of_state) * shares >= p


def test_mixed_dtypes_are_the_references() -> None:
    given = list(lstm(4, 2))
    given[1] = given[1].astype(np.float64)
    assert chosen("recurrent.lstm_forward", tuple(given)) == "reference"


# ------------------------------------------------------------------------------------------- plans


def test_a_grid_shares_out_units_then_the_batch() -> None:
    plan = grid_plan(plain(1024), 32, NEEDS["lstm_forward"], H100)
    assert plan is not None
    assert (plan.units, plan.grid.x) == (8, 128)
    assert plan.variant.cooperative
    plan = grid_plan(plain(256), 128, NEEDS["lstm_forward"], H100)
    assert plan is not None
    assert (plan.units, plan.grid.x) == (8, 32 * 4)  # 4 slices of 32 sequences
    plan = grid_plan(plain(1100), 1, NEEDS["lstm_forward"], H100)
    assert plan is not None
    assert (plan.units, plan.grid.x) == (10, 110)  # 9 would do, but lanes have 2 units each


@pytest.mark.parametrize("has", [H100, A100, T4, RTX])
@pytest.mark.parametrize("size", [1, 17, 200, 1000])
def test_plans_fit_on_the_gpu_and_have_every_unit(has: Resources, size: int) -> None:
    for need in NEEDS.values():
        grid = grid_plan(plain(size), 300, need, has)
        if grid is not None:
            sharers = -(-size // grid.units)
            assert grid.grid.x % sharers == 0
            assert grid.grid.x <= has.multiprocessors
            bytes_of_a_block = shared_bytes(False, plain(size), grid.units, grid.units, need)
            assert grid.variant.shared == bytes_of_a_block <= has.shared
        cluster = cluster_plan(plain(size), 300, need, has, 16)
        if cluster is not None:
            assert cluster.units * cluster.variant.cluster >= size
            assert cluster.grid.x == 75 * cluster.variant.cluster
            assert cluster.variant.shared <= has.shared


def test_clusters_of_16_where_8_are_too_few() -> None:
    for size, batch, blocks in ((256, 4, 8), (300, 4, 16), (300, 40, 8), (400, 40, 16)):
        plan = cluster_plan(plain(size), batch, NEEDS["lstm_forward"], H100, 16)
        assert plan is not None
        assert plan.variant.cluster == blocks
    assert cluster_plan(plain(400), 4, NEEDS["lstm_forward"], H100, 8) is None
    assert cluster_plan(plain(4), 4, NEEDS["lstm_forward"], A100, 0) is None


def test_shared_memory_of_a_block() -> None:
    forward, back = Need(gates=4, exchanged=1, sums=4), Need(gates=3, exchanged=2, sums=1)

    def found(cluster: bool, layer: Layer, units: int, need: Need) -> int:
        return shared_bytes(cluster, layer, units, units, need)

    assert found(False, plain(1024), 8, forward) == 4 * (4 * 1024 * 8 + 8 * 32 * 33)
    whole = 4 * 448 * 28 + 8 * 4 * 129 + 2 * 448 * 4
    assert found(True, plain(448), 28, forward) == 4 * whole
    whole = 3 * 448 * 28 + 8 * 4 * 33 + 2 * 2 * 448 * 4
    assert found(True, plain(448), 28, back) == 4 * whole
    # in 16 bits: the sums stay float32, at a multiple of 4 bytes
    halves, few = Layer(448, 448, "float16"), Layer(3, 3, "bfloat16")
    whole = 2 * 3 * 448 * 28 + 4 * 8 * 4 * 33 + 2 * 2 * 2 * 448 * 4
    assert found(True, halves, 28, back) == whole
    one = Need(gates=1, exchanged=1, sums=1)
    assert found(True, few, 1, one) == 4 * 2 + 4 * 8 * 4 * 33 + 2 * 2 * 3 * 4
    # with a projection to a third: rows of U for 28 units, one of R for 9 or 10 of the state
    projected = shared_bytes(True, Layer(448, 150), 28, 10, NEEDS["lstm_projected_forward"])
    assert projected == 4 * (5 * 448 * 10 + 8 * 4 * 129 + 2 * 448 * 4)


# ---------------------------------------------------------------------------------------- launches


def test_all_steps_are_one_launch() -> None:
    with gpu() as one:
        cuda_grid.lstm_forward(*lstm(512, 8, steps=50))
        cuda_cluster.lstm_forward(*lstm(64, 8, steps=50))
    ran = [(asked[0].name, asked[1], asked[2].x) for asked in one.asked]
    assert [r for r in ran if r[0].startswith("recurrent")] == [
        ("recurrent/grid_float32", "lstm_forward", 64),
        ("recurrent/cluster_8_float32", "lstm_forward", 16),
    ]
    given = one.asked[1][4]
    assert given[0].tolist() == list(range(0, 401, 8))
    assert [int(n) for n in given[1:6]] == [50, 8, 512, 8, 0]
    assert given[6].shape == (2, 512, 32)
    assert given[7].tolist() == [0]


@pytest.mark.parametrize(
    ("entry", "given", "exchanged"),
    [
        ("rnn_forward", rnn(512, 8), 512),
        ("rnn_backward", rnn_back(512, 8), 512),
        ("gru_reset_before_forward", gru(512, 8, False), 512),
        ("gru_reset_before_backward", gru_back(512, 8, False), 2 * 512),
        ("gru_backward", gru_back(512, 8, True), 3 * 512),
    ],
)
def test_the_entry_and_what_it_exchanges(
    entry: str, given: tuple[Any, ...], exchanged: int
) -> None:
    function = getattr(cuda_grid, entry.replace("_reset_before", ""))
    with gpu() as one:
        function(*given)
    (asked,) = (each for each in one.asked if each[0].name == "recurrent/grid_float32")
    assert asked[1] == entry
    assert asked[4][6].shape == (2, exchanged, 32)


def test_without_steps_nothing_is_launched() -> None:
    with gpu() as one:
        output, h, *_ = cuda_grid.lstm_forward(*lstm(8, 3, steps=0))
    assert (output.shape, h.tolist(), one.asked) == ((0, 8), ones(3, 8).tolist(), [])


def test_step_by_step_each_is_a_product_and_a_launch() -> None:
    with gpu() as one:
        cuda.lstm_forward(*lstm(512, 8, steps=3))
    names = [asked[0].name.partition("/")[0] for asked in one.asked if "parts" not in asked[0].name]
    # (sums as long as these are split, and their parts added up by a launch of their own)
    assert names == ["matmul", *["matmul", "recurrent"] * 3]
    variant, entry, grid, threads, _ = one.asked[-1]
    assert (entry, grid.x, threads) == ("lstm_forward", 8 * 512 // 256, variant.threads)


@pytest.mark.parametrize(
    ("layers", "compute", "has", "words"),
    [
        (
            cuda_grid,
            (9, 0),
            H100,
            r"\(8192, 2048\) .* cuda:grid .* 232448 bytes .* 132 mul.*'cuda'",
        ),
        (cuda_cluster, (8, 0), A100, r"cuda:cluster on this GPU, .* of sm_80; use 'cuda'"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_asked_for(
    layers: Any, compute: Any, has: Resources, words: str
) -> None:
    with gpu(compute, has), pytest.raises(ValueError, match=words):
        layers.lstm_forward(*lstm(2048, 2, steps=1))


def test_the_same_machine_code_with_more_shared_memory_is_the_same_variant() -> None:
    assert VARIANTS[0].with_shared(1000) == VARIANTS[0]
    assert VARIANTS[0].with_shared(1000).shared == 1000


# ----------------------------------------------------------------------------------------- 16 bits


@pytest.mark.parametrize("name", NARROW)
def test_what_goes_from_step_to_step_is_not_rounded(name: str) -> None:
    """Each step moves a cell, or a GRU's state, by less than half a unit of 16 bits."""
    dtype, steps, slow = dtype_of(name), 60, {"float16": 10, "bfloat16": 7.5}[name]
    sizes, x, state = (1,) * steps, np.zeros((steps, 1), dtype), np.ones((1, 1), dtype)

    def weights(*bias: float) -> Any:
        zeros = np.zeros((len(bias), 1), dtype)
        return zeros, zeros, np.array(bias, dtype), None

    with emulated():
        given = x, state, state, *weights(-slow, 30, 30, 30), None, None, sizes, False, False
        c = cuda.lstm_forward(*given)[2]
        h = cuda.gru_forward(x, state, *weights(30, slow, -30), sizes, False, True, False)[1]
    share = 1 / (1 + np.exp(slow))
    assert 2 * share < float(finfo(dtype).eps) / 4
    np.testing.assert_array_equal(c, np.array([[1 + steps * share]], dtype))
    np.testing.assert_array_equal(h, np.array([[2 * (1 - share) ** steps - 1]], dtype))
    assert float(c[0, 0]) > 1 > float(h[0, 0])
