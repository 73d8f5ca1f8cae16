"""``tinymed check`` finds what was planted, and nothing in what is clean."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the simple model needs the extra `medical`")

from tinymed.cli import main
from tinymed.errors import DataError
from tinymed.medical.check import Collection, collect, examine
from tinymed.medical.check.findings import cramers_v

SIDE = 24


def images_of(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy images, those of class 1 with a bright disc."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    disc = np.hypot(*np.mgrid[-12:12, -12:12]) < 6
    images = generator.normal(90, 25, (n, SIDE, SIDE)) + 60 * labels[:, None, None] * disc
    return np.clip(images, 0, 255).astype(np.uint8), labels


def saved(path, images, labels, groups, parts):
    """Write splits of these lengths, one after the other."""
    arrays, start = {}, 0
    for name, size in parts.items():
        chosen = slice(start, start + size)
        arrays |= {
            f"{name}_images": images[chosen],
            f"{name}_labels": labels[chosen],
            f"{name}_groups": groups[chosen],
        }
        start += size
    np.savez(path, **arrays)
    return path


def test_clean_images_have_no_problem(tmp_path):
    images, labels = images_of(120)
    path = saved(tmp_path / "x.npz", images, labels, np.arange(120) // 2, {"train": 80, "test": 40})
    found = examine(collect(path))
    assert (found.form, found.cases) == ("images", 120)
    assert found.problems == found.warnings == found.duplicates == []
    assert [(s.name, s.cases, s.classes) for s in found.splits] == [
        ("train", 80, {"0": 40, "1": 40}), ("test", 40, {"0": 20, "1": 20})]  # fmt: skip


@pytest.fixture
def faulty(tmp_path):
    """120 images: a patient in both splits, a copy, a turned copy, a dead one, wrong labels."""
    images, labels = images_of(120)
    images[100] = images[3]  # test has what train has
    images[103] = np.clip(images[5].astype(int) * 1.1 + 4, 0, 255)[::-1].T  # near, turned
    images[7] = 50
    labels = labels.copy()
    labels[[10, 21]] = 1 - labels[[10, 21]]
    groups = np.arange(120)
    groups[90] = 1
    return saved(tmp_path / "x.npz", images, labels, groups, {"train": 80, "test": 40})


def test_what_was_planted_is_found(faulty):
    found = examine(collect(faulty))
    assert found.shared_groups == {"train/test": ["1"]}
    pairs = {(d.first, d.second): d for d in found.duplicates}
    assert set(pairs) == {(3, 100), (5, 103)}
    assert pairs[3, 100].kind == "exact"
    assert pairs[3, 100].other_split
    assert pairs[3, 100].other_label
    assert pairs[5, 103].kind == "near"
    assert not pairs[5, 103].other_label
    assert found.constant == [7]
    assert {10, 21} <= {doubt.case for doubt in found.doubts}
    assert len(found.doubts) < 8
    assert [doubt.suggested for doubt in found.doubts if doubt.case == 10] == ["0"]
    assert len(found.problems) == 3
    assert any("1 groups are in both: 1" in each for each in found.problems)
    assert any("constant or empty: 7" in each for each in found.warnings)


class Reading(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_command_prints_a_table_and_writes_json_and_a_page(faulty, tmp_path, capsys):
    target, page = tmp_path / "f.json", tmp_path / "f.html"
    arguments = ["check", str(faulty), "--json", str(target)]
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError:
        assert main(arguments) == 0
    else:
        assert main([*arguments, "--page", str(page)]) == 0
        read = Reading(page.read_text())
        assert "script" not in read.tags
        assert all(link.startswith(("data:image/png", "#")) for link in read.links)
        assert "cases 3 and 100: exact" in read.text
        assert "looks like" in read.text
    out = capsys.readouterr().out.splitlines()
    assert "problem: train/test: 1 groups are in both: 1" in out
    assert "exact duplicates  1      1              1              1" in out
    found = json.loads(target.read_text())
    assert found["duplicates"][0]["second"] == 100
    assert found["constant"] == [7]


def test_tables_of_images_with_sites(tmp_path):
    pillow = pytest.importorskip("PIL.Image", reason="reading pictures needs the extra `medical`")
    images, labels = images_of(24)
    lines = ["image,label,group,split,site"]
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        pillow.fromarray(image).save(tmp_path / f"{i}.png")
        lines.append(f"{i}.png,{label},p{i},{'train' if i < 12 else 'test'},{'ab'[label]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    found = examine(collect(tmp_path))
    assert [(s.name, s.cases, s.classes) for s in found.sites] == [
        ("a", 12, {"0": 12, "1": 0}), ("b", 12, {"0": 0, "1": 12})]  # fmt: skip
    assert found.site_and_class == 1
    assert any("the site says much about the class" in each for each in found.warnings)
    assert found.doubter == "labels were not doubted: a class has fewer than 20 cases"


def test_sequences_hostile_ones_too(tmp_path, capsys):
    generator = np.random.default_rng(1)
    letters = np.array(list("ACGT"))
    sequences = ["".join(letters[generator.integers(4, size=60)]) for _ in range(90)]
    sequences[40] = sequences[2]
    sequences[50] = "A" + sequences[9][:-1]
    rows = [f"{s},{('ei', 'ie', 'n')[i % 3]},g{i}" for i, s in enumerate(sequences)]
    path = tmp_path / "<script>alert(1)<script>.csv"
    path.write_text("seq,cls,group\n" + "\n".join(rows))
    found = examine(collect(path))
    assert found.form == "dna:splice"
    kinds = [(d.first, d.second, d.kind, d.other_group) for d in found.duplicates]
    assert kinds == [(2, 40, "exact", True), (9, 50, "near", True)]
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    assert main(["check", str(path), "--page", str(tmp_path / "p.html")]) == 0
    assert "script" not in Reading((tmp_path / "p.html").read_text()).tags


def test_molecules_written_differently_are_one(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("smiles,solubility\nCCO,1\nOCC,1\nc1ccccc1,2\nCCN,0\n")
    found = examine(collect(path))
    assert found.form == "drug:solubility"
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [(0, 1, "near")]
    assert found.doubter == "labels were not doubted: there are no classes"


def test_notes_are_read_and_doubted(tmp_path):
    texts = [f"{('pain in the chest', 'fracture of the leg')[i % 2]} number {i}" for i in range(60)]
    labels = ["heart" if i % 2 == 0 else "bone" for i in range(60)]
    labels[8] = "bone"
    texts[30] = texts[4].upper()
    rows = [f"{t},{label},g{i}" for i, (t, label) in enumerate(zip(texts, labels, strict=True))]
    path = tmp_path / "n.csv"
    path.write_text("text,label,group\n" + "\n".join(rows))
    found = examine(collect(path))
    assert found.form == "notes"
    assert [(d.case, d.label, d.suggested) for d in found.doubts] == [(8, "bone", "heart")]
    assert [(d.first, d.second, d.kind) for d in found.duplicates] == [(4, 30, "near")]


def test_what_nothing_reads_is_said(tmp_path, capsys):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        collect(tmp_path / "none.npz")
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"none of what is known; images: .*drug:toxicity: "):
        collect(path)
    assert main(["check", str(path), "--as", "notes"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_colours_and_volumes_are_looked_at_too():
    images, labels = images_of(60)
    colours, volumes = np.stack([images] * 3, axis=-1), np.stack([images] * 5, axis=1)
    for inputs in (colours, volumes):
        inputs[50] = inputs[0]
        found = examine(Collection("x", "images", inputs, labels=labels, classes=["0", "1"]))
        assert [(d.first, d.second, d.kind) for d in found.duplicates] == [(0, 50, "exact")]
        assert "simple model is right" in found.doubter


def test_cramers_v_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats.contingency")
    generator = np.random.default_rng(0)
    sites, labels = generator.integers(4, size=80), generator.integers(3, size=80)
    table = np.zeros((4, 3), int)
    np.add.at(table, (sites, labels), 1)
    assert cramers_v(sites, labels) == pytest.approx(stats.association(table, method="cramer"))
    assert cramers_v(sites, np.zeros(80)) is None
