"""Records come back as they were, comparisons find what is slower, tables and pages are whole."""

from __future__ import annotations

import math
import re
import sys
from html.parser import HTMLParser

import pytest

from tinymed.bench import text
from tinymed.bench.drawing import bars, curves
from tinymed.bench.machine import machine
from tinymed.bench.page import page
from tinymed.bench.record import Record, Row, slower
from tinymed.bench.scaling import CURVES, exponent, points, series
from tinymed.bench.timing import Interval
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
        Row("lstm by length", str(t), "tinymed", 1, "timed", wall=ratio(t * 1e-6), cpu=ratio(1.0))
        for t in (10, 100, 1000)
    ]
    limits = {"1": {"flops": 1e11, "bytes": 1e10}, "2": None}
    return Record(machine(), 30, limits, rows, lines)


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
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 2
    assert {line.count("|") for line in table} == {9}
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
    assert checked.seen.count("svg") == 3
    assert checked.seen.count("h3") == 3
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
    ((name, who, line),) = series(record.curves)
    assert (name, who) == ("lstm by length", "tinymed, 1 thread")
    assert line == [(t, t * 1e-6) for t in (10, 100, 1000)]
    (text_line,) = text.curve_lines(record.curves)
    assert text_line.endswith("grows as size^1.00")


def test_curves_reach_ten_thousand_steps():
    assert max(value for curve in CURVES for value in curve.values) == 10_000
    assert len(list(points())) == sum(len(curve.values) for curve in CURVES)
