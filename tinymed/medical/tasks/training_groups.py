"""Which groups and images a model learned from, kept in its file: it must not be judged on them.

A patient who was in training is no longer a test. Splits are checked when a model is trained; a
file that comes later is checked here. Two files may name one patient differently: then equal
images tell.

Names are kept as hashes of eight bytes, so that a model file lists no patients. That hides them
from a reader, not from one who can guess a name and ask whether it is among them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

__all__ = [
    "contents",
    "groups_seen_again",
    "images_seen",
    "remembered_groups",
    "remembered_images",
    "united",
]

Array = np.ndarray[Any, Any]
BYTES = 8  # of a hash: two names in a million million share one


def remembered_groups(names: Iterable[Any] | None) -> str | None:
    """Return the different names as text: sorted hashes in base 64; None for no names.

    Numbers count as what they are written as, so that 100 in one file is "100" in another.

    Examples
    --------
    >>> len(remembered_groups(["anna", "otto", "anna"]))     # 16 bytes in base 64
    24
    """
    if names is None:
        return None
    return packed(hashes(names))


def groups_seen_again(remembered: str | None, names: Iterable[Any] | None, kind: str) -> list[str]:
    """Return a warning if some of these names were among the remembered, else an empty list.

    Parameters
    ----------
    remembered : str or None
        Of `remembered_groups`; None where the model does not say: then nothing is claimed.
    names : iterable or None
        The group of each example that is judged; None where they are not known.
    kind : str
        What a group is, for the sentence: "patient".

    Examples
    --------
    >>> groups_seen_again(remembered_groups([1, 2, 3]), [3, 4, 4], "patient")
    ['1 of 2 groups (patient) are named as in training: if the same, the result is too good']
    """
    if remembered is None or names is None:
        return []
    judged = hashes(names)
    again = len(unpacked(remembered) & judged)
    if not again:
        return []
    # two studies may both number their patients from 1: what is known is the name
    told = f"{again} of {len(judged)} groups ({kind}) are named as in training"
    return [f"{told}: if the same, the result is too good"]


def contents(inputs: Array) -> Iterable[Any]:
    """Return a name for each example (n, ...) by what it holds: where nobody says whose it is.

    Examples
    --------
    >>> list(contents(np.array(["cough", "pain"])))
    ['cough', 'pain']
    >>> first, second, again = contents(np.array([[1, 2], [3, 4], [1, 2]]))
    >>> first == again != second
    True
    """
    if inputs.ndim == 1 and inputs.dtype.kind in "OSUV":  # texts, records, objects with a __repr__
        return inputs.tolist()
    return [image_hash(each).hex() for each in inputs]


def remembered_images(images: Array) -> str:
    """Return the different images (n, H, W) as text: sorted hashes in base 64.

    Parameters
    ----------
    images : array of bytes
        Grey values of 0 to 255 over the window, so that what one file holds as Hounsfield units is
        known again in another that holds the grey values. Turned, mirrored or cut copies are not.
    """
    return packed({image_hash(image) for image in images})


def images_seen(remembered: str, images: Array) -> Array:
    """Return which of these images (n, H, W) are among the remembered, bool (n,).

    Examples
    --------
    >>> images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    >>> images_seen(remembered_images(images[1:]), images).tolist()
    [False, True, True]
    """
    known = unpacked(remembered)
    return np.array([image_hash(image) in known for image in images], dtype=bool)


def united(*remembered: str) -> str:
    """Return what is remembered in any of these texts as one."""
    return packed(set().union(*map(unpacked, remembered)))


def hashes(names: Iterable[Any]) -> set[bytes]:
    """Return the hash of each different name."""
    return {hashlib.blake2b(str(name).encode(), digest_size=BYTES).digest() for name in names}


def image_hash(image: Array) -> bytes:
    """Return the hash of an image's bytes and shape."""
    shape = str(image.shape).encode()
    return hashlib.blake2b(image.tobytes(), digest_size=BYTES, person=shape[:16]).digest()


def packed(found: set[bytes]) -> str:
    """Return hashes as text."""
    return base64.b64encode(b"".join(sorted(found))).decode()


def unpacked(text: str) -> set[bytes]:
    """Return the hashes that `packed` made a text of."""
    whole = base64.b64decode(text)
    return {whole[i : i + BYTES] for i in range(0, len(whole), BYTES)}
