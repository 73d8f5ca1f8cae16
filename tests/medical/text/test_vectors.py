"""Vectors: neighbours, files that gensim reads and writes, agreement with what people say."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed.medical.text import (
    WordVectors,
    draw_word_map,
    evaluate_word_analogies,
    evaluate_word_pairs,
    principal_components,
    spearman,
)

WORDS = ["man", "king", "woman", "queen", "Fièvre", "l'", "zero"]


def vectors() -> WordVectors:
    numbers = np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)
    numbers[3] = numbers[1] - numbers[0] + numbers[2]  # the queen is where she is expected
    numbers[6] = 0
    return WordVectors(WORDS, numbers)


def gensim_models() -> Any:
    """Return gensim.models, whose import warns of what is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("gensim.models")


def test_neighbours_are_those_of_cosines_one_by_one():
    given = vectors()
    direction = given["king"] / np.linalg.norm(given["king"])
    cosines = {
        word: float(given[word] @ direction / (np.linalg.norm(given[word]) or 1))
        for word in WORDS
        if word != "king"
    }
    found = given.most_similar("king", topn=100)
    assert [word for word, _ in found] == sorted(cosines, key=lambda w: -cosines[w])
    np.testing.assert_allclose([c for _, c in found], sorted(cosines.values())[::-1], rtol=1e-5)
    assert abs(given.similarity("king", "queen") - cosines["queen"]) < 1e-6
    assert given.similarity("king", "zero") == 0
    assert len(given.most_similar("king", topn=2)) == 2
    assert given.nearest_to(given["king"], 1)[0][0] == "king"


def test_analogies_by_hand():
    assert vectors().most_similar(["king", "woman"], ["man"], topn=1)[0][0] == "queen"
    assert "man" not in dict(vectors().most_similar(negative="man"))


def test_words_and_numbers_that_are_refused():
    given = vectors()
    with pytest.raises(KeyError, match="no word 'quean'; near it are 'queen'"):
        given["quean"]
    with pytest.raises(KeyError, match="no word 'x'"):
        given.most_similar("king", "x")
    with pytest.raises(ValueError, match="no word given"):
        given.most_similar()
    with pytest.raises(ValueError, match="topn 0"):
        given.most_similar("king", topn=0)
    for wrong in ([1.0], [np.nan] * 5):
        with pytest.raises(ValueError, match="nearest_to"):
            given.nearest_to(wrong)
    with pytest.raises(ValueError, match="'b' holds NaN"):
        WordVectors(["a", "b"], [[1], [np.inf]])
    with pytest.raises(ValueError, match="twice"):
        WordVectors(["a", "a"], [[1], [2]])
    with pytest.raises(ValueError, match=r"\(2, 1\) for 1 words"):
        WordVectors(["a"], [[1], [2]])


# ------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("binary", [False, True])
def test_files_come_back_to_the_bit(tmp_path: Path, binary):
    given = vectors()
    given.save(tmp_path / "v", binary=binary)
    again = WordVectors.load(tmp_path / "v", binary=binary)
    assert again.words == given.words
    assert again.vectors.tobytes() == given.vectors.tobytes()


@pytest.mark.parametrize("binary", [False, True])
def test_gensim_reads_our_files_and_we_read_gensims(tmp_path: Path, binary):
    keyed = gensim_models().KeyedVectors
    given = vectors()
    given.save(tmp_path / "ours", binary=binary)
    theirs = keyed.load_word2vec_format(str(tmp_path / "ours"), binary=binary)
    assert theirs.index_to_key == given.words
    assert theirs.vectors.tobytes() == given.vectors.tobytes()
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=binary)
    again = WordVectors.load(tmp_path / "theirs", binary=binary)
    assert again.words == given.words
    np.testing.assert_allclose(again.vectors, given.vectors, rtol=1e-6)


def test_files_of_glove_have_no_first_line(tmp_path: Path):
    (tmp_path / "v").write_text("a 1 2\nb 3 4.5\n")
    given = WordVectors.load(tmp_path / "v", no_header=True)
    assert given["b"].tolist() == [3, 4.5]


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        (b"", {}, "numbers of words"),
        (b"a 1 2\n", {}, "no_header=True"),
        (b"0 2\n", {}, "0 words of 2"),
        (b"2 2\na 1 2\n", {}, "has 1 words, 2 expected"),
        (b"2 2\na 1 2\nb 3\n", {}, "line 3: 1 numbers"),
        (b"1 2\na 1 x\n", {}, "line 2: .*'x'"),
        (b"1 2\na 1 nan\n", {}, "'a' holds NaN"),
        (b"", {"no_header": True}, "has 0 words"),
        (b"2 2\na 12345678", {"binary": True}, "fewer than 2 words"),
        (b"2 2\n" + b"a" * 30, {"binary": True}, "ends within word 0"),
        (b"2 2\nab 12345678b 12345", {"binary": True}, "ends within word 1"),
        (b"1 1\n", {"binary": True, "no_header": True}, "no_header=False"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content, settings, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        WordVectors.load(tmp_path / "v", **settings)


def test_words_with_white_space_cannot_be_saved(tmp_path: Path):
    for word in ("a b", "", "a\n", "a\u00a0b"):
        with pytest.raises(ValueError, match="white space"):
            WordVectors([word], [[1]]).save(tmp_path / "v")


# -------------------------------------------------------------------------------- agreement


def test_pairs(tmp_path: Path):
    path = tmp_path / "pairs.tsv"
    path.write_text("# a comment\nman\tking\t3\n\nking\tQueen\t9.5\nman\twoman\t5\nman\tnone\t1\n")
    found = evaluate_word_pairs(vectors(), path)
    pairs = [("man", "king"), ("king", "queen"), ("man", "woman")]
    cosines = [vectors().similarity(a, b) for a, b in pairs]
    assert (found.pairs, found.unknown) == (3, 1)
    np.testing.assert_allclose(found.pearson, np.corrcoef(cosines, [3, 9.5, 5])[0, 1])
    for content, message in (("a b 3\n", "line 1"), ("a\tb\tx\n", "line 1"), ("", "0 pairs")):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            evaluate_word_pairs(vectors(), path)


def test_analogies(tmp_path: Path):
    path = tmp_path / "questions.txt"
    path.write_text(
        ": family\nman king woman queen\nMan king woman l'\n: rest\nman woman king queen\na b c d\n"
    )
    found = evaluate_word_analogies(vectors(), path)
    assert found.sections == {"family": (1, 2), "rest": (1, 1)}
    assert (found.correct, found.total, found.unknown) == (2, 3, 1)
    assert abs(found.accuracy - 2 / 3) < 1e-12
    path.write_text("a b c\n")
    with pytest.raises(ValueError, match="line 1: 3 words"):
        evaluate_word_analogies(vectors(), path)
    path.write_text(": none\n")
    assert np.isnan(evaluate_word_analogies(vectors(), path).accuracy)


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_scipys(ties):
    stats = pytest.importorskip("scipy.stats")
    a, b = np.random.default_rng(0).standard_normal((2, 50)).round(0 if ties else 9)
    np.testing.assert_allclose(spearman(a, b), stats.spearmanr(a, b).statistic, rtol=1e-12)


def test_scores_on_gensims_own_sets_are_gensims(tmp_path: Path):
    models = gensim_models()
    folder = Path(models.__file__).parents[1] / "test" / "test_data"
    lines = (folder / "wordsim353.tsv").read_text().lower().splitlines()
    names = {word for line in lines if line[0] != "#" for word in line.split("\t")[:2]}
    lines = (folder / "questions-words.txt").read_text().lower().splitlines()[:40]
    names |= {word for line in lines if line[0] != ":" for word in line.split()}
    rng = np.random.default_rng(0)
    given = WordVectors(sorted(names)[::2], rng.standard_normal((len(sorted(names)[::2]), 20)))
    given.save(tmp_path / "v")
    theirs = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"))
    for name in ("wordsim353.tsv", "simlex999.txt"):
        pearson, ranks, missing = theirs.evaluate_word_pairs(str(folder / name))
        found = evaluate_word_pairs(given, folder / name)
        np.testing.assert_allclose(found.spearman, ranks.statistic, atol=1e-5)
        np.testing.assert_allclose(found.pearson, pearson.statistic, atol=1e-5)
        share = 100 * found.unknown / (found.unknown + found.pairs)
        np.testing.assert_allclose(share, missing)
    sections = theirs.evaluate_word_analogies(str(folder / "questions-words.txt"))[1]
    found = evaluate_word_analogies(given, folder / "questions-words.txt")
    expected = {s["section"]: (len(s["correct"]), len(s["correct"]) + len(s["incorrect"]))
                for s in sections[:-1]}  # fmt: skip
    assert found.total > 0
    assert {n: s for n, s in expected.items() if s[1]} == found.sections


# ----------------------------------------------------------------------------------- picture


def test_principal_components_are_those_of_the_covariance():
    x = np.random.default_rng(0).standard_normal((30, 4)) * [3, 1, 0.5, 2]
    places, shares = principal_components(x, 3)
    values, directions = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(shares, values[::-1][:3] / values.sum(), rtol=1e-12)
    expected = (x - x.mean(axis=0)) @ directions[:, ::-1][:, :3]
    np.testing.assert_allclose(abs(places), abs(expected), atol=1e-12)
    assert (places[abs(places).argmax(axis=0), range(3)] > 0).all()
    with pytest.raises(ValueError, match="5 components"):
        principal_components(x, 5)


def test_a_map_of_words(tmp_path: Path):
    pytest.importorskip("matplotlib")
    draw_word_map(WordVectors(["$x", "b_{", "c"], np.eye(3)), tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(KeyError, match="no word 'none'"):
        draw_word_map(vectors(), tmp_path / "map.png", ["king", "none"])
    with pytest.raises(ValueError, match="1 words"):
        draw_word_map(vectors(), tmp_path / "map.png", ["king"])
