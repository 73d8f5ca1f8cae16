"""Which groups a model learned from, kept in its file: to say so when it is judged on them again.

A patient who was in training is no longer a test. Splits are checked when a model is trained; a
file that comes later is checked here.

Names are kept as hashes of eight bytes, so that a model file lists no patients. That hides them
from a reader, not from one who can guess a name and ask whether it is among them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

__all__ = ["groups_seen_again", "remembered_groups"]

Facts = dict[str, Any]
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
    return base64.b64encode(b"".join(sorted(hashes(names)))).decode()


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
    whole = base64.b64decode(remembered)
    known = {whole[i : i + BYTES] for i in range(0, len(whole), BYTES)}
    judged = hashes(names)
    again = len(known & judged)
    if not again:
        return []
    # two studies may both number their patients from 1: what is known is the name
    told = f"{again} of {len(judged)} groups ({kind}) are named as in training"
    return [f"{told}: if the same, the result is too good"]


def hashes(names: Iterable[Any]) -> set[bytes]:
    """Return the hash of each different name."""
    return {hashlib.blake2b(str(name).encode(), digest_size=BYTES).digest() for name in names}
