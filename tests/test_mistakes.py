"""What beginners get wrong: each error names the op, what was given, and what to do instead."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tinymed import nn, ops, optim

LAYER = nn.Linear(2, 3)
ROWS = np.ones((4, 2), np.float32)
LOGITS = tm.zeros(4, 3)
SEQUENTIAL = nn.Sequential(LAYER)

MISTAKES = [
    (
        lambda: LAYER(ROWS.astype(np.float64)),
        TypeError,
        "linear: weight is float32 but x is float64; cast x to float32",
    ),
    (
        lambda: nn.Conv2d(1, 1, 3)(np.zeros((1, 1, 4, 4), np.uint8)),
        TypeError,
        "conv2d: weight is float32 but x is uint8; cast x to float32",
    ),
    (
        lambda: LAYER.to(tm.float64)(ROWS),
        TypeError,
        "linear: weight is float64 but x is float32; cast weight to float32",
    ),
    (
        lambda: tm.zeros(2, 2, dtype=tm.int64) @ tm.zeros(2, 2, dtype=tm.int32),
        TypeError,
        "matmul: b is int32 but a is int64; cast b to int64",
    ),
    (
        lambda: ops.cat(tm.zeros(3), tm.zeros(3)),  # type: ignore[arg-type]
        TypeError,
        r"cat: tensors is one Tensor (3,), expected a list of them; cat([a, b])",
    ),
    (
        lambda: ops.stack(ROWS, ROWS),  # type: ignore[arg-type]
        TypeError,
        r"stack: tensors is one ndarray (4, 2), expected a list of them; stack([a, b])",
    ),
    (
        lambda: ops.cross_entropy(LOGITS, [0, 1, 2, 0]),
        TypeError,
        "cross_entropy: target is list, expected a Tensor or array",
    ),
    (
        lambda: ops.nll_loss(LOGITS, [0, 1, 2, 0]),
        TypeError,
        "nll_loss: target is list, expected a Tensor or array",
    ),
    (
        lambda: ops.cross_entropy(LOGITS, tm.zeros(4)),
        TypeError,
        "expected class indices (integers); cast it to int64",
    ),
    (lambda: bool(LOGITS > 0), ValueError, "use x.any() or x.all()"),
    (
        lambda: optim.SGD(LAYER),  # type: ignore[arg-type]
        TypeError,
        "SGD: params is a Linear, expected a list of tensors, or of groups; model.parameters()",
    ),
    (
        lambda: optim.Adam(SEQUENTIAL),
        TypeError,
        "Adam: params is a Sequential, expected a list of tensors",
    ),
    (lambda: optim.SGD([]), ValueError, "layers in a plain list (nn.ModuleList)"),
    (
        lambda: tm.save(LAYER, "never.safetensors"),  # type: ignore[arg-type]
        TypeError,
        "save: state is Linear, expected tensors by name; model.state_dict() gives them",
    ),
    (
        lambda: setattr(LAYER, "weight", tm.zeros(3, 2)),
        TypeError,
        "make an nn.Parameter of it, or delete it first",
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), MISTAKES)
def test_an_error_says_what_to_do(call: Any, kind: type[Exception], words: str) -> None:
    LAYER.to(tm.float32)
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value)


def test_under_another_default_the_advice_leads_there() -> None:
    before = ops.promotion.default_dtype()
    ops.promotion.set_default_dtype(tm.float64)
    try:
        with pytest.raises(TypeError, match="cast b to float64"):
            ops.matmul(np.zeros((2, 2)), ROWS[:2])
    finally:
        ops.promotion.set_default_dtype(before)


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = [sys.executable, "-c", "from tinymed.cli import main; raise SystemExit(main())"]
    writer = subprocess.Popen(
        [*command, "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.close()
    assert writer.stderr.read() == ""
    assert writer.wait() == 1
    writer.stderr.close()
