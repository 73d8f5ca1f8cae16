"""Batches of sequences of different lengths, under the names of torch.nn.utils.rnn.

The layers take ``lengths=`` and need none of this; it is here for code that packs by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from tinymed import ops
from tinymed.kernels.arrays import to_host
from tinymed.ops.packing import Packing, pack, packing, places, put_rows
from tinymed.tensor import Tensor

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """Sequences sorted by length, the longest first, their rows step by step: a b c | a b | a."""

    data: Any  # (R, *), R the sum of the lengths
    batch_sizes: Tensor  # (T,) how many sequences have a step t; never rising
    sorted_indices: Tensor | None = None  # (N,) the sequences by length; None: as they were given
    unsorted_indices: Tensor | None = None  # (N,) where each went

    def packing(self) -> Packing:
        """Return the same as the ops have it."""
        sizes = tuple(to_host(self.batch_sizes.data).tolist())
        order = None if self.sorted_indices is None else to_host(self.sorted_indices.data)
        return Packing(sizes, max(sizes, default=0), order, padded=tuple(self.data.shape[:1]))

    def lengths(self) -> np.ndarray[Any, Any]:
        """Return the length of each sequence, (N,), in the order in which they were given."""
        how = self.packing()
        found = (np.array(how.sizes)[:, None] > np.arange(how.batch)).sum(axis=0)
        return found if how.back is None else found[how.back]

    def to(self, *targets: Any) -> PackedSequence:
        """Return it with its data in another dtype and/or on another device."""
        return self._replace(data=self.data.to(*targets))


def pack_padded_sequence(
    input: Any, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Return the sequences of a padded batch, packed.

    Parameters
    ----------
    input : (T, N, *), or (N, T, *) if ``batch_first``
    lengths : (N,) integers from 1 to T
        Length 0 needs the layers' own ``lengths=``: a packed batch does not know of it.
    enforce_sorted : bool
        Expect lengths that do not rise; False takes any order.

    Raises
    ------
    ValueError
        If a length is out of range, or they rise though they must not.
    """
    name = "pack_padded_sequence"
    if input.ndim < 2:
        raise ValueError(f"{name}: input {input.shape} must be (T, N, *)")
    how = packing(name, tuple(input.shape[:2]), lengths, batch_first)
    if how.sizes[:1] != (how.batch,):
        raise ValueError(
            f"{name}: input {input.shape} holds no sequence, or one of length 0, of which a packed "
            "batch cannot know; give the layer lengths= instead"
        )
    if enforce_sorted and how.order is not None:
        raise ValueError(f"{name}: lengths {list(lengths)} rise; pass enforce_sorted=False")
    data, sizes = pack(input, how), Tensor(np.array(how.sizes))
    if enforce_sorted:
        return PackedSequence(data, sizes)
    order = np.arange(how.batch) if how.order is None else how.order
    return PackedSequence(data, sizes, Tensor(order), Tensor(np.argsort(order)))


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Any, Tensor]:
    """Return the padded batch (T, N, *), or (N, T, *), and the lengths (N,).

    Parameters
    ----------
    padding_value : float
        Stands behind the end of each sequence.
    total_length : int or None
        T; None stands for the longest sequence.
    """
    how = sequence.packing()
    steps = len(how.sizes) if total_length is None else total_length
    if steps < len(how.sizes):
        raise ValueError(
            f"pad_packed_sequence: total_length={total_length} is below the longest sequence, "
            f"{len(how.sizes)} steps"
        )
    padded = (how.batch, steps) if batch_first else (steps, how.batch)
    at = places(how.sizes, how.order, padded, batch_first)
    return put_rows(sequence.data, at, padded, padding_value), Tensor(sequence.lengths())


def pad_sequence(
    sequences: Iterable[Any],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Any:
    """Return sequences (L_i, *) as one batch (T, N, *), or (N, T, *), T the longest of the L_i.

    Parameters
    ----------
    padding_side : "right" or "left"
        Where ``padding_value`` stands: behind or before each sequence.
    """
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side={padding_side!r} is not 'right' or 'left'")
    given = list(sequences)
    if not given:
        raise ValueError("pad_sequence: no sequences given")
    if any(each.ndim == 0 for each in given):
        raise ValueError("pad_sequence: a sequence without axes has no length")
    lengths = np.array([each.shape[0] for each in given])
    longest, count = int(lengths.max()), len(given)
    first = longest - lengths if padding_side == "left" else np.zeros(count, int)
    t = np.concatenate([np.arange(n) + begin for n, begin in zip(lengths, first, strict=True)])
    which = np.repeat(np.arange(count), lengths)
    at = which * longest + t if batch_first else t * count + which
    padded = (count, longest) if batch_first else (longest, count)
    return put_rows(ops.cat(given), at, padded, padding_value)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """Return the sequences (L_i, *) of a padded batch (T, N, *), or (N, T, *)."""
    how = packing("unpad_sequence", tuple(padded_sequences.shape[:2]), lengths, batch_first)
    known = to_host(lengths.data if isinstance(lengths, Tensor) else lengths)
    if batch_first:
        return [padded_sequences[i, : int(n)] for i, n in enumerate(known)]
    return [padded_sequences[: int(known[i]), i] for i in range(how.batch)]


def pack_sequence(sequences: Iterable[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Return sequences (L_i, *), L_i >= 1, packed; see `pack_padded_sequence`."""
    given = list(sequences)
    lengths = [each.shape[0] for each in given]
    return pack_padded_sequence(pad_sequence(given), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """Return the sequences (L_i, *) that were packed, in the order in which they were given."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
