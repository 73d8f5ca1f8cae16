"""Sequences: alphabets, FASTA and CSV, families, synthetic genes and peptides."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from tinymed.errors import DataError
from tinymed.medical.sequences import (
    DNA,
    PROTEIN,
    read_sequences,
    similarity_groups,
    synthesise_junctions,
    synthesise_peptides,
    synthesise_promoters,
)

CLASSES = ("ei", "ie", "n")


def read(path, alphabet=DNA, classes=CLASSES, shortest=2, longest=100):
    return read_sequences(path, alphabet, classes, shortest, longest)


def test_ambiguous_bases_are_mixtures_of_what_they_stand_for():
    rows = DNA.encode("acgtRDSNu")
    assert rows[:4].tolist() == np.eye(4).tolist()
    np.testing.assert_allclose(rows[4], [0.5, 0, 0.5, 0])  # purine: A or G
    np.testing.assert_allclose(rows[5], [1 / 3, 0, 1 / 3, 1 / 3])  # D: not C
    np.testing.assert_allclose(rows[6], [0, 0.5, 0.5, 0])  # strong: C or G
    np.testing.assert_allclose(rows[7], [0.25] * 4)
    assert rows[8].tolist() == rows[3].tolist()


@pytest.mark.parametrize("alphabet", [DNA, PROTEIN])
def test_rows_of_all_codes_sum_to_one(alphabet):
    rows = alphabet.encode(alphabet.letters + "".join(alphabet.mixtures))
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("text", ["ACGE", "AC-G", "AC G", "ACβ"])
def test_letters_of_no_alphabet_are_refused_with_their_place(text):
    with pytest.raises(ValueError, match="at letter"):
        DNA.encode(text)


def test_csv_and_fasta_say_the_same(tmp_path):
    table = tmp_path / "x.csv"
    table.write_text("cls,seq,group\nei,acgt,a\n\nn,GGNN,b\n")
    fasta = tmp_path / "x.fasta.gz"
    fasta.write_bytes(gzip.compress(b">1 label=ei group=a\nac\nGT\n>2 group=b label=n\nGGNN\n"))
    assert read(table) == read(fasta)
    assert read(table).labels == ["ei", "n"]
    assert read(table).sequences == ["ACGT", "GGNN"]
    plain = tmp_path / "y.fa"
    plain.write_text(">only a name\nACGT\n")
    assert read(plain).labels is None


def test_modlamp_csv_is_read(tmp_path):
    path = tmp_path / "AMPvsUniProt.csv"
    path.write_text("2,1,UniProt,AMP\nGLWSKIKE, 1\nMKRTYQPN, 0\n")
    found = read(path, PROTEIN, ("0", "1"))
    assert found.labels == ["1", "0"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "cls,seq\nei,ACGT\nei,ACXT\n", "row 2"),
        ("a.csv", "cls,seq\nei,ACGT\nXX,ACGT\n", "class 'XX'"),
        ("a.csv", "cls,sequences\nei,ACGT\n", "'seq'"),
        ("a.csv", "cls,seq\nei,A\n", "1 letters, 2 to 100"),
        ("a.csv", "cls,seq\nei,ACGT,9\n", "3 cells"),
        ("a.csv", "cls,seq,group\nei,ACGT,\n", "group is empty"),
        ("a.csv", "", "empty"),
        ("a.csv", "cls,seq\n", "no row"),
        ("a.fa", "ACGT\n", "without a header"),
        ("a.fa", ">x\n>y\nACGT\n", "no sequence"),
        ("a.fa", ">x label=ei\nACGT\n>y\nACGT\n", "no label="),
        ("a.csv.gz", "no gzip", "gzip"),
    ],
)
def test_bad_files_are_one_clear_error(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_families_are_what_chains_of_shared_words_join():
    generator = np.random.default_rng(0)
    drawn = ["".join(generator.choice(list("ACGT"), 60)) for _ in range(30)]
    shifted = [text[7:] + "ACGTACG" for text in drawn[:10]]
    groups = similarity_groups(drawn + shifted, k=8, share=0.4)
    assert len(set(groups[:30].tolist())) == 30
    assert groups[30:].tolist() == groups[:10].tolist()


def test_families_agree_with_comparing_all_pairs():
    generator = np.random.default_rng(1)
    texts = ["".join(generator.choice(list("AB"), int(n))) for n in generator.integers(2, 9, 40)]
    words = [{t[i : i + 3] for i in range(max(len(t) - 3, 0) + 1)} for t in texts]
    groups = list(range(40))
    for i in range(40):
        for j in range(i):
            if len(words[i] & words[j]) >= 0.6 * min(len(words[i]), len(words[j])):
                old, new = groups[i], groups[j]
                groups = [new if g == old else g for g in groups]
    found = similarity_groups(texts, 3, 0.6)
    pairs = {(a, b) for a, b in zip(groups, found.tolist(), strict=True)}
    assert len(pairs) == len(set(groups)) == len(set(found.tolist()))


@pytest.mark.parametrize(("synthesise", "alphabet"), [
    (synthesise_junctions, DNA), (synthesise_promoters, DNA), (synthesise_peptides, PROTEIN),
])  # fmt: skip
def test_synthetic_sequences_repeat_and_hold_families(synthesise, alphabet):
    first, again = (synthesise(60, np.random.default_rng(3)) for _ in range(2))
    assert first == again
    for text in first.sequences:
        alphabet.encode(text)
    label_of = dict(zip(first.groups, first.labels, strict=True))
    assert all(label_of[g] == x for g, x in zip(first.groups, first.labels, strict=True))
    assert len(set(first.groups)) == 60 < len(first.sequences)
