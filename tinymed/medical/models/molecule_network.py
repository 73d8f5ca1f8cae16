"""A network for molecules: their SMILES by convolution, beside regression on their fragments."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn
from tinymed.medical.models.fragment_regression import FragmentRegression

__all__ = ["MoleculeNetwork"]


class MoleculeNetwork(nn.Module):
    """Two views of a molecule, each with outputs of its own; a prediction is a mean of both.

    The wide view is `FragmentRegression`: what each piece says by itself; for numbers, times how
    many there are. The deep view reads the line of symbols: vectors (N, T, D) -> convolution,
    norm, relu, twice (N, T, W) -> mean, maximum and sum over the root of their number, over the
    symbols -> dropout -> fully connected.

    Parameters
    ----------
    symbols, surroundings : int
        Rows of the tables; 0 is padding in the first, "no atom" in the second.
    outputs : int
    classes : int
        With 2, logits (N, 2, outputs, 2), the first 0; with 1, numbers (N, 2, outputs).
    dim, width : int
        D, W.
    dropout : float in [0, 1)

    References
    ----------
    Cheng et al. (2016), Wide & deep learning for recommender systems; Hirohara et al. (2018),
    Convolutional neural network based on SMILES representation of compounds.

    Examples
    --------
    >>> ids = tm.tensor([[[1, 5], [2, 0]], [[3, 7], [0, 0]]])
    >>> MoleculeNetwork(4, 8, 12)(ids).shape
    (2, 2, 12, 2)
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
        self.wide = FragmentRegression(symbols, surroundings, outputs, counted=classes == 1)
        self.symbols = nn.Embedding(symbols, dim, padding_idx=0)
        self.convs = nn.ModuleList(
            [nn.Conv1d(before, width, 5, padding=2, bias=False) for before in (dim, width)]
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for _ in range(2)])
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(3 * width, outputs)

    def forward(self, ids: Any) -> Any:
        """Return logits or numbers of both views, (N, T, 1 + R) -> (N, 2, outputs[, 2])."""
        found = tm.stack([self.wide(ids), self._deep_view(ids[:, :, 0])], 1)
        return found if self.classes == 1 else tm.stack([tm.zeros_like(found), found], -1)

    def _deep_view(self, symbols: Any) -> Any:
        """Return logits or numbers, (N, T) -> (N, outputs)."""
        there = (symbols != 0).to(self.wide.rarity.dtype).unsqueeze(1)  # (N, 1, T)
        features = self.dropout(self.symbols(symbols)).transpose(1, 2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = norm(conv(features)).relu() * there
        mean = features.sum(2) / there.sum(2)
        size = features.sum(2) / there.sum(2).sqrt()  # what grows with the molecule
        told = tm.cat([mean, features.amax(2), size], 1)  # relu >= 0: padding too
        return self.classifier(self.dropout(told))
