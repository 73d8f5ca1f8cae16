"""A network for DNA and proteins: motifs by convolution, their order by a GRU."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["SequenceNetwork"]


class SequenceNetwork(nn.Module):
    """Convolutions that find motifs, a GRU that reads along, a classifier.

    (N, T, K + 1) -> convolution, norm, relu for each width -> GRU in both directions, [output,
    features] (N, T, 2 H + W) -> where sequences are aligned: reduced to a few channels at each
    place, all places side by side; else: mean and maximum over the letters that are there ->
    dropout -> (N, classes) logits.

    The last column of the input is 1 where there is a letter, 0 behind the end of a sequence; what
    stands there has no influence.

    Parameters
    ----------
    letters : int
        K, columns of the alphabet.
    classes : int
    widths : sequence of int
        Channels of each convolution, W the last.
    kernel : int
        Letters that a convolution sees, odd.
    hidden : int
        H, of the GRU in each direction; 0 for none.
    length : int or None
        T where a place means the same in each sequence; None for sequences of any length.
    dropout : float in [0, 1)

    References
    ----------
    Quang, Xie (2016), DanQ: a hybrid convolutional and recurrent deep neural network for
    quantifying the function of DNA sequences.

    Examples
    --------
    >>> SequenceNetwork(4, 3, length=60)(tm.ones(2, 60, 5)).shape
    (2, 3)
    """

    def __init__(
        self,
        letters: int,
        classes: int,
        widths: list[int] | tuple[int, ...] = (32, 32),
        kernel: int = 7,
        hidden: int = 16,
        length: int | None = None,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"SequenceNetwork: kernel {kernel} is even, an odd number expected")
        self.length = length
        before = [letters + 1, *widths[:-1]]
        self.convs = nn.ModuleList(
            [
                nn.Conv1d(i, o, kernel, padding=kernel // 2, bias=False)
                for i, o in zip(before, widths, strict=True)
            ]
        )
        self.norms = nn.ModuleList([nn.BatchNorm1d(width) for width in widths])
        self.gru = None
        if hidden:
            self.gru = nn.GRU(widths[-1], hidden, batch_first=True, bidirectional=True)
        features = 2 * hidden + widths[-1]
        self.dropout = nn.Dropout(dropout)
        if length is None:
            self.classifier = nn.Linear(2 * features, classes)
        else:
            self.reduce = nn.Linear(features, 8, activation="relu")
            self.classifier = nn.Linear(8 * length + length * (letters + 1), classes)

    def forward(self, x: Any) -> Any:
        """Return logits, (N, T, K + 1) -> (N, classes)."""
        there = x[:, :, -1:]  # (N, T, 1)
        features = x.transpose(1, 2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features = norm(conv(features)).relu() * there.transpose(1, 2)
        features = features.transpose(1, 2)  # (N, T, W)
        if self.gru is not None:
            lengths = there.sum((1, 2)).long()
            along, _ = self.gru(self.dropout(features), lengths=lengths)
            features = tm.cat([along, features], 2)
        if self.length is not None:
            places = self.reduce(self.dropout(features))
            flat = tm.cat([places.flatten(1), x.flatten(1)], 1)  # letters as they are, too
            return self.classifier(self.dropout(flat))
        mean = features.sum(1) / there.sum(1)
        peak = (features - 1e4 * (1 - there)).amax(1)
        return self.classifier(self.dropout(tm.cat([mean, peak], 1)))
