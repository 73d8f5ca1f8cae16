"""Choosing by the clock: the fastest that can, kept in a file, and never a wrong number."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed.kernels import KERNELS, autotune, explain
from tinymed.kernels.registry import Kernel
from tinymed.kernels.rules import RULES, Rule, always
from tinymed.kernels.tuning import described

CALLS: list[str] = []


def slow(x: Any, *others: Any) -> Any:
    CALLS.append("slow")
    time.sleep(0.02)
    return x + 1


def fast(x: Any, *others: Any) -> Any:
    CALLS.append("fast")
    return x + 1


def adding(x: Any, *others: Any) -> Any:
    """Return x after it has been changed in place."""
    x += 1
    return x


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel whose rules prefer the slow implementation."""
    CALLS.clear()
    made = Kernel(
        "test.plus", {"numba_cpu:slow": f"{__name__}:slow", "reference": f"{__name__}:fast"}
    )
    monkeypatch.setitem(KERNELS, made.name, made)
    monkeypatch.setattr("tinymed.kernels.registry.missing", lambda name: None)
    monkeypatch.setattr("tinymed.kernels.tuning.missing", lambda name: None)
    monkeypatch.setitem(RULES, made.name, [Rule("numba_cpu:slow", always, always, "by rule")])
    return made


def test_the_fastest_runs_and_is_remembered(kernel: Kernel, tmp_path: Path) -> None:
    x = np.ones(3, np.float32)
    kernel(x)
    assert CALLS == ["slow"]
    with autotune(tmp_path / "table.json"):
        kernel(x)
        assert {*CALLS} == {"slow", "fast"}
        CALLS.clear()
        np.testing.assert_array_equal(kernel(x), [2, 2, 2])
        assert CALLS == ["fast"]
    kernel(x)
    assert CALLS == ["fast", "slow"]
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["fastest"] == {described("test.plus", (x,)): "reference"}
    CALLS.clear()
    with autotune(tmp_path / "table.json"):
        kernel(x)
    assert CALLS == ["fast"]


def test_a_name_that_is_gone_is_timed_anew(kernel: Kernel, tmp_path: Path) -> None:
    x = np.ones(3, np.float32)
    with autotune(tmp_path / "table.json") as table:
        table.fastest[described("test.plus", (x,))] = "numba_cpu:of_old"
        kernel(x)
    assert [*table.fastest.values()] == ["reference"]
    assert {*CALLS} == {"slow", "fast"}


def test_other_sizes_layouts_dtypes_and_threads_are_timed_on_their_own(
    kernel: Kernel, tmp_path: Path
) -> None:
    x = np.ones((4, 4), np.float32)
    threads = tm.get_num_threads()
    with autotune(tmp_path / "table.json") as table:
        for other in (x, x[:2], x.T, x.astype(np.float64), x):
            kernel(other, 1)
        kernel(x, 2)
        try:
            tm.set_num_threads(threads + 1)
            kernel(x, 2)
        finally:
            tm.set_num_threads(threads)
    assert len(table.fastest) == 6


def test_what_a_kernel_writes_it_writes_once(
    monkeypatch: pytest.MonkeyPatch, kernel: Kernel, tmp_path: Path
) -> None:
    monkeypatch.setattr(f"{__name__}.slow", adding)
    monkeypatch.setattr(f"{__name__}.fast", adding)
    x = np.zeros(2)
    with autotune(tmp_path / "table.json"):
        kernel(x)
    np.testing.assert_array_equal(x, [1, 1])


def test_the_table_is_written_after_an_error_too(kernel: Kernel, tmp_path: Path) -> None:
    def fails() -> None:
        with autotune(tmp_path / "table.json"):
            raise ZeroDivisionError(kernel(np.ones(1)))

    with pytest.raises(ZeroDivisionError):
        fails()
    assert len(json.loads((tmp_path / "table.json").read_text())["fastest"]) == 1


def test_use_backend_goes_first_and_holds_for_the_backward_too(
    kernel: Kernel, tmp_path: Path
) -> None:
    with autotune(tmp_path / "table.json"), tm.use_backend("numba_cpu"):
        kernel(np.ones(1))
    assert CALLS == ["slow"]


def test_training_with_a_table_learns_the_same(tmp_path: Path) -> None:
    def step() -> Any:
        tm.manual_seed(0)
        layer = tm.nn.Conv2d(2, 3, 3)
        loss = layer(tm.randn(2, 2, 9, 9)).relu().sum()
        loss.backward()
        return layer.weight.grad.numpy()

    plain = step()
    with autotune(tmp_path / "table.json") as table:
        np.testing.assert_allclose(step(), plain, rtol=1e-3, atol=1e-3)
        assert explain("conv.forward").startswith("conv.forward runs the first")
    for key in table.fastest:
        assert key.split(",")[0] in KERNELS


@pytest.mark.parametrize("content", ["", "[]", '{"fastest": {}}', '{"machine": 1, "fastest": 3}'])
def test_a_file_that_is_no_table(content: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="is not a table that autotune wrote"), autotune(path):
        pass
    assert path.read_text() == content


def test_a_table_of_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('{"machine": "elsewhere", "fastest": {}}')
    with pytest.raises(ValueError, match="measured on elsewhere, this is"), autotune(path):
        pass


def test_compile_says_that_it_does_not_go_together(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    model = tm.nn.Linear(2, 2)
    compiled = tm.compile(lambda x: model(x))
    with (
        autotune(tmp_path / "table.json"),
        tm.no_grad(),
        pytest.raises(tm.errors.CompileError, match="autotune times the kernels one by one"),
    ):
        compiled(tm.ones(1, 2))
