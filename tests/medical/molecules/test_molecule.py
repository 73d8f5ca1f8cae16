"""Rings and scaffolds of any graph, by trying; and numbers that files on disk depend on."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.medical.molecules import (
    Atom,
    Molecule,
    environments,
    fingerprint,
    parse_smiles,
    scaffold,
    scaffold_key,
    write_smiles,
)
from tinymed.medical.molecules.encoding import EncodedMolecule
from tinymed.medical.molecules.molecule import Bond


def reached(molecule: Molecule, start: int, without: Bond) -> set[int]:
    """Return the atoms that are joined to one when a bond is taken away."""
    found = {start}
    while True:
        more = {
            atom
            for bond in molecule.bonds
            if bond is not without and found & set(bond[:2])
            for atom in bond[:2]
        } - found
        if not more:
            return found
        found |= more


def peeled(molecule: Molecule) -> Molecule:
    """Return what is left when atoms with fewer than two bonds are taken away, again and again."""
    while True:
        kept = [i for i, around in enumerate(molecule.neighbours) if len(around) > 1]
        if len(kept) == len(molecule.atoms):
            return molecule
        molecule = molecule.subgraph(kept)


@pytest.mark.parametrize("seed", range(60))
def test_rings_and_scaffolds_of_any_graph(seed):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 12))
    pairs = [(i, j) for i in range(count) for j in range(i)]
    chosen = generator.permutation(len(pairs))[: int(generator.integers(0, count + 4))]
    bonds = tuple(Bond(*pairs[i], order=1) for i in chosen)
    molecule = Molecule(tuple(Atom("C", charge=i) for i in range(count)), bonds)
    expected = [False] * count
    for bond in bonds:
        if bond.second in reached(molecule, bond.first, without=bond):
            expected[bond.first] = expected[bond.second] = True
    assert molecule.in_ring == tuple(expected)
    largest = max(molecule.components, key=len)
    assert scaffold(molecule) == peeled(molecule.subgraph(largest))


def test_a_ring_of_two_thousand_atoms():
    ring = parse_smiles("C1" + "C" * 1998 + "C1")
    assert all(ring.in_ring)
    assert scaffold(ring) is ring


def test_numbers_stay_what_they_are():
    """Models are trained on these numbers, and folds are cut by these keys."""
    aspirin = parse_smiles("CC(=O)Oc1ccccc1C(=O)O.[Na+]")
    assert fingerprint(aspirin) == "352aaf07989e5d2d"
    assert scaffold_key(aspirin) == "6-9a3059151d944a34"
    assert environments(aspirin, 2)[2][:2] == [1656377365380361167, 12894426969627954170]
    ids = EncodedMolecule(aspirin).ids(np.random.default_rng(3))
    assert ids.sum(0).tolist() == [15759, 85419, 122735]
    assert write_smiles(aspirin, np.random.default_rng(3)) == "[Na+].C(=O)(Oc1ccccc1C(=O)O)C"
