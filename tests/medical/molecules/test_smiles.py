"""SMILES: read, written from any atom, and refused with a reason."""

from __future__ import annotations

import numpy as np
import pytest

from tinymed.errors import DataError
from tinymed.medical.molecules import (
    AROMATIC,
    Molecule,
    environments,
    fingerprint,
    parse_smiles,
    scaffold,
    scaffold_key,
    spell,
    write_smiles,
)
from tinymed.medical.molecules.encoding import EncodedMolecule

KNOWN = {
    "ethanol": "CCO",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "biphenyl": "c1ccccc1-c1ccccc1",
    "cubane": "C12C3C4C1C5C4C3C25",
    "indole": "c1ccc2[nH]ccc2c1",
    "sodium acetate": "CC(=O)[O-].[Na+]",
    "nitrobenzene": "O=[N+]([O-])c1ccccc1",
    "spiro": "C1CCC2(C1)CCCC2",
    "stereo": "C[C@@H](N)C(=O)O",
    "double bond": "F/C=C\\Cl",
    "heavy water": "[2H]O[2H]",
    "ring bond": "C=1CCCCC=1",
    "iron": "[Fe+3].[Cl-].[Cl-].[Cl-]",
    "ring of two digits": "C%12CCCC%12",
    "selenium": "c1cc[se]c1",
}


def same_graph(one: Molecule, other: Molecule) -> bool:
    """Whether some order of the atoms makes them equal: plain backtracking, no invariants."""
    bonds = [{frozenset(b[:2]): b[2] for b in each.bonds} for each in (one, other)]
    if len(bonds[0]) != len(bonds[1]) or len(one.atoms) != len(other.atoms):
        return False

    def extend(placed: list[int]) -> bool:
        index = len(placed)
        if index == len(one.atoms):
            return True
        for candidate, atom in enumerate(other.atoms):
            if candidate in placed or atom != one.atoms[index]:
                continue
            if all(
                bonds[0].get(frozenset((index, i))) == bonds[1].get(frozenset((candidate, place)))
                for i, place in enumerate(placed)
            ) and extend([*placed, candidate]):
                return True
        return False

    return extend([])


@pytest.mark.parametrize("smiles", KNOWN.values(), ids=KNOWN.keys())
def test_written_in_any_order_it_is_the_same_molecule(smiles):
    molecule = parse_smiles(smiles)
    generator = np.random.default_rng(0)
    texts = {write_smiles(molecule, generator) for _ in range(15)} | {write_smiles(molecule)}
    for text in texts:
        assert same_graph(molecule, parse_smiles(text)), text
        assert fingerprint(parse_smiles(text)) == fingerprint(molecule)


def test_enumeration_gives_different_texts_and_the_same_ones_for_a_seed():
    molecule = parse_smiles(KNOWN["aspirin"])
    texts = [[write_smiles(molecule, np.random.default_rng(s)) for s in range(20)] for _ in "ab"]
    assert texts[0] == texts[1]
    assert len(set(texts[0])) > 10


def test_bonds_and_atoms_of_a_known_molecule():
    molecule = parse_smiles("C[N+](C)=C-c1cc[nH]c1")
    assert [atom.element for atom in molecule.atoms] == list("CNCCCCCNC")
    assert molecule.atoms[1].charge == 1
    assert molecule.atoms[7].hydrogens == 1
    orders = sorted(order for *_, order in molecule.bonds)
    assert orders == [1, 1, 1, 2] + [AROMATIC] * 5


def test_stereochemistry_is_dropped_and_brackets_that_say_no_more():
    assert write_smiles(parse_smiles("C[C@@H](N)/C=C/[CH3]")) == "CC(N)C=CC"
    assert write_smiles(parse_smiles("[CH2]C")) == "[CH2]C"  # a radical keeps its count


@pytest.mark.parametrize(
    ("one", "other"),
    [("CCO", "COC"), ("c1ccccc1", "C1CCCCC1"), ("CC=O", "CCO"), ("C[NH3+]", "CN"), ("CC.C", "CCC"),
     ("C1CC1.C1CC1", "C1CCCCC1")],
)  # fmt: skip
def test_other_molecules_have_other_fingerprints(one, other):
    assert fingerprint(parse_smiles(one)) != fingerprint(parse_smiles(other))


def test_environments_see_as_far_as_their_radius():
    near, far = parse_smiles("OCCCC"), parse_smiles("NCCCC")
    for radius in range(4):
        alike = environments(near, 4)[radius][4] == environments(far, 4)[radius][4]
        assert alike
    assert environments(near, 4)[4][4] != environments(far, 4)[4][4]


@pytest.mark.parametrize(
    ("smiles", "frame"),
    [
        (KNOWN["aspirin"], "c1ccccc1"),
        ("O=C1CCCCC1CC", "C1CCCCC1"),
        ("Cc1ccccc1CCOc1ccncc1F", "c1ccccc1CCOc1ccncc1"),
        ("CCN(CC)c1ccccc1.OS(=O)(=O)O", "c1ccccc1"),
        (KNOWN["spiro"], KNOWN["spiro"]),
    ],
)
def test_scaffold_is_rings_and_what_links_them(smiles, frame):
    assert same_graph(scaffold(parse_smiles(smiles)), parse_smiles(frame))


def test_scaffold_keys_join_what_has_one_scaffold():
    key = {name: scaffold_key(parse_smiles(text)) for name, text in KNOWN.items()}
    assert key["aspirin"] == key["nitrobenzene"]
    assert len({key[n] for n in ("aspirin", "biphenyl", "cubane", "indole", "caffeine")}) == 5
    assert key["ethanol"] == key["stereo"] == "acyclic"
    own = [scaffold_key(parse_smiles(s), rings_only=False) for s in ("CCO", "CC[O-].[K+]", "CCN")]
    assert own[0] == own[1] != own[2]


@pytest.mark.parametrize(
    ("smiles", "said"),
    [
        ("", "empty"), ("C?C", "'?'"), ("CCl2", "ring 2"), ("C(C", "open"), ("CC)", "branch"),
        ("C=", "open"), ("[Xx]", "no element"), ("=C", "bond"), ("C..C", "dot"), ("C11", "itself"),
        ("C12CC12", "twice"), ("C=1CC#1", "opens with"), ("()C", "branch"), ("[C", "'['"),
        ("C(=)C", "branch"), ("C.", "open"),
    ],
)  # fmt: skip
def test_what_is_no_smiles_is_refused(smiles, said):
    with pytest.raises(DataError, match="smiles") as caught:
        parse_smiles(smiles)
    assert said in str(caught.value)


def test_a_long_chain_needs_no_recursion():
    text = "C" * 3000
    assert write_smiles(parse_smiles(text)) == text


def test_surroundings_follow_their_atoms_when_spelled_in_another_order():
    molecule = parse_smiles(KNOWN["caffeine"])
    encoded = EncodedMolecule(molecule)
    plain = encoded.ids()
    other = encoded.ids(np.random.default_rng(1))
    assert not np.array_equal(plain, other)
    with_atom = [rows[rows[:, 1] > 0, 1:].tolist() for rows in (plain, other)]
    assert sorted(with_atom[0]) == sorted(with_atom[1])
    order = [atom for _, atom in spell(molecule, np.random.default_rng(1)) if atom >= 0]
    assert with_atom[1] == encoded.surroundings[order].tolist()
