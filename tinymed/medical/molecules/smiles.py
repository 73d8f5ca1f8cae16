r"""SMILES: molecules as lines of text, read into graphs and written again, from any atom.

A molecule of n atoms has many SMILES: one for each atom to start at and each order of branches.
Stereochemistry (``@``, ``/``, ``\``) is read and dropped on purpose: rewriting would have to turn
each mark with the order of its neighbours, and the assays here rarely tell mirror images apart.
Aromatic atoms stay as they are written; Kekule forms are not turned into them.

References
----------
Weininger (1988), SMILES 1; OpenSMILES specification 1.0 (2016), sections 2 and 3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tinymed.errors import DataError
from tinymed.medical.molecules.molecule import (
    AROMATIC,
    VALENCES,
    Atom,
    Bond,
    Molecule,
    implied_hydrogens,
)
from tinymed.medical.text.tokens import smiles as tokens

__all__ = ["parse_smiles", "spell", "write_smiles"]

BRACKET = re.compile(
    r"\[(?P<isotope>\d{1,3})?(?P<symbol>[A-Z][a-z]?|[a-z]{1,2}|\*)(?P<chiral>@@?(?:[A-Z]{2}\d+)?)?"
    r"(?P<hydrogens>H\d?)?(?P<charge>\+\d{1,2}|-\d{1,2}|\++|-+)?(?::(?P<label>\d+))?\]"
)
ORDERS = {"-": 1, "/": 1, "\\": 1, "=": 2, "#": 3, "$": 4, ":": AROMATIC}
SYMBOLS = {1: "-", 2: "=", 3: "#", 4: "$", AROMATIC: ":"}
AROMATIC_ELEMENTS = ("b", "c", "n", "o", "p", "s", "se", "as", "te", "si")
ELEMENTS = frozenset(
    [
        "*", "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P",
        "S", "Cl", "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn",
        "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh",
        "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd",
        "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re",
        "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th",
        "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db",
        "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og",
    ]
)  # fmt: skip


def parse_smiles(smiles: str) -> Molecule:
    """Read a SMILES; stereochemistry and atom labels are dropped.

    Parameters
    ----------
    smiles : str
        One molecule; several components are parted by dots.

    Returns
    -------
    Molecule
        Atoms in the order of the text. A bracket atom that says no more than the bare symbol would
        (``[CH4]``, or ``[C@H]`` without its mark) is the same atom as the bare one.

    Raises
    ------
    DataError
        Unknown characters or elements, open branches or rings, bonds that lead nowhere.

    Examples
    --------
    >>> ethanol = parse_smiles("CCO")
    >>> [atom.element for atom in ethanol.atoms], ethanol.bonds[1].order
    (['C', 'C', 'O'], 1)
    """
    if not smiles:
        raise DataError("smiles: the text is empty, a molecule expected")
    reader = _Reader(smiles)
    try:
        symbols = tokens(smiles)
    except ValueError as error:
        raise DataError(str(error)) from error
    for symbol in symbols:
        reader.take(symbol)
    return reader.finished()


@dataclass
class _Reader:
    """The state of reading: the last atom, open branches, open rings, a bond waiting for an end."""

    smiles: str
    atoms: list[Atom] = field(default_factory=list)
    bonds: list[Bond] = field(default_factory=list)
    joined: set[tuple[int, int]] = field(default_factory=set)
    branches: list[int] = field(default_factory=list)
    rings: dict[int, tuple[int, str | None]] = field(default_factory=dict)
    last: int | None = None
    bond: str | None = None
    opened: bool = False  # a branch that has no atom yet

    def take(self, token: str) -> None:
        """Read one symbol."""
        if token in ORDERS:
            if self.bond is not None or self.last is None:
                raise self.error(f"bond {token!r} after {self.bond or 'nothing'}, an atom expected")
            self.bond = token
        elif token == "(":
            if self.last is None or self.bond or self.opened:
                raise self.error("a branch begins without an atom before it")
            self.branches.append(self.last)
            self.opened = True
        elif token == ")":
            if not self.branches or self.bond or self.opened:
                raise self.error("a branch ends that is not open, is empty, or ends in a bond")
            self.last = self.branches.pop()
        elif token == ".":
            if self.last is None or self.bond or self.branches:
                raise self.error("a dot without a whole component before it")
            self.last = None
        elif token[0] == "%" or token.isdigit():
            self.ring(int(token.strip("%()")))
        else:
            self.atom(token)

    def atom(self, token: str) -> None:
        """Add an atom, bound to the last one if there is one."""
        self.atoms.append(self.bracket(token) if token[0] == "[" else bare(token))
        self.opened = False
        index = len(self.atoms) - 1
        if self.last is not None:
            self.join(self.last, index, self.bond)
        self.last, self.bond = index, None

    def ring(self, number: int) -> None:
        """Open a ring, or close the one that is open under this number."""
        if self.last is None or self.opened:
            raise self.error(f"ring number {number} without an atom before it")
        if number not in self.rings:
            self.rings[number] = self.last, self.bond
        else:
            other, bond = self.rings.pop(number)
            if bond and self.bond and ORDERS[bond] != ORDERS[self.bond]:
                raise self.error(
                    f"ring {number} opens with bond {bond!r}, closes with {self.bond!r}"
                )
            self.join(other, self.last, bond or self.bond)
        self.bond = None

    def join(self, first: int, second: int, symbol: str | None) -> None:
        """Add a bond; without a symbol it is aromatic between aromatic atoms, else single."""
        pair = (first, second) if first < second else (second, first)
        if first == second or pair in self.joined:
            raise self.error("a ring that joins an atom to itself, or two atoms twice")
        self.joined.add(pair)
        both = self.atoms[first].aromatic and self.atoms[second].aromatic
        order = (AROMATIC if both else 1) if symbol is None else ORDERS[symbol]
        self.bonds.append(Bond(first, second, order))

    def bracket(self, token: str) -> Atom:
        """Read an atom in brackets."""
        match = BRACKET.fullmatch(token)
        if match is None:
            raise self.error(f"{token} is no atom; [isotope symbol hydrogens charge] expected")
        symbol = match["symbol"]
        aromatic = symbol in AROMATIC_ELEMENTS
        element = symbol.capitalize() if aromatic else symbol
        if element not in ELEMENTS:
            raise self.error(f"{token}: {symbol!r} is no element")
        signs = match["charge"] or ""
        size = int(signs[1:]) if signs[1:].isdigit() else len(signs)
        hydrogens = match["hydrogens"] or "H0"
        return Atom(
            element,
            aromatic,
            -size if signs.startswith("-") else size,
            int(hydrogens[1:] or 1),
            int(match["isotope"] or 0),
        )

    def finished(self) -> Molecule:
        """Return the molecule, or say what is still open."""
        if self.rings or self.branches or self.bond or self.last is None:
            what = f"ring {min(self.rings)}" if self.rings else "a branch, a bond or a dot"
            raise self.error(f"{what} is still open at the end")
        written = Molecule(tuple(self.atoms), tuple(self.bonds))
        if all(atom.hydrogens is None for atom in self.atoms):
            return written
        atoms = (_plain(written, index) for index in range(len(written.atoms)))
        return Molecule(tuple(atoms), written.bonds)

    def error(self, text: str) -> DataError:
        """Return the exception about this SMILES."""
        return DataError(f"smiles: {self.smiles!r}: {text}")


@lru_cache(maxsize=64)  # one object for all carbons
def bare(symbol: str) -> Atom:
    """Return the atom of a symbol without brackets."""
    return Atom(symbol.capitalize(), symbol.islower())


def _plain(molecule: Molecule, index: int) -> Atom:
    """Return an atom without a count of hydrogens where the valence tells the same."""
    atom = molecule.atoms[index]
    if atom.hydrogens is None or atom.aromatic or atom.charge or atom.isotope:
        return atom
    orders = [order for _, order in molecule.neighbours[index]]
    if atom.element not in VALENCES:
        return atom
    if AROMATIC in orders or atom.hydrogens != implied_hydrogens(atom.element, sum(orders)):
        return atom
    return atom._replace(hydrogens=None)


def write_smiles(molecule: Molecule, generator: np.random.Generator | None = None) -> str:
    """Write a molecule as a SMILES that reads back as the same graph: `spell` in one text.

    Examples
    --------
    >>> write_smiles(parse_smiles("OC(C)=O")), write_smiles(parse_smiles("c1cc[nH]c1"))
    ('OC(C)=O', 'c1cc[nH]c1')
    """
    return "".join(token for token, _ in spell(molecule, generator))


def spell(
    molecule: Molecule, generator: np.random.Generator | None = None
) -> list[tuple[str, int]]:
    """Return the symbols of a molecule's SMILES, each with the atom it stands for, else -1.

    Parameters
    ----------
    molecule : Molecule
    generator : numpy.random.Generator, optional
        Draws the first atom and the order of branches and components. Without it atoms come in
        their own order, as far as a walk can.

    Raises
    ------
    DataError
        More than 99 rings would be open at once: SMILES has no numbers for them.

    References
    ----------
    Bjerrum (2017), SMILES enumeration as data augmentation for neural network modeling.

    Examples
    --------
    >>> spell(parse_smiles("C=O"))
    [('C', 0), ('=', -1), ('O', 1)]
    """
    parts = list(molecule.components)
    if generator is not None:
        parts = [parts[i] for i in generator.permutation(len(parts))]
    text: list[tuple[str, int]] = []
    for place, part in enumerate(parts):
        text += [(".", -1)] if place else []
        start = part[0 if generator is None else int(generator.integers(len(part)))]
        text += _spelled(molecule, start, generator)
    return text


def _spelled(
    molecule: Molecule, start: int, generator: np.random.Generator | None
) -> list[tuple[str, int]]:
    """Spell one component: a walk finds its tree and rings, then the text follows the tree."""
    children, rings = _walk(molecule, start, generator)
    free = list(range(1, 100))  # ring numbers; the lowest is taken first and given back
    numbers: dict[frozenset[int], int] = {}
    text: list[tuple[str, int]] = []
    stack: list[str | int] = [start]
    while stack:
        index = stack.pop()
        if isinstance(index, str):
            text.append((index, -1))
            continue
        text.append((_symbol(molecule.atoms[index]), index))
        closing = [other for other, _ in rings[index] if frozenset((index, other)) in numbers]
        for other, order in rings[index]:
            if other not in closing:
                if not free:
                    raise DataError("write_smiles: more than 99 rings are open at once")
                number = numbers[frozenset((index, other))] = free.pop(0)
                symbols = *_bond(molecule, index, other, order), _ring(number)
                text += [(symbol, -1) for symbol in symbols]
        for other in closing:
            number = numbers.pop(frozenset((index, other)))
            text.append((_ring(number), -1))
            free = sorted([*free, number])
        for place, (child, order) in enumerate(reversed(children[index])):
            bond = _bond(molecule, index, child, order)  # the last child needs no branch
            stack += [child, *bond] if place == 0 else [")", child, *bond, "("]
    return text


Edges = dict[int, list[tuple[int, int]]]


def _walk(
    molecule: Molecule, start: int, generator: np.random.Generator | None
) -> tuple[Edges, Edges]:
    """Walk depth first; return for each atom its children, and its bonds that close rings."""
    children: Edges = {start: []}
    rings: Edges = {start: []}
    stack = [(start, -1, _around(molecule, start, generator))]
    closed: set[frozenset[int]] = set()
    while stack:
        index, parent, around = stack[-1]
        if not around:
            stack.pop()
            continue
        other, order = around.pop()
        if other == parent:
            continue
        if other not in children:
            children[index].append((other, order))
            children[other], rings[other] = [], []
            stack.append((other, index, _around(molecule, other, generator)))
        elif (pair := frozenset((index, other))) not in closed:
            closed.add(pair)
            rings[index].append((other, order))
            rings[other].append((index, order))
    return children, rings


def _around(
    molecule: Molecule, index: int, generator: np.random.Generator | None
) -> list[tuple[int, int]]:
    """Return an atom's neighbours in the order to take them from the end."""
    around = molecule.neighbours[index]
    if generator is None or len(around) < 2:
        return list(reversed(around))
    return [around[i] for i in generator.permutation(len(around)).tolist()]


@lru_cache(maxsize=4096)
def _symbol(atom: Atom) -> str:
    """Return an atom's text, in brackets where the bare symbol would say less."""
    letters = atom.element.lower() if atom.aromatic else atom.element
    bare = atom.hydrogens is None and not (atom.charge or atom.isotope)
    if bare:
        return letters
    count = atom.hydrogens or 0
    hydrogens = "" if not count else "H" if count == 1 else f"H{count}"
    charge = "" if not atom.charge else f"{atom.charge:+d}".replace("+1", "+").replace("-1", "-")
    return f"[{atom.isotope or ''}{letters}{hydrogens}{charge}]"


def _bond(molecule: Molecule, first: int, second: int, order: int) -> str:
    """Return a bond's symbol, nothing for the bond that is understood."""
    both = molecule.atoms[first].aromatic and molecule.atoms[second].aromatic
    return "" if order == (AROMATIC if both else 1) else SYMBOLS[order]


def _ring(number: int) -> str:
    """Return a ring number's text."""
    return str(number) if number < 10 else f"%{number}"
