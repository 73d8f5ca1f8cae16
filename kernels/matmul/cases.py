"""What matrix products are proved and timed on."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.case import Case


def _product(
    rows: int, depth: int, columns: int, turned: str = "", of: tuple[int, ...] = (), by: Any = ()
) -> Any:
    """Make a (*of, M, K) and b (*by, K, N); ``turned`` names those transposed in memory."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        shapes = {"a": (*of, rows, depth), "b": (*by, depth, columns)}
        made = []
        for name, (*batch, m, n) in shapes.items():
            turn = name in turned
            matrix = rng.standard_normal((*batch, n, m) if turn else (*batch, m, n)).astype(dtype)
            made.append(matrix.swapaxes(-1, -2) if turn else matrix)
        return tuple(made)

    return make


def _linear(
    rows: int, features: int, outputs: int, activation: str | None = None, bias: bool = True
) -> Any:
    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        x = rng.standard_normal((rows, features)).astype(dtype)
        weight = (rng.standard_normal((outputs, features)) / features**0.5).astype(dtype)
        given = rng.standard_normal(outputs).astype(dtype) if bias else None
        return x, weight, given, activation

    return make


def _proofs() -> list[Case]:
    sizes = [(1, 1, 1), (3, 5, 7), (8, 16, 48), (13, 31, 97), (97, 300, 50), (5, 600, 3), (0, 3, 4)]
    sizes += [(4, 0, 3), (2, 3, 0), (33, 17, 16), (9, 40, 13)]
    sizes += [(136, 72, 152)]
    products = [
        Case(
            "matmul.product",
            f"{m} x {k} by {k} x {n}, turned {turned or 'none'}",
            _product(m, k, n, turned),
            k,
        )
        for m, k, n in sizes
        for turned in ("", "a", "b", "ab")
    ]
    products += [
        Case(
            "matmul.product",
            f"{of} of {m} x {k} by {by} of {k} x {n}, turned {turned or 'none'}",
            _product(m, k, n, turned, of, by),
            k,
        )
        for of, m, k, by, n, turned in (
            ((16,), 8, 8, (), 136, ""),
            ((16,), 8, 8, (), 136, "b"),
            ((2, 1), 8, 24, (2, 3), 16, "ab"),
            ((3,), 5, 7, (3,), 9, "a"),
        )
    ]
    layers = [
        Case("matmul.linear", f"{m} x {k} to {n}, {f}", _linear(m, k, n, f, bias), k)
        for m, k, n in sizes
        for f, bias in ((None, True), ("relu", False), ("tanh", True), ("sigmoid", True))
    ]
    without = _linear(33, 17, 16, "tanh", False)
    layers.append(Case("matmul.linear", "33 x 17 to 16, tanh, no bias", without, 17))
    return products + layers


def _array(*shape: int) -> Any:
    return lambda rng, dtype: (rng.standard_normal(shape).astype(dtype),)


PROOFS = _proofs()
PROOFS += [
    Case("matmul.bias_grad", f"{shape}", _array(*shape), shape[0] * 15)
    for shape in ((3, 7), (600, 37), (2, 3, 5), (4, 19, 3, 5), (0, 4), (2, 3, 0), (1, 1))
]


def _timed(kernel: str, name: str, make: Any, m: int, k: int, n: int) -> Case:
    """Return a case whose operations and bytes are counted."""
    flops, moved = 2 * m * k * n, 4 * (m * k + k * n + m * n)
    return Case(f"matmul.{kernel}", name, make, k, flops=flops, bytes=moved)


def _timed_product(m: int, k: int, n: int, turned: str = "") -> Case:
    return _timed("product", f"{m} x {k} by {k} x {n}", _product(m, k, n, turned), m, k, n)


def _timed_layer(m: int, k: int, n: int) -> Case:
    return _timed("linear", f"{m} x {k} to {n}, relu", _linear(m, k, n, "relu"), m, k, n)


LARGE = [_timed_product(4096, 4096, 4096), _timed_layer(8192, 4096, 4096)]
BENCHES = [
    _timed_product(256, 256, 256),
    _timed_product(1024, 1024, 1024),
    _timed_product(32, 128, 4096),
    _timed_product(128, 32, 4096, "a"),
    _timed_layer(32, 30, 64),
    _timed_layer(32, 4096, 128),
    _timed_layer(128, 512, 512),
    _timed_layer(1024, 768, 3072),
    _timed_layer(1, 4096, 128),
    *(
        Case("matmul.bias_grad", f"{shape}", _array(*shape), bytes=4 * size)
        for shape, size in (((32, 128), 1 << 12), ((32, 16, 64, 64), 1 << 21))
    ),
]
