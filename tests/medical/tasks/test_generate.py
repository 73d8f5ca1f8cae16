"""`tinymed generate`: perplexity, and texts that go on from a beginning."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from tinymed import Tensor, no_grad
from tinymed.cli import main
from tinymed.medical.models import CharacterLSTM
from tinymed.medical.tasks.generate import GENERATE, shifted, writer_of
from tinymed.medical.tasks.task import load_model
from tinymed.medical.text.alphabet import END, Alphabet
from tinymed.medical.text.notes import read_notes
from tinymed.medical.text.synthetic_notes import synthesise_notes
from tinymed.medical.text.writing import Writer, Writing


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    notes = synthesise_notes(50, np.random.default_rng(2))
    rows = [f'"{t}",{g}' for t, g in zip(notes.texts, notes.groups, strict=True)]
    path = tmp_path_factory.mktemp("data") / "texts.csv"
    path.write_text("\n".join(["text,group", *rows]) + "\n")
    return path


def trained(data: Path, out: Path) -> Path:
    arguments = ["generate", "--data", data, "--out", out, "--quick", "--epochs", "3"]
    assert main([str(a) for a in arguments]) == 0
    return out / "model.safetensors"


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    return trained(data, tmp_path_factory.mktemp("run") / "a")


def error_of(capsys, *arguments) -> str:
    assert main([str(a) for a in arguments]) == 1
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("tinymed: error")]
    return line


def test_the_card_says_that_training_texts_may_come_out_again(model):
    assert (
        "may write what it has read, word for word" in (model.parent / "model_card.md").read_text()
    )


def test_metrics_have_the_baseline_beside_them(model):
    metrics = json.loads((model.parent / "metrics.json").read_text())
    assert set(metrics) >= {"perplexity", "baseline_perplexity", "samples", "characters"}
    assert 1 < metrics["baseline_perplexity"] < metrics["perplexity"] < 30
    assert any("does not beat" in warning for warning in metrics["warnings"])


def test_same_seed_same_bits(model, data, tmp_path):
    assert trained(data, tmp_path / "b").read_bytes() == model.read_bytes()


def test_perplexity_is_that_of_one_character_after_the_other(model, data):
    saved = load_model(model)
    examples = GENERATE.read(data)[:7]
    alphabet = Alphabet(saved.about["preprocessing"]["characters"])
    nats, count = 0.0, 0
    for text in examples.inputs:
        ids, state = alphabet.encode(text), None
        for before, after in itertools.pairwise(ids.tolist()):
            with no_grad():
                logits, state = saved.network.read(Tensor(np.array([[before]])), state)
            nats -= float(logits.log_softmax(-1).numpy()[0, 0, after])
            count += 1
    metrics = GENERATE.judged(saved.network, examples, saved.about, "all")
    assert metrics["characters"] == count
    assert metrics["perplexity"] == pytest.approx(np.exp(nats / count), rel=1e-5)


def test_evaluate_judges_a_file_without_splits_whole(model, data, tmp_path):
    target = tmp_path / "m.json"
    assert main(["evaluate", str(model), "--data", str(data), "--json", str(target)]) == 0
    assert json.loads(target.read_text())["n"] == len(read_notes(data).texts)


def test_predict_goes_on_from_each_line_alike_each_time(model, tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("Acute \nChronic\n")
    found = []
    for name in ("a.json", "b.json"):
        assert main(["predict", str(model), str(file), "--json", str(tmp_path / name)]) == 0
        found.append(json.loads((tmp_path / name).read_text()))
    assert found[0] == found[1]
    for each, beginning in zip(found[0], ("Acute", "Chronic"), strict=True):
        assert each["text"].startswith(beginning)
        assert each["likeliest"].startswith(beginning)
        assert "\ufffd" not in each["text"]


def test_a_beginning_that_is_too_long(capsys, model, tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("Acute\n" + "pain " * 60 + "\n")
    message = error_of(capsys, "predict", model, file)
    assert "text 2" in message
    assert "fewer than 200" in message


@pytest.mark.parametrize(
    ("option", "value"), [("--temperature", "0"), ("--top-p", "1.5"), ("--beam", "0")]
)
def test_ways_to_write_that_are_none(capsys, data, tmp_path, option, value):
    arguments = ["generate", "--quick", "--data", data, "--out", tmp_path / "o", option, value]
    assert "Writing" in error_of(capsys, *arguments)


# ---------------------------------------------------------------------------------------- writing


@pytest.fixture
def network():
    generator = np.random.default_rng(0)
    network = CharacterLSTM(5, dim=3, hidden=4, dropout=0.5).eval()
    for parameter in network.parameters():
        parameter.data[...] = generator.normal(size=parameter.shape)
    return network


def mean_log_probability(network: CharacterLSTM, ids: list[int]) -> float:
    with no_grad():
        logits = network(Tensor(np.array([ids[:-1]]))).numpy()[0].astype(np.float64)
    logits[:, [0, 2]] = -np.inf
    chances = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(np.mean([row[i] for row, i in zip(chances, ids[1:], strict=True)]))


def test_a_wide_beam_finds_the_likeliest_text(network):
    alphabet, longest = Alphabet("ab"), 4
    found = Writer(network, alphabet, Writing(beam=100, longest=longest)).likeliest("")
    letters = [alphabet.ids["a"], alphabet.ids["b"]]
    texts = [
        [END, *middle, END]
        for length in range(longest + 1)
        for middle in itertools.product(letters, repeat=length)
    ]
    texts += [[END, *middle] for middle in itertools.product(letters, repeat=longest + 1)]
    best = max(texts, key=lambda ids: mean_log_probability(network, ids))
    assert found == alphabet.decode(best)


def test_top_k_of_one_is_greedy_and_numbers_draw_apart(network):
    greedy = Writer(network, Alphabet("ab"), Writing(top_k=1, longest=12))
    assert greedy.write("a", 0) == greedy.write("a", 1)
    drawn = Writer(network, Alphabet("ab"), Writing(temperature=3.0, top_p=1.0, longest=40))
    assert len({drawn.write("", number) for number in range(9)}) > 1


def test_padding_is_not_read(network):
    short, long = Tensor(np.array([[1, 3]])), Tensor(np.array([[1, 3, 0, 0]]))
    with no_grad():
        assert np.allclose(network(short).numpy(), network(long).numpy()[:, :2])


def test_shifted_batches():
    ids, following = shifted([np.array([1, 3, 4, 1]), np.array([1, 1])])
    assert ids.numpy().tolist() == [[1, 3, 4], [1, 0, 0]]
    assert following.numpy().tolist() == [[3, 4, 1], [1, 0, 0]]


def test_another_network_does_not_write(model):
    from tinymed import nn

    with pytest.raises(TypeError, match="CharacterLSTM expected"):
        writer_of(nn.Linear(2, 2), load_model(model).about["preprocessing"])
