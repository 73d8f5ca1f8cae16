"""The compiler's cache: what its key holds, where it is kept, and who is told of a compilation."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba")

from tinymed.kernels import compiled as module
from tinymed.kernels.compiled import compiled

ROOT = Path(__file__).parents[2]

KERNEL = """
from tinymed.kernels import compiled as module
from tinymed.kernels.compiled import compiled

@compiled
def twice(x):
    return x + x
"""
USE = """
import sys; sys.path.insert(0, {folder!r})
import mine
mine.module.announce = print
print(mine.twice({argument}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(KERNEL)
    return tmp_path


def use(folder: Path, argument: str = "1.5", **environment: str) -> list[str]:
    """Call the kernel in a process of its own; return what is compiled, then the result."""
    run = subprocess.run(
        [sys.executable, "-c", USE.format(folder=str(folder), argument=argument)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_a_function_is_compiled_once_for_each_kind_of_arguments(folder: Path) -> None:
    assert use(folder) == ["twice", "3.0"]
    assert use(folder) == ["3.0"]
    assert use(folder, "3") == ["twice", "6"]
    assert use(folder, "3") == ["6"]


def test_the_key_holds_what_changes_the_code(folder: Path) -> None:
    settings = [
        {"TINYMED_VECTOR_BYTES": "16", "NUMBA_BOUNDSCHECK": "0"},
        {"TINYMED_VECTOR_BYTES": "32", "NUMBA_BOUNDSCHECK": "0"},
        {"TINYMED_VECTOR_BYTES": "16", "NUMBA_BOUNDSCHECK": "1"},
    ]
    for environment in settings:
        assert use(folder, **environment) == ["twice", "3.0"]
    for environment in settings:
        assert use(folder, **environment) == ["3.0"]


def test_a_changed_function_is_compiled_again(folder: Path) -> None:
    assert use(folder) == ["twice", "3.0"]
    (folder / "mine.py").write_text(KERNEL.replace("x + x", "x + x + x"))
    assert use(folder) == ["twice", "4.5"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no permissions as on Unix")
def test_it_works_where_nothing_can_be_written(folder: Path, tmp_path: Path) -> None:
    (folder / "__pycache__").write_text("")  # not a folder: also root cannot write there
    home = tmp_path / "home"
    home.mkdir()
    given = {"HOME": str(home), "XDG_CACHE_HOME": str(home)}
    assert use(folder, **given) == ["twice", "3.0"]
    assert use(folder, **given) == ["3.0"]  # the user's own folder serves
    shutil.rmtree(home)
    home.write_text("")
    assert use(folder, **given) == ["twice", "3.0"]
    assert use(folder, **given) == ["twice", "3.0"]


def test_announce_is_called_with_a_name_when_something_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "announce", told.append)

    def thrice(x: Any) -> Any:
        return 3 * x

    first = compiled(thrice)
    assert told == []  # not before it meets arguments
    assert first(2.0) == 6
    assert first(4.0) == 12
    assert len(told) <= 1  # none where an earlier run of this test left it in the cache
    told.clear()
    assert compiled(thrice)(2.0) == 6
    assert told == []


def test_division_by_zero_is_as_in_numpy() -> None:
    @compiled
    def divide(x: float, y: float) -> float:
        return x / y

    assert divide(1.0, 0.0) == np.inf
    assert np.isnan(divide(0.0, 0.0))
