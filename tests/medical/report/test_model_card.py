"""The model card as a Markdown reader sees it."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.medical.report.model_card import REQUIRED, model_card, write_model_card

markdown_it = pytest.importorskip("markdown_it", reason="no Markdown reader (it comes with rich)")
READER = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])

FACTS = {
    "name": "nodules",
    "purpose": "Tell nodules from vessels.",
    "data": {"file": "a.npz", "label": "1: radiologists marked a nodule here; not pathology"},
    "splits": {"train": {"images": 70, "patients": 7}, "test": {"images": 30, "patients": 3}},
    "split_by": "patient",
    "preprocessing": ["window -1000 .. 400 HU"],
    "network": {"class": "NoduleCNN", "parameters": 26_000},
    "training": {"epochs": 30, "lr": 3e-3},
    "threshold": "recall 0.9 on val",
    "metrics": {"n": 30, "auc": 0.91234, "auc_ci": [0.85, 0.95], "recall": float("nan")},
}


class Reading(HTMLParser):
    """The cells, list items, headings and paragraphs of a page, as text."""

    def __init__(self, text):
        super().__init__()
        self.blocks, self.tags, self.current = [], set(), None
        self.feed(READER.render(text))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("td", "th", "li", "h1", "h2", "p", "code"):
            self.current = []

    def handle_endtag(self, tag):
        if tag in ("td", "th", "li", "h1", "h2", "p", "code") and self.current is not None:
            self.blocks.append("".join(self.current))
            self.current = None

    def handle_data(self, data):
        if self.current is not None:
            self.current.append(data)


def test_a_reader_finds_every_fact():
    facts = {
        **FACTS,
        "baseline": {"size alone": 0.71, "radius": {"auc": 0.7, "auc_ci": (0.6, 0.8)}},
        "warnings": ["8 images are twins"],
        "limits": ["axial patches only"],
        "results_on": "test",
        "reproduce": ["tinymed lung --data a.npz", "echo '```'"],
    }
    page = Reading(model_card(facts))
    for block in (
        "Model card: nodules",
        "file: a.npz",
        "What a label means. 1: radiologists marked a nodule here; not pathology",
        "Threshold. recall 0.9 on val",
        "8 images are twins",
        "axial patches only",
        "parameters: 26000",
        "lr: 0.003",
        "0.9123",
        "0.85 to 0.95",
        "undefined",
        "size alone",
        "0.71",
        "0.6 to 0.8",
        "tinymed lung --data a.npz\necho '```'\n",
    ):
        assert block in page.blocks
    text = " ".join(page.blocks)
    assert "Not a medical device." in text
    assert "Split by patient: all images of one patient are in one split" in text
    headings = ["Purpose", "Data", "Preprocessing", "Network", "Training"]
    headings += ["Results on test", "Limits", "How to reproduce"]
    assert [block for block in page.blocks if block in headings] == headings


def test_unknown_patients_are_said_to_be_unknown():
    text = model_card({**FACTS, "split_by": None})
    assert "It is not known which images are of the same patient" in text
    assert "all images of one" not in text


def test_optional_sections_are_left_out():
    text = model_card(FACTS)
    for words in ("baseline", "How to reproduce", "Warnings", "Results on"):
        assert words not in text


def test_numpy_numbers_are_numbers():
    text = model_card({**FACTS, "metrics": {"auc": np.float64(0.5), "n": np.int64(3)}})
    assert "| auc | 0.5 |  |" in text
    assert "| n | 3 |  |" in text


HOSTILE = "a|b*c_d`e<script>&lt;#[x](y) ~~z~~ $m$ \\ {} !"


def test_hostile_names_stay_text():
    facts = {
        **FACTS,
        "name": HOSTILE,
        "data": {"file": HOSTILE, "label": HOSTILE},
        "splits": {"train": {HOSTILE: 3}},
        "metrics": {HOSTILE: 1},
    }
    page = Reading(model_card(facts))
    assert f"Model card: {HOSTILE}" in page.blocks
    assert f"file: {HOSTILE}" in page.blocks
    assert page.blocks.count(HOSTILE.replace("_", " ")) == 1
    assert page.blocks.count(HOSTILE) == 1
    assert page.tags <= {"h1", "h2", "p", "strong", "ul", "li", "table", "thead", "tbody"} | {
        "tr",
        "th",
        "td",
    }


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_text_is_shown_as_it_is(text):
    shown = " ".join(text.split())
    page = Reading(model_card({**FACTS, "purpose": text, "warnings": [text], "name": f"x{shown}"}))
    assert page.blocks[0] == f"Model card: x{shown}"
    if shown:
        assert page.blocks.count(shown) >= 2  # the purpose and the warning


@pytest.mark.parametrize("key", REQUIRED)
def test_missing_facts_are_named(key):
    facts = {name: value for name, value in FACTS.items() if name != key}
    with pytest.raises(ValueError, match=rf"model_card: facts lack {{'{key}': "):
        model_card(facts)


def test_unknown_facts_are_named():
    with pytest.raises(ValueError, match=r"facts \['metric'\] are unknown; known are"):
        model_card({**FACTS, "metric": 1})
    with pytest.raises(ValueError, match="'label' expected"):
        model_card({**FACTS, "data": {"file": "x"}})


def test_the_file_is_utf8(tmp_path):
    write_model_card(tmp_path / "card.md", {**FACTS, "name": "Röntgen"})
    assert (tmp_path / "card.md").read_bytes().startswith("# Model card: Röntgen\n".encode())


def test_a_name_that_is_no_utf8_is_shown_as_escapes(tmp_path):
    """So the system hands over the name of a file that was written as Latin-1."""
    facts = {**FACTS, "data": {"source": "d\udce4ta.npz", "label": "1: nodule"}}
    write_model_card(tmp_path / "card.md", facts)
    assert r"d\udce4ta.npz" in (tmp_path / "card.md").read_text(encoding="utf-8")
