"""Activations in vector code on what is no number or very large, where the reference warns."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed.kernels.activation import reference
from tinymed.kernels.activation.cases import KNOWS_Y, SETTINGS

pytest.importorskip("numba")

from tinymed.kernels.activation import numba_cpu

VALUES = [0.0, 1e-42, 0.3, 1.0, 3.0, 6.0, 19.0, 21.0, 30.0, 80.0, 700.0, 1e4, 3e38, np.inf]
ACTIVATIONS = [(name, settings) for name, several in SETTINGS.items() for settings in several]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def special(dtype: Any) -> np.ndarray:
    return np.array([*VALUES, *np.negative(VALUES), np.nan], dtype)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    limits = np.finfo(expected.dtype)
    close = {"rtol": 16 * float(limits.eps), "atol": 16 * float(limits.eps)}
    np.testing.assert_allclose(found, expected, **close, equal_nan=True, strict=True)


@DTYPES
@pytest.mark.parametrize(("name", "settings"), ACTIVATIONS)
def test_special_values(name: str, settings: Any, dtype: Any) -> None:
    x = special(dtype)
    with np.errstate(all="ignore"):
        assert_same(numba_cpu.forward(x, name, *settings), reference.forward(x, name, *settings))


@DTYPES
@pytest.mark.parametrize(("name", "settings"), ACTIVATIONS)
def test_gradients_of_special_values(name: str, settings: Any, dtype: Any) -> None:
    g, known = map(
        np.ravel, np.meshgrid(np.array([1.0, -2.0, np.inf, np.nan], dtype), special(dtype))
    )
    with np.errstate(all="ignore"):
        known = reference.forward(known, name) if name in KNOWS_Y else known
        expected = reference.grad(g, known, name, *settings)
        assert_same(numba_cpu.grad(g, known, name, *settings), expected)


@pytest.mark.parametrize("name", ["gelu_tanh", "logsigmoid", "sigmoid", "silu"])
def test_small_results_keep_their_digits(name: str) -> None:
    x = np.linspace(-80, 0, 999).astype(np.float32)
    x = x[x > -7] if name == "gelu_tanh" else x
    exact = reference.forward(x.astype(np.float64), name)
    np.testing.assert_allclose(
        numba_cpu.forward(x, name), exact, 2e-5 if name == "gelu_tanh" else 1e-6
    )


def test_layouts() -> None:
    x = np.random.default_rng(0).standard_normal((5, 6, 7)).astype(np.float32)
    expected = numba_cpu.forward(x, "silu").transpose(2, 0, 1)
    np.testing.assert_array_equal(numba_cpu.forward(x.transpose(2, 0, 1), "silu"), expected)
    same = np.broadcast_to(np.float32(2), x.shape)
    np.testing.assert_array_equal(
        numba_cpu.grad(same, x, "silu"), 2 * numba_cpu.grad(x * 0 + 1, x, "silu")
    )


def test_the_cache_tells_activations_apart(tmp_path: Path) -> None:
    """All of them are loops that one function makes."""
    code = (
        "import numpy as np; from tinymed.kernels import compiled; compiled.announce = print\n"
        "from tinymed.kernels.activation import numba_cpu\n"
        "for name in ('relu', 'hardswish'): print(numba_cpu.forward(np.ones(1), name))"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    )
    assert first == ["activation.relu", "[1.]", "activation.hardswish", "[0.66666667]"]
    assert second == ["[1.]", "[0.66666667]"]
