"""Randomness: one default NumPy Generator, and a tree of generators that depends on keys alone.

Every function of tinymed that draws takes ``generator=``; without it the default one is used.

>>> manual_seed(0)
>>> first = default_generator().random()
>>> manual_seed(0)
>>> first == default_generator().random()
True
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

__all__ = [
    "default_generator",
    "generator_state",
    "manual_seed",
    "or_default",
    "restore_generator",
    "set_default_generator",
    "spawn",
]

if TYPE_CHECKING:  # not when run: loading numpy.random takes a tenth of the import
    Generator = np.random.Generator | None

BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class _Default(threading.local):
    """Each thread has its own default generator, so that none disturbs the draws of another."""

    generator: np.random.Generator | None = None  # made on first use: numpy.random loads slowly


_DEFAULT = _Default()


def manual_seed(seed: int) -> None:
    """Start this thread's default generator afresh from ``seed`` (an integer >= 0)."""
    _DEFAULT.generator = np.random.default_rng(seed)


def default_generator() -> np.random.Generator:
    """Return the generator used where no ``generator=`` is given."""
    if _DEFAULT.generator is None:
        _DEFAULT.generator = np.random.default_rng()
    return _DEFAULT.generator


def or_default(generator: Generator) -> np.random.Generator:
    """Return the generator to draw from: the one that is given, or the default one for None."""
    return default_generator() if generator is None else generator


def set_default_generator(generator: np.random.Generator) -> None:
    """Make ``generator`` the one that is used where none is given; for this thread."""
    _DEFAULT.generator = generator


def spawn(generator: np.random.Generator, *key: int) -> np.random.Generator:
    """Return the child generator that belongs to ``key``.

    It depends on the seed ``generator`` was made from and on ``key`` alone: not on what has been
    drawn from either, nor on who asks first. A data loader uses ``spawn(g, epoch, index)``, so an
    augmented sample has the same bits whatever the number of workers.

    Parameters
    ----------
    generator : numpy.random.Generator
        Made by `numpy.random.default_rng` or by `spawn`.
    *key : int
        Integers >= 0.

    Examples
    --------
    >>> parent = np.random.default_rng(3)
    >>> a = spawn(parent, 1, 5).random()
    >>> _ = parent.random(100)
    >>> a == spawn(parent, 1, 5).random()
    True
    """
    seeds = _seeds("spawn", generator)
    return np.random.default_rng(
        np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, *key))
    )


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Return all that `restore_generator` needs, in JSON types: seed, key and position.

    Raises
    ------
    TypeError
        The generator was made without a seed that can be read back.
    """
    seeds = _seeds("generator_state", generator)
    return {
        "entropy": _json_value(seeds.entropy),
        "spawn_key": _json_value(seeds.spawn_key),
        "position": _json_value(generator.bit_generator.state),
    }


def restore_generator(state: dict[str, Any]) -> np.random.Generator:
    """Rebuild the generator described by `generator_state`, at the same position.

    Raises
    ------
    ValueError
        The kind of generator is not one of NumPy's.

    Examples
    --------
    >>> g = np.random.default_rng(1)
    >>> _ = g.random(7)
    >>> h = restore_generator(generator_state(g))
    >>> g.random() == h.random() and spawn(g, 2).random() == spawn(h, 2).random()
    True
    """
    kind = state["position"]["bit_generator"]
    if kind not in BIT_GENERATORS:
        raise ValueError(
            f"restore_generator: bit_generator is {kind!r}, {', '.join(BIT_GENERATORS)} expected"
        )
    seeds = np.random.SeedSequence(state["entropy"], spawn_key=tuple(state["spawn_key"]))
    bits = getattr(np.random, kind)(seeds)
    bits.state = state["position"]
    return np.random.Generator(bits)


def _seeds(name: str, generator: np.random.Generator) -> np.random.SeedSequence:
    """Return what a generator was seeded with."""
    seeds: Any = generator.bit_generator.seed_seq
    if not isinstance(seeds, np.random.SeedSequence):
        raise TypeError(
            f"{name}: the generator has no SeedSequence; make it by numpy.random.default_rng(seed)"
        )
    return seeds


def _json_value(value: Any) -> Any:
    """Return nested dicts, sequences and arrays of integers and words as plain JSON types."""
    if isinstance(value, dict):
        return {key: _json_value(entry) for key, entry in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return [_json_value(entry) for entry in value] if isinstance(value, (list, tuple)) else value
