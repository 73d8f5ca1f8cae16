"""The names of the package: what PyTorch has in `torch` is found in `tinymed`."""

import numpy as np
import pytest

import tinymed as tm
from tinymed import cuda, nn, ops, optim


def test_every_operation_is_found_under_its_name() -> None:
    """Also: none is hidden behind a module or function of another meaning."""
    for name in ops.__all__:
        assert getattr(tm, name) is getattr(ops, name), name


def test_an_operation_can_be_imported() -> None:
    from tinymed import gather

    assert gather is ops.gather


def test_completion_shows_all_names_once() -> None:
    shown = dir(tm)
    assert shown == sorted(set(shown))
    assert {"tensor", "rand", "gather", "exp", "nn", "Tensor"} <= set(shown)
    assert all(hasattr(tm, name) for name in shown)


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="module 'tinymed' has no attribute 'no_such_op'"):
        tm.no_such_op  # noqa: B018
    with pytest.raises(ImportError, match="no_such_op"):
        from tinymed import no_such_op  # noqa: F401


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, name) for name in ("float16", "float32", "float64", "bool", "uint8")),
        *((name, name) for name in ("int8", "int16", "int32", "int64")),
        *(("half", "float16"), ("float", "float32"), ("double", "float64")),
        *(("short", "int16"), ("int", "int32"), ("long", "int64")),
    ],
)
def test_a_dtype_has_its_name(name: str, dtype: str) -> None:
    x = tm.zeros(2, dtype=getattr(tm, name))
    assert x.dtype is getattr(tm, name)  # as code for PyTorch compares them
    assert x.dtype == np.dtype(dtype)


def test_numbers_and_limits() -> None:
    assert (tm.pi, tm.e, tm.inf) == (np.pi, np.e, np.inf)
    assert np.isnan(tm.nan)
    assert tm.finfo(tm.float16).max == 65504
    assert tm.iinfo(tm.int8).min == -128


def test_namespaces_of_pytorch_hold_the_same_things() -> None:
    for name in optim.lr_scheduler.__all__:
        assert getattr(optim.lr_scheduler, name) is getattr(optim, name)
    schedulers = {
        n for n in optim.__all__ if n.endswith(("LR", "Plateau", "Restarts", "Scheduler"))
    }
    assert schedulers == set(optim.lr_scheduler.__all__)
    assert nn.utils.clip_grad_norm_ is optim.clip_grad_norm_
    for name in nn.utils.rnn.__all__:
        assert getattr(nn.utils.rnn, name) is getattr(nn, name)


def test_device() -> None:
    x = tm.zeros(2, device=tm.device("cpu"))
    assert x.device == tm.device("cpu") == "cpu"
    assert (x.device.type, x.device.index) == ("cpu", None)
    assert (tm.device("cuda", 1), tm.device("cuda:1").index) == ("cuda:1", 1)
    for bad in ("gpu", "cuda:", "cuda:-1", "cpu:0"):
        with pytest.raises(ValueError, match=f"device: '{bad}' is not"):
            tm.device(bad)


def test_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert (cuda.device_count(), cuda.is_available()) == (0, False)
