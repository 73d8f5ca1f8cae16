"""The other strand, base by base from a table written out; twice is the sequence again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinymed.medical.sequences import (
    DNA,
    RandomStrand,
    reverse_complement,
    reverse_complement_rows,
)

# Cornish-Bowden (1985), table 2
TABLE = dict(zip("ACGTURYSWKMBDHVN", "TGCAAYRSWMKVHDBN", strict=True))
CODES = st.text("".join(c for c in TABLE if c != "U"), max_size=50)


def test_each_code_has_its_partner():
    for code, partner in TABLE.items():
        assert reverse_complement(code) == partner
        assert reverse_complement(code.lower()) == partner.lower()


@given(CODES)
def test_the_other_strand_is_written_from_its_end(sequence):
    assert reverse_complement(sequence) == "".join(TABLE[code] for code in reversed(sequence))
    assert reverse_complement(reverse_complement(sequence)) == sequence


@given(CODES.filter(len))
def test_rows_of_the_other_strand_are_its_encoding(sequence):
    found = reverse_complement_rows(DNA.encode(sequence))
    np.testing.assert_allclose(found, DNA.encode(reverse_complement(sequence)))


def test_further_columns_stay_with_their_place():
    rows = np.hstack([DNA.encode("AAC"), [[1.0], [2.0], [3.0]]])
    found = reverse_complement_rows(np.stack([rows, rows]))
    np.testing.assert_array_equal(found[1, :, :4], DNA.encode("GTT"))
    assert found[1, :, 4].tolist() == [3, 2, 1]


def test_what_is_no_dna_is_refused():
    with pytest.raises(ValueError, match="'E' at letter 3"):
        reverse_complement("ACEG")
    with pytest.raises(ValueError, match=r"shape \(5, 3\)"):
        reverse_complement_rows(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="probability 2"):
        RandomStrand(2)


def test_a_strand_is_drawn():
    sample = DNA.encode("AACGT"), 7
    generator = np.random.default_rng(0)
    drawn = [RandomStrand(0.25)(sample, generator) for _ in range(400)]
    assert {target for _, target in drawn} == {7}
    turned = sum(not np.array_equal(rows, sample[0]) for rows, _ in drawn)
    assert 70 < turned < 130
