"""The proof on a GPU, without one: the device is emulated, faults are planted."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest

from benchmarks import gpu_verify
from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.emulated_gpu import PLANTED, EmulatedGpu
from tinymed.bench import certificate
from tinymed.bench.gpu import report, supervisor
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.steps import steps
from tinymed.bench.gpu.supervisor import Run, supervise
from tinymed.bench.gpu.trials import trials
from tinymed.bench.gpu.worker import beside, work
from tinymed.cli import main
from tinymed.kernels import KERNELS
from tinymed.kernels.cuda import variants

ROOT = Path(__file__).parents[2]
NOTHING = "tests.cuda_emulator.emulated_gpu:no_gpu"
EMULATED = "tests.cuda_emulator.emulated_gpu:EmulatedGpu"
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
    dtypes = {trial.dtype.name for trial in trials("arithmetic.add", "cuda")}
    assert {"float16", "float32", "float64"} <= dtypes
    assert row["variants"] == sorted(f"arithmetic/{dtype}" for dtype in dtypes)
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
def test_what_a_worker_began_ends_with_it(journal, monkeypatch, tmp_path):
    left = tmp_path / "left"
    monkeypatch.setenv(PLANTED, "leaves:arithmetic/")
    monkeypatch.setenv("TINYMED_TEST_LEFT", str(left))
    run = Run(journal.path, 2, ("check",), KERNELS_TRIED[:1], patience=2.0, device=EMULATED)
    supervise(run)
    for _ in range(100):  # an orphan is collected by the first process of the machine
        stat = Path(f"/proc/{left.read_text()}/stat")
        if not stat.exists() or stat.read_text().rpartition(") ")[2].startswith("Z"):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


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
    work(EmulatedGpu(), todo, journal, time.time() + 60)
    assert [row["state"] for row in journal.rows()] == ["proved", "proved"]


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
    beside(journal.path).write_text('{"at": "trial 3"}')
    supervisor._close(journal, "check a b", "over", "")
    (row,) = journal.rows()
    assert row["state"] == "not run"
    assert row["note"] == "stopped at trial 3: the time was over"
    assert not report.failures(journal)


# ---------------------------------------------------------------------------- what users see


def test_without_a_gpu_one_line_says_what_to_do(tmp_path, capsys):
    assert gpu_verify.main(["--out", str(tmp_path)], of=NOTHING) == 2
    assert capsys.readouterr().err == "gpu_verify: not run: no driver; install one\n"
    assert not list(tmp_path.iterdir())  # a run that never happened is not reported
    (tmp_path / "gpu.jsonl").write_text("an earlier run's")
    assert gpu_verify.main(["--out", str(tmp_path)], of=NOTHING) == 2
    assert (tmp_path / "gpu.jsonl").read_text() == "an earlier run's"


@pytest.mark.parametrize(
    "options", [["--only", "chekc"], ["--minutes", "0"], ["--kernels", "conf"]]
)
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
    count = sum(len(trials(name, "cuda")) for name in KERNELS_TRIED)
    assert f"proved: 2 of 2 implementations, of 2 kernels, on {count} cases" in out
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
    monkeypatch.setattr("tinymed.bench.gpu.device.DEVICE", NOTHING)
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
    assert len(own) == 6
    own = {"copy", "multiply_add", "tile_product", "warpgroup_product"}
    assert {f"ceilings.{name}" for name in own} <= KERNELS.keys()
