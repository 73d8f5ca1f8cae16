"""The launch of matrix products on a GPU, without one: variants, grids and parts by sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kernels.fake_gpu import Fake
from tinymed.kernels.cuda import Resources, blocks
from tinymed.kernels.device_rules import DEVICE_RULES
from tinymed.kernels.matmul import cuda, cuda_tensor, cuda_tf32x3, ladder, parts


def ones(*shape: int, dtype: Any = np.float32) -> Any:
    return np.ones(shape, dtype)


@pytest.mark.parametrize(
    ("a", "b", "name", "grid"),
    [
        (ones(256, 64), ones(64, 256), "float32_128_nn", (4, 1, 1)),
        (ones(260, 64), ones(64, 256), "float32_128_nn", (6, 1, 1)),
        (ones(256, 64), ones(256, 64).T, "float32_128_nt", (4, 1, 1)),
        (ones(64, 256).T, ones(64, 256), "float32_128_tn", (4, 1, 1)),
        (ones(64, 256).T, ones(256, 64).T, "float32_128_tt", (4, 1, 1)),
        (ones(256, 63), ones(63, 256), "float32_64_narrow_nn", (16, 1, 1)),
        (ones(64, 64), ones(64, 256), "float32_64_narrow_nn", (4, 1, 1)),
        (ones(7, 256, 64), ones(64, 256), "float32_128_nn", (4, 1, 7)),
        (
            ones(256, 64, dtype=float),
            ones(64, 256, dtype=float),
            "float64_64_narrow_nn",
            (16, 1, 1),
        ),
    ],
)
def test_the_variant_of_a_product(gpu: Fake, a: Any, b: Any, name: str, grid: Any) -> None:
    assert cuda.product(a, b).shape == (*a.shape[:-1], b.shape[-1])
    variant, entry, asked, threads, given = gpu.asked[0]
    assert (variant.name, asked) == (f"matmul/{name}", grid)
    assert (entry, threads) == ("matmul", variant.threads)
    assert [int(n) for n in given[4:7]] == [a.shape[-2], b.shape[-1], a.shape[-1]]
    assert all(x.flags.c_contiguous for x in given[:2])


def test_rows_that_do_not_begin_at_16_bytes_are_read_one_by_one(gpu: Fake) -> None:
    gpu.offset = 4
    cuda.product(ones(256, 64), ones(64, 256))
    assert gpu.asked[0][0].name == "matmul/float32_64_narrow_nn"


def test_one_matrix_for_a_whole_batch_is_not_copied(gpu: Fake) -> None:
    a, b = ones(2, 3, 4, 5), ones(5, 6)
    cuda.product(a, b)
    assert [int(n) for n in gpu.asked[0][4][8:10]] == [20, 0]
    assert gpu.asked[0][4][1] is b
    cuda.product(a, ones(3, 5, 6))  # along one of two axes: copied
    assert gpu.asked[1][4][1].shape == (2, 3, 5, 6)


def test_a_long_sum_of_a_small_result_is_split_and_added(gpu: Fake) -> None:
    gpu.has = Resources(8, 227 * 1024)
    x, weight, bias = ones(70, 4100), ones(64, 4100), ones(64)
    cuda.linear(x, weight, bias, "tanh")
    names = [(variant.name, entry, tuple(grid)) for variant, entry, grid, *_ in gpu.asked]
    assert names == [
        ("matmul/float32_64_narrow_nt", "matmul", (2, 8, 1)),  # two blocks a multiprocessor
        ("matmul/parts_float32", "add_parts", (18, 1, 1)),
        ("matmul/activation_float32", "activation", (5, 1, 1)),
    ]
    product, added = gpu.asked[0][4], gpu.asked[1][4]
    assert (int(product[2]), product[3].shape) == (0, (8, 70, 64))  # no bias before all is there
    assert [int(n) for n in product[4:8]] == [70, 64, 4100, 576]
    assert added[1] is bias


@pytest.mark.parametrize(
    ("m", "k", "n", "name", "grid"),
    [
        (256, 512, 256, "float32_64_narrow_nn", (16, 2, 1)),
        (256, 8192, 256, "float32_64_narrow_nn", (16, 16, 1)),
        (2048, 8192, 1024, "float32_128_nn", (128, 1, 1)),
        (2048, 8192, 1152, "float32_128_nn", (144, 1, 1)),
    ],
)
def test_sums_are_split_where_tiles_do_not_fill_the_gpu(
    gpu: Fake, m: int, k: int, n: int, name: str, grid: Any
) -> None:
    gpu.has = Resources(128, 227 * 1024)
    cuda.product(np.broadcast_to(ones(1, 1), (m, k)).copy(), ones(k, n))
    assert (gpu.asked[0][0].name, tuple(gpu.asked[0][2])) == (f"matmul/{name}", grid)


@pytest.mark.parametrize("terms", [0, 1, 31, 255, 512, 513, 50_000, 123_457])
@pytest.mark.parametrize("tiles", [0, 1, 3, 100, 1000])
def test_parts_cover_all_terms_and_none_begins_beyond_the_last(
    gpu: Fake, terms: int, tiles: int
) -> None:
    each = parts.cut(terms, tiles, 32, 256, ones(1))
    count = max(1, -(-terms // each))
    assert each % 32 == 0
    assert count * each >= terms
    assert (count - 1) * each < max(1, terms)
    assert count == 1 or (each >= 256 and count * tiles <= 2 * gpu.has.multiprocessors)
    if tiles >= gpu.has.multiprocessors:
        assert count == 1


def test_bias_and_activation(gpu: Fake) -> None:
    x, weight, bias = ones(128, 64), ones(256, 64), ones(256)
    cuda.linear(x, weight, bias, "relu")
    variant, *_, given = gpu.asked[0]
    assert (variant.name, int(given[-1])) == ("matmul/float32_128_nt", 1)
    assert given[1] is not None
    assert np.shares_memory(given[1], weight)
    assert given[2] is bias
    cuda.linear(x, weight, None, "tanh")
    assert [asked[0].name for asked in gpu.asked[1:]] == [
        "matmul/float32_128_nt", "matmul/activation_float32"
    ]  # fmt: skip
    assert gpu.asked[2][2] == (128 * 256 // 1024, 1, 1)


def test_shared_memory_of_the_tensor_cores(gpu: Fake) -> None:
    cuda_tensor.product(ones(128, 64), ones(64, 128))
    variant = gpu.asked[0][0]
    assert variant.name == "matmul/tf32_nn"
    assert variant.shared == 4 * 4 * (128 * 20 + 16 * 136)
    assert max(v.shared for v in cuda_tensor.VARIANTS) <= 99 * 1024  # what sm_86 and sm_120 have


@pytest.mark.parametrize(("compute", "runs"), [((8, 0), ["cuda:tensor"]), ((7, 5), [])])
def test_halves_run_on_tensor_cores_by_themselves(
    gpu: Fake, compute: tuple[int, int], runs: list[str]
) -> None:
    gpu.compute = compute
    halves = [ones(*shape, dtype=np.float16) for shape in ((64, 32), (64, 32), (64,))]
    singles = [ones(*x.shape) for x in halves]

    def chosen(kernel: str, *given: Any) -> list[str]:
        able = [r for r in DEVICE_RULES[kernel] if r.can(*given) and r.here(*given)]
        return [r.implementation for r in able if r.pays(*given)]

    for bias in (halves[2], None):
        assert chosen("matmul.linear", *halves[:2], bias, "relu") == runs
        assert "cuda:tensor" not in chosen("matmul.linear", *singles[:2], bias, "relu")
    assert chosen("matmul.linear", *halves[:2], singles[2], None) == []  # the bias of another dtype
    assert chosen("matmul.product", halves[0], halves[1].T) == runs
    assert "cuda:tensor" not in chosen("matmul.product", singles[0], singles[1].T)


def test_rows_on_tensor_cores_are_copied_by_16_bytes_or_one_by_one(gpu: Fake) -> None:
    cuda_tf32x3.product(ones(128, 64), ones(64, 128))
    cuda_tf32x3.product(ones(128, 63), ones(128, 63).T)
    assert [asked[0].name for asked in gpu.asked] == ["matmul/tf32x3_nn", "matmul/tf32x3_nt"]
    assert [int(asked[4][-1]) for asked in gpu.asked] == [1, 0]
    with pytest.raises(LookupError, match="not for this GPU's sm_120"):  # it would gain nothing
        gpu.asked[0][0].target((12, 0))


def test_grids_of_the_ladder() -> None:
    found = {name: tuple(ladder.grid(name, 300, 130)) for name in ladder.STEPS}
    assert found.pop("naive") == (2, 130, 1)
    assert found.pop("coalesced") == (1, 300, 1)
    assert found.pop("shared") == (5, 10, 1)
    assert found.pop("warpgroups") == (2, 5, 1)
    assert set(found.values()) == {(2, 3, 1)}
    assert blocks(0, 4) == 0
