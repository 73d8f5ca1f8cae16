"""Vectors that we trained, judged on the sets that gensim ships: our scores beside gensim's own."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinymed.medical.text import (
    Word2Vec,
    WordVectors,
    evaluate_word_analogies,
    evaluate_word_pairs,
    words,
)

pytest.importorskip("numba", reason="training by the reference takes minutes")
if importlib.util.find_spec("gensim") is None:
    pytest.skip("needs gensim, whose scores are compared", allow_module_level=True)


def gensim() -> Any:
    """Return gensim, whose import warns of what is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gensim.models

        return gensim


@pytest.fixture(scope="module")
def folder() -> Path:
    found = Path(gensim().__file__).parent / "test" / "test_data"
    if not (found / "lee_background.cor").is_file():
        pytest.skip("this gensim was installed without its test data")
    return found


@pytest.fixture(scope="module")
def both(folder, tmp_path_factory) -> tuple[WordVectors, Any]:
    """Vectors of the words of 300 news articles, here and in gensim."""
    lines = (folder / "lee_background.cor").read_text(encoding="utf-8").splitlines()
    model = Word2Vec(vector_size=50, min_count=2, sg=1, epochs=30, alpha=0.05, seed=1)
    ours = model.train([words(line) for line in lines])
    path = tmp_path_factory.mktemp("vectors") / "v"
    ours.save(path, binary=True)
    theirs = gensim().models.KeyedVectors.load_word2vec_format(str(path), binary=True)
    assert theirs.vectors.tobytes() == ours.vectors.tobytes()
    return ours, theirs


@pytest.mark.parametrize("name", ["wordsim353.tsv", "simlex999.txt"])
def test_similarity_correlates_as_gensim_says(name, folder, both):
    ours, theirs = both
    found = evaluate_word_pairs(ours, folder / name)
    pearson, ranks, out_of_vocabulary = theirs.evaluate_word_pairs(str(folder / name))
    assert found.pairs > 50
    np.testing.assert_allclose(found.spearman, ranks.statistic, atol=1e-6)
    np.testing.assert_allclose(found.pearson, pearson.statistic, atol=1e-6)
    share = 100 * found.unknown / (found.unknown + found.pairs)
    np.testing.assert_allclose(share, out_of_vocabulary, atol=1e-6)


def test_analogies_are_answered_as_by_gensim_in_every_section(folder, both):
    ours, theirs = both
    path = folder / "questions-words.txt"
    found = evaluate_word_analogies(ours, path)
    score, sections = theirs.evaluate_word_analogies(str(path))
    expected = {
        each["section"]: (len(each["correct"]), len(each["correct"]) + len(each["incorrect"]))
        for each in sections
    }
    assert expected.pop("Total accuracy") == (found.correct, found.total)
    assert {name: counts for name, counts in expected.items() if counts[1]} == found.sections
    assert len(found.sections) > 5
    assert found.total > 500
    assert found.correct > 0
    np.testing.assert_allclose(found.accuracy, score, atol=1e-6)


def test_neighbours_and_sums_are_gensims(both):
    ours, theirs = both
    for given in (["government"], ["australia", "minister"], ["police"]):
        found = ours.most_similar(given, ["cricket"], topn=20)
        expected = theirs.most_similar(given, ["cricket"], topn=20)
        assert [word for word, _ in found] == [word for word, _ in expected]
        np.testing.assert_allclose([c for _, c in found], [c for _, c in expected], atol=1e-6)
