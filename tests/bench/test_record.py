"""Records come back as they were, comparisons find what is slower, tables and pages are whole."""

from __future__ import annotations

import json
import math
import re
import sys
from html.parser import HTMLParser

import pytest

from tinymed.bench import text
from tinymed.bench.drawing import bars, curves
from tinymed.bench.machine import machine
from tinymed.bench.page import page
from tinymed.bench.record import Figure, Record, Row, exactly, slower
from tinymed.bench.scaling import CURVES, exponent, gains, points, series
from tinymed.bench.sketch import HEIGHT, WIDTH, sketch
from tinymed.bench.timing import Interval
from tinymed.bench.workloads import Network
from tinymed.errors import DataError


def row(candidate="tinymed", median=1e-3, spread=0.1, **more):
    wall = Interval(median, median * (1 - spread), median * (1 + spread), median * (1 - spread), 30)
    settings = {"wall": wall, "cpu": wall, "flops": 1e6, "bytes": 1e3, "limit": 1e-4} | more
    return Row("conv", "8x8", candidate, 1, "timed", **settings)


def ratio(median):
    return Interval(median, median, median, median, 30)


@pytest.fixture
def record():
    ours = row(ours=True, ratio=ratio(0.5), peer="torch fused", goal=0.6, cold=1.5)
    missed = Row("a|b", "<i>", "tinymed", 2, "timed", ours=True, wall=ratio(2e-6), cpu=ratio(4e-6))
    missed = Row(**(vars(missed) | {"ratio": ratio(2.0), "peer": "jax", "goal": 1.0}))
    refused = Row("conv", "8x8", "jax", 1, "disagrees", "result 0: 1.0 is not <2>")
    hidden = Row("conv", "8x8", "mygrad", 1, "cannot", "no code")
    rows = [ours, row("torch", 4e-3), row("torch fused", 2e-3), refused, hidden, missed]
    lines = [
        Row(
            "lstm by length", str(t), "tinymed", 1, "timed", wall=ratio(t * 1e-6), cpu=ratio(t**1.5)
        )
        for t in (10, 100, 1000)
    ]
    limits = {"1": {"flops": 1e11, "bytes": 1e10}, "2": None}
    return Record(machine(), 30, limits, rows, lines, FIGURES)


def figure(work, case, megabytes, **more):
    value = None if megabytes is None else exactly(megabytes * 1e6)
    return Figure(work, case, "tinymed", 1, "measured", "B", ours=True, value=value, **more)


FIGURES = [
    figure("memory", "8x8", 250, goal=300e6),
    *(figure("memory by batch", str(n), n) for n in (8, 16, 32)),
    Figure("import", "", "jax", 1, "not installed", "s", "pip install jax"),
]


def test_a_record_comes_back_as_it_was(record, tmp_path):
    path = tmp_path / "folder" / "record.json"
    record.write(path)
    assert Record.read(path) == record


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 7}', '{"format": 1, "rows": [{"a": 1}], "curves": []}']
)
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"is not a record of format 1 .*tinymed bench --json"):
        Record.read(path)


def test_slower_is_beyond_both_intervals():
    before = [row("a"), row("b"), row("c"), row("gone")]
    now = [row("a", 1.5e-3), row("b", 1.1e-3), row("c", 0.5e-3), row("new", 9.0)]
    assert [found.candidate for found, _ in slower(now, before)] == ["a"]
    assert list(slower(before, before)) == []


def test_rows_without_interval_cannot_tell():
    short = row("a", 5.0, wall=Interval(5.0, None, None, 5.0, 3))
    assert list(slower([short], [row("a")])) == []


def test_a_goal_is_met_or_not_or_there_is_none(record):
    assert [r.met for r in record.rows] == [True, None, None, None, None, False]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.5, "1.5 s"), (0.0123, "12.3 ms"), (4.5e-6, "4.5 us"), (2e-9, "0.002 us")],
)
def test_times_have_a_unit(value, shown):
    assert text.seconds(value) == shown


def test_a_busy_machine_is_named(record):
    for load, lines in ((0.5, 0), (99.0, 1)):
        record.machine["load"] = load
        assert sum("is busy" in line for line in text.header(record)) == lines


def test_the_lines_of_a_contest(record):
    title, first, *others = text.blocks(record.rows[:5])
    assert title == "conv: 8x8, 1 thread"
    assert first.split()[:3] == ["*", "tinymed", "1"]
    for part in ("1.0 GFLOP/s", "10% of the limit", "0.50 of torch fused", "goal 0.6 met"):
        assert part in first
    assert "first call 1.5 s" in first
    assert [line.split()[0] for line in others] == ["torch", "torch", "jax"]
    assert "disagrees: result 0" in others[-1]


def test_the_means_count_goals(record):
    assert list(text.means(record.rows)) == [
        "1 thread: geometric mean of time / fastest peer over rows with a goal (1): 0.50; "
        "1 of 1 goals met",
        "1 thread: geometric mean of time / fastest peer over all rows (1): 0.50; 1 of 1 goals met",
        "2 threads: geometric mean of time / fastest peer over rows with a goal (1): 2.00; "
        "0 of 1 goals met",
        "2 threads: geometric mean of time / fastest peer over all rows (1): 2.00; "
        "0 of 1 goals met",
    ]


def test_the_readme_changes_between_its_markers_only(record, tmp_path):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    for _ in range(2):  # what it wrote it can write again
        text.update_readme(path, record)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["before", "<!-- bench -->"]
    assert lines[-2:] == ["<!-- /bench -->", "after"]
    assert "old" not in lines
    every = [line for line in lines if line.startswith("|")]
    table, figures = every[:4], every[4:]
    assert {line.count("|") for line in table} == {9}
    assert figures == [
        "| figure | threads | of | value | goal |",
        "| --- | --: | --- | --: | --- |",
        "| memory, 8x8 | 1 | tinymed | 250 MB | 300 MB met |",
    ]
    assert table[2].split(" | ")[3:5] == ["1 ms", "torch fused"]
    assert table[2].endswith("| 0.25 | 0.6 met |")
    assert "a/b" in table[3]
    assert "**not met**" in table[3]


@pytest.mark.parametrize(
    "content",
    [
        "no markers",
        "<!-- bench -->",
        "<!-- /bench --> <!-- bench -->",
        "<!-- bench --><!-- bench --><!-- /bench -->",
    ],
)
def test_a_readme_without_markers_is_left_alone(content, record, tmp_path):
    path = tmp_path / "README.md"
    path.write_text(content)
    with pytest.raises(DataError, match="needs a line <!-- bench -->"):
        text.update_readme(path, record)
    assert path.read_text() == content


class Checked(HTMLParser):
    """Collects tags and text, and sees whether what is opened is closed."""

    VOID = {"meta", "line", "circle", "rect", "polyline"}

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        assert not {"src", "href"} & {name for name, _ in attributes}  # it needs nothing else
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole(record):
    pytest.importorskip("jinja2")
    checked = Checked()
    checked.feed(page(record))
    assert checked.open == []
    assert checked.seen.count("svg") == 4
    assert checked.seen.count("h3") == 4
    assert "memory, 8x8" in checked.text
    assert "100 MB" in checked.text  # an axis of memory
    assert "result 0: 1.0 is not <2>" in checked.text
    assert "tinymed, 1 thread: size^1.00" in checked.text
    assert "mygrad" not in checked.text.partition("Side by side")[2]


def test_the_page_names_the_extra_it_needs(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install tinymed\[report\]"):
        page(record)


def test_bars_are_as_long_as_the_times():
    drawn = bars([row("a", 1e-3, limit=None), row("b", 2e-3, limit=None)])
    widths = [float(w) for w in re.findall(r'<rect [^>]* width="([\d.]+)"', drawn)]
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)
    assert bars([Row("w", "c", "a", 1, "failed")]) == ""


def test_curves_lie_on_logarithmic_axes():
    drawn = curves([("a", [(1, 1e-3), (10, 1e-2), (100, 1e-1)])])
    xs, ys = zip(
        *(map(float, p.split(",")) for p in re.search('points="(.*?)"', drawn)[1].split()),
        strict=True,
    )
    assert xs[2] - xs[1] == pytest.approx(xs[1] - xs[0], abs=0.2)
    assert ys[1] - ys[2] == pytest.approx(ys[0] - ys[1], abs=0.2)
    assert ys[0] > ys[2]  # pixels count downwards
    assert curves([]) == ""


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power):
    line = [(x, 3e-4 * x**power) for x in (1.0, 4.0, 16.0, 64.0)]
    assert exponent(line) == pytest.approx(power)
    assert exponent(line[:2]) == pytest.approx(power)
    assert math.isnan(exponent(line[:1]))


def test_curves_of_a_record(record):
    by_length, by_batch = text.lines_of(record)
    assert (by_length.work, by_length.who) == ("lstm by length", "tinymed, 1 thread")
    assert by_length.points == [(t, t * 1e-6) for t in (10, 100, 1000)]
    assert by_batch.points == [(n, n * 1e6) for n in (8, 16, 32)]
    title, *drawn, legend = text.curve_lines([by_length])
    assert title == "lstm by length"
    assert len(drawn) == HEIGHT + 2
    assert legend.startswith("  a tinymed, 1 thread: 10: 10 us, 100: 100 us, 1000: 1 ms; ")
    assert legend.endswith("grows as size^1.00, as work^1.50")  # by the clock; of the core


def curve(power, work="conv by batch", threads=1, seconds=1e-3, ours=True, flops=1.0):
    """Return rows whose time grows with a power of the size, and work with that of ``flops``."""
    return [
        Row(work, str(n), "tinymed", threads, "timed", ours=ours, wall=exactly(seconds * n**power),
            flops=float(n**flops))
        for n in (1, 2, 4, 8)
    ]  # fmt: skip


def test_cost_that_grows_faster_than_the_work_is_named():
    (line,) = text.growth_lines(series(curve(1.2)))
    assert line == "grows faster than the work: conv by batch, tinymed, 1 thread: as work^1.20"
    fine = [*curve(1.05), *curve(2.0, "by channels", flops=2.0), *curve(1.5, "its", ours=False)]
    (line,) = text.growth_lines(series(fine))
    assert line == "no cost grows faster than work^1.1, on 2 curves of tinymed"


@pytest.mark.parametrize(("gain", "short"), [(1.6, True), (1.8, False)])
def test_two_threads_that_gain_little_are_named(gain, short):
    rows = [*curve(1), *curve(1, threads=2, seconds=1e-3 / gain)]
    (_, found), *others = gains(series(rows))
    assert found == pytest.approx([gain] * 2)  # the upper half of the sizes
    assert not others
    *_, line = text.growth_lines(series(rows))
    assert f"2 threads are {gain:.2f} to {gain:.2f} times as fast as one" in line
    assert line.endswith(", less than 1.7") is short
    other = [*curve(1, "lstm"), *curve(1, "lstm", threads=2)]
    assert not list(text.growth_lines(series(other)))[-1].endswith("less than 1.7")


def test_a_sketch_is_logarithmic():
    drawn = list(sketch([[(1, 1e-3), (10, 1e-2), (100, 1e-1)], [(1, 1e-3)]], text.seconds))
    cells = [line.partition("|")[2] for line in drawn[:HEIGHT]]
    places = {(y, x) for y, line in enumerate(cells) for x, c in enumerate(line) if c == "a"}
    assert places == {(0, WIDTH - 1), (HEIGHT // 2, round((WIDTH - 1) / 2))}
    assert cells[-1] == "*"  # both lines begin there
    assert drawn[0].startswith("  100 ms |")
    assert drawn[HEIGHT - 1].startswith("    1 ms |")
    assert drawn[-1].split() == ["1", "100"]
    assert list(sketch([[(5, 2.0)]], text.seconds))[HEIGHT - 1].endswith("|a")


def test_a_goal_without_a_time_is_listed(record):
    refused = Row("mlp, compiled", "32", "tinymed", 1, "refused", "why | not", ours=True, goal=0.25)
    *_, line = text.goal_table([*record.rows, refused])
    assert line == (
        "| mlp, compiled | 32 | 1 | refused: why / not | - | - | - | 0.25 **not met** |"
    )
    assert list(text.means([refused])) == [
        "without a time, so in no mean: mlp, compiled, 1 threads: refused"
    ]


def test_figures_without_a_value_say_why(record):
    assert list(text.figure_block(FIGURES[-1:])) == [
        "import, 1 thread",
        "    jax  not installed: pip install jax",
    ]
    assert list(text.figure_block([Figure("m", "1", "jax", 1, "cannot", "B", "no")])) == []


def test_figures_may_grow_a_little():
    before, now = ([figure("memory", "8", megabytes)] for megabytes in (100, 104))
    assert list(slower(now, before)) == []
    assert list(slower([figure("memory", "8", 106)], before)) != []
    assert list(slower([figure("memory", "8", None)], before)) == []


def test_records_from_before_there_were_figures_are_read(record, tmp_path):
    path = tmp_path / "record.json"
    record.write(path)
    content = json.loads(path.read_text())
    del content["figures"]
    path.write_text(json.dumps(content))
    assert Record.read(path).figures == []
    assert Record.read(path).rows == record.rows


def test_curves_reach_ten_thousand_steps():
    assert max(value for curve in CURVES for value in curve.values) == 10_000
    assert len(list(points())) == sum(len(curve.values) for curve in CURVES)
    assert {workload.name for workload, _ in points("h 64 lstm")} == {
        "LSTM 4x32, H 64, by length",
        "LSTM T 50, D 32, H 64, by batch",
    }
    assert any(isinstance(workload.spec, Network) for workload, _ in points())


def test_what_was_measured_with_some_numbers_of_threads(record):
    one, two = record.with_threads([1]), record.with_threads([2])
    assert [row.candidate for row in one.rows] == [row.candidate for row in record.rows[:5]]
    assert (one.curves, one.figures) == (record.curves, record.figures)
    assert list(one.rooflines) == ["1"]
    assert two.rows == record.rows[5:]
    assert (two.curves, two.figures, two.rooflines) == ([], [], {"2": None})
    assert record.with_threads([1, 2]) == record
