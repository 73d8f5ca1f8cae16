"""DNA and proteins: alphabets, FASTA and CSV files, families of like sequences, synthetic ones."""

from tinymed.medical.sequences.alphabets import DNA, PROTEIN, Alphabet
from tinymed.medical.sequences.augmentation import (
    RandomStrand,
    reverse_complement,
    reverse_complement_rows,
)
from tinymed.medical.sequences.reading import SequenceRecords, read_sequences
from tinymed.medical.sequences.similarity import similarity_groups
from tinymed.medical.sequences.synthesis import (
    synthesise_junctions,
    synthesise_peptides,
    synthesise_promoters,
)

__all__ = [
    "DNA",
    "PROTEIN",
    "Alphabet",
    "RandomStrand",
    "SequenceRecords",
    "read_sequences",
    "reverse_complement",
    "reverse_complement_rows",
    "similarity_groups",
    "synthesise_junctions",
    "synthesise_peptides",
    "synthesise_promoters",
]
