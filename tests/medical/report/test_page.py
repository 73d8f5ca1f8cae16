"""The page of a run: as a parser reads it, as a browser shows it, and the numbers on it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the extra `report` is not installed")
image = pytest.importorskip("matplotlib.image", reason="the extra `report` is not installed")
measures = pytest.importorskip("sklearn.metrics", reason="scikit-learn is the oracle")

from tests.browser import browser, chromium  # noqa: E402
from tinymed import manual_seed, nn  # noqa: E402
from tinymed.medical.imaging.dataset import Split  # noqa: E402
from tinymed.medical.models import NoduleCNN  # noqa: E402
from tinymed.medical.report import run_page  # noqa: E402
from tinymed.medical.report.cases import heat_maps, overlaid, png, random_cases  # noqa: E402
from tinymed.medical.report.evidence import Evidence  # noqa: E402
from tinymed.medical.report.image_page import Judged, write_image_page  # noqa: E402
from tinymed.medical.report.judgement import judgement, subgroup_section  # noqa: E402
from tinymed.medical.report.page import Section, Table, html  # noqa: E402
from tinymed.medical.report.run_page import can_be_drawn, write_page  # noqa: E402

HOSTILE = "<script>window.scripted = true</script>"
QUOTED = 'a" onload="window.scripted = true'
EMPTY = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
LOG = [{"epoch": e, "loss": 1 / e, "lr": 0.1, "val_auc": 0.5 + e / 10} for e in (1, 2, 3)]
METRICS = {
    "auc": 0.7, "auc_ci": [0.6, 0.8], "accuracy": 0.6, "balanced_accuracy": 0.6, "recall": 0.5,
    "specificity": 0.7, "precision": 0.6, "split": "test", "warnings": [HOSTILE],
    "baseline": HOSTILE, "baseline_auc": 0.5,
    "shifts": [{
        "shift": "a sharper kernel", "auc": 0.65, "auc_ci": [0.5, 0.75],
        "difference": -0.05, "difference_ci": [-0.125, 0.01],
    }],
}  # fmt: skip
SPLIT = {"name": HOSTILE, "images": 60, "groups": 20, "class_counts": {"1": 30}}
SHARED = {"first": "train", "second": "test", "groups": 0, "exact": 2, "near": 1, "relabelled": 0}
ABOUT = {
    "task": "lung",
    "model": {"class": "NoduleCNN", "arguments": {"widths": [4, 8]}},
    "preprocessing": {"low": -1000, "high": 400, "mean": 0.5, "std": 0.25},
    "classes": [HOSTILE, QUOTED],
    "threshold": 0.5,
    "threshold_from": "fixed before training",
    "threshold_split": None,
    "data": {"splits": [SPLIT], "shared": [SHARED], "warnings": [], "labels": HOSTILE},
    "training": {
        "best_epoch": 2, "seed": 0, "epochs": 3, "batch_size": 8, "learning_rate": 0.1,
        "quick": False, "data_file": '"><img src=http://example.com/x.png>.npz',
    },
}  # fmt: skip


class Reading(HTMLParser):
    """Tags that close in order, and every address and picture of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.links, self.pictures, self.seen, self.text = [], [], [], set(), ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert len(given) == len(attrs)
        assert not [name for name in given if name.startswith("on")]
        self.links += [given[name] for name in ("src", "href") if name in given]
        self.seen.add(tag)
        if tag == "img":
            self.pictures.append(given)
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def cases(n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(n) % 2
    scores = np.clip(0.5 + 0.2 * (labels - 0.5) + generator.normal(0, 0.2, n), 0, 1)
    return labels, scores, np.arange(n) // 3


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """The page of an image diagnosis whose names are out to break it."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    manual_seed(0)
    network = NoduleCNN(widths=(4, 8)).eval()
    planes = np.random.default_rng(1).normal(size=(60, 1, 16, 16)).astype(np.float32)
    by = {"brightness": lambda images: images.mean((1, 2))}
    labels, scores, groups = cases()
    split = Split(planes[:, 0], labels, groups)
    judged = Judged(split, scores, planes, lambda chosen: heat_maps(network, planes[chosen]))
    write_image_page(folder, ABOUT, METRICS, judged, by)
    return folder / "report.html"


def test_a_parser_finds_everything_and_nothing_foreign(page):
    read = Reading(page.read_text())
    assert "script" not in read.seen
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in read.links)
    assert len(read.pictures) == 1 + 2 + 1 + 1 + 12 + 12
    assert all(picture["alt"] for picture in read.pictures)
    for expected in (
        HOSTILE, "Not for clinical use", "Data and leakage", "Learning curves", "Ranking",
        "Operating points", "Decisions", "Calibration", "Subgroups", "Worst mistakes",
        "Drawn at random", "Model card", "What a label means", "Licence", "brightness",
        "equal images", "Other scanners", "a sharper kernel", "-0.125 to 0.010", "<img src=http://example.com/x.png>",
    ):  # fmt: skip
        assert expected in read.text


def test_a_browser_shows_it_whole_and_fetches_nothing(page):
    if chromium() is None:
        pytest.skip("no Chromium is installed")
    with browser() as tab:
        for width in (1280, 400):
            shown = tab.look_at(page, width)
            assert shown["wide"] <= width, "scrolls sideways"
            assert len(shown["images"]) == 29
            assert all(done and natural and wide for done, natural, wide in shown["images"])
            assert not shown["outside"] + shown["small"]
            assert not shown["scripted"]
        assert tab.errors == []
        outside = {url for url in tab.requests if not url.startswith("data:")}
        assert outside == {page.absolute().as_uri()}


def test_the_browser_tells_of_what_must_not_be(tmp_path):
    if chromium() is None:
        pytest.skip("no Chromium is installed")
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<body style='width:3000px'><img src='http://127.0.0.1:9/x.png'>"
        "<script>window.scripted = true; console.error('so'); nothing()</script>"
    )
    with browser() as tab:
        shown = tab.look_at(bad, 400)
        assert shown["wide"] > 400
        assert shown["scripted"]
        assert not shown["images"][0][1]
        assert len(tab.errors) >= 2
        assert "http://127.0.0.1:9/x.png" in tab.requests


def test_without_the_extra_a_line_says_what_to_install(monkeypatch, capsys):
    assert can_be_drawn()
    monkeypatch.setattr(run_page, "find_spec", lambda name: None if name == "jinja2" else 1)
    assert not can_be_drawn()
    assert "no report.html: it needs jinja2; pip install tinymed[report]" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["classes", "numbers", "nothing"])
def test_pages_of_other_kinds(tmp_path, kind):
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=40)
    if kind == "classes":
        found = generator.dirichlet(np.ones(3), 40)
        evidence = Evidence(truth, found, [HOSTILE, "b", "c"], names=[HOSTILE] * 40)
    else:
        evidence = Evidence(truth * 1.0, truth + generator.normal(size=40))
    for fold in (1, 2):
        (tmp_path / f"fold-{fold}-of-2").mkdir()
        (tmp_path / f"fold-{fold}-of-2" / "log.jsonl").write_text(json.dumps(LOG[0]) + "\n")
    card = {
        "name": "x", "purpose": "p", "data": {"label": "l"}, "splits": {"train": {"n": 1}},
        "split_by": None, "preprocessing": ["a: b"], "network": {}, "training": {},
        "metrics": {"accuracy": 0.5},
    }  # fmt: skip
    write_page(tmp_path, card, None if kind == "nothing" else evidence, quantity="mg $x_{")
    read = Reading((tmp_path / "report.html").read_text())
    assert "script" not in read.seen
    assert len(read.pictures) == 2 + {"classes": 2, "numbers": 1, "nothing": 0}[kind]
    assert "leakage between splits cannot be ruled out" in read.text


@pytest.mark.parametrize("seen", [False, True])
def test_what_is_said_of_the_threshold_is_true(seen):
    labels, scores, groups = cases()
    evidence = Evidence(labels, scores, "ab", 0.4, groups, threshold_seen=seen)
    (part,) = (s for s in judgement(evidence, "") if s.title == "Operating points")
    told = "on these very cases;" if seen else "before these cases were seen;"
    assert f"The threshold of the model was chosen {told}" in part.notes[0]


def test_numbers_of_a_binary_result_are_those_of_scikit_learn():
    labels, scores, groups = cases()
    parts = {s.title: s for s in judgement(Evidence(labels, scores, "ab", 0.4, groups), "")}
    (auc, ap) = parts["Ranking"].tables[0].rows
    assert auc[1] == pytest.approx(measures.roc_auc_score(labels, scores))
    assert ap[1] == pytest.approx(measures.average_precision_score(labels, scores))
    rows = parts["Operating points"].tables[0].rows
    assert rows[0][1] == 0.4
    assert len(rows) == 6
    for _name, threshold, recalled, _, spared, _, precise, negative, called in rows:
        said = scores >= threshold
        assert recalled == pytest.approx(said[labels == 1].mean())
        assert spared == pytest.approx(1 - said[labels == 0].mean())
        assert precise == pytest.approx(labels[said].mean())
        assert negative is None or negative == pytest.approx(1 - labels[~said].mean())
        assert called == f"{said.mean():.1%}"
    for row, wanted in zip(rows[2:], (0.8, 0.9, 0.95, 0.99), strict=True):
        assert row[2] >= wanted


def test_subgroups_are_measured_apart_and_small_ones_say_why():
    labels, scores, groups = cases()
    side = np.array(["first"] * 50 + ["one class"] * 10)
    labels[50:] = 1
    evidence = Evidence(labels, scores, "ab", groups=groups, subgroups={"side": side})
    every, first, single = subgroup_section(evidence).tables[0].rows
    assert every[3] == pytest.approx(measures.roc_auc_score(labels, scores))
    assert first[:3] == ("side", "first", 50)
    assert first[3] == pytest.approx(measures.roc_auc_score(labels[:50], scores[:50]))
    assert first[5] == pytest.approx((scores[:50] >= 0.5)[labels[:50] == 1].mean())
    assert first[6] == pytest.approx((scores[:50] < 0.5)[labels[:50] == 0].mean())
    assert single[:5] == ("side", "one class", 10, None, "")
    assert single[6] is None
    assert single[7]


def test_one_class_only_has_no_curves_and_breaks_nothing():
    evidence = Evidence(np.zeros(12, int), np.linspace(0, 1, 12), ("a", "b"))
    assert [s.title for s in judgement(evidence, "")] == ["Decisions", "Calibration"]
    assert "a" in html("t", "n", judgement(evidence, ""))


def test_a_heat_map_is_red_where_it_speaks_for_and_blue_where_against(tmp_path):
    heat = np.array([[2.0, -2.0], [0.0, 1.0]])
    laid = overlaid(np.full((2, 2, 3), 0.5), heat)
    assert laid[0, 0, 0] > 0.6 > 0.4 > laid[0, 0, 2]
    assert laid[0, 1, 2] > 0.6 > 0.4 > laid[0, 1, 0]
    assert laid[1, 0].tolist() == [0.5] * 3
    (tmp_path / "x.png").write_bytes(png([laid, laid]))
    assert image.imread(tmp_path / "x.png").shape[:2] == (2, 5)


def test_a_network_without_planes_has_no_heat_maps():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    planes = np.ones((2, 1, 8, 8), np.float32)
    assert heat_maps(flat, planes) is None
    assert heat_maps(NoduleCNN(widths=(4, 8)).eval(), planes).shape == (2, 8, 8)


def test_random_cases_do_not_depend_on_the_scores():
    labels, scores, _ = cases()
    first, other = (random_cases(Evidence(labels, s, "ab")) for s in (scores, 1 - scores))
    assert first.tolist() == other.tolist()
    assert len(set(first.tolist())) == 12


def test_evidence_must_fit_itself():
    with pytest.raises(ValueError, match="2 groups for 3 cases"):
        Evidence(np.zeros(3), np.zeros(3), groups=np.zeros(2))
    with pytest.raises(ValueError, match=r"found \(3, 2\) for 3 classes"):
        Evidence(np.zeros(3), np.zeros((3, 2)), "abc")


def test_a_name_that_is_no_utf8_is_shown_as_escapes():
    assert r"d\udce4ta.npz" in html("d\udce4ta.npz", "", [])


def test_a_table_without_rows_is_left_out():
    text = html("t", "n", [Section("s", tables=[Table(("nothing here",), [])])])
    assert "nothing here" not in text
