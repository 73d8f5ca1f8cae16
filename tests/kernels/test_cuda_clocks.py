"""The clocks of a card during a run, by a program that answers in the place of nvidia-smi."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.cuda_emulator.emulate import unavailable
from tests.cuda_emulator.emulated_gpu import PLANTED
from tinymed.bench.gpu import clocks, report
from tinymed.bench.gpu.clocks import Clocks, Sample, clock_text, samples_of, summary
from tinymed.bench.gpu.journal import Journal
from tinymed.bench.gpu.supervisor import Run, supervise

EMULATED = "tests.cuda_emulator.emulated_gpu:EmulatedGpu"
CARD = "00000000:18:00.0, 1410, 3201, 699.50, 71, 0x0000000000000004"
needs_compiler = pytest.mark.skipif(bool(unavailable()), reason=unavailable())


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Give nvidia-smi a script in place of what it does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(clocks, "PERIOD", 0.01)

    def write(script: str) -> None:
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


def looked(enough) -> Clocks:
    """Look until there is enough, 10 seconds at most; nothing may wait within a look."""
    found = Clocks()
    for _ in range(1000):
        begun = time.monotonic()
        found.look()
        assert time.monotonic() - begun < 2.0
        if enough(found):
            break
        time.sleep(0.01)
    found.close()
    return found


@needs_compiler
def test_a_run_says_what_the_card_ran_at_and_what_held_it_back(answers, tmp_path, monkeypatch):
    answers(f"echo '{CARD}'")
    monkeypatch.setenv(PLANTED, "hung:arithmetic/")  # it lasts until it is found out
    run = Run(tmp_path / "gpu.jsonl", 2, ("check",), ("arithmetic.add",), patience=2.0,
              device=EMULATED)  # fmt: skip
    journal = supervise(run)
    (row,) = journal.rows()
    assert row["state"] == "hung"
    assert row["clock"]["samples"] >= 2
    del row["clock"]["samples"]
    assert row["clock"] == {"sm": 1410, "lowest_sm": 1410, "memory": 3201, "power": 699.5,
                            "temperature": 71, "slowed": {"power limit": 1.0}}  # fmt: skip
    assert journal.left(run.names()) == []
    said = ("clocks: SM 1410 to 1410 MHz, at most 699.5 W and 71 degrees Celsius in 1 steps; held "
            "back in 1: check arithmetic.add cuda (1410 MHz, power limit 100%)")  # fmt: skip
    assert said in list(report.table(journal, run.names()))


def test_each_timed_row_has_the_clock_it_was_timed_at(tmp_path):
    journal = Journal(tmp_path / "gpu.jsonl")
    journal.create({"device": "a GPU"})
    found = Clocks()
    for step in ("time a", "time b"):
        journal.begin(step)
        row = {"state": "timed", "work": "a", "case": "c", "candidate": "cuda", "limit": None}
        journal.add(step, row | {"wall": {"median": 1e-3}})
        found.samples.append(Sample(time.time(), "b", 1980.0, 3201.0, 400.0, 50.0, 0))
        journal.end(step)
        time.sleep(0.01)
    found.samples[1] = found.samples[1]._replace(sm=1200.0, reasons=0x40)
    found.write(journal)
    columns = [row[-1] for row in report.times(journal.rows())]
    assert columns == ["1980 MHz", "1200 MHz, heat (hardware) 100%"]
    assert journal.begun() is None


def test_steps_of_an_earlier_run_are_left_as_they_are(tmp_path):
    journal = Journal(tmp_path / "gpu.jsonl")
    journal.create({"device": "a GPU"})
    journal.begin("time a")
    journal.end("time a")
    before = journal.path.read_text()
    Clocks().write(journal)
    assert journal.path.read_text() == before


def test_only_samples_of_the_card_at_work_count():
    one = Sample(0.0, "0000:18:00.0", 1980.0, 3201.0, 400.0, 50.0, 0)
    other = one._replace(bus="0000:2a:00.0", sm=345.0)
    assert samples_of([one, other], "0000:18:00.0") == [one]
    assert samples_of([one, other], "") == []  # it is not known which
    assert samples_of([one], "0001:18:00.0") == [one]
    assert summary([one._replace(reasons=0x1)]) is None
    mixed = summary([one, one._replace(sm=1500.0, reasons=0x4), one._replace(sm=345.0, reasons=1)])
    assert mixed["lowest_sm"] == 1500
    assert clock_text(mixed) == "1740 MHz, power limit 50%"


def test_older_drivers_know_the_reasons_by_another_name(answers):
    answers(f"case $1 in *event*) echo 'not a valid field to query'; exit 2;; esac; echo '{CARD}'")
    found = looked(lambda c: c.samples)
    assert (found.samples[0].sm, found.samples[0].reasons, found.note) == (1410, 4, None)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'no devices were found'; exit 6", "status 6: no devices were found"),
        ("echo '1, 2'", "fields were asked for"),
        ("exec sleep 60", "did not answer within 0.2 s"),
    ],
)
def test_what_does_not_answer_is_named_and_ended(script, said, answers, monkeypatch):
    monkeypatch.setattr(clocks, "PATIENCE", 0.2)
    answers(script)
    found = looked(lambda c: not c._names)
    assert said in found.note
    assert found._asking is None
    found.look()
    assert found._asking is None  # it is not asked again


def test_a_question_in_progress_ends_with_the_run(answers, tmp_path):
    answers(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    looked(lambda c: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_without_nvidia_smi_the_table_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    journal = Journal(tmp_path / "gpu.jsonl")
    journal.create({"device": "a GPU"})
    found = Clocks()
    found.look()
    journal.begin("check a")
    journal.end("check a")
    found.write(journal)
    said = "clocks: not recorded: nvidia-smi cannot be run: No such file or directory"
    assert report.clocks(journal) == said
