"""The parts of the proof on a GPU, each by itself: what measures, guards, keeps and compares."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.emulated_gpu import EmulatedGpu, small_cases
from tests.cuda_emulator.golden import GOLDEN, chosen
from tinymed.bench.gpu import device, report, sanitizer
from tinymed.bench.gpu.checks import check
from tinymed.bench.gpu.golden import GoldenFile, digest, golden
from tinymed.bench.gpu.guard import MARGIN, Guard
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.steps import KINDS, steps
from tinymed.bench.gpu.timings import ARITHMETICS
from tinymed.bench.gpu.trials import implementations
from tinymed.bench.gpu.worker import work
from tinymed.bench.proof import DisagreementError
from tinymed.errors import DataError
from tinymed.kernels.case import benches, large

needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "gpu.jsonl")
    made.create(EmulatedGpu().about())
    return made


def test_margins_are_watched_and_memory_begins_as_nan():
    gpu = EmulatedGpu()
    guard = Guard(gpu)
    given = guard.given(np.arange(4, dtype=np.float32))
    y = guard.empty((3,), np.float32, given)
    assert np.isnan(y).all()
    assert given.tolist() == [0, 1, 2, 3]
    assert guard.given([np.ones(2)])[0].tolist() == [1, 1]
    apart = guard.given(np.arange(3.0), apart=True)
    assert (apart.tolist(), apart.strides) == ([0, 1, 2], (16,))
    turned = np.arange(6.0).reshape(2, 3).T  # kernels have variants for these
    assert guard.given(turned).strides == turned.strides
    assert guard.given(turned).tolist() == device.on_device(gpu, turned).tolist() == turned.tolist()
    guard.check()
    whole = guard._framed[1][1]
    whole[MARGIN - 1] = 0
    with pytest.raises(DisagreementError, match=r"1 bytes written just before a result, float32"):
        guard.check()


@needs_compiler
def test_what_is_for_other_gpus_is_not_run_and_not_wrong(monkeypatch, journal):
    small_cases(monkeypatch.setattr)
    gpu = EmulatedGpu()
    gpu.capability = gpu.launcher.compute = (7, 5)
    row = check(gpu, "ceilings.tile_product", "cuda:tensor", lambda what: None)
    assert row["state"] == "not run"
    assert "not for this GPU's sm_75" in row["note"]
    begins = "time matmul.product "
    (tf32,) = [s for s in steps(("time",)) if s.name.startswith(begins) and "tf32" in s.name]
    work(gpu, [tf32], journal, time.time() + 60)
    states = {r["candidate"]: r["state"] for r in journal.rows() if "cuda" in r["candidate"]}
    rounding = ("cuda:tensor", "cuda:tensor_cores", "cuda:warpgroups")
    assert states == dict.fromkeys(rounding, "cannot")


def test_resources_are_never_more_than_there_are():
    gpu = EmulatedGpu()
    real = gpu.launcher.resources(None)
    guard = Guard(gpu, type(real)(multiprocessors=10**6, shared=1024))
    assert guard.resources(None) == (real.multiprocessors, 1024)
    assert guard.asked


def test_a_gpu_is_timed_on_what_keeps_it_busy_first():
    for kernel in ("conv.forward", "conv.grad_input", "conv.grad_weight", "matmul.product"):
        (first, *_), (*_, last) = list(large(kernel)), list(benches(kernel))
        timed = [step.name for step in steps(("time", "sizes"), (kernel,))]
        assert timed[0] == f"time {kernel} {first.name}, float32"
        assert f"sizes {kernel} {last.name}, bfloat16" in timed


def test_what_takes_16_bits_is_timed_in_them_and_every_recurrent_cell_is() -> None:
    names = {step.name for step in steps(("time", "sizes"))}
    for kind, layer in (
        ("sizes", "gru_forward reset before T32 N32 D512 H512"),
        ("sizes", "lstm_backward peepholes T32 N64 D256 H256"),
        ("time", "rnn_backward T32 N32 D512 H512"),
    ):
        known = {a for a in ARITHMETICS if f"{kind} recurrent.{layer}, {a}" in names}
        assert known == {"float32", "bfloat16", "float16"}
    assert "sizes matmul.linear 1024 x 768 to 3072, relu, tf32" in names
    assert not any(name.startswith("time softmax.") and "16" in name[-9:] for name in names)


def test_every_kind_of_step_is_there_and_names_are_unique():
    names = [step.name for step in steps()]
    assert len(set(names)) == len(names)
    assert list(dict.fromkeys(step.kind for step in steps())) == list(KINDS)
    checked = {tuple(name.split()[1:]) for name in names if name.startswith("check ")}
    assert checked >= set(implementations())
    assert len([name for name in names if name.startswith(("network ", "layer "))]) >= 40


def test_a_journal_is_told_from_other_files(tmp_path):
    for content in ("", "[]\n", '{"format": 0}\n', "nonsense\n"):
        (tmp_path / "gpu.jsonl").write_text(content)
        with pytest.raises(DataError, match="is not a journal of format 1"):
            Journal(tmp_path / "gpu.jsonl").rows()


def test_variants_that_no_check_has_run_are_named():
    rows = [{"variant": "a"}, {"variant": "b"}, {"variants": ["b"]}]
    assert list(report.unproved(rows)) == ["compiled, but run by no check: a"]


def test_cupys_gpu_copies_and_times(monkeypatch):
    """All calls of CuPy's, on one that keeps its arrays in NumPy's memory."""
    done = []
    event = SimpleNamespace(record=lambda: done.append("record"), synchronize=lambda: None)
    properties = {"name": b"A GPU", "major": 9, "minor": 0, "multiProcessorCount": 132,
                  "totalGlobalMem": 2**37}  # fmt: skip

    class Array(np.ndarray):
        data = SimpleNamespace(memset_async=lambda value, size: done.append("flushed"))

        def set(self, host):
            self[...] = host

    fake = SimpleNamespace(
        __version__="14.2",
        ndarray=Array,
        empty=lambda shape, dtype: np.empty(shape, dtype).view(Array),
        asnumpy=np.asarray,
        cuda=SimpleNamespace(
            Device=lambda: SimpleNamespace(id=0, synchronize=lambda: done.append("waited")),
            Event=lambda: event,
            get_elapsed_time=lambda begin, end: 2.0,
            runtime=SimpleNamespace(
                getDeviceProperties=lambda index: properties,
                deviceGetPCIBusId=lambda index: "0000:18:00.0",
                driverGetVersion=lambda: 13010,
                runtimeGetVersion=lambda: 13000,
            ),
        ),
    )
    module = "tinymed.kernels.cuda.cupy_launcher.cupy_launcher"
    monkeypatch.setattr(module, lambda: SimpleNamespace(cupy=fake))
    monkeypatch.setattr("tinymed.kernels.cuda.nvrtc.library_version", lambda: (13, 0))
    monkeypatch.setattr("tinymed.bench.gpu.device.FLUSHED", 16)
    monkeypatch.setenv("PATH", "")  # no nvidia-smi
    gpu = device.CuPyGpu()
    about = gpu.about()
    assert (about["device"], about["capability"], about["driver"]) == ("A GPU", [9, 0], "unknown")
    assert about["bus"] == "0000:18:00.0"
    assert (about["cuda_of_driver"], about["cuda"], about["nvrtc"]) == ("13.1", "13.0", "13.0")
    given = {"x": [np.arange(6, dtype=np.float32).reshape(2, 3)], "n": 3}
    there = device.on_device(gpu, given)
    assert gpu.holds(there["x"][0])
    assert gpu.host(there["x"][0]).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert there["n"] == 3
    done.clear()
    took = gpu.timed(lambda: done.append("called"))
    assert done == ["waited", "flushed", "record", "called", "record"]
    assert took.device == pytest.approx(2e-3)
    assert took.host > 0


@pytest.mark.parametrize(
    ("script", "state", "said"),
    [
        ("exit 0", "proved", "NO ERRORS"),
        ("exit 9", "wrong", "NO ERRORS"),
        ("exit 4", "failed", "status 4"),
        ("echo 'Error: Device not supported'; exit 1", "not run", "cannot watch this GPU"),
        ("exec sleep 30", "not run", "the time was over"),
    ],
)
def test_the_sanitizer_is_asked_where_it_is(script, state, said, tmp_path, monkeypatch):
    program = tmp_path / "compute-sanitizer"
    program.write_text(f"#!/bin/sh\necho 'NO ERRORS'\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sanitizer, "_program", lambda: str(program))
    monkeypatch.setattr(sanitizer, "LOOK", 0.1)
    told: list[str] = []
    row = sanitizer.sanitized("memcheck", time.time() + 0.5, told.append)
    assert (row["tool"], row["state"]) == ("memcheck", state)
    assert said in row["note"]
    assert "sleep" not in script or told[0] == "compute-sanitizer --tool memcheck"


def test_where_no_kernel_runs_the_sanitizer_has_seen_nothing(monkeypatch, capsys):
    gpu = EmulatedGpu()
    gpu.cupy = SimpleNamespace(cuda=SimpleNamespace(set_allocator=lambda given: None))
    monkeypatch.setattr(sanitizer, "CuPyGpu", lambda: gpu)
    monkeypatch.setattr(sanitizer, "implementations", lambda: [("arithmetic.add", "cuda")])
    gpu.launcher.gone = True
    assert sanitizer.main() == 1
    assert "an illegal address was encountered" in capsys.readouterr().out


def test_without_the_sanitizer_it_is_not_run(monkeypatch):
    monkeypatch.setattr(sanitizer, "_program", lambda: None)
    row = sanitizer.sanitized("memcheck", time.time(), lambda what: None)
    assert (row["state"], row["note"]) == ("not run", "compute-sanitizer is not installed")


# ---------------------------------------------------------------------------- golden files


def test_golden_files_are_small_and_of_every_implementation():
    assert GOLDEN.stat().st_size < 200_000
    file = GoldenFile(GOLDEN)
    for kernel, implementation in implementations():
        trial = file.trial(kernel, implementation)
        again = "python -m tests.cuda_emulator.golden"
        assert trial is not None, f"{kernel} on {implementation} has none: {again}"
        assert digest(trial) == file.inputs(kernel, implementation), again
        assert trial == chosen(kernel, implementation), again


@needs_compiler
@pytest.mark.parametrize("kernel", ["arithmetic.add", "ceilings.copy"])
def test_golden_files_are_what_the_emulator_computes(kernel):
    row = golden(EmulatedGpu(), GoldenFile(GOLDEN), kernel, "cuda", lambda what: None)
    assert row["state"] == "proved"


@needs_compiler
def test_results_that_are_not_the_emulators_are_wrong(tmp_path):
    altered = json.loads(GOLDEN.read_text())
    own = altered["results"]
    own["arithmetic.add cuda"]["results"] = own["arithmetic.multiply cuda"]["results"]
    own.pop("ceilings.copy cuda")
    (tmp_path / "golden.json").write_text(json.dumps(altered))
    file, gpu = GoldenFile(tmp_path / "golden.json"), EmulatedGpu()
    assert golden(gpu, file, "arithmetic.add", "cuda", lambda what: None)["state"] == "wrong"
    assert golden(gpu, file, "ceilings.copy", "cuda", lambda what: None)["state"] == "not run"
