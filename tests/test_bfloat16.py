"""bfloat16 as a dtype: making, casting, promotion, printing, files; and without ml_dtypes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinymed as tm
from tests.test_precision import in_float32, needs_ml_dtypes
from tinymed import nn, ops
from tinymed.data import default_collate
from tinymed.errors import CheckpointError
from tinymed.serialization import write_bytes

BF16_FILE = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'


@pytest.mark.parametrize(
    "call",
    [
        lambda file: tm.bfloat16,
        lambda file: tm.dtypes.bfloat16,
        lambda file: tm.ones(1).bfloat16(),
        lambda file: tm.zeros(2, dtype="bfloat16"),
        lambda file: tm.finfo("bfloat16"),
        lambda file: tm.autocast("cpu", "bfloat16"),
        lambda file: nn.Linear(1, 1).bfloat16(),
        tm.load,
    ],
)
def test_without_ml_dtypes_the_extra_is_named(
    call: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "f"
    write_bytes(len(BF16_FILE).to_bytes(8, "little") + BF16_FILE + bytes(4), file)
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(ImportError, match=r"bfloat16: .*ml_dtypes; pip install tinymed\[bfloat16"):
        call(file)


@needs_ml_dtypes
def test_it_is_a_dtype_like_the_others() -> None:
    x = tm.tensor([1, 0.1, -2], dtype=tm.bfloat16)
    assert x.dtype == tm.bfloat16 == tm.ones(1).bfloat16().dtype == tm.ones(1).to("bfloat16").dtype
    assert x.tolist() == [1, 0.10009765625, -2]
    assert repr(x) == "tensor([ 1.    ,  0.1001, -2.    ], bfloat16)"
    assert x.is_floating_point()
    assert x[1].item() == 0.10009765625
    assert (x.float().dtype, x.half().dtype, x.long().tolist()) == (
        tm.float32,
        tm.float16,
        [1, 0, -2],
    )
    assert x.type_as(tm.ones(1)).dtype == tm.float32
    limits = tm.finfo(x)
    assert (float(limits.eps), float(limits.max)) == (2.0**-7, 2.0**128 * (1 - 2.0**-8))
    assert tm.finfo(tm.float16).max == 65504
    np.testing.assert_array_equal(
        in_float32(tm.tensor([1e39, -1e39], dtype=tm.float64).bfloat16()), [np.inf, -np.inf]
    )


@needs_ml_dtypes
def test_making_and_writing() -> None:
    kind: Any = {"dtype": tm.bfloat16}
    made = (
        tm.zeros(2, **kind), tm.full((2,), 0.5, **kind), tm.arange(3, **kind), tm.eye(2, **kind),
        tm.linspace(0, 1, 3, **kind), tm.rand(3, **kind), tm.randn(3, **kind),
        tm.ones_like(tm.zeros(2, **kind)), tm.randint(0, 5, (3,), **kind),
    )  # fmt: skip
    assert {x.dtype for x in made} == {tm.bfloat16}
    uniform = in_float32(tm.rand(2000, **kind))
    assert 0 <= uniform.min() <= uniform.max() < 1
    with pytest.raises(ValueError, match=r"the value 1e\+39 does not fit bfloat16"):
        tm.full((2,), 1e39, **kind)
    with pytest.raises(ValueError, match="randint: 0 to 300 do not fit bfloat16, -256 to 256"):
        tm.randint(0, 301, (3,), **kind)
    x = tm.ones(3, **kind)
    x.add_(1).mul_(tm.tensor(1.5))
    x *= 2
    x[1] = 0.3
    assert x.tolist() == [6, 0.30078125, 6]
    assert x.clamp_(0, 5).masked_fill_(x == 5, 7).tolist() == [7, 0.30078125, 7]
    with pytest.raises(TypeError, match="result is bfloat16, which a tensor of int64 cannot hold"):
        tm.ones(3).long().add_(x)


@needs_ml_dtypes
@pytest.mark.parametrize(
    ("other", "common"),
    [
        *((name, "bfloat16") for name in ("bool", "uint8", "int8", "int64", "bfloat16")),
        *((name, "float32") for name in ("float16", "float32")),
        ("float64", "float64"),
    ],
)
def test_promotion_is_pytorchs(other: str, common: str) -> None:
    x, y = tm.ones(2, dtype=tm.bfloat16), tm.ones(2, dtype=other)
    for one in (x + y, y + x, x.data * 1 + y, ops.where(x > 0, x, y), ops.cat([x, y])):
        assert one.dtype.name == common
    assert ops.result_type(x, tm.ones((), dtype=other)).name == "bfloat16"


@needs_ml_dtypes
def test_numbers_do_not_widen() -> None:
    x = tm.tensor([0.1, 300], dtype=tm.bfloat16)
    for y in (x + 1, 1 - x, x * 0.5, x / 3, x**2, -x, x + np.float64(1)):
        assert y.dtype == tm.bfloat16
    assert (x * 0.1)[1].item() == 30  # by 0.1 itself: the bfloat16 next to it would give 30.125
    assert ((x == 0.1) | (x >= 0.1)).tolist() == [True, True]
    assert ops.exp(tm.ones(2, dtype=tm.int64)).dtype == tm.float32


@needs_ml_dtypes
def test_default_dtype() -> None:
    before = ops.default_dtype()
    ops.set_default_dtype(tm.bfloat16)
    try:
        assert tm.tensor([1.0]).dtype == tm.ones(1).dtype == tm.bfloat16
        assert nn.Linear(2, 1)(tm.ones(1, 2)).dtype == tm.bfloat16
    finally:
        ops.set_default_dtype(before)


@needs_ml_dtypes
def test_files_and_modules(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).bfloat16()
    state = model.state_dict()
    tm.save(state, tmp_path / "f")
    loaded = tm.load(tmp_path / "f")
    for name, x in state.items():
        assert loaded[name].dtype == x.dtype
        assert loaded[name].data.tobytes() == x.data.tobytes()
    assert loaded["1.num_batches_tracked"].dtype == tm.int64
    single = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    single.load_state_dict(loaded)
    assert {p.dtype for p in single.parameters()} == {tm.float32}
    np.testing.assert_array_equal(single[0].weight.data, in_float32(state["0.weight"]))
    changed = bytearray((tmp_path / "f").read_bytes())
    changed[-1] ^= 1
    (tmp_path / "f").write_bytes(changed)
    with pytest.raises(CheckpointError, match="altered"):
        tm.load(tmp_path / "f")
    write_bytes(
        len(BF16_FILE).to_bytes(8, "little") + BF16_FILE + b"\x80\x3f\x40\xc0", tmp_path / "g"
    )
    assert tm.load(tmp_path / "g")["a"].tolist() == [1, -3]


@needs_ml_dtypes
def test_batches() -> None:
    batch = default_collate([(tm.ones(2).bfloat16(), 1), (tm.zeros(2).bfloat16(), 0)])
    assert batch[0].dtype == tm.bfloat16
    assert batch[0].tolist() == [[1, 1], [0, 0]]


@needs_ml_dtypes
def test_what_is_not_finite_is_found() -> None:
    x = tm.tensor([1.0, -1.0], dtype=tm.bfloat16)
    with (
        tm.detect_anomaly(),
        pytest.raises(tm.AnomalyError, match="nan"),
        np.errstate(all="ignore"),
    ):
        ops.log(x)


@needs_ml_dtypes
def test_metrics_take_it() -> None:
    scores = tm.tensor([0.1, 0.4, 0.35, 0.8]).bfloat16()
    assert tm.metrics.roc_auc([0, 0, 1, 1], scores) == 0.75
