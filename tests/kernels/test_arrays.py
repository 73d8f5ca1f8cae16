"""Where an array lives, asked in one place; a stand-in for CuPy is enough to see the answers."""

import sys
import types
from typing import Any

import numpy as np
import pytest

from tinymed.kernels.arrays import array_module, is_array, place, to_host, to_place


class DeviceArray:
    """What `cupy.ndarray` offers here: an array that is not NumPy's, on a numbered device."""

    def __init__(self, values: Any, device: int = 0):
        self.values, self.device = np.asarray(values), types.SimpleNamespace(id=device)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module: Any = types.ModuleType("cupy")
    current: list[int] = [0]

    class Device:
        def __init__(self, number: int):
            self.number = number

        def __enter__(self) -> None:
            current.append(self.number)

        def __exit__(self, *_: object) -> None:
            current.pop()

    module.ndarray = DeviceArray
    module.asarray = lambda x: DeviceArray(getattr(x, "values", x), current[-1])
    module.asnumpy = lambda x: x.values.copy()
    module.cuda = types.SimpleNamespace(Device=Device)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def test_host_arrays() -> None:
    x = np.ones(2)
    assert array_module(x) is np
    assert array_module() is np
    assert array_module(1.0, None, x) is np
    assert place(x) == "cpu"
    assert to_place(x, "cpu") is x
    assert to_host(x) is x


def test_what_is_an_array(cupy: types.ModuleType) -> None:
    assert is_array(np.ones(2))
    assert is_array(np.ones((2, 2)).view(np.matrix))
    assert is_array(DeviceArray([1]))
    for other in (1.0, [1.0], np.float64(1), None, "a"):
        assert not is_array(other)


def test_device_arrays(cupy: types.ModuleType) -> None:
    x = DeviceArray([1.0, 2.0], 3)
    assert array_module(np.ones(2), x) is cupy
    assert place(x) == "cuda:3"
    assert to_host(x).tolist() == [1, 2]
    assert to_place(x, "cpu").tolist() == [1, 2]
    assert place(to_place(np.ones(2), "cuda")) == "cuda:0"
    assert place(to_place(np.ones(2), "cuda:2")) == "cuda:2"


@pytest.mark.parametrize(
    "device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "", "CPU", "cpu:"]
)
def test_devices_that_are_none(cupy: types.ModuleType, device: str) -> None:
    with pytest.raises(ValueError, match="is not 'cpu', 'cuda' or 'cuda:N'"):
        to_place(np.ones(1), device)


def test_a_gpu_without_cupy_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(
        ImportError, match=r"device: 'cuda:1' needs cupy; pip install tinymed\[cuda12\]"
    ):
        to_place(np.ones(1), "cuda:1")
