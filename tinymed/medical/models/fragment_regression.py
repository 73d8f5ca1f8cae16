"""Linear regression on the fragments of a molecule: a circular fingerprint with weights."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed.medical.models.sparse_linear import SparseLinear

__all__ = ["FragmentRegression"]


class FragmentRegression(SparseLinear):
    """A number for each output, linear in the tf-idf of a molecule's fragments.

    A fragment is an atom, or its surroundings at one radius: in whichever order a molecule is
    spelled, they are the same. One that it has k times counts k, or, if it is the parts that tell
    and not their number, (1 + log k) times its rarity in a vector of unit length.

    Parameters
    ----------
    symbols, surroundings : int
        Rows of the tables; 0 is padding in the first, "no atom" in the second.
    outputs : int
    counted : bool
        Whether fragments are counted; else their rarity and unit length are used.

    Attributes
    ----------
    rarity : Tensor (symbols + surroundings,)
        Inverse frequency in molecules, a logarithm.

    References
    ----------
    Rogers, Hahn (2010), "Extended-connectivity fingerprints".

    Examples
    --------
    >>> ids = tm.tensor([[[1, 5], [3, 0], [2, 5]]])  # 3 is a bond: it has no surroundings
    >>> rows, shares = FragmentRegression(4, 8, 12).features(ids)
    >>> rows[shares > 0].tolist()
    [1, 2, 9]
    """

    rarity: Any

    def __init__(
        self, symbols: int, surroundings: int, outputs: int, counted: bool = False
    ) -> None:
        super().__init__(symbols + surroundings, outputs)
        self.symbols, self.counted = symbols, counted
        self.register_buffer("rarity", tm.ones(symbols + surroundings))

    def features(self, x: Any) -> tuple[Any, Any]:
        """Return fragments and their shares, (N, T, 1 + R) -> (N, T (1 + R)) each.

        The surroundings' rows follow those of the symbols; of a repeated one the last has a share.
        """
        around = x[:, :, 1:]
        atoms = tm.where(around[:, :, :1] > 0, x[:, :, :1], 0)
        placed = tm.cat([atoms, tm.where(around > 0, around + self.symbols, 0)], 2)
        rows = placed.flatten(1).sort(1).values  # equal ones side by side: a run
        ends = tm.cat([rows[:, 1:] != rows[:, :-1], tm.ones_like(rows[:, :1]).bool()], 1)
        # the place in its run of a row's last element is how often the molecule has it
        place = tm.ones_like(rows).cumsum(1)
        before = tm.where(ends, place, 0)[:, :-1].cummax(1).values
        times = place - tm.cat([tm.zeros_like(rows[:, :1]), before], 1)
        times = times.to(self.rarity.dtype) * (ends & (rows > 0)).to(self.rarity.dtype)
        if self.counted:
            return rows, times
        shares = (times > 0).to(times.dtype) * (1 + times.clamp(min=1).log()) * self.rarity[rows]
        length = (shares * shares).sum(1, keepdim=True).sqrt()
        return rows, shares / length.clamp(min=1e-6)
