"""Molecules as graphs: atoms, bonds, and what can be said of a graph whatever its atoms' order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

__all__ = ["AROMATIC", "Atom", "Bond", "Molecule", "environments", "fingerprint"]

AROMATIC = 5  # as the order of a bond: single 1, double 2, triple 3, quadruple 4
# What an atom binds without a charge; the first that is enough tells the hydrogens nobody wrote.
VALENCES = {
    "B": (3,), "C": (4,), "N": (3, 5), "O": (2,), "P": (3, 5), "S": (2, 4, 6),
    "F": (1,), "Cl": (1,), "Br": (1,), "I": (1,),
}  # fmt: skip


class Atom(NamedTuple):
    """An atom. ``hydrogens`` is None where the usual valence tells their number."""

    element: str
    aromatic: bool = False
    charge: int = 0
    hydrogens: int | None = None
    isotope: int = 0


class Bond(NamedTuple):
    """A bond between two atoms, by their indices; ``order`` 1 to 4, or `AROMATIC`."""

    first: int
    second: int
    order: int


@dataclass(frozen=True)
class Molecule:
    """Atoms and the bonds between them; several components are allowed (salts, mixtures)."""

    atoms: tuple[Atom, ...]
    bonds: tuple[Bond, ...]

    @cached_property
    def neighbours(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """For each atom its (neighbour, order of the bond), in the order of the bonds."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.atoms]
        for first, second, order in self.bonds:
            found[first].append((second, order))
            found[second].append((first, order))
        return tuple(map(tuple, found))

    @cached_property
    def components(self) -> tuple[tuple[int, ...], ...]:
        """The atoms of each connected part, rising; parts by their first atom."""
        seen: set[int] = set()
        parts = []
        for start in range(len(self.atoms)):
            if start in seen:
                continue
            part, waiting = {start}, [start]
            while waiting:
                for other, _ in self.neighbours[waiting.pop()]:
                    if other not in part:
                        part.add(other)
                        waiting.append(other)
            seen |= part
            parts.append(tuple(sorted(part)))
        return tuple(parts)

    def subgraph(self, kept: Iterable[int]) -> Molecule:
        """Return some of the atoms and the bonds among them, in the same order."""
        index = {atom: i for i, atom in enumerate(sorted(set(kept)))}
        if len(index) == len(self.atoms):
            return self
        bonds = (
            Bond(index[first], index[second], order)
            for first, second, order in self.bonds
            if first in index and second in index
        )
        return Molecule(tuple(self.atoms[atom] for atom in index), tuple(bonds))

    @cached_property
    def in_ring(self) -> tuple[bool, ...]:
        """Whether each atom lies on a ring.

        Each bond outside of a spanning tree closes a ring with the tree's paths from its ends to
        where they meet, and every bond of a ring is in one of these (Paton 1969).
        """
        found = [False] * len(self.atoms)
        if len(self.bonds) == len(self.atoms) - len(self.components):
            return tuple(found)
        parents, depths = _spanning_trees(self)
        for first, second, _ in self.bonds:
            if parents[first] == second or parents[second] == first:
                continue
            while first != second:
                if depths[first] < depths[second]:
                    first, second = second, first
                found[first] = True
                first = parents[first]
            found[first] = True
        return tuple(found)


def implied_hydrogens(element: str, bound: int) -> int:
    """Return the hydrogens of an atom of `VALENCES` without a charge whose bonds sum to ``bound``.

    Examples
    --------
    >>> implied_hydrogens("C", 3), implied_hydrogens("S", 5), implied_hydrogens("O", 3)
    (1, 1, 0)
    """
    return next((v - bound for v in VALENCES[element] if v >= bound), 0)


def environments(molecule: Molecule, radius: int) -> list[list[int]]:
    """Return a number for the surroundings of each atom, for each radius 0 .. ``radius``.

    Two atoms have the same number at radius r exactly if all that can be told by r rounds of
    comparing neighbours is alike (the colours of Weisfeiler and Leman), but for a chance of about
    2^-64. The numbers do not depend on the order of the atoms, nor on the run.

    Returns
    -------
    list, an entry per radius, of list (atoms,) of int in [0, 2^64)

    References
    ----------
    Morgan (1965); Weisfeiler, Leman (1968); Rogers, Hahn (2010), section 2: extended-connectivity
    fingerprints.

    Examples
    --------
    >>> from tinymed.medical.molecules import parse_smiles
    >>> last = environments(parse_smiles("CCC"), 1)[-1]
    >>> last[0] == last[2] != last[1]
    True
    """
    rounds = [_first_colours(molecule)]
    for _ in range(radius):
        rounds.append(_next_colours(molecule, rounds[-1]))
    return rounds


def fingerprint(molecule: Molecule) -> str:
    """Return 16 hexadecimal digits, the same for each order of the same atoms and bonds.

    The rounds of `environments` go on until they tell no more atoms apart.
    """
    parts = []
    for component in molecule.components:
        part = molecule.subgraph(component)
        colours, told_apart = _first_colours(part), 0
        while len(set(colours)) > told_apart:
            told_apart = len(set(colours))
            colours = _next_colours(part, colours)
        parts.append(tuple(sorted(colours)))
    return f"{_number(tuple(sorted(parts))):016x}"


def _first_colours(molecule: Molecule) -> list[int]:
    """Return a number for what each atom is by itself, with its bonds counted."""
    told = zip(molecule.atoms, molecule.neighbours, molecule.in_ring, strict=True)
    return [_number_of_atom(atom, len(around), ring) for atom, around, ring in told]


@lru_cache(maxsize=1 << 12)
def _number_of_atom(atom: Atom, bonds: int, ring: bool) -> int:
    """Return a number for an atom with so many bonds, on a ring or not."""
    return _number((*atom, bonds, ring))


def _next_colours(molecule: Molecule, colours: list[int]) -> list[int]:
    """Return a number for each atom's colour with those of its neighbours."""
    return [
        _number_of_colours(
            colour, *sorted([order << 64 | colours[other] for other, order in around])
        )
        for colour, around in zip(colours, molecule.neighbours, strict=True)
    ]


@lru_cache(maxsize=1 << 16)  # molecules are alike: most surroundings come again; some 20 MB
def _number_of_colours(colour: int, *around: int) -> int:
    """Return a number for a colour and the bonds around it, each ``order << 64 | colour``."""
    return _number((colour, *[divmod(bond, 1 << 64) for bond in around]))


def _number(told: tuple[object, ...]) -> int:
    """Return 64 bits that stand for a tuple of plain values, the same in each run."""
    return int.from_bytes(hashlib.blake2b(repr(told).encode(), digest_size=8).digest(), "big")


def _spanning_trees(molecule: Molecule) -> tuple[list[int], list[int]]:
    """Return each atom's parent in a tree of its component, -1 for the first, and its depth."""
    parents, depths = [-1] * len(molecule.atoms), [-1] * len(molecule.atoms)
    for component in molecule.components:
        reached, depths[component[0]] = [component[0]], 0
        for atom in reached:  # grows on the way: nearer atoms first
            for other, _ in molecule.neighbours[atom]:
                if depths[other] < 0:
                    parents[other], depths[other] = atom, depths[atom] + 1
                    reached.append(other)
    return parents, depths
