"""Which files a kernel's compiled code is made of: judged by Python's own parser, and by edits."""

import ast
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tinymed.kernels.sources import SOURCES, fingerprint, sources_of

FILES = sorted(SOURCES.rglob("*.py"))

RUN = """
import numpy as np
from tinymed.kernels import compiled
from tinymed.kernels.recurrent.biases import add_biases
from tinymed.kernels.recurrent.product import whole
compiled.announce = print
whole(5, 4)
add_biases(0, 1, np.ones(2), np.ones(2), np.ones(2))
"""


def name_of(path: Path) -> str:
    return path.relative_to(SOURCES).as_posix()


def is_module(name: str) -> bool:
    """Whether a name of the kernels is a file of its own, not something in one."""
    try:
        return name.startswith("tinymed.kernels") and importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def parsed(path: Path) -> set[Path]:
    """Return the files of the kernels that a file imports, as Python's parser and finder say."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not followed"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            modules = [name if is_module(name) else module for name in names]
        else:
            continue
        for module in modules:
            if module.startswith("tinymed.kernels"):
                found.add(Path(importlib.util.find_spec(module).origin).resolve())
    return found


@pytest.fixture(scope="module")
def needs() -> dict[Path, set[Path]]:
    """What each file needs, itself among it: the imports, followed until nothing is added."""
    direct = {path.resolve(): parsed(path) for path in FILES}
    found = {path: {path, *imported} for path, imported in direct.items()}
    while True:
        more = {path: set().union(*(found[f] for f in files)) for path, files in found.items()}
        if more == found:
            return found
        found = more


def test_imports_are_followed_as_python_reads_them(needs: dict[Path, set[Path]]) -> None:
    assert len(FILES) > 100
    for path in FILES:
        assert {p.resolve() for p in sources_of(path)} == needs[path.resolve()], path


@pytest.mark.parametrize(
    "edited",
    ["recurrent/lstm_loop.py", "recurrent/product.py", "conv/numba_cpu_winograd.py", "arrays.py",
     "simd/vector.py", "optimizer/sums.py"],
)  # fmt: skip
def test_an_edit_changes_those_that_import_the_file_and_no_other(
    edited: str, needs: dict[Path, set[Path]], tmp_path: Path
) -> None:
    before = tmp_path / "before"
    shutil.copytree(SOURCES, before, ignore=shutil.ignore_patterns("__pycache__"))
    after = shutil.copytree(before, tmp_path / "after")
    with (after / edited).open("a") as file:
        file.write("# one more line\n")
    names = [name_of(path) for path in FILES]
    changed = {n for n in names if fingerprint(before / n, before) != fingerprint(after / n, after)}
    expected = {
        name_of(path) for path in FILES if (SOURCES / edited).resolve() in needs[path.resolve()]
    }
    assert changed == expected
    assert edited in changed


def test_the_fingerprint_is_of_names_and_contents(tmp_path: Path) -> None:
    for folder, one, other in (("a", "x = 1", ""), ("b", "x = 1", ""), ("c", "", "x = 1")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.py").write_text(f"import tinymed.kernels.other\n{one}")
        (tmp_path / folder / "other.py").write_text(other)
    a, b, c = (fingerprint(tmp_path / f / "one.py", tmp_path / f) for f in "abc")
    assert a == b != c


def test_what_has_no_file_may_use_all_kernels(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 1")
    before = fingerprint(Path("<stdin>"), tmp_path)
    (tmp_path / "two.py").write_text("x = 2")
    assert fingerprint(Path("<stdin>"), tmp_path) != before


def test_only_what_an_edit_reaches_is_compiled_again(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    kernels = tmp_path / "tinymed" / "kernels"
    shutil.copytree(SOURCES, kernels, ignore=shutil.ignore_patterns("__pycache__"))
    (kernels.parent / "__init__.py").touch()
    (kernels / "__init__.py").write_text("")

    def compiled_after(*edited: str) -> list[str]:
        for name in edited:
            with (kernels / name).open("a") as file:
                file.write("# one more line\n")
        run = subprocess.run(
            [sys.executable, "-c", RUN],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert run.returncode == 0, run.stderr
        return run.stdout.split()

    assert compiled_after() == ["whole", "add_biases"]
    assert compiled_after() == []
    assert compiled_after("recurrent/biases.py") == ["add_biases"]
    assert compiled_after("simd/tile.py") == ["whole"]
    assert compiled_after("simd/vector.py") == ["whole", "add_biases"]
