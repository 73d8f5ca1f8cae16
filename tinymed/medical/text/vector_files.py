"""word2vec's two file formats.

Text: a line "V D", then a line for each word: the word and D numbers, separated by spaces. Binary:
the same first line, then each word, a space, and D float32 numbers, lowest byte first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["load", "save"]

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST = 1 << 12  # bytes of a word: more without a space is another kind of file


def save(path: str | Path, words: Sequence[str], vectors: Array, *, binary: bool) -> None:
    """Write words and vectors (V, D) float32."""
    wrong = next((word for word in words if not word or word.split() != [word]), None)
    if wrong is not None:
        raise ValueError(f"save: the word {wrong!r} is empty or has white space, which ends a word")
    with Path(path).open("wb") as file:
        file.write(b"%d %d\n" % vectors.shape)
        for word, vector in zip(words, vectors, strict=True):
            if binary:
                file.write(word.encode() + b" " + vector.astype("<f4").tobytes() + b"\n")
            else:  # 9 digits tell each float32 from its neighbours
                numbers = " ".join(f"{number:.9g}" for number in vector.tolist())
                file.write(f"{word} {numbers}\n".encode())


def load(path: str | Path, *, binary: bool, no_header: bool) -> tuple[list[str], Array]:
    """Return words and vectors (V, D) float32."""
    if binary and no_header:
        raise ValueError("load: binary files have a header, no_header=False expected")
    with Path(path).open("rb") as file:
        if no_header:
            return _load_text(file, path, None)
        line = file.readline(LONGEST)
        try:
            count, width = map(int, line.split())
        except ValueError:
            raise ValueError(
                f"load: {path} begins with {line[:40]!r}, the numbers of words and of vector "
                "elements expected; a file that has none is read with no_header=True"
            ) from None
        if count < 1 or width < 1:
            raise ValueError(f"load: {path} says {count} words of {width} numbers")
        return (_load_binary if binary else _load_text)(file, path, (count, width))


def _load_text(
    file: BinaryIO, path: str | Path, shape: tuple[int, int] | None
) -> tuple[list[str], Array]:
    words: list[str] = []
    rows: list[Array] = []
    width = shape[1] if shape else None
    for number, line in enumerate(file, 2 if shape else 1):
        try:
            word, *fields = line.decode().rstrip().split(" ")
            if width is None:
                width = len(fields)
            if len(fields) != width:
                raise ValueError(f"{len(fields)} numbers")
            rows.append(np.array(fields, np.float32))
        except ValueError as error:
            raise ValueError(
                f"load: {path}, line {number}: {error}, a word and {width} numbers expected"
            ) from None
        words.append(word)
    if not words or (shape and len(words) != shape[0]):
        raise ValueError(
            f"load: {path} has {len(words)} words, {shape[0] if shape else 'some'} expected"
        )
    return words, np.stack(rows)


def _load_binary(
    file: BinaryIO, path: str | Path, shape: tuple[int, int]
) -> tuple[list[str], Array]:
    content, at, (count, width) = file.read(), 0, shape
    words: list[str] = []
    if len(content) < count * width * 4:
        raise ValueError(
            f"load: {path} has {len(content)} bytes after its first line, fewer than {count} words "
            f"of {width} numbers have"
        )
    vectors = np.empty(shape, np.float32)
    for row in range(count):
        space = content.find(b" ", at, at + LONGEST)
        end = space + 1 + 4 * width
        if space < 0 or end > len(content):
            raise ValueError(f"load: {path} ends within word {row} of {count}")
        words.append(content[at:space].lstrip(b"\n").decode())
        vectors[row] = np.frombuffer(content, "<f4", width, space + 1)
        at = end
    return words, vectors
