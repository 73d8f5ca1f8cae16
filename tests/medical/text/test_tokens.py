"""Tokens of texts and sequences; byte pairs."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinymed.medical.text import BytePairEncoding, kmers, smiles, words

MOLECULES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[N+](C)(C)CC([O-])=O",
    "N[C@@H](C)C(=O)O",
    "[13CH4].[Na+].[Cl-]",
    r"F/C=C\Br",
    "C1CC%12CCC1C%12",
    "[nH]1cccc1",
    "[Fe++]",
    "[CH3:7]C#N",
    "[OH-].[se]1cccc1",
    "C[Pt@SP1](F)(Cl)[*]",
]


@pytest.mark.parametrize("text", MOLECULES)
def test_the_tokens_of_a_molecule_are_its_text(text):
    assert "".join(smiles(text)) == text


def test_atoms_of_two_letters_and_in_brackets_are_one_token():
    assert smiles("ClC[C@H]%10Brn") == ["Cl", "C", "[C@H]", "%10", "Br", "n"]


@pytest.mark.parametrize(
    ("text", "at"), [("CC?C", 2), ("C[Na", 1), ("[xx]", 0), ("C C", 1), ("CX", 1), ("C%1", 1)]
)
def test_an_unknown_character_is_named_with_row_and_place(text, at):
    with pytest.raises(ValueError, match=re.escape(f"row 7: {text[at]!r} at character {at}")):
        smiles(text, row=7)


def test_an_empty_molecule():
    with pytest.raises(ValueError, match="row 3: the text is empty"):
        smiles("", row=3)


def test_words():
    assert words("Type-2 diabetes, (NOS)") == ["type-2", "diabetes", "nos"]
    assert words("NaCl", lower=False) == ["NaCl"]
    assert words("...") == []


def test_kmers_stride_and_errors():
    assert kmers("ACGTA", 2) == ["AC", "CG", "GT", "TA"]
    assert kmers("ACGTA", 2, stride=2) == ["AC", "GT"]
    assert kmers("ACG", 3) == ["ACG"]
    with pytest.raises(ValueError, match="2 letters, k=3"):
        kmers("AC", 3)
    with pytest.raises(ValueError, match="'X' at letter 2"):
        kmers("ACXT", 1, alphabet="ACGT")
    for k, stride in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            kmers("ACGT", k, stride)


# -------------------------------------------------------------------------------- byte pairs

TEXTS = ["fracture of femur", "fracture of tibia", "fractured tooth", "of of of"]


def naive_merges(texts: list[str], most: int) -> list[tuple[int, int]]:
    """Count all pairs anew for each merge; chunks begin where white space does."""

    from collections import Counter

    chunks = [list(c.encode()) for text in texts for c in re.findall(r"\s*\S+|\s+", text)]
    merges = []
    while len(merges) < most:
        pairs = Counter(pair for c in chunks for pair in itertools.pairwise(c))
        if not pairs or max(pairs.values()) < 2:
            break
        best = max(pairs.values())
        pair = min(p for p, n in pairs.items() if n == best)
        merges.append(pair)
        for number, c in enumerate(chunks):
            out, i = [], 0
            while i < len(c):
                if i + 1 < len(c) and (c[i], c[i + 1]) == pair:
                    out.append(255 + len(merges))
                    i += 2
                else:
                    out.append(c[i])
                    i += 1
            chunks[number] = out
    return merges


@pytest.mark.parametrize("texts", [TEXTS, ["aaaa aaaa aaa"], ["abab abab", "é é é\n\né"]])
def test_merges_are_those_of_counting_anew(texts):
    encoding = BytePairEncoding.train(texts, 256 + 25)
    assert encoding.merges == naive_merges(texts, 25)
    assert BytePairEncoding.train(texts[::-1], 256 + 25).merges == encoding.merges


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_any_text_comes_back_exactly(text):
    encoding = BytePairEncoding.train(TEXTS, 300)
    assert encoding.decode(encoding.encode(text)) == text


def test_what_is_frequent_takes_fewer_tokens():
    encoding = BytePairEncoding.train(TEXTS, 300)
    assert len(encoding.encode("fracture")) == 1
    assert max(encoding.encode("fracture of femur")) < len(encoding)


def test_byte_pair_files_and_errors(tmp_path: Path):
    encoding = BytePairEncoding.train(TEXTS, 280)
    encoding.save(tmp_path / "pairs.json")
    assert BytePairEncoding.load(tmp_path / "pairs.json").merges == encoding.merges
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ValueError, match=r"other.json is not of the format"):
        BytePairEncoding.load(tmp_path / "other.json")
    with pytest.raises(ValueError, match="256 at least"):
        BytePairEncoding.train(TEXTS, 200)
    with pytest.raises(ValueError, match="no text"):
        BytePairEncoding.train([""], 300)
    with pytest.raises(ValueError, match="merge 1 is of 257"):
        BytePairEncoding([(1, 2), (257, 3)])
    with pytest.raises(ValueError, match="twice"):
        BytePairEncoding([(1, 2), (1, 2)])
    with pytest.raises(IndexError, match="id 999, 0 to 265"):
        encoding.decode([999])
    assert encoding.decode([0xC3]) == "\ufffd"
