"""Contests on a GPU, without one: who is timed, against whom, and who is left out."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from benchmarks import gpu_verify
from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.emulated_gpu import PLANTED, TICK, EmulatedGpu, small_cases, smallest
from tinymed.bench.contest import Contest
from tinymed.bench.gpu import report
from tinymed.bench.gpu.checks import LostError
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.referee import GpuReferee
from tinymed.bench.gpu.steps import _of_contest, roofline, steps
from tinymed.bench.gpu.worker import work
from tinymed.bench.record import Row
from tinymed.bench.workloads import Conv, Network, Recurrent, Workload

SMALL = "tests.cuda_emulator.emulated_gpu:with_small_cases"
needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "gpu.jsonl")
    made.create(EmulatedGpu().about())
    return made


@pytest.fixture
def small(monkeypatch):
    small_cases(monkeypatch.setattr)


@needs_compiler
def test_ceilings_kernels_and_steps_are_timed(small, journal):
    pytest.importorskip("ml_dtypes")
    wanted = ("ceiling", "time arithmetic.add ", "time matmul.product ", "network MLP")
    todo = [s for s in steps(("ceiling", "network", "time")) if s.name.startswith(wanted)]
    work(EmulatedGpu(), todo, journal, time.time() + 60)
    rows = journal.rows()
    assert not report.failures(journal), report.failures(journal)
    measured = {row["of"]: row["value"] for row in rows if "of" in row}
    (case,) = smallest("ceilings.copy")
    assert measured["bytes"] == pytest.approx(case.bytes / TICK)
    assert measured["bfloat16"] == pytest.approx(2 * measured["tf32"])
    (case,) = smallest("ceilings.warpgroup_product")
    assert measured["wgmma"] == pytest.approx(case.flops / TICK)
    assert roofline(journal, "float32").bytes == measured["bytes"]
    assert roofline(journal, "float16").flops == measured["wgmma"]
    timed = {(row["case"].rpartition(", ")[2], row["candidate"]) for row in rows
             if row["state"] == "timed" and row["work"] == "matmul.product"}  # fmt: skip
    assert {("float32", "cuda"), ("float32", "cuda:naive"), ("tf32", "cuda:tensor"),
            ("tf32", "cuda:tensor_cores"), ("bfloat16", "cuda:tensor")} <= timed  # fmt: skip
    assert ("float32", "cuda:tensor") not in timed
    (own,) = [row for row in rows if row.get("candidate") == "tinymed"]
    assert own["wall"]["median"] == pytest.approx(TICK)
    lines = "\n".join(report.readme(journal))
    assert "| MLP 30-64-32-2 step | 32x30 | 1 ms |" in lines
    assert "Ceilings: " in lines


@needs_compiler
def test_numba_cuda_is_timed_beside_cuda_or_it_is_said_why_not(small, journal):
    todo = [s for s in steps(("numba_time",)) if s.name.startswith("numba_time matmul.product ")]
    work(EmulatedGpu(), todo, journal, time.time() + 60)
    states = {row["candidate"]: row["state"] for row in journal.rows()}
    assert states["cuda"] == "timed"
    assert states["numba_cuda"] in ("cannot", "not installed")
    assert not report.failures(journal)


@needs_compiler
def test_pytorch_takes_part_where_it_has_a_gpu(small, journal, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    monkeypatch.setattr("tinymed.bench.gpu.timings.TORCH_DEVICE", "cpu")
    before = torch.backends.cudnn.benchmark
    wanted = ("time arithmetic.add ", "time matmul.product ", "network MLP")
    todo = [s for s in steps(("network", "time")) if s.name.startswith(wanted)]
    work(EmulatedGpu(), todo, journal, time.time() + 60)
    assert torch.backends.cudnn.benchmark == before
    rows = [row for row in journal.rows() if row["candidate"].startswith("torch")]
    timed = {(row["work"], row["case"].rpartition(", ")[2]) for row in rows
             if row["state"] == "timed"}  # fmt: skip
    assert {("matmul.product", a) for a in ("float32", "tf32", "bfloat16")} <= timed
    assert ("MLP 30-64-32-2 step", "32x30") in timed
    assert not [row for row in rows if row["state"].startswith("peer")]
    assert "| 1 ms, torch | 1.00 |" in "\n".join(report.readme(journal))


def test_a_peer_that_is_wrong_is_not_ours_to_answer_for():
    row = Row("work", "case", "torch", 1, "disagrees", "it differs")
    assert _of_contest(row)["state"] == "peer disagrees"
    assert _of_contest(replace(row, candidate="cuda"))["state"] == "wrong"


def test_candidates_take_turns_and_long_ones_fewer():
    gpu, called = EmulatedGpu(), []
    calls = {name: lambda name=name: called.append(name) for name in "ab"}
    told: list[str] = []
    contest = Contest("work", "sizes", list, {}, {})
    referee = GpuReferee(gpu, contest, lambda what, **row: told.append(row["candidate"]))
    found = referee.measure(calls, 5)
    assert told == [*"ab", *called[4:]]  # twice each before it is timed
    assert {len(samples.wall) for samples in found.values()} == {5}
    assert sorted(called) == ["a"] * 7 + ["b"] * 7
    gpu.timed = lambda call: type("T", (), {"device": 1.0, "host": 0.1})()
    assert len(referee.measure(calls, 50)["a"].wall) == 3


def test_who_loses_the_gpu_while_it_is_timed_is_named():
    gpu = EmulatedGpu()

    def break_it():
        gpu.launcher.gone = True
        raise RuntimeError("an illegal address was encountered")

    contest = Contest("work", "sizes", list, {}, {})
    referee = GpuReferee(gpu, contest, lambda what, **row: None)
    with pytest.raises(ZeroDivisionError):  # the GPU is still there
        referee.measure({"right": lambda: None, "wrong": lambda: 1 / 0}, 3)
    with pytest.raises(LostError) as lost:
        referee.measure({"right": lambda: None, "breaks": break_it}, 3)
    assert lost.value.row["candidate"] == "breaks"
    assert "illegal address" in lost.value.row["note"]


def test_a_candidate_that_broke_a_contest_off_has_a_row_and_the_step_is_left(journal):
    journal.begin("time a")
    row = {"work": "a", "case": "b", "candidate": "torch fused", "state": "crashed", "note": ""}
    journal.broken("time a", row)
    assert journal.begun() is None
    assert journal.left(["time a"]) == ["time a"]
    assert journal.candidates("time a") == {"torch fused"}
    assert journal.candidates("time b") == set()
    assert [one["state"] for one in journal.rows()] == ["peer crashed"]
    assert not report.failures(journal)
    journal.begin("time a")
    journal.broken("time a", {"state": "hung", "note": ""})  # whoever it was is not known
    assert journal.left(["time a"]) == []


@needs_compiler
def test_networks_and_layers_under_autocast_are_timed_beside_pytorchs(journal, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("ml_dtypes")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("tinymed.bench.gpu.timings.TORCH_DEVICE", "cpu")
    monkeypatch.setattr("tinymed.bench.gpu.steps.REPEATS", 1)
    small = [
        Workload("lung CNN step", Network("cnn", 2, (1, 8, 8), autocast="bfloat16"), {}, 2**-5),
        Workload("LSTM", Recurrent("lstm", 3, 2, 4, 8, autocast="bfloat16"), {}, 2**-5),
        Workload("conv", Conv(1, 2, 6, 3, autocast="bfloat16"), {}, 2**-5),
    ]
    monkeypatch.setattr("tinymed.bench.gpu.steps.gpu_workloads", lambda: small)
    gpu = EmulatedGpu()
    work(gpu, steps(("network", "layer")), journal, time.time() + 300)
    states = {(row["work"], row["candidate"]): row["state"] for row in journal.rows()}
    assert not report.failures(journal), report.failures(journal)
    for one in small:
        assert states[one.name, "tinymed"] == "timed"
        assert states[one.name, "torch"] == "timed"


def test_what_tensor_cores_gain_from_is_timed_under_autocast_too():
    names = {step.name for step in steps(("network", "layer"))}
    for name in (
        "network ResNet-18 step: 32x3x28x28",
        "layer LSTM forward + backward: T 64, N 32, D 1024, H 1024",
        "layer conv 3x3 wide forward + backward: 32x256x14x14, 256 of 3x3",
    ):
        assert {name, f"{name}, autocast to bfloat16"} <= names
    assert not any("depthwise" in name and "autocast" in name for name in names)


@needs_compiler
@pytest.mark.parametrize(
    ("planted", "said"),
    [("lost", "the GPU is lost after it"), ("killed", "cuda:naive: status -9")],
)
def test_a_contest_goes_on_without_the_candidate_that_breaks_it_off(
    planted, said, tmp_path, monkeypatch, capsys
):
    small_cases(monkeypatch.setattr)
    monkeypatch.setenv(PLANTED, f"{planted}:matmul/ladder/1_naive")
    given = ["--out", str(tmp_path), "--kernels", "matmul.product", "--only", "time"]
    assert gpu_verify.main([*given, "--minutes", "2"], of=SMALL) == 1
    name = "time matmul.product 8 x 16 by 16 x 48, turned none, float32"
    rows = {row["candidate"]: row for row in Journal(tmp_path / gpu_verify.NAME).rows()
            if row["step"] == name}  # fmt: skip
    assert rows["cuda:naive"]["state"] == "crashed"
    assert said in rows["cuda:naive"]["note"]
    assert rows["cuda"]["state"] == "timed"
    own = [row["state"] for row in rows.values() if row["candidate"].startswith("cuda")]
    assert own.count("timed") == len(own) - 1 > 3
    out = capsys.readouterr().out
    assert f"crashed: {name}" in out
    assert "not run" not in out
