"""Where an array lives, asked in one place; a stand-in for CuPy is enough to see the answers."""

import sys

import numpy as np
import pytest

from tests.fake_cupy import FakeCuPy
from tests.fake_cupy.state import STATE
from tinymed.kernels.arrays import array_module, is_array, is_at, place, to_host, to_place


def test_host_arrays() -> None:
    x = np.ones(2)
    assert array_module(x) is np
    assert array_module() is np
    assert array_module(1.0, None, x) is np
    assert place(x) == "cpu"
    assert to_place(x, "cpu") is x
    assert to_host(x) is x


def test_what_is_an_array(cupy: FakeCuPy) -> None:
    assert is_array(np.ones(2))
    assert is_array(np.ones((2, 2)).view(np.matrix))
    assert is_array(cupy.asarray([1]))
    for other in (1.0, [1.0], np.float64(1), None, "a"):
        assert not is_array(other)


def test_device_arrays(cupy: FakeCuPy) -> None:
    with cupy.cuda.Device(1):
        x = cupy.asarray([1.0, 2.0])
        assert place(to_place(np.ones(2), "cuda")) == "cuda:1"
    assert array_module(np.ones(2), x) is cupy
    assert place(x) == "cuda:1"
    assert to_host(x).tolist() == [1, 2]
    assert to_place(x, "cpu").tolist() == [1, 2]
    assert place(to_place(np.ones(2), "cuda")) == "cuda:0"
    moved = to_place(x, "cuda:0")
    assert (place(moved), place(x), to_host(moved).tolist()) == ("cuda:0", "cuda:1", [1, 2])
    assert to_place(x, "cuda:1") is x


def test_where_an_array_is_already(cupy: FakeCuPy) -> None:
    host, device = np.ones(2), cupy.ones(2)
    assert is_at(host, "cpu")
    assert not is_at(host, "cuda")
    assert is_at(device, "cuda")
    assert is_at(device, "cuda:0")
    assert not is_at(device, "cuda:1")
    with cupy.cuda.Device(1):
        assert not is_at(device, "cuda")


@pytest.mark.parametrize(
    "device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "", "CPU", "cpu:"]
)
def test_devices_that_are_none(cupy: FakeCuPy, device: str) -> None:
    with pytest.raises(ValueError, match="is not 'cpu', 'cuda' or 'cuda:N'"):
        to_place(np.ones(1), device)


def test_a_gpu_without_cupy_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(
        ImportError, match=r"device: 'cuda:1' needs cupy .*; pip install tinymed\[cuda13\], or "
    ):
        to_place(np.ones(1), "cuda:1")


@pytest.mark.parametrize(
    ("error", "driver", "words"),
    [
        ("cudaErrorNoDevice", 13000, r"no NVIDIA driver or GPU \(cudaErrorNoDevice\); run where"),
        ("cudaErrorInsufficientDriver", 0, "no NVIDIA driver or GPU .*keep the arrays in NumPy"),
        ("cudaErrorInsufficientDriver", 12040, r"driver is for CUDA 12, cupy .* CUDA 13; pip .*12"),
        (None, 13000, "no GPU is visible; see CUDA_VISIBLE_DEVICES"),
    ],
)
def test_why_there_is_no_gpu(
    cupy: FakeCuPy,
    error: str | None,
    driver: int,
    words: str,
) -> None:
    STATE.error, STATE.driver, STATE.count = error, driver, 0
    with pytest.raises(RuntimeError, match=f"device: 'cuda' needs a GPU: .*{words}"):
        to_place(np.ones(1), "cuda")


def test_a_gpu_that_is_not_there(cupy: FakeCuPy) -> None:
    with pytest.raises(ValueError, match="device: 'cuda:2', expected 'cuda:0' to 'cuda:1' at most"):
        to_place(np.ones(1), "cuda:2")


def test_a_gpu_whose_memory_is_full(cupy: FakeCuPy) -> None:
    STATE.full = True
    words = (
        r"device: float64 \(3, 4\) is more than the GPU has left \(Out of memory .*\); "
        r"arrays have 3.00 GiB, 2.00 GiB lie ready in the pool, 1.00 GiB of the GPU's "
        r"80.00 GiB are free; use smaller"
    )
    with pytest.raises(MemoryError, match=words):
        to_place(np.ones((3, 4)), "cuda")
