"""The proof on a GPU, without one: the device is emulated, faults are planted."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_verify
from tests.bench.emulated_gpu import PLANTED, EmulatedGpu
from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.golden import GOLDEN, chosen
from tinymed.bench import certificate
from tinymed.bench.gpu import report, supervisor
from tinymed.bench.gpu.golden import GoldenFile, digest, golden
from tinymed.bench.gpu.guard import MARGIN, Guard
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.steps import KINDS, roofline, steps
from tinymed.bench.gpu.supervisor import Run, supervise
from tinymed.bench.gpu.timings import in_turns
from tinymed.bench.gpu.trials import implementations, trials
from tinymed.bench.gpu.worker import beside, work
from tinymed.bench.proof import DisagreementError
from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import variants

ROOT = Path(__file__).parents[2]
EMULATED = "tests.bench.emulated_gpu:EmulatedGpu"
# Small and quick to build.
KERNELS_TRIED = ("arithmetic.add", "ceilings.copy")
needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "gpu.jsonl")
    made.create(EmulatedGpu().about())
    return made


def verified(path: Path, *options: str) -> int:
    """Run the command on the emulated device."""
    given = ["--out", str(path), "--kernels", ",".join(KERNELS_TRIED), "--only", "check,golden"]
    return gpu_verify.main([*given, "--minutes", "2", *options], of=EMULATED)


def rows_of(path: Path, name: str) -> list[dict]:
    return [row for row in Journal(path / "gpu.jsonl").rows() if row["step"] == name]


# ---------------------------------------------------------------------------- a whole run


@needs_compiler
def test_a_run_proves_and_prints_one_table_last(tmp_path, capsys):
    assert verified(tmp_path) == 0
    out = capsys.readouterr().out
    assert "arithmetic.add cuda" in out
    assert out.strip().splitlines()[-1] == "steps: 4 of 4 run; 4 proved"
    (row,) = rows_of(tmp_path, "check arithmetic.add cuda")
    assert row["state"] == "proved"
    assert row["proved"] == row["trials"] == len(trials("arithmetic.add", "cuda"))
    assert row["variants"] == ["arithmetic/float32", "arithmetic/float64"]
    assert 0 < row["worst"] < 1
    (row,) = rows_of(tmp_path, "golden arithmetic.add cuda")
    assert row["same_bits"] is True
    assert Journal(tmp_path / "gpu.jsonl").about()["device"] == "emulated"
    assert not list(tmp_path.glob("*.at"))


@needs_compiler
@pytest.mark.parametrize(
    ("planted", "state", "said"),
    [
        ("wrong", "wrong", "12345"),
        ("restless", "wrong", "other bits the second time"),
        ("beside", "wrong", "bytes written just after a result"),
        ("refused", "failed", "an illegal address"),
    ],
)
def test_what_is_wrong_is_named_and_the_rest_goes_on(planted, state, said, tmp_path, monkeypatch):
    monkeypatch.setenv(PLANTED, f"{planted}:arithmetic/")
    assert verified(tmp_path) == 1
    (row,) = rows_of(tmp_path, "check arithmetic.add cuda")
    assert row["state"] == state
    assert said in row["failures"][0]
    assert row["failed"] > 0
    (other,) = rows_of(tmp_path, "check ceilings.copy cuda")
    assert other["state"] == "proved"


@needs_compiler
def test_a_worker_that_is_killed_or_loses_the_gpu_is_followed_by_another(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(PLANTED, "killed:arithmetic/")
    assert verified(tmp_path, "--only", "check") == 1
    (row,) = rows_of(tmp_path, "check arithmetic.add cuda")
    assert row["state"] == "crashed"
    assert row["note"].startswith("at arithmetic.add: ")  # the trial
    assert "status -9" in row["note"]
    assert rows_of(tmp_path, "check ceilings.copy cuda")[0]["state"] == "proved"
    assert "crashed: check arithmetic.add cuda" in capsys.readouterr().out

    monkeypatch.setenv(PLANTED, "lost:arithmetic/")
    assert verified(tmp_path, "--only", "check") == 1
    (row,) = rows_of(tmp_path, "check arithmetic.add cuda")
    assert row["state"] == "crashed"
    assert "the GPU is lost after it" in row["failures"][-1]
    assert rows_of(tmp_path, "check ceilings.copy cuda")[0]["state"] == "proved"


@needs_compiler
def test_a_worker_that_hangs_is_stopped(journal, monkeypatch):
    monkeypatch.setenv(PLANTED, "hung:arithmetic/")
    run = Run(journal.path, 2, ("check",), KERNELS_TRIED, patience=2.0, device=EMULATED)
    rows = {row["step"]: row for row in supervise(run).rows()}
    assert rows["check arithmetic.add cuda"]["state"] == "hung"
    assert "no progress at arithmetic.add: " in rows["check arithmetic.add cuda"]["note"]
    assert rows["check ceilings.copy cuda"]["state"] == "proved"


@needs_compiler
def test_a_run_that_is_killed_leaves_its_rows_and_goes_on(journal):
    todo = steps(("check",), KERNELS_TRIED)
    work(EmulatedGpu(), todo[:1], journal, time.time() + 60)
    journal.begin(todo[1].name)
    with journal.path.open("a") as file:
        file.write('{"step": "check ceil')  # it was killed while it wrote
    assert [row["state"] for row in journal.rows()] == ["proved"]
    assert journal.begun() == todo[1].name
    assert journal.left(step.name for step in todo) == [todo[1].name]


# ---------------------------------------------------------------------------- time


@needs_compiler
def test_what_there_is_no_time_for_is_listed(journal):
    ticks = itertools.count()
    todo = steps(("check",), KERNELS_TRIED)
    work(EmulatedGpu(), todo, journal, until=1, clock=lambda: next(ticks))
    names = [step.name for step in todo]
    assert journal.left(names) == names[1:]
    lines = list(report.table(journal, names))
    assert f"not run, check: {names[1].partition(' ')[2]}" in lines
    assert lines[-1] == "steps: 1 of 2 run; 1 proved"


def test_no_worker_begins_when_the_time_is_over(journal):
    run = Run(journal.path, 0, ("check",), KERNELS_TRIED, device="nowhere:nothing")
    assert supervise(run).rows() == []


def test_a_worker_that_cannot_begin_is_an_error(journal):
    run = Run(journal.path, 1, ("check",), KERNELS_TRIED, device="nowhere:nothing")
    with pytest.raises(RuntimeError, match="No module named 'nowhere'"):
        supervise(run)


def test_a_step_past_its_grace_is_stopped_and_not_called_wrong(journal, monkeypatch):
    journal.begin("check a b")
    beside(journal.path).write_text("trial 3")
    supervisor._close(journal, "check a b", "over", "")
    (row,) = journal.rows()
    assert row["state"] == "not run"
    assert row["note"] == "stopped at trial 3: the time was over"
    assert not report.failures(journal)


# ---------------------------------------------------------------------------- measuring


@needs_compiler
def test_ceilings_kernels_and_steps_are_timed(journal, monkeypatch):
    pytest.importorskip("ml_dtypes")
    gpu = EmulatedGpu()
    monkeypatch.setattr("tinymed.bench.gpu.steps.REPEATS", 3)
    monkeypatch.setattr("tinymed.bench.gpu.steps.benches", smallest)
    every = steps(("ceiling", "time", "workload"))
    wanted = ("ceiling", "time arithmetic.add (2, 3, 37)", "time matmul.product 7 x 1")
    todo = [s for s in every if s.name.startswith(wanted)]
    mlp = [s for s in every if s.name.startswith("workload MLP")]
    work(gpu, [*todo, *mlp], journal, time.time() + 60)
    rows = journal.rows()
    assert not report.failures(journal), report.failures(journal)
    measured = {row["of"]: row["value"] for row in rows if "of" in row}
    (case,) = smallest("ceilings.copy")
    assert measured["bytes"] == pytest.approx(case.bytes / 1e-3)
    assert roofline(journal, "float32").bytes == measured["bytes"]
    timed = [row for row in rows if row.get("candidate") == "cuda"]
    assert {row["state"] for row in timed} == {"timed"}
    assert timed[0]["wall"]["median"] == pytest.approx(1e-3)
    (own,) = [row for row in rows if row.get("candidate") == "tinymed"]
    assert own["state"] == "timed"
    lines = "\n".join(report.readme(journal))
    assert "| MLP 30-64-32-2 step | 32x30 | 1 ms |" in lines
    assert "Ceilings: " in lines


def smallest(kernel: str) -> list:
    from tinymed.kernels.case import proofs

    every = list(proofs(kernel))
    names = {"matmul.product": "7 x", "arithmetic.add": "(2, 3, 37)"}
    if kernel.startswith("ceilings."):
        return [case for case in every if case.flops or case.bytes][1:2]
    return [case for case in every if case.name.startswith(names.get(kernel, "none"))][:1]


def test_candidates_take_turns_and_long_ones_fewer():
    gpu, called = EmulatedGpu(), []
    calls = {name: lambda name=name: called.append(name) for name in "ab"}
    found = in_turns(gpu, calls, 5)
    assert {len(samples.wall) for samples in found.values()} == {5}
    assert sorted(called) == ["a"] * 7 + ["b"] * 7
    gpu.timed = lambda call: type("T", (), {"device": 1.0, "host": 0.1})()
    assert len(in_turns(gpu, calls, 50)["a"].wall) == 3


# ---------------------------------------------------------------------------- its parts


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
    guard.check()
    whole = guard._framed[1][1]
    whole[MARGIN - 1] = 0
    with pytest.raises(DisagreementError, match=r"1 bytes written just before a result, float32"):
        guard.check()


def test_resources_are_never_more_than_there_are():
    gpu = EmulatedGpu()
    real = gpu.launcher.resources(None)
    guard = Guard(gpu, type(real)(multiprocessors=10**6, shared=1024))
    assert guard.resources(None) == (real.multiprocessors, 1024)
    assert guard.asked


def test_every_kind_of_step_is_there_and_names_are_unique():
    names = [step.name for step in steps()]
    assert len(set(names)) == len(names)
    assert list(dict.fromkeys(step.kind for step in steps())) == list(KINDS)
    checked = {tuple(name.split()[1:]) for name in names if name.startswith("check ")}
    assert checked >= set(implementations())
    assert len([name for name in names if name.startswith("workload ")]) >= 40


def test_a_journal_is_told_from_other_files(tmp_path):
    for content in ("", "[]\n", '{"format": 0}\n', "nonsense\n"):
        (tmp_path / "gpu.jsonl").write_text(content)
        with pytest.raises(DataError, match="is not a journal of format 1"):
            Journal(tmp_path / "gpu.jsonl").rows()


def test_variants_that_no_check_has_run_are_named():
    rows = [{"variant": "a"}, {"variant": "b"}, {"variants": ["b"]}]
    assert list(report.unproved(rows)) == ["compiled, but run by no check: a"]


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
@pytest.mark.parametrize("kernel", KERNELS_TRIED)
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


# ---------------------------------------------------------------------------- what users see


def test_without_a_gpu_one_line_says_what_to_do(tmp_path, capsys):
    assert gpu_verify.main(["--out", str(tmp_path)], of="tests.bench.test_gpu:no_gpu") == 2
    assert capsys.readouterr().err == "gpu_verify: not run: no driver; install one\n"
    assert not list(tmp_path.iterdir())  # a run that never happened is not reported


def no_gpu():
    raise RuntimeError("no driver; install one")


@pytest.mark.parametrize("options", [["--only", "chekc"], ["--minutes", "0"]])
def test_bad_options_are_named(options, capsys):
    with pytest.raises(SystemExit):
        gpu_verify.main(options)
    assert options[1] in capsys.readouterr().err


def test_the_readme_has_the_table_of_the_record():
    path = gpu_verify.RECORD / gpu_verify.NAME
    text = (ROOT / "README.md").read_text()
    own = text.partition(report.MARKERS[0])[2].partition(report.MARKERS[1])[0]
    journal = Journal(path) if path.exists() else None
    assert own.strip("\n").split("\n") == list(report.readme(journal))


@needs_compiler
def test_a_record_is_shown_and_written_to_the_readme(tmp_path, capsys):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- gpu -->\n<!-- /gpu -->\nafter\n")
    assert verified(tmp_path, "--readme", str(readme)) == 0
    first = capsys.readouterr().out
    assert "2 of 2 implementations that were tried are proved" in readme.read_text()
    shown = ["--from", str(tmp_path), "--only", "check,golden"]
    assert gpu_verify.main([*shown, "--kernels", ",".join(KERNELS_TRIED)]) == 0
    assert capsys.readouterr().out == first


@needs_compiler
def test_verify_on_a_device_gives_a_certificate(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tinymed.bench.gpu.device.DEVICE", EMULATED)
    path = tmp_path / "certificate.json"
    options = ["verify", *KERNELS_TRIED, "--device", "cuda", "--json", str(path)]
    assert main(options) == 0
    out = capsys.readouterr().out
    assert "certificate of tinymed None on emulated" in out
    assert "proved: 2 of 2 implementations, of 2 kernels, on 24 cases" in out
    assert "of the tolerance (arithmetic.add on cuda)" in out
    (found,) = json.loads(path.read_text())
    assert found["complete"] is True
    assert 0 < found["largest_error"] < 1
    monkeypatch.setenv(PLANTED, "wrong:arithmetic/")
    assert main(options) == 1
    shown = capsys.readouterr()
    assert "wrong: arithmetic.add on cuda: arithmetic.add: " in shown.out
    assert "1 implementations disagree" in shown.err


def test_verify_demands_a_gpu_or_says_what_it_lacks(monkeypatch, capsys):
    monkeypatch.setattr("tinymed.bench.gpu.device.DEVICE", "tests.bench.test_gpu:no_gpu")
    assert main(["verify", "arithmetic", "--device", "cuda"]) == 1
    assert "no driver; install one" in capsys.readouterr().err


def test_a_certificate_of_what_was_not_run_is_not_complete():
    about = {"device": "d", "versions": {}, "date": "today"}
    row = {"kernel": "k", "implementation": "cuda", "proved": 0, "worst": 0.0, "failures": []}
    found = certificate.Certificate(about, [row | {"state": "not run", "note": "no time"}])
    assert not found.complete
    assert not found.wrong
    assert "  not run: k on cuda: no time" in list(found.lines())


def test_the_ceilings_are_kernels_like_all_others():
    own = {variant.name for variant in variants() if variant.name.startswith("ceilings/")}
    assert len(own) == 5
    assert {"ceilings.copy", "ceilings.multiply_add", "ceilings.tile_product"} <= KERNELS.keys()
