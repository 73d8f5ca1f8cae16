"""The characters of texts as ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = ["END", "PADDING", "UNKNOWN", "Alphabet"]

Array = np.ndarray[Any, Any]
PADDING, END, UNKNOWN, FIRST = 0, 1, 2, 3


class Alphabet:
    """Ids of characters, 3 and up; 0 fills up, 1 is both ends of a text, 2 any other character.

    Examples
    --------
    >>> alphabet = Alphabet.of(["abba"])
    >>> alphabet.encode("bad")
    array([1, 4, 3, 2, 1])
    >>> alphabet.decode([4, 3, 1])
    'ba'
    """

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self.ids = {character: FIRST + i for i, character in enumerate(characters)}
        if len(self.ids) < len(characters):
            raise ValueError(f"Alphabet: a character is twice in {characters!r}")

    @classmethod
    def of(cls, texts: Iterable[str]) -> Alphabet:
        """Return the alphabet of all characters in texts."""
        return cls("".join(sorted(set().union(*texts))))

    def __len__(self) -> int:
        """Return the number of ids."""
        return FIRST + len(self.characters)

    def encode(self, text: str) -> Array:
        """Return the ids (n + 2,) of a text between its ends."""
        return np.array([END, *(self.ids.get(letter, UNKNOWN) for letter in text), END], np.int64)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without ends and padding; U+FFFD where one is unknown."""
        return "".join(
            "\ufffd" if i == UNKNOWN else self.characters[i - FIRST]
            for i in map(int, ids)
            if i not in (PADDING, END)
        )
