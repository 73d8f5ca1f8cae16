"""The promises the repository makes about itself: packaging, sizes, names, imports, the README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = 400  # of a file; more needs a reason in the file's first comment or docstring
FUNCTION = 60  # lines of a function's code, its docstring not counted
REASON = re.compile(r"longer than", re.IGNORECASE)


def sources() -> list[Path]:
    places = ("tinymed", "kernels", "benchmarks", "examples")
    found = [p for place in places for p in (ROOT / place).rglob("*.py")]
    return sorted(p for p in found if "tinymed/kernels" not in p.as_posix())


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_on_disk_is_in_the_wheel():
    on_disk = {
        p.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for p in sources()
        if p.name == "__init__.py"
    }
    on_disk = {re.sub(r"^kernels", "tinymed.kernels", name) for name in on_disk}
    assert sorted(on_disk) == sorted(settings()["tool"]["setuptools"]["packages"])


def test_core_depends_on_numpy_and_safetensors_only():
    names = {re.split(r"[<>=]", d)[0] for d in settings()["project"]["dependencies"]}
    assert names == {"numpy", "safetensors"}


def test_extra_all_wants_no_gpu_no_mpi_no_gpl():
    extras = settings()["project"]["optional-dependencies"]
    wanted = set(re.search(r"\[(.*)\]", extras["all"][0])[1].split(","))
    assert wanted <= set(extras)
    assert not wanted & {"cuda12", "cuda13", "mpi"}
    assert not any("libjpeg-gpl" in d or "pylibjpeg-libjpeg" in d for d in extras["dicom-codecs"])


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_are_small(path):
    text = path.read_text()
    tree = ast.parse(text)
    first_words = text[:1500]
    if not REASON.search(first_words):
        assert len(text.splitlines()) <= LINES, f"{path} is above {LINES} lines without a reason"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            documented = ast.get_docstring(node) is not None
            start = body[0].end_lineno if documented else node.lineno
            length = node.end_lineno - start
            assert length <= FUNCTION, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_no_file_has_a_name_that_says_nothing():
    forbidden = {"utils.py", "helpers.py", "common.py", "base.py", "misc.py"}
    assert [p for p in sources() if p.name in forbidden] == []


def loaded_by_import() -> set[str]:
    """Return the names of the modules that `import tinymed` loads beyond `import numpy`."""
    code = (
        "import sys, numpy; before = set(sys.modules); import tinymed;"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(run.stdout.split())


def test_import_loads_safetensors_only_beside_numpy():
    packages = {name.partition(".")[0] for name in loaded_by_import()} - sys.stdlib_module_names
    theirs = {"cython_runtime", "numpy"}
    loaded = {name for name in packages if not name.startswith(("__editable", "_cython"))}
    assert loaded - theirs == {"tinymed", "safetensors"}


def test_import_leaves_random_numbers_unloaded_until_some_are_drawn():
    assert not {name for name in loaded_by_import() if name.startswith("numpy.random")}


def readme() -> str:
    return (ROOT / "README.md").read_text()


def test_readme_reading_order_has_the_right_line_counts():
    rows = re.findall(r"^\| \d+ \| `([^`]+)` \| (\d+) \|", readme(), re.MULTILINE)
    assert len(rows) >= 8
    counted = {name: len((ROOT / name).read_text().splitlines()) for name, _ in rows}
    assert counted == {name: int(lines) for name, lines in rows}


def test_readme_commands_are_there_for_ci():
    for name in ("main-job", "tests"):
        command = subprocess.run(
            [sys.executable, str(ROOT / ".ci" / "readme_command.py"), name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert ".venv" in command


def test_readme_links_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", readme())
    assert [t for t in targets if not (ROOT / t).exists()] == []


def test_readme_example_runs():
    import doctest

    failures, tried = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert tried >= 8
    assert failures == 0
