"""A network for molecules: SMILES by convolution, beside a sum over the atoms' surroundings."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["MoleculeNetwork"]


class MoleculeNetwork(nn.Module):
    """Deep and wide: what the line of symbols says, plus what each surrounding says by itself.

    ids (N, T, 1 + R): the symbol, and the surroundings of its atom at radius 1 .. R. Vectors of
    all are summed (N, T, D) -> convolution, norm, relu, twice (N, T, W) -> mean and maximum over
    the symbols, and the sum of the surroundings' vectors over the root of their number -> dropout
    -> fully connected; to that a weight per surrounding and output is added (the wide part: linear
    regression on a circular fingerprint). All that belongs to surroundings begins at zero: those
    that training never met say nothing.

    Parameters
    ----------
    symbols, surroundings : int
        Rows of the tables; 0 is padding in the first, "no atom" in the second.
    outputs : int
    classes : int
        With 2, logits (N, outputs, 2), the first 0; with 1, numbers (N, outputs).
    dim, width : int
        D, W.
    dropout : float in [0, 1)

    References
    ----------
    Cheng et al. (2016), Wide & deep learning for recommender systems; Duvenaud et al. (2015),
    Convolutional networks on graphs for learning molecular fingerprints; Hirohara et al. (2018),
    Convolutional neural network based on SMILES representation of compounds.

    Examples
    --------
    >>> ids = tm.tensor([[[1, 5], [2, 0]], [[3, 7], [0, 0]]])
    >>> MoleculeNetwork(4, 8, 12)(ids).shape
    (2, 12, 2)
    """

    def __init__(
        self,
        symbols: int,
        surroundings: int,
        outputs: int,
        classes: int = 2,
        dim: int = 48,
        width: int = 64,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if classes not in (1, 2):
            raise ValueError(f"MoleculeNetwork: classes {classes}, 1 or 2 expected")
        self.classes = classes
        self.symbols = nn.Embedding(symbols, dim, padding_idx=0)
        self.surroundings = nn.Embedding(surroundings, dim, padding_idx=0)
        self.wide = nn.Embedding(surroundings, outputs, padding_idx=0)
        for table in (self.surroundings, self.wide):
            nn.init.zeros_(table.weight)
        self.convs = nn.ModuleList(
            [nn.Conv1d(before, width, 5, padding=2, bias=False) for before in (dim, width)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for _ in range(2)])
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * width + dim, outputs)

    def forward(self, ids: Any) -> Any:
        """Return logits or numbers, (N, T, 1 + R) -> (N, outputs[, 2])."""
        symbols, around = ids[:, :, 0], ids[:, :, 1:]
        there = (symbols != 0).to(self.wide.weight.dtype).unsqueeze(2)  # (N, T, 1)
        known = (around != 0).to(there.dtype).sum((1, 2)).clamp(min=1)  # (N,)
        root = known.sqrt().unsqueeze(1)
        vectors = self.surroundings(around).sum(2)  # (N, T, R, D) -> (N, T, D)
        features = self.dropout(self.symbols(symbols) + vectors).transpose(1, 2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = norm(conv(features)).relu() * there.transpose(1, 2)
        mean = features.sum(2) / there.sum(1)
        told = tm.cat([mean, features.amax(2), vectors.sum(1) / root], 1)  # relu >= 0: padding too
        found = self.classifier(self.dropout(told))
        found = found + self.wide(around).sum((1, 2)) / root
        if self.classes == 1:
            return found
        return tm.stack([tm.zeros_like(found), found], -1)
