"""``tinymed bench``, ``verify`` and ``kernels``, as they are typed."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from tinymed.bench import command, roofline, worker
from tinymed.bench.added import load_added
from tinymed.bench.record import Figure, Record, exactly
from tinymed.bench.worker import Finding, Request, findings, measure
from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.kernels import KERNELS

from .kernels import NAME

RIGHT = "def double(x, factor):\n    return x * x.dtype.type(factor)\n"


@pytest.fixture
def inside(monkeypatch, fake):
    """Measure in this process, where the fake kernel is; its roofline is known."""
    limit = roofline.Roofline(1e9, 1e9)
    monkeypatch.setattr(roofline, "measured", lambda: limit)
    monkeypatch.setattr(command, "measure", findings)
    return fake


def test_bench_writes_all_that_is_asked_for(inside, tmp_path, capsys):
    pytest.importorskip("jinja2")
    readme = tmp_path / "README.md"
    readme.write_text("<!-- bench -->\n<!-- /bench -->\n")
    record, page = tmp_path / "record.json", tmp_path / "page.html"
    options = ["--repeats", "6", "--threads", "1", "--json", record, "--html", page]
    assert main(["bench", NAME, *map(str, options), "--readme", str(readme)]) == 0
    out = capsys.readouterr().out
    assert "fake.double: 64, 1 thread" in out
    assert "numba_cpu:wrong   disagrees: result 0" in out
    written = Record.read(record)
    assert {row.candidate for row in written.rows} == {*KERNELS[NAME].implementations}
    assert written.rooflines == {"1": {"flops": 1e9, "bytes": 1e9}}
    assert written.repeats == 6
    assert "fake.double: 128" in page.read_text()
    assert "| work | sizes |" in readme.read_text()

    assert main(["bench", "--from", str(record), "--compare", str(record)]) == 0
    assert "no row is slower or larger" in capsys.readouterr().out
    faster = json.loads(record.read_text())
    for row in faster["rows"]:
        if row["wall"]:
            row["wall"] = {name: value / 1000 for name, value in row["wall"].items()}
    before = tmp_path / "before.json"
    before.write_text(json.dumps(faster))
    assert main(["bench", "--from", str(record), "--compare", str(before)]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("slower: fake.double") == 4
    assert f"4 rows are slower or larger than in {before}" in shown.err


def test_bench_on_words(inside, tmp_path):
    (first, *others) = findings(Request((NAME,), only="DOUBLE 128", repeats=1))
    assert first.rows == []
    assert [one.rows[0].case for one in others] == ["128"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nothing.here"], "bench: no kernel 'nothing.here'; there are"),
        (["--peers", "tensorflow"], "no peer 'tensorflow'"),
        (["--threads", "0"], "--threads 0 are not numbers from 1 to"),
        (["--threads", "x"], "--threads x are not"),
        (["--repeats", "0"], "--repeats 0 is not positive"),
        (["--from", "missing.json"], "missing.json"),
        (["--add", "missing.py"], "no file missing.py"),
    ],
)
def test_bad_options_are_named(options, message, capsys):
    assert main(["bench", *options]) == 1
    assert message in capsys.readouterr().err


def test_a_users_kernel_joins_the_table(inside, tmp_path, capsys):
    mine = tmp_path / "mine.py"
    mine.write_text(f'KERNEL = "{NAME}"\n{RIGHT}')
    assert main(["bench", "--add", str(mine), "--repeats", "1", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert len([line for line in out.splitlines() if line.split()[:1] == ["mine"]]) == 2
    assert main(["verify", "--add", str(mine)]) == 1  # the fake's own wrong one
    assert f"{NAME} on mine: agrees on 4 cases" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (RIGHT, DataError, "does not say which kernel it is; write KERNEL ="),
        ("KERNEL = 'a.b'\n" + RIGHT, LookupError, r"has KERNEL = 'a\.b'; there are "),
        ("KERNEL = 'fake.double'\n", DataError, r"has no function double\(x, factor\) for fake"),
        ("KERNEL = 'fake.double'\ndouble = 3\n", DataError, r"has no function double\(x, factor\)"),
        (
            "KERNEL = 'fake.double'\ndef double(x): ...\n",
            TypeError,
            r"has double\(x\), fake.double is double\(x, factor\)",
        ),
        ("1 / 0\n", DataError, "raises ZeroDivisionError: division by zero"),
        ("def (\n", DataError, "raises SyntaxError"),
    ],
)
def test_each_way_a_users_file_can_be_wrong(content, error, message, fake, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(content)
    with pytest.raises(error, match=message):
        load_added(path, [])


def test_a_users_file_is_a_file_of_python(tmp_path, fake):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_added(tmp_path, [])
    text = tmp_path / "mine.txt"
    text.write_text(RIGHT)
    with pytest.raises(DataError, match=r"must end in \.py"):
        load_added(text, [])


def test_the_kernel_may_be_named_on_the_command_line(fake, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    found = load_added(path, [NAME])
    assert (found.kernel, found.name) == (NAME, "mine")
    path.write_text(f"KERNEL = {NAME!r}\n{RIGHT}")
    with pytest.raises(LookupError, match="not among the kernels asked for: conv"):
        load_added(path, ["conv.forward", "conv.grad_input"])


def test_verify_says_what_disagrees(fake, capsys):
    assert main(["verify", "fake"]) == 1
    shown = capsys.readouterr()
    assert f"{NAME} on numba_cpu:right: agrees on 4 cases" in shown.out
    assert "1 implementations disagree with the reference" in shown.err
    del fake.implementations["numba_cpu:wrong"]
    assert main(["verify", NAME]) == 0


def test_kernels_are_listed_with_their_rules(fake, capsys):
    assert main(["kernels", "list", NAME]) == 0
    assert "numba_cpu:right: a test" in capsys.readouterr().out
    assert main(["kernels"]) == 0
    assert "conv.forward" in capsys.readouterr().out


def test_kernels_are_warmed(fake, capsys, monkeypatch):
    pytest.importorskip("numba")
    from tinymed.kernels import compiled

    seen = []
    for name in ("right", "wrong", "absent"):

        def run(x, factor, name=name):
            seen.append((name, x.dtype.name, len(x)))
            if len(seen) == 1:
                compiled.announce("double")

        fake.loaded[f"numba_cpu:{name}"] = run
    before = compiled.announce
    assert main(["kernels", "warm", NAME, "--float64"]) == 0
    assert "compiled 1 functions in" in capsys.readouterr().out
    assert compiled.announce is before
    sizes = (3, 5, 64, 128)
    assert [s for s in seen if s[0] == "right"] == [
        ("right", dtype, n) for n in sizes for dtype in ("float32", "float64")
    ]


def test_warm_says_what_it_needs(monkeypatch, capsys):
    monkeypatch.setattr("tinymed.bench.warm.find_spec", lambda name: None)
    assert main(["kernels", "warm"]) == 1
    assert "pip install tinymed[fast]" in capsys.readouterr().err


def test_the_first_compilation_is_said_once(capsys, monkeypatch):
    pytest.importorskip("numba")
    from tinymed import cli
    from tinymed.kernels import compiled

    before = compiled.announce
    try:
        cli.say_when_compiling()
        assert capsys.readouterr().err == ""
        compiled.announce("one")
        compiled.announce("two")
        assert capsys.readouterr().err.count("compiling kernels, once") == 1
    finally:
        compiled.announce = before


def test_a_process_of_its_own_measures():
    request = Request(workloads=True, only="mlp", repeats=1, threads=1)
    first, eager, compiled = measure(request)
    assert first.rows == []
    (row,) = eager.rows
    assert (row.work, row.candidate, row.threads) == ("MLP 30-64-32-2 step", "tinymed", 1)
    assert (row.state, row.wall.samples) == ("timed", 1)
    (row,) = compiled.rows
    assert row.work == "MLP 30-64-32-2 step, compiled"
    assert row.state == ("timed" if find_spec("numba") else "not installed"), row.note


def test_a_process_that_fails_is_said():
    request = Request(kernels=("nothing.here",), threads=1)
    with pytest.raises(RuntimeError, match="the process that measures ended with 1"):
        list(measure(request))


def test_first_calls_are_timed_once_for_each_implementation(inside, monkeypatch):
    asked = []

    def seconds(*given):
        asked.append(given)
        return 2.5

    monkeypatch.setattr("tinymed.bench.cold.cold_seconds", seconds)
    found = list(findings(Request((NAME,), cold=True, repeats=1)))
    assert asked == [(NAME, "64", "numba_cpu:right")]
    assert [row.cold for one in found for row in one.rows if row.cold] == [2.5]


def test_scaling_gives_curves(inside, monkeypatch):
    from tinymed.bench import scaling
    from tinymed.bench.workloads import Adam

    curve = scaling.Curve("adam by size", (10, 20), Adam)
    monkeypatch.setattr(scaling, "CURVES", (curve, scaling.Curve("other", (1,), Adam)))
    monkeypatch.setattr(worker, "CURVE_REPEATS", 1)
    _, *found = findings(Request(scaling=True, only="SIZE adam"))
    assert [(one.curve, one.rows[0].case, one.rows[0].wall.samples) for one in found] == [
        (True, "10", 1),
        (True, "20", 1),
    ]


@pytest.fixture
def asked(monkeypatch):
    """What a command would have measured."""
    seen = []

    def measured(request):
        seen.append((request.kernels != (), request.workloads, request.scaling, request.threads))
        return iter([Finding([])])

    monkeypatch.setattr(command, "measure", measured)
    for name in ("memory_figures", "import_figures"):
        monkeypatch.setattr(command, name, lambda *given, name=name: seen.append(name) or [])
    return seen


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ([], [(True, True, False, 1), "memory_figures", "import_figures"]),
        (["--scaling"], [(False, False, True, 1)]),
        (["conv", "--scaling"], [(True, False, True, 1)]),
        (["workloads"], [(False, True, False, 1)]),
        (["memory", "--threads", "1"], ["memory_figures"]),
        (["import", "workloads"], [(False, True, False, 1), "import_figures"]),
    ],
)
def test_what_is_named_is_measured(what, expected, asked):
    assert main(["bench", *what, *([] if "--threads" in what else ["--threads", "1"])]) == 0
    assert asked == expected


def test_figures_are_shown_recorded_and_compared(monkeypatch, tmp_path, capsys):
    sizes = iter([100e6, 106e6, 104e6])

    def figures(peers, threads, only):
        value = exactly(next(sizes))
        yield [Figure("memory", "x", "tinymed", threads, "measured", "B", "", True, value, 101e6)]

    monkeypatch.setattr(command, "memory_figures", figures)
    paths = [tmp_path / f"{name}.json" for name in "abc"]
    for path in paths:
        assert main(["bench", "memory", "--threads", "1", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "memory: x, 1 thread\n  * tinymed  100 MB  goal 101 MB met\n" in out
    assert "106 MB  goal 101 MB not met" in out
    compare = ["--compare", str(paths[0])]
    assert main(["bench", "--from", str(paths[1]), *compare]) == 1
    shown = capsys.readouterr().out
    assert "larger: memory: x, tinymed, 1 threads: 100 MB then, 106 MB now (1.06 times)" in shown
    assert main(["bench", "--from", str(paths[2]), *compare]) == 0


def test_a_record_is_shown_for_the_threads_that_are_asked_for(monkeypatch, tmp_path, capsys):
    def figures(peers, threads, only):
        yield [Figure("memory", "x", "tinymed", threads, "measured", "B", value=exactly(1e6))]

    monkeypatch.setattr(command, "memory_figures", figures)
    monkeypatch.setattr(command, "cores", lambda: 2)
    path = str(tmp_path / "record.json")
    assert main(["bench", "memory", "--threads", "1,2", "--json", path]) == 0
    for asked, shown in (("1", [1, 0]), ("2", [0, 1]), ("2, 1, 64", [1, 1])):
        capsys.readouterr()
        assert main(["bench", "--from", path, "--threads", asked]) == 0
        out = capsys.readouterr().out
        assert [out.count("memory: x, 1 thread\n"), out.count("memory: x, 2 threads\n")] == shown
    assert main(["bench", "--from", path, "--threads", "3"]) == 1
    assert f"bench: --threads 3: {path} has 1, 2 threads" in capsys.readouterr().err
    assert main(["bench", "--from", path, "--threads", "0"]) == 1
    assert "bench: --threads 0 are not numbers >= 1" in capsys.readouterr().err


def test_the_help_names_what_can_be_measured(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in (*command.SUBJECTS, "KERNEL", "--scaling"))


def test_a_name_stands_for_a_kernel_or_an_operation():
    assert command.selected(["conv.forward"], "bench") == ["conv.forward"]
    assert set(command.selected(["conv"], "bench")) == {n for n in KERNELS if n[:5] == "conv."}
    assert command.selected([], "bench") == sorted(KERNELS)
    with pytest.raises(LookupError, match="verify: no kernel 'convolution'"):
        command.selected(["convolution"], "verify")
