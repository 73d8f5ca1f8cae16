"""Scaffolds: the rings of a molecule and what links them, without side chains."""

from __future__ import annotations

from functools import lru_cache

from tinymed.medical.molecules.molecule import Atom, Molecule, fingerprint

__all__ = ["ACYCLIC", "scaffold", "scaffold_key"]

ACYCLIC = "acyclic"


def scaffold(molecule: Molecule) -> Molecule:
    """Return the framework of a molecule's largest component: rings and the chains between them.

    Atoms with fewer than two bonds are taken away until none is left, so ``=O`` on a ring goes
    too (Bemis and Murcko's framework; RDKit keeps atoms that hang on by a double bond). Only the
    largest component counts: a salt has the scaffold of its drug.

    Returns
    -------
    Molecule
        Without atoms if there is no ring.

    References
    ----------
    Bemis, Murcko (1996), The properties of known drugs 1: molecular frameworks.

    Examples
    --------
    >>> from tinymed.medical.molecules import parse_smiles, write_smiles
    >>> write_smiles(scaffold(parse_smiles("CC(=O)Oc1ccccc1C(=O)O.[Na+]")))
    'c1ccccc1'
    """
    if not molecule.atoms:
        return molecule
    largest = max(molecule.components, key=len)  # of equal ones the first
    bonds = [len(around) for around in molecule.neighbours]
    left, ends = set(largest), [atom for atom in largest if bonds[atom] < 2]
    while ends:
        atom = ends.pop()
        left.remove(atom)
        for other, _ in molecule.neighbours[atom]:
            bonds[other] -= 1
            if bonds[other] == 1 and other in left:  # it has just become an end
                ends.append(other)
    return molecule.subgraph(left)


def scaffold_key(molecule: Molecule, rings_only: bool = True) -> str:
    """Return a text that is the same for molecules of one scaffold, whatever their SMILES.

    Elements, aromatic or not, and orders of bonds count; charges, hydrogens and isotopes do not,
    so that a salt and its acid, or 1H- and 2H-indazole, are one scaffold.

    Parameters
    ----------
    molecule : Molecule
    rings_only : bool
        Whether all molecules without a ring are one scaffold, "acyclic"; else the whole largest
        component stands for its scaffold.

    Returns
    -------
    str
        How many atoms the scaffold has, and its `fingerprint`; "acyclic" before it, or alone,
        without a ring.

    Examples
    --------
    >>> from tinymed.medical.molecules import parse_smiles
    >>> scaffold_key(parse_smiles("Cc1ccccc1")) == scaffold_key(parse_smiles("O=C(O)c1ccccc1"))
    True
    >>> scaffold_key(parse_smiles("CCO"))
    'acyclic'
    """
    frame, prefix = scaffold(molecule), ""
    if not frame.atoms:
        if rings_only or not molecule.atoms:
            return ACYCLIC
        largest = max(molecule.components, key=len)
        frame, prefix = molecule.subgraph(largest), f"{ACYCLIC} "
    atoms = tuple(Atom(atom.element, atom.aromatic) for atom in frame.atoms)
    return f"{prefix}{len(atoms)}-{_fingerprint(Molecule(atoms, frame.bonds))}"


@lru_cache(maxsize=4096)  # many molecules share their scaffold
def _fingerprint(frame: Molecule) -> str:
    return fingerprint(frame)
