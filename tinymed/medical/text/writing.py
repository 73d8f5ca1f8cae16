"""Writing with a language model of characters: going on from a beginning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tinymed import Tensor, cat, no_grad
from tinymed.errors import DataError
from tinymed.medical.text.alphabet import END, PADDING, UNKNOWN, Alphabet
from tinymed.medical.text.generation import beam_search, sample
from tinymed.random import spawn

__all__ = ["Reader", "Writer", "Writing"]

Array = np.ndarray[Any, Any]
State = tuple[Tensor, Tensor]


class Reader(Protocol):
    """What `Writer` asks of a network."""

    def read(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return logits (N, T, V) for ids (N, T), and the state after them."""


@dataclass(frozen=True)
class Writing:
    """How to write.

    Parameters
    ----------
    temperature, top_k, top_p
        Of `tinymed.medical.text.generation.sample`; 0 characters and a share of 1 leave none out.
    beam : int
        Beginnings that beam search keeps.
    longest : int
        Characters of a text, its beginning among them.
    seed : int
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    beam: int = 5
    longest: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < np.inf or not 0 < self.top_p <= 1 or self.top_k < 0:
            raise ValueError(
                f"Writing: temperature={self.temperature}, top_p={self.top_p}, "
                f"top_k={self.top_k}; above 0, in (0, 1] and 0 or more expected"
            )
        if self.beam < 1 or self.longest < 1:
            raise ValueError(f"Writing: beam={self.beam}, longest={self.longest}; 1 or more")


class Writer:
    """Goes on from a beginning, by drawing or by searching for the likeliest.

    Parameters
    ----------
    network : Reader
        In eval mode.
    alphabet : Alphabet
    writing : Writing
    """

    def __init__(self, network: Reader, alphabet: Alphabet, writing: Writing) -> None:
        self.network, self.alphabet, self.writing = network, alphabet, writing

    def write(self, beginning: str, number: int = 0) -> str:
        """Return a text that is drawn; the same again for the same ``number``."""
        how, generator = self.writing, spawn(np.random.default_rng(self.writing.seed), number)
        ids = self._ids(beginning)
        logits, state = self._read([ids], None)
        written: list[int] = []
        while len(beginning) + len(written) < how.longest:
            token = sample(
                logits[0], how.temperature, how.top_k or None, how.top_p, generator=generator
            )
            if token == END:
                break
            written.append(int(token))
            logits, state = self._read([[written[-1]]], state)
        return beginning + self.alphabet.decode(written)

    def likeliest(self, beginning: str) -> str:
        """Return the text of the highest mean log-probability that beam search finds."""
        *before, last = self._ids(beginning)
        state = self._read([before], None)[1] if before else None
        found = beam_search(
            self._step,
            last,
            state,
            width=self.writing.beam,
            end=END,
            max_length=self.writing.longest - len(beginning) + 1,
            length_penalty=1.0,
        )
        return beginning + self.alphabet.decode(found[0].tokens)

    def _ids(self, beginning: str) -> list[int]:
        """Return the ids of a beginning, or raise `DataError` if it is too long."""
        if len(beginning) >= self.writing.longest:
            raise DataError(
                f"a beginning of {len(beginning)} characters, fewer than {self.writing.longest} "
                "expected"
            )
        ids: list[int] = self.alphabet.encode(beginning)[:-1].tolist()
        return ids

    def _step(
        self, tokens: list[int], states: list[State | None]
    ) -> tuple[Array, list[State | None]]:
        """Read a token after each state: log-probabilities (B, V) and the states after them."""
        known = [state for state in states if state is not None]  # all, but before the first
        state = tuple(cat(parts, 1) for parts in zip(*known, strict=True)) if known else None
        logits, (h, c) = self._read([[token] for token in tokens], state)
        highest = logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
        after = [(h[:, i : i + 1], c[:, i : i + 1]) for i in range(len(tokens))]
        return logits - highest - total, [*after]

    def _read(self, ids: list[list[int]], state: Any) -> tuple[Array, State]:
        """Return the logits (B, V) of what may come next, and the state."""
        with no_grad():
            logits, after = self.network.read(Tensor(np.array(ids, np.int64)), state)
        found = logits.numpy()[:, -1].astype(np.float64)
        found[:, [PADDING, UNKNOWN]] = -np.inf  # nothing that can be written
        return found, after
