"""`tinymed notes`: from a file to a model, and answers to bad files."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tinymed import Tensor, no_grad
from tinymed.cli import main
from tinymed.medical.models import NoteClassifier
from tinymed.medical.tasks.examples import Examples, with_variants
from tinymed.medical.tasks.notes import NOTES, attention, natural, padded
from tinymed.medical.tasks.task import load_model
from tinymed.medical.text import word_parts
from tinymed.medical.text.notes import read_icd10, read_notes
from tinymed.medical.text.synthetic_notes import synthesise_notes
from tinymed.medical.text.tfidf import TfidfClassifier

pytest.importorskip("scipy", reason="the baseline needs the extra `medical`")


def write(path: Path, rows: list[list[str]], header: str = "text,label,group,split") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Notes with splits by family."""
    notes = synthesise_notes(90, np.random.default_rng(3))
    rows = [
        [text, label, group, ("train", "train", "train", "val", "test")[int(group[1:]) // 6 % 5]]
        for text, label, group in zip(notes.texts, notes.labels, notes.groups, strict=True)
    ]
    return write(tmp_path_factory.mktemp("data") / "notes.csv", rows)


def trained(data: Path, out: Path) -> Path:
    arguments = ["notes", "--data", data, "--out", out, "--quick", "--epochs", "9"]
    assert main([str(a) for a in arguments]) == 0
    return out / "model.safetensors"


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    return trained(data, tmp_path_factory.mktemp("run") / "a")


def error_of(capsys, *arguments) -> str:
    assert main([str(a) for a in arguments]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("tinymed: error")]
    return line


# ---------------------------------------------------------------------------------- the command


def test_the_card_says_that_the_model_holds_words_of_the_notes(model):
    card = (model.parent / "model_card.md").read_text()
    assert "lists the words that came 2 times or more in the training notes" in card


def test_metrics_have_the_baseline_beside_them(model):
    metrics = json.loads((model.parent / "metrics.json").read_text())
    assert metrics["split"] == "test"
    assert set(metrics) >= {"accuracy", "balanced_accuracy", "baseline", "baseline_accuracy"}
    assert metrics["accuracy"] > metrics["baseline_accuracy"]  # names of families are new
    assert metrics["accuracy"] > 0.5


def test_same_seed_same_bits(model, data, tmp_path):
    assert trained(data, tmp_path / "b").read_bytes() == model.read_bytes()


def test_evaluate_repeats_the_metrics_and_judges_a_file_without_splits_whole(
    model, data, tmp_path, capsys
):
    target = tmp_path / "m.json"
    assert main(["evaluate", str(model), "--data", str(data), "--json", str(target)]) == 0
    metrics = json.loads((model.parent / "metrics.json").read_text())
    again = json.loads(target.read_text())
    assert {k: metrics[k] for k in again if k != "warnings"} == {
        k: v for k, v in again.items() if k != "warnings"
    }
    with data.open() as file:
        rows = [row[:2] for row in csv.reader(file)][1:]
    whole = write(tmp_path / "whole.csv", rows, "text,label")
    assert main(["evaluate", str(model), "--data", str(whole), "--json", str(target)]) == 0
    assert json.loads(target.read_text())["n"] == len(rows)


def test_predict_names_classes_with_probabilities(model, tmp_path):
    file, target = tmp_path / "new.txt", tmp_path / "p.json"
    file.write_text("Acute gastritis, left side\nNeuralgia due to drug in a very long note\n")
    assert main(["predict", str(model), str(file), "--json", str(target)]) == 0
    first, second = json.loads(target.read_text())
    assert first["class"] == "digestive"
    assert 0 < second["probability"] <= 1
    assert len(second["then"].split(", ")) == 2
    # Alone or beside a longer one, a note's probabilities are the same: padding is not read.
    file.write_text("Acute gastritis, left side\n")
    assert main(["predict", str(model), str(file), "--json", str(target)]) == 0
    assert json.loads(target.read_text())[0]["probability"] == pytest.approx(
        first["probability"], rel=1e-5
    )


def test_attention_has_a_weight_for_each_word(model):
    found = attention(load_model(model), "Acute gastritis, left")
    assert [word for word, _ in found] == ["acute", "gastritis", "left"]
    assert sum(weight for _, weight in found) == pytest.approx(1, abs=1e-6)


def test_families_on_two_sides_are_refused(capsys, tmp_path):
    rows = [[f"pain {i}", str(i % 2), f"g{i % 3}", ("train", "val")[i % 2]] for i in range(20)]
    file = write(tmp_path / "x.csv", rows)
    assert "in train and in val" in error_of(
        capsys, "notes", "--data", file, "--out", tmp_path / "o"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("text,label\npain,1\n,2\n", "line 3: the text is empty"),
        ("text,label\npain,\n", "line 2: the label is empty"),
        ("text,label\n???,1\n", "line 2: the text '???' has no word"),
        ("note,label\npain,1\n", "one named text expected"),
        ("text,label\npain, left,1\n", "line 2: more fields"),
        ("text,label\n", "no note"),
        ("text,label,Patient_ID\npain,1,7\n", "column 'Patient_ID' is not known; call it 'group'"),
        ("text,label,Group\npain,1,7\n", "column 'Group' is not known; call it 'group'"),
        ("", "one named text expected"),
        ('text,label\n"pain,1\n', "unexpected end of data"),
        (f"text,label\n{'pain ' * 2000},1\n", "line 2: a text of"),
    ],
)
def test_bad_files(capsys, tmp_path, content, told):
    file = tmp_path / "x.csv"
    file.write_text(content)
    message = error_of(capsys, "notes", "--data", file, "--out", tmp_path / "o")
    assert told in message
    assert "x.csv" in message


def test_bytes_that_are_no_text(capsys, tmp_path):
    file = tmp_path / "x.csv"
    file.write_bytes(b"text,label\n\xff\xfe,1\n")
    assert "UTF-8" in error_of(capsys, "notes", "--data", file, "--out", tmp_path / "o")


def test_labels_that_are_no_classes(capsys, model, tmp_path):
    file = write(tmp_path / "x.csv", [["pain", "digestive"], ["pain", "strange"]], "text,label")
    message = error_of(capsys, "evaluate", model, "--data", file)
    assert "'strange' of note 2" in message


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_label_that_training_lacks_is_told_with_its_row_before_anything_is_learned(
    capsys, data, tmp_path, split
):
    with data.open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    held = [number for number, row in enumerate(rows, 1) if row[3] == split]
    for number in held[-2:]:
        rows[number - 1][1] = "unheard"
    path = write(tmp_path / "d.csv", rows, ",".join(header))
    assert main(["notes", "--data", str(path), "--out", str(tmp_path / "out"), "--quick"]) == 1
    printed = capsys.readouterr()
    said = f"label 'unheard' of note {held[-2]} (and 1 more) is none of the 6 classes"
    assert said in printed.err
    assert "parameters" not in printed.out  # no network was made
    assert not (tmp_path / "out").exists()


def test_a_single_class_is_told_before_anything_is_learned(capsys, tmp_path):
    file = write(tmp_path / "x.csv", [[f"pain {i}", "a"] for i in range(9)], "text,label")
    message = error_of(capsys, "notes", "--data", file, "--out", tmp_path / "o")
    assert "all training notes are 'a', two classes expected" in message
    assert not (tmp_path / "o").exists()


def test_a_file_without_labels_is_not_learned_from(capsys, tmp_path):
    file = write(tmp_path / "x.csv", [["pain"]] * 9, "text")
    assert "no targets" in error_of(capsys, "notes", "--data", file, "--out", tmp_path / "o")


# ------------------------------------------------------------------------------------- its parts


def test_the_network_reads_no_padding_and_has_right_gradients():
    generator = np.random.default_rng(0)
    network = NoteClassifier(9, 3, dim=4, channels=2, dropout=0, word_dropout=0).double()
    for parameter in network.parameters():
        parameter.data[...] = generator.normal(size=parameter.shape)
    ids = np.array([[[3, 7], [4, 0], [0, 0]], [[5, 8], [3, 6], [4, 2]]])
    longer = np.zeros((2, 5, 3), np.int64)
    longer[:, :3, :2] = ids
    with no_grad():
        assert np.allclose(network(Tensor(ids)).numpy(), network(Tensor(longer)).numpy())
        weights = network.attention(Tensor(ids)).numpy()
    assert weights[0, 2] == 0
    assert np.allclose(weights.sum(1), 1)
    wanted = generator.normal(size=(2, 2, 3))
    (network(Tensor(ids)) * wanted).sum().backward()
    for name, parameter in network.named_parameters():
        direction, before, values = (
            generator.normal(size=parameter.shape),
            parameter.data.copy(),
            [],
        )
        for step in (1e-6, -1e-6):
            parameter.data[...] = before + step * direction
            with no_grad():
                values.append(float((network(Tensor(ids)) * wanted).sum().item()))
        parameter.data[...] = before
        if name == "vectors.weight":
            direction[0] = 0  # padding is never read
        exact = float((parameter.grad.numpy() * direction).sum())
        assert exact == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7), name


def test_the_wide_view_is_a_linear_function_of_unit_vectors():
    network = NoteClassifier(6, 2, dim=2, channels=2).double().eval()
    weight = np.random.default_rng(1).normal(size=(6, 2))
    network.wide.weight.data[...] = weight
    network.wide.rarity.data[...] = [0, 0, 1.0, 2.0, 3.0, 4.0]
    x = np.array([0, 0, 2.0, 0, 0, 4.0])  # part 2 is there twice
    expected = x / np.linalg.norm([1, 1, 4]) @ weight
    found = network(Tensor(np.array([[[2, 5], [2, 0]]]))).detach().numpy()[0, 0]
    assert np.allclose(found, expected)


def test_parts_of_words():
    parts = word_parts.WordParts(["femur"], buckets=10_000, shortest=3, longest=4)
    known, unknown = parts.of_word("femur"), parts.of_word("femurs")
    assert (known[0], unknown[0]) == (2, 1)
    assert len(known) == 1 + 5 + 4  # <fe fem emu mur ur> and <fem femu emur mur>
    assert len(set(known[1:]) & set(unknown[1:])) == 7  # all but those with the end of femur
    frequency = parts.frequencies(["femur", "femur tibia", "tibia"])
    assert frequency[2] == pytest.approx(4 * (np.log(4 / 3) + 1))
    assert frequency[0] == frequency[1] == 0


def test_padded_batches():
    ids, targets = padded([(np.ones((1, 3), np.int64), 4), (np.ones((2, 1), np.int64), 5)])
    assert ids.shape == (2, 2, 3)
    assert ids.numpy().sum() == 5
    assert targets.numpy().tolist() == [4, 5]


def test_labels_are_sorted_as_people_do():
    assert sorted(["10", "b", "9", "a"], key=natural) == ["9", "10", "a", "b"]


def test_the_baseline_is_what_scikit_learn_finds():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    linear = pytest.importorskip("sklearn.linear_model")
    notes = synthesise_notes(60, np.random.default_rng(0))
    texts, labels = notes.texts.tolist(), notes.labels
    ours = TfidfClassifier(strength=3.0, iterations=1000).fit(texts[::2], labels[::2])
    vectoriser = text.TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+(?:['’\-]\w+)*")
    x = vectoriser.fit_transform(texts[::2])
    assert np.allclose(ours.features(texts[::2]).toarray(), x.toarray())
    theirs = linear.LogisticRegression(C=3.0, max_iter=2000, tol=1e-6).fit(x, labels[::2])
    assert (
        np.mean(ours.predict(texts[1::2]) == theirs.predict(vectoriser.transform(texts[1::2])))
        > 0.99
    )
    assert np.allclose(ours.weight[:-1].T, theirs.coef_, atol=0.02)


def test_icd10_has_families_and_chapters():
    pytest.importorskip("simple_icd_10_cm", reason="the extra `datasets` is not here")
    notes = read_icd10()
    assert len(notes.texts) > 40_000
    assert set(notes.labels.tolist()) == set(map(str, range(1, 22)))
    place = notes.texts.tolist().index("Typhoid fever")
    assert (notes.labels[place], notes.groups[place]) == ("1", "A01")
    assert notes.wordings[place][0] == "Infection due to Salmonella typhi"
    above = notes.wordings[notes.texts.tolist().index("Typhoid and paratyphoid fevers")]
    assert "Intestinal infectious diseases (A00-A09)" in above
    assert NOTES.read(Path("icd10")).targets is not None


def test_wordings_of_training_notes_are_learned_from_and_others_are_not(tmp_path):
    rows = [
        [f"{name} {place}", label, f"{name}{n}", split, wordings]
        for n, (split, place) in enumerate([("train", "left"), ("val", "right"), ("test", "up")])
        for name, label, wordings in (("calf", "leg", "shin|knee, old | "), ("palm", "arm", ""))
    ]
    file = write(tmp_path / "x.csv", rows, "text,label,group,split,wordings")
    notes = read_notes(file)
    assert notes.wordings.tolist() == [("shin", "knee, old"), ()] * 3
    splits = NOTES.divided(argparse.Namespace(data=file, seed=0))
    assert splits["train"].inputs.tolist() == ["calf left", "palm left", "shin", "knee, old"]
    assert splits["train"].targets.tolist() == ["leg", "arm", "leg", "leg"]
    assert splits["train"].groups.tolist() == ["calf0", "palm0", "calf0", "calf0"]
    assert splits["test"].inputs.tolist() == ["calf up", "palm up"]


def test_variants_are_there_once_for_a_target():
    variants = np.empty(3, object)
    variants[:] = [("b", "c", "c"), (), ("a", "d")]
    examples = Examples(np.array(["a", "b", "e"]), np.array([0, 1, 0]), variants=variants)
    found = with_variants(examples)
    assert found.inputs.tolist() == ["a", "b", "e", "b", "c", "d"]
    assert found.targets.tolist() == [0, 1, 0, 0, 0, 0]
    assert with_variants(found) is found


def test_a_text_file_has_a_note_in_each_line(tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("pain, left\ncough\n")
    assert read_notes(file).texts.tolist() == ["pain, left", "cough"]
