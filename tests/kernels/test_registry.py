"""Which implementation runs: order, demand, preference, threads, backward, plug-ins."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed import ops
from tinymed.kernels import KERNELS, Kernel, explain, use_backend
from tinymed.kernels import registry as registry_module
from tinymed.kernels.conv import reference
from tinymed.kernels.registry import kernel, table
from tinymed.tensor import Tensor

X, WEIGHT = np.ones((1, 1, 3)), np.ones((1, 1, 2))


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the registry as it was, and no environment to disturb the tests."""
    monkeypatch.setattr(registry_module, "ENVIRONMENT", None)
    before = {name: (dict(k.implementations), dict(k.loaded)) for name, k in KERNELS.items()}
    registry_module.add_plugged_in.cache_clear()
    registry_module.missing.cache_clear()
    yield
    registry_module.add_plugged_in.cache_clear()
    registry_module.missing.cache_clear()
    for name in set(KERNELS) - set(before):
        del KERNELS[name]
    for name, (implementations, loaded) in before.items():
        KERNELS[name].implementations, KERNELS[name].loaded = implementations, loaded


@pytest.fixture
def calls() -> list[tuple[str, str]]:
    """Add the backends 'mine' and 'yours' to convolution; the list fills with what they ran."""
    seen: list[tuple[str, str]] = []

    def add(name: str, backend: str) -> None:
        def run(*arguments: Any) -> Any:
            seen.append((name, backend))
            return getattr(reference, name)(*arguments)

        KERNELS[f"conv.{name}"].implementations[backend] = "nowhere:nothing"
        KERNELS[f"conv.{name}"].loaded[backend] = run

    for name in ("forward", "grad_input", "grad_weight"):
        for backend in ("mine", "yours"):
            add(name, backend)
    return seen


def test_every_kernel_has_a_reference_that_can_be_loaded() -> None:
    assert {name.partition(".")[0] for name in KERNELS} >= {
        "conv", "matmul", "normalization", "optimizer", "pooling", "softmax"
    }  # fmt: skip
    for name, declared in KERNELS.items():
        assert "reference" in declared.implementations, name
        assert callable(declared.load("reference"))
        assert declared.load("reference").__doc__


def test_every_kernel_is_described_where_it_is_declared() -> None:
    for name, declared in KERNELS.items():
        operation, _, function = name.partition(".")
        module = sys.modules[f"tinymed.kernels.{operation}"]
        assert getattr(module, function) is declared
        assert f"{function}(" in (module.__doc__ or ""), f"{operation}/__init__.py lacks {function}"


def test_the_default_is_the_first_of_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry_module.NEEDS, "numba_cpu", "numpy")  # something installed
    declared = Kernel("a.b", {"reference": "math:sqrt", "numba_cpu": "math:exp"})
    assert declared.choose((X,), None).implementation == "numba_cpu"
    only = Kernel("a.b", {"reference": "math:sqrt"})
    assert only.choose((X,), None).implementation == "reference"


def test_a_missing_package_is_passed_over_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry_module.NEEDS, "numba_cpu", "no_such_package")
    declared = Kernel("a.b", {"numba_cpu": "math:exp", "reference": "math:sqrt"})
    assert declared.choose((X,), None).implementation == "reference"
    only = Kernel("a.b", {"cuda": "math:exp"})
    with pytest.raises(LookupError, match=r"a\.b has no implementation for arrays on cpu"):
        only.choose((X,), None)


def test_implementations_are_imported_on_first_use() -> None:
    declared = Kernel("a.b", {"reference": "no_such_module:f"})
    assert repr(declared) == "<kernel a.b: reference>"
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        declared(X)


def test_declaring() -> None:
    declared = kernel("tests.thing", "run", "reference", "numba_cpu:direct")
    assert declared.implementations == {
        "reference": "tests.thing.reference:run",
        "numba_cpu:direct": "tests.thing.numba_cpu_direct:run",
    }
    assert KERNELS["thing.run"] is declared
    assert kernel("tests.thing", "run", "reference") is declared


def test_a_name_is_a_demand(calls: list[Any]) -> None:
    with use_backend("mine"):
        ops.conv1d(X, WEIGHT)
    ops.conv1d(X, WEIGHT)
    assert calls == [("forward", "mine")]


def test_a_demand_that_cannot_be_met_says_what_there_is() -> None:
    words = r"conv\.grad_input has no 'elsewhere' implementation; it has .*reference"
    with use_backend("elsewhere"), pytest.raises(LookupError, match=words):
        KERNELS["conv.grad_input"](X, WEIGHT)
    words = r"conv\.forward has no 'mine' or 'yours' implementation; it has"
    with use_backend("mine", "yours"), pytest.raises(LookupError, match=words):
        ops.conv1d(X, WEIGHT)


def test_a_demand_for_what_is_not_installed_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry_module.NEEDS, "numba_cpu", "no_such_package")
    KERNELS["conv.forward"].implementations["numba_cpu"] = "nowhere:nothing"
    words = r"conv\.forward on 'numba_cpu' needs no_such_package: pip install tinymed\[fast\]"
    with use_backend("numba_cpu"), pytest.raises(ImportError, match=words):
        ops.conv1d(X, WEIGHT)


def test_a_demand_for_a_device_does_not_take_host_arrays() -> None:
    KERNELS["conv.forward"].implementations["cuda"] = "nowhere:nothing"
    words = r"conv\.forward on 'cuda' does not take arrays on cpu"
    with use_backend("cuda"), pytest.raises(LookupError, match=words):
        ops.conv1d(X, WEIGHT)


def test_several_names_are_an_order_of_preference(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry_module.NEEDS, "numba_cpu", "no_such_package")
    del KERNELS["conv.forward"].implementations["yours"]
    KERNELS["conv.forward"].implementations |= {"numba_cpu": "nowhere:f", "cuda": "nowhere:f"}
    with use_backend("yours", "numba_cpu", "cuda", "mine", "reference"):
        ops.conv1d(X, WEIGHT)
    assert calls == [("forward", "mine")]  # absent, not installed, elsewhere; then this one
    with use_backend("numba_cpu", "cuda"), pytest.raises(ImportError, match="numba_cpu"):
        ops.conv1d(X, WEIGHT)


def test_a_variant_is_named_with_a_colon() -> None:
    KERNELS["matmul.linear"].implementations["mine:fast"] = "nowhere:nothing"
    KERNELS["matmul.linear"].loaded["mine:fast"] = lambda x, *_: x + 41
    with use_backend("mine:fast"):
        assert ops.linear(np.ones((1, 1)), np.ones((1, 1))).item() == 42


@pytest.mark.parametrize("names", [(), ("",), (1,), (None, "reference")])
def test_names_are_words(names: tuple[Any, ...]) -> None:
    with (
        pytest.raises(ValueError, match="is not one or more names of backends"),
        use_backend(*names),
    ):
        pass


def test_blocks_nest_and_end_with_an_error(calls: list[Any]) -> None:
    with use_backend("mine"):
        with pytest.raises(ValueError, match="channels"), use_backend("yours"):
            ops.conv1d(X, np.ones((1, 2, 2)))
        ops.conv1d(X, WEIGHT)
    assert calls == [("forward", "mine")]
    assert registry_module.PREFERENCE.get() is None


def test_it_holds_for_this_thread_only(calls: list[Any]) -> None:
    def elsewhere() -> None:
        with use_backend("yours"):
            ops.conv1d(X, WEIGHT)
            both.wait(5)
            both.wait(5)

    both = threading.Barrier(2)
    thread = threading.Thread(target=elsewhere)
    with use_backend("mine"):
        thread.start()
        both.wait(5)
        ops.conv1d(X, WEIGHT)
        both.wait(5)
        thread.join(5)
    assert calls == [("forward", "yours"), ("forward", "mine")]


def test_backward_runs_where_forward_was_told_to(calls: list[Any]) -> None:
    x, weight = Tensor(X, requires_grad=True), Tensor(WEIGHT, requires_grad=True)
    with use_backend("mine"):
        y = ops.conv1d(x, weight)
    with use_backend("yours"):
        z = ops.conv1d(y, weight)
    with use_backend("reference"):  # not asked, neither by y nor by z
        z.sum().backward()
    assert calls == [
        ("forward", "mine"),
        ("forward", "yours"),
        ("grad_input", "yours"),
        ("grad_weight", "yours"),
        ("grad_input", "mine"),
        ("grad_weight", "mine"),
    ]


def test_a_second_derivative_runs_there_too(calls: list[Any]) -> None:
    x, weight = Tensor(X, requires_grad=True), Tensor(WEIGHT, requires_grad=True)
    with use_backend("mine"):
        y = ops.conv1d(x, weight)
    (y * y).sum().backward(create_graph=True)
    calls.clear()
    x.grad.sum().backward()
    assert calls
    assert {backend for _, backend in calls} == {"mine"}


def test_a_failing_backward_puts_the_setting_back(calls: list[Any]) -> None:
    x, weight = Tensor(X, requires_grad=True), Tensor(WEIGHT, requires_grad=True)
    with use_backend("mine"):
        y = ops.conv1d(x, weight).sum()
    KERNELS["conv.grad_input"].loaded["mine"] = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        y.backward()
    assert registry_module.PREFERENCE.get() is None


def test_the_environment_speaks_for_scripts(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_with(value: str) -> None:  # it is read when tinymed is imported
        monkeypatch.setenv("TINYMED_BACKEND", value)
        monkeypatch.setattr(registry_module, "ENVIRONMENT", registry_module.from_environment())

    begin_with("nothing, mine")
    ops.conv1d(X, WEIGHT)
    assert "TINYMED_BACKEND asks for nothing, mine" in explain("conv.forward")
    with use_backend("yours"):
        ops.conv1d(X, WEIGHT)
    begin_with("nothing")
    with pytest.raises(LookupError, match=r"conv\.forward has no 'nothing' implementation"):
        ops.conv1d(X, WEIGHT)
    assert calls == [("forward", "mine"), ("forward", "yours")]


SETTINGS = (None, (1,), (0,), (1,), 1, None)  # bias, stride, padding, dilation, groups, activation


def test_explain(calls: list[Any]) -> None:
    assert explain("conv.forward", X, WEIGHT, *SETTINGS).startswith("conv.forward runs '")
    with use_backend("mine", "reference"):
        assert explain("conv.forward", X, WEIGHT, *SETTINGS) == (
            "conv.forward runs 'mine': use_backend asks for mine, reference"
        )
        assert "use_backend asks for mine, reference" in explain("conv.forward")
    with pytest.raises(
        LookupError, match=r"explain: no kernel 'conv'; there are .*conv\.forward, conv"
    ):
        explain("conv", X)
    assert calls == []  # nothing runs


def test_explain_lists_the_rules_in_the_order_in_which_they_are_tried() -> None:
    lines = explain("conv.forward", X).splitlines()
    assert lines[0] == "conv.forward runs the first of these that can and pays:"
    named = [line.split(":")[0].strip() for line in lines[1:]]
    assert named[-1] == "reference"
    assert named[0].startswith("numba_cpu")


def test_a_backend_stands_for_its_variants_and_a_demand_says_what_it_cannot_do() -> None:
    whole = X.astype(np.int32), WEIGHT.astype(np.int32)
    with use_backend("numba_cpu"):
        if registry_module.missing("numba_cpu"):
            pytest.skip("needs numba")
        assert "'numba_cpu:" in explain("conv.forward", X, WEIGHT, *SETTINGS)
        with pytest.raises(LookupError, match=r"conv\.forward on 'numba_cpu' cannot do \(int32"):
            KERNELS["conv.forward"](*whole, *SETTINGS)


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package that offers an implementation of matmul.linear."""
    (tmp_path / "their_package.py").write_text("def linear(x, *rest):\n    return x * 0 + 7\n")
    metadata = tmp_path / "their_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[tinymed.kernels]\n"
        "matmul.linear@theirs = their_package:linear\n"
        "matmul.linear@reference = their_package:linear\n"
        "no.kernel@theirs = their_package:linear\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("plug_in")
@pytest.mark.parametrize("names", [("theirs",), ("theirs", "reference")])
def test_a_third_party_plugs_in(names: tuple[str, ...]) -> None:
    x, weight = np.ones((1, 2)), np.ones((2, 2))
    with use_backend(*names):
        assert ops.linear(x, weight).tolist() == [[7, 7]]
    assert ops.linear(x, weight).tolist() == [[2, 2]]  # never unless asked, never in our place
    assert ("matmul.linear", "theirs", "available") in table()


def test_the_table_lists_every_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry_module.NEEDS, "numba_cpu", "no_such_package")
    KERNELS["conv.forward"].implementations["numba_cpu"] = "nowhere:nothing"
    rows = table()
    assert ("conv.forward", "numba_cpu", "needs no_such_package") in rows
    assert ("conv.forward", "reference", "available") in rows
    assert {name for name, _, _ in rows} == set(KERNELS)


def test_python_m_prints_the_table() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tinymed.kernels"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(maxsplit=2) for line in printed.splitlines()]
    assert ["conv.forward", "reference", "available"] in lines
    assert {line[0] for line in lines} == set(KERNELS)
