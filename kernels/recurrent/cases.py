"""What recurrent layers are proved and timed on."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed.kernels.case import Case

Ints = tuple[int, ...]

GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def _normal(rng: np.random.Generator, dtype: np.dtype[Any], *shape: int, scale: float = 1) -> Any:
    return (scale * rng.standard_normal(shape)).astype(dtype)


def _forward(
    kind: str,
    sizes: Ints,
    batch: int,
    features: int,
    size: int,
    reverse: bool = False,
    mode: Any = True,
    bias: bool = True,
    training: bool = True,
    projection: int = 0,
    peepholes: bool = False,
) -> Any:
    """Make a forward; ``mode`` is the nonlinearity (RNN) or whether r comes after U h (GRU)."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        def normal(*shape: int) -> Any:
            return _normal(rng, dtype, *shape, scale=shape[-1] ** -0.5)

        width, state = GATES[kind] * size, projection or size
        x, h0 = _normal(rng, dtype, sum(sizes), features), _normal(rng, dtype, batch, state)
        weights = normal(width, features), normal(width, state)
        biases = (normal(width), normal(width)) if bias else (None, None)
        if kind == "rnn":
            return x, h0, *weights, *biases, sizes, reverse, mode
        if kind == "gru":
            return x, h0, *weights, *biases, sizes, reverse, mode, training
        c0 = _normal(rng, dtype, batch, size)
        extra = (
            normal(projection, size) if projection else None,
            normal(3, size) if peepholes else None,
        )
        return x, h0, c0, *weights, *biases, *extra, sizes, reverse, training

    return make


def _backward(
    kind: str,
    sizes: Ints,
    batch: int,
    size: int,
    reverse: bool = False,
    mode: Any = True,
    output: bool = True,
    projection: int = 0,
    peepholes: bool = False,
) -> Any:
    """Make a backward; without ``output``, only the final state was used."""

    def make(rng: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Any, ...]:
        rows, width, state = sum(sizes), GATES[kind] * size, projection or size
        grad_output = _normal(rng, dtype, rows, state) if output else None
        grad_h = _normal(rng, dtype, batch, state)
        weight = _normal(rng, dtype, width, state, scale=max(1, width) ** -0.5)
        gates = rng.random((rows, width)).astype(dtype)
        others = [_normal(rng, dtype, rows, size) for _ in range(2)]
        if kind == "rnn":
            y = np.tanh(others[0]) if mode == "tanh" else np.maximum(others[0], 0)
            return grad_output, grad_h, y, weight, sizes, reverse, mode
        if kind == "gru":
            candidates = others[0] if mode else None
            return grad_output, grad_h, gates, candidates, others[1], weight, sizes, reverse
        grad_c = _normal(rng, dtype, batch, size)
        down = _normal(rng, dtype, projection, size) if projection else None
        peep = _normal(rng, dtype, 3, size) if peepholes else None
        return grad_output, grad_h, grad_c, gates, others[0], weight, down, peep, sizes, reverse

    return make


def _both(
    name: str, kind: str, sizes: Ints, batch: int, d: int, h: int, **settings: Any
) -> list[Case]:
    """Return the forward and the backward of a layer."""
    back = {k: v for k, v in settings.items() if k not in ("bias", "training")}
    steps = max(1, len(sizes))
    terms = (d + h) * steps
    forward = _forward(kind, sizes, batch, d, h, **settings)
    backward = _backward(kind, sizes, batch, h, **back)
    return [
        Case(f"recurrent.{kind}_forward", name, forward, terms, roundings=steps),
        Case(f"recurrent.{kind}_backward", name, backward, terms, roundings=steps),
    ]


def _proofs() -> list[Case]:
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("tanh", "rnn", {"mode": "tanh"}),
        ("relu", "rnn", {"mode": "relu"}),
        ("", "lstm", {}),
        ("", "gru", {}),
        ("reset before", "gru", {"mode": False}),
        ("peepholes", "lstm", {"peepholes": True}),
        ("projection", "lstm", {"projection": 3}),
    ]
    layouts: list[tuple[str, Ints, int, int, int]] = [
        ("one number", (1,), 1, 1, 1),
        ("T3 N4 H5", (4, 4, 4), 4, 3, 5),
        ("one sequence, H17", (1,) * 6, 1, 2, 17),
        ("T2 N33 H33", (33, 33), 33, 7, 33),
        ("T2 N8 H64", (8, 8), 8, 20, 64),
        ("lengths, H9", (13, 13, 7, 2, 2, 1), 13, 4, 9),
        ("lengths, some none, H3", (5, 3, 0, 0), 8, 2, 3),
        ("no steps", (), 3, 2, 4),
        ("no sequences", (), 0, 2, 4),
    ]
    found = []
    for label, kind, settings in kinds:
        for name, sizes, batch, d, h in layouts:
            for reverse in (False, True):
                title = f"{label} {name}{', reverse' * reverse}".strip()
                found += _both(title, kind, sizes, batch, d, h, reverse=reverse, **settings)
        plain = (5, 5, 4), 6, 3, 7
        found += _both(
            f"{label} no bias, not training".strip(),
            kind,
            *plain,
            bias=False,
            training=False,
            **settings,
        )
    for label, kind, settings in [*kinds[:1], *kinds[2:5]]:
        # more units and sequences than a tile of a GPU's block has
        name = f"{label} T2 N34 H150".strip()
        found += _both(name, kind, (34, 33), 34, 2, 150, **settings)
    # and more units than the tiles of a cluster of 8 blocks have
    found += _both("tanh T2 N3 H264", "rnn", (3, 2), 3, 2, 264, mode="tanh")
    for kind, mode in (("rnn", "tanh"), ("lstm", True), ("gru", True)):
        made = _backward(kind, (3, 3, 1), 4, 6, mode=mode, output=False)
        name = "only the final state was used"
        found.append(Case(f"recurrent.{kind}_backward", name, made, 30, roundings=3))
    for name, sizes, batch, _, h in layouts:
        for reverse in (False, True):
            title = f"{name}{', reverse' * reverse}"
            found.append(Case("recurrent.before", title, _before(sizes, batch, h, reverse)))
    return found


def _before(sizes: Ints, batch: int, h: int, reverse: bool) -> Any:
    return lambda rng, dtype: (
        _normal(rng, dtype, sum(sizes), h), _normal(rng, dtype, batch, h), sizes, reverse
    )  # fmt: skip


def _benches() -> list[Case]:
    layers = [(100, 32, 64, 64), (64, 32, 128, 128), (32, 64, 256, 256), (32, 32, 512, 512)]
    layers.append((1000, 1, 128, 128))
    kinds: list[tuple[str, str, dict[str, Any], list[tuple[int, int, int, int]]]] = [
        ("", "lstm", {}, layers),
        ("peepholes ", "lstm", {"peepholes": True}, layers[2:4]),
        ("", "gru", {}, layers),
        ("reset before ", "gru", {"mode": False}, layers[2:4]),
        ("", "rnn", {"mode": "tanh"}, layers),
    ]
    found = []
    for label, kind, settings, sizes_of_layers in kinds:
        for t, n, d, h in sizes_of_layers:
            rows, width = t * n, GATES[kind] * h
            name, sizes = f"{label}T{t} N{n} D{d} H{h}", (n,) * t
            forward = _forward(kind, sizes, n, d, h, **settings)
            backward = _backward(kind, sizes, n, h, **settings)
            once = 4 * width * h + 4 * rows * (width + 2 * h)  # U, the gates and states
            found += [
                Case(
                    f"recurrent.{kind}_forward", name, forward, (d + h) * t, roundings=t,
                    flops=2 * rows * width * (d + h), bytes=once + 4 * (rows + width) * d,
                ),
                Case(
                    f"recurrent.{kind}_backward", name, backward, width * t, roundings=t,
                    flops=2 * rows * width * h, bytes=once + 4 * rows * width,
                ),
            ]  # fmt: skip
    for t, n, h in ((64, 32, 128), (1024, 8, 256)):
        make = _before((n,) * t, n, h, False)
        name = f"T{t} N{n} H{h}"
        found.append(Case("recurrent.before", name, make, bytes=8 * t * n * h))
    return found


PROOFS = _proofs()
BENCHES = _benches()
