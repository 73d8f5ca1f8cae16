"""Vocabularies and corpora: order, unknown tokens, files, what is refused."""

from pathlib import Path

import numpy as np
import pytest

from tinymed.medical.text import Corpus, Vocabulary, encode_corpus

DOCUMENTS = [["b", "a", "a"], ["c", "b", "a", "d"]]


def test_frequent_tokens_come_first_and_equal_ones_in_abc_order():
    vocabulary = Vocabulary.from_documents(DOCUMENTS)
    assert vocabulary.tokens == ("a", "b", "c", "d")
    assert vocabulary.counts.tolist() == [3, 2, 1, 1]
    assert Vocabulary.from_documents(DOCUMENTS[::-1]).tokens == vocabulary.tokens


def test_specials_unknown_min_count_and_size():
    vocabulary = Vocabulary.from_documents(
        DOCUMENTS, min_count=2, specials=("<pad>", "b"), unknown="<unk>"
    )
    assert vocabulary.tokens == ("<unk>", "<pad>", "b", "a")
    assert vocabulary.counts.tolist() == [0, 0, 2, 3]
    assert vocabulary.encode(["a", "zebra"]).tolist() == [3, 0]
    assert vocabulary.encode_known(["a", "zebra"]).tolist() == [3]
    assert vocabulary.decode([3, 1]) == ["a", "<pad>"]
    assert len(Vocabulary.from_documents(DOCUMENTS, max_size=3, specials=("<pad>",))) == 3


def test_files(tmp_path: Path):
    vocabulary = Vocabulary.from_counts({"Fièvre": 3, "\n": 1, '"': 2}, unknown="?")
    vocabulary.save(tmp_path / "v.json")
    again = Vocabulary.load(tmp_path / "v.json")
    assert again.tokens == vocabulary.tokens
    assert again.counts.tolist() == vocabulary.counts.tolist()
    assert again.unknown == "?"
    for text, message in (("{", "no JSON"), ('{"a": 1}', "format"), ("[1]", "format")):
        with pytest.raises(ValueError, match=message):
            Vocabulary.from_json(text)


def test_a_token_that_is_not_there_is_named_with_those_near_it():
    vocabulary = Vocabulary(["fracture", "femur"])
    with pytest.raises(KeyError, match=r"'fractur'; near it are 'fracture'"):
        vocabulary["fractur"]
    with pytest.raises(KeyError, match="of type int"):
        vocabulary[5]
    for wrong in (-1, 2):
        with pytest.raises(IndexError, match=f"id {wrong}, 0 to 1"):
            vocabulary.decode([0, wrong])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([],), "no tokens"),
        ((["a", "a"],), "'a' is there twice"),
        ((["a"], [1, 2]), "counts"),
        ((["a"], [-1]), "counts"),
        ((["a"], None, "b"), "unknown 'b'"),
    ],
)
def test_what_is_no_vocabulary(given, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(*given)


def test_documents_that_are_none():
    with pytest.raises(TypeError, match="document 1 is the string 'some text'"):
        Vocabulary.from_documents([["a"], "some text"])
    with pytest.raises(TypeError, match="a string"):
        Vocabulary.from_documents("text")
    with pytest.raises(ValueError, match="document 1 is empty"):
        Vocabulary.from_documents([["a"], []])
    with pytest.raises(ValueError, match="min_count=9 times, the most frequent 3 times"):
        Vocabulary.from_documents(DOCUMENTS, min_count=9)


def test_a_corpus_leaves_out_what_has_no_id_unless_there_is_an_unknown():
    corpus = encode_corpus(DOCUMENTS, Vocabulary(["a", "b"]))
    assert corpus.words.tolist() == [1, 0, 0, 1, 0]
    assert corpus.starts.tolist() == [0, 3, 5]
    corpus = encode_corpus(DOCUMENTS, Vocabulary(["a", "?"], unknown="?"))
    assert corpus.words.tolist() == [1, 0, 0, 1, 1, 0, 1]
    with pytest.raises(ValueError, match="document 0 is empty"):
        encode_corpus([[]], Vocabulary(["a"]))


@pytest.mark.parametrize("size", [1, 5, 6, 7, 100])
def test_jobs_are_the_documents_in_parts(size):
    starts = np.array([0, 3, 3, 4, 11, 12])
    corpus = Corpus(np.arange(12), starts)
    parts = list(corpus.jobs(size))
    assert np.concatenate([part.words for part in parts]).tolist() == list(range(12))
    lengths = np.concatenate([np.diff(part.starts) for part in parts])
    assert lengths.tolist() == np.diff(starts).tolist()
    assert all(len(part.words) <= size or len(part) == 1 for part in parts)
