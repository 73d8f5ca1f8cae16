"""Synthetic genes, promoters and peptides: motifs of varying strength among decoys, in families.

Nothing here is real. What makes the tasks honest: a motif is drawn from the frequencies of its
letters, sharper in one sequence than in another; decoys carry its most telling letters without
their surroundings, or its letters in another order; and each family has mutated copies, which
would be on both sides of a careless split.
"""

from __future__ import annotations

import numpy as np

from tinymed.medical.sequences.reading import SequenceRecords

__all__ = ["synthesise_junctions", "synthesise_peptides", "synthesise_promoters"]

BASES = np.array(list("ACGT"))
# Frequencies of A, C, G, T about a human donor (exon 3 | intron 6) and before an acceptor, rounded
# from Zhang (1998), Human Molecular Genetics 7: statistical features of human exons, figure 1.
DONOR = np.array(
    [
        [0.33, 0.37, 0.18, 0.12], [0.60, 0.13, 0.12, 0.15], [0.08, 0.04, 0.81, 0.07],
        [0.00, 0.00, 1.00, 0.00], [0.00, 0.00, 0.00, 1.00], [0.49, 0.03, 0.45, 0.03],
        [0.71, 0.07, 0.12, 0.09], [0.06, 0.05, 0.84, 0.05], [0.15, 0.19, 0.20, 0.46],
    ]
)  # fmt: skip
TRACT = np.array([[0.12, 0.32, 0.12, 0.44]] * 14)  # pyrimidines
ACCEPTOR = np.array(
    [
        *TRACT.tolist(), [0.25, 0.25, 0.25, 0.25], [0.06, 0.65, 0.01, 0.28],
        [1.00, 0.00, 0.00, 0.00], [0.00, 0.00, 1.00, 0.00], [0.25, 0.14, 0.49, 0.12],
    ]
)  # fmt: skip
JUNCTION = 30  # letters before it, in sequences of 60
PLACES = {"ei": (DONOR, JUNCTION - 3), "ie": (ACCEPTOR, JUNCTION - 18)}
# The boxes at -35 and -10 of promoters of E. coli, and how often each base is the consensus' one,
# rounded from Lisser, Margalit (1993), Nucleic Acids Research 21, 1507: table 2.
BOXES = (
    ("TTGACA", (0.69, 0.79, 0.61, 0.56, 0.54, 0.54)),
    ("TATAAT", (0.77, 0.76, 0.60, 0.61, 0.56, 0.82)),
)
BETWEEN = ((15, 16, 17, 18, 19), (0.07, 0.2, 0.43, 0.2, 0.1))  # bases between boxes, how often
POLAR, CHARGED, GREASY, ANY = "STNQGH", "KR", "LIVFWA", "ACDEFGHIKLMNPQRSTVWY"


def synthesise_junctions(families: int, generator: np.random.Generator) -> SequenceRecords:
    """Return windows of 60 bases: donors "ei", acceptors "ie", and neither "n", half of them.

    Every second "n" has GT or AG where a junction would be. A family has one to three members,
    mutated at one base in twenty.
    """
    sequences, labels, groups = [], [], []
    for family in range(families):
        label = ("ei", "ie", "n", "n")[int(generator.integers(4))]
        content = generator.dirichlet([12, 12, 12, 12])  # genes differ in what they are made of
        letters = generator.choice(4, size=60, p=content)
        kind = label if label != "n" else ("ei", "ie")[int(generator.integers(2))]
        motif, start = PLACES[kind]
        strength = generator.uniform(0.35, 1.0) if label != "n" else 0.0
        for place, row in enumerate(motif):
            invariant = row.max() == 1 and (label != "n" or family % 2)
            odds = row if invariant else strength * row + (1 - strength) * content
            letters[start + place] = generator.choice(4, p=odds / odds.sum())
        for _ in range(int(generator.integers(1, 4))):
            mutated = np.where(generator.random(60) < 0.05, generator.integers(0, 4, 60), letters)
            sequences.append("".join(BASES[mutated]))
            labels.append(label)
            groups.append(f"gene {family}")
    return SequenceRecords(sequences, labels, groups)


def synthesise_peptides(families: int, generator: np.random.Generator) -> SequenceRecords:
    """Return peptides: "1" with a charged and a greasy face of a helix, "0" without.

    Every second "0" has the letters of a "1" in another order, the others are of any letters: what
    a peptide is made of tells them apart only in part.
    """
    sequences, labels, groups = [], [], []
    for family in range(families):
        size, label = int(generator.integers(14, 45)), family % 2
        noise = generator.uniform(0.1, 0.5)
        turn = np.cos(np.deg2rad(100 * np.arange(size) + generator.uniform(0, 360)))  # of a helix
        letters = [_residue(side, noise, generator) for side in turn]
        if not label:
            letters = list(generator.permutation(letters))
            if family % 4:
                letters = list(generator.choice(list(ANY), size))
        for _ in range(int(generator.integers(1, 4))):
            keep = generator.random(size) > 0.08
            mutated = np.where(keep, letters, generator.choice(list(ANY), size))
            sequences.append("".join(mutated))
            labels.append(str(label))
            groups.append(f"family {family}")
    return SequenceRecords(sequences, labels, groups)


def synthesise_promoters(families: int, generator: np.random.Generator) -> SequenceRecords:
    """Return windows of 80 bases: "1" with both boxes of a promoter at their distance, "0" not.

    Where the boxes begin differs. Every eighth "0" has both, at a distance that does not fit; the
    others have one, or none, or seldom both.
    """
    sequences, labels, groups = [], [], []
    for family in range(families):
        label = family % 2
        letters = generator.choice(4, size=80, p=generator.dirichlet([14, 10, 10, 14]))
        distance = int(generator.choice(BETWEEN[0], p=BETWEEN[1]))
        if not label:
            distance = int(generator.choice([4, 6, 8, 26, 29, 32]))
        wanted = (True, True) if label or family % 16 == 0 else generator.random(2) < 0.25
        start = int(generator.integers(4, 76 - 12 - distance))
        strength = generator.uniform(0.8, 1.0)
        for (box, shares), place, there in zip(BOXES, (0, 6 + distance), wanted, strict=True):
            if there:
                fits = generator.random(6) < np.array(shares) ** (1 - strength)
                drawn = [int(np.flatnonzero(base == BASES)[0]) for base in box]
                own = letters[start + place : start + place + 6]
                own[...] = np.where(fits, drawn, own)
        for _ in range(int(generator.integers(1, 4))):
            mutated = np.where(generator.random(80) < 0.03, generator.integers(0, 4, 80), letters)
            sequences.append("".join(BASES[mutated]))
            labels.append(str(label))
            groups.append(f"gene {family}")
    return SequenceRecords(sequences, labels, groups)


def _residue(side: float, noise: float, generator: np.random.Generator) -> str:
    """Return a residue for a side of the helix: greasy at 1, charged at -1, polar between."""
    kind = GREASY if side > 0.2 else CHARGED if side < -0.5 else POLAR
    return str(generator.choice(list(ANY if generator.random() < noise else kind)))
