"""Tokens of texts and of biological and chemical sequences."""

from __future__ import annotations

import re

__all__ = ["characters", "kmers", "smiles", "words"]

WORD = re.compile(r"\w+(?:['’\-]\w+)*")
# Weininger (1988) and the OpenSMILES specification 1.0, sections 3.1 to 3.5 and 3.9.
BRACKET_ATOM = (
    r"\[\d*(?:[A-Z][a-z]?|as|se|te|[bcnops]|\*)"  # isotope, element
    r"(?:@(?:@|TH[12]|AL[12]|SP[123]|(?:TB|OH)\d{1,2})?)?"  # chirality
    r"(?:H\d?)?(?:\+\+|--|[+-]\d{0,2})?(?::\d+)?\]"  # hydrogens, charge, class
)
SMILES = re.compile(
    rf"{BRACKET_ATOM}|Br|Cl|[BCNOPSFI]|[bcnops]|\*"  # atoms
    r"|%\d\d|%\(\d+\)|\d"  # closures of rings
    r"|[-=#$:/\\.()]"  # bonds and branches
)


def words(text: str, lower: bool = True) -> list[str]:
    """Return the words and numbers of a text, without what is between them.

    >>> words("Crohn's disease, follow-up 2")
    ["crohn's", 'disease', 'follow-up', '2']
    """
    return WORD.findall(text.lower() if lower else text)


def characters(text: str) -> list[str]:
    """Return the characters of a text.

    >>> characters("DNA")
    ['D', 'N', 'A']
    """
    return list(text)


def kmers(sequence: str, k: int, stride: int = 1, alphabet: str | None = None) -> list[str]:
    """Return the words of k letters that begin at every ``stride``-th letter of a sequence.

    Parameters
    ----------
    sequence : str
        DNA or protein; upper and lower case are different letters.
    k, stride : int
        At least 1.
    alphabet : str, optional
        The letters that are allowed; any without it.

    Raises
    ------
    ValueError
        The sequence is shorter than k, or has a letter that is not of the alphabet.

    Examples
    --------
    >>> kmers("GATTACA", 3, stride=2)
    ['GAT', 'TTA', 'ACA']
    """
    if k < 1 or stride < 1:
        raise ValueError(f"kmers: k={k}, stride={stride}, both at least 1 expected")
    if len(sequence) < k:
        raise ValueError(f"kmers: a sequence of {len(sequence)} letters, k={k} at least expected")
    if alphabet is not None:
        wrong = next((i for i, letter in enumerate(sequence) if letter not in alphabet), None)
        if wrong is not None:
            raise ValueError(
                f"kmers: {sequence[wrong]!r} at letter {wrong}, letters of {alphabet!r} expected"
            )
    return [sequence[i : i + k] for i in range(0, len(sequence) - k + 1, stride)]


def smiles(text: str, row: int | None = None) -> list[str]:
    """Return the atoms, bonds, branches and ring closures of a molecule in SMILES.

    Joined they are the text again. The grammar of an atom is checked, that of the molecule is not:
    whether rings close and valences fit is a question for a chemistry package.

    Parameters
    ----------
    text : str
    row : int, optional
        The row of a table that the molecule is from, for the error.

    Raises
    ------
    ValueError
        A character that begins no token, with its place; an empty text.

    Examples
    --------
    >>> smiles("C[C@@H](Cl)c1ccccc1")[:6]
    ['C', '[C@@H]', '(', 'Cl', ')', 'c']
    """
    where = "" if row is None else f"row {row}: "
    if not text:
        raise ValueError(f"smiles: {where}the text is empty, a molecule expected")
    tokens, at = [], 0
    while at < len(text):
        found = SMILES.match(text, at)
        if found is None:
            raise ValueError(
                f"smiles: {where}{text[at]!r} at character {at} of {text!r} begins no atom, bond "
                "or ring closure"
            )
        tokens.append(found.group())
        at = found.end()
    return tokens
