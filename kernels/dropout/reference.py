"""Dropout by a counter-based generator, as its definition says.

References
----------
Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
"""

from __future__ import annotations

from tinymed.kernels.arrays import Array, array_module

ROUNDS = 10
WORD = (1 << 32) - 1
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85  # 2^32 times the golden ratio's fraction, and that of sqrt(3)


def forward(
    x: Array, inner: int, p: float, seed: int, scale: float, shift: float, floor: float
) -> Array:
    """Return scale x + shift where an element is kept, 0 x + floor where it is not."""
    xp = array_module(x)
    dropped = words(x, -(-x.size // inner), seed) < threshold(p)
    dropped = dropped.repeat(inner)[: x.size].reshape(x.shape)
    factor = xp.where(dropped, 0, x.dtype.type(scale)).astype(x.dtype)
    term = xp.where(dropped, x.dtype.type(floor), x.dtype.type(shift)).astype(x.dtype)
    return x * factor + term


def uniform(like: Array, seed: int, low: float, high: float) -> Array:
    """Return numbers from U(low, high), of the shape and dtype of ``like``."""
    share = (words(like, like.size, seed) >> 8) / (1 << 24)  # which float32 holds exactly
    return (low + (high - low) * share).astype(like.dtype).reshape(like.shape)


def words(like: Array, count: int, seed: int) -> Array:
    """Return the first ``count`` words of a seed (count,), in uint64, where ``like`` is."""
    xp = array_module(like)
    counter = xp.arange(-(-count // 4), dtype="uint64")
    zero = xp.zeros_like(counter)
    found = philox((counter & WORD, counter >> 32, zero, zero), (seed & WORD, seed >> 32))
    return xp.stack(found, axis=1).reshape(-1)[:count]


def threshold(p: float) -> int:
    """Return how many of 2^32 words drop an element: none for p = 0, all for p = 1."""
    return round(p * (1 << 32))


def philox(counter: tuple[Array, ...], key: tuple[int, int]) -> tuple[Array, ...]:
    """Return the four words of Philox-4x32-10 for each counter of four words, both in uint64."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        left, right = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1 = (right >> 32) ^ c1 ^ k0, right & WORD
        c2, c3 = (left >> 32) ^ c3 ^ k1, left & WORD
        k0, k1 = (k0 + KEY_STEPS[0]) & WORD, (k1 + KEY_STEPS[1]) & WORD
    return c0, c1, c2, c3
