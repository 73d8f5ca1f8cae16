"""A network for heartbeats in a row: convolutions within a beat, a GRU over the beats."""

from __future__ import annotations

from typing import Any

import tinymed as tm
from tinymed import nn

__all__ = ["BeatSequenceNetwork"]


class BeatSequenceNetwork(nn.Module):
    """Classes of consecutive beats, each judged by its shape, its rhythm and its neighbours.

    Each beat (2, L) -> `shape`: three convolutions of stride 2, each with ReLU, then fully
    connected -> (E,). Its descriptors (F,) -> `rhythm`: fully connected -> (E,). Both, side by
    side (2 E,), -> `sequence`: a GRU in both directions -> (2 H,). The two before and the GRU's
    output -> `classifier` -> logits. The parts are attributes of these names, so that each can be
    called and looked into alone.

    Parameters
    ----------
    samples : int
        L of a beat, divisible by 8; a beat has two channels, the lead and its difference from
        the patient's median beat.
    descriptors : int
        F, of the rhythm and the shape.
    classes : int
    widths : tuple of three int
        Channels of the convolutions.
    embedding, hidden : int
        E and H.
    dropout : float in [0, 1)

    Examples
    --------
    >>> import tinymed as tm
    >>> network = BeatSequenceNetwork(samples=16, descriptors=3)
    >>> network(tm.zeros(4, 10, 2 * 16 + 3)).shape       # 4 windows of 10 beats
    (4, 10, 3)
    """

    def __init__(
        self,
        samples: int = 128,
        descriptors: int = 13,
        classes: int = 3,
        widths: tuple[int, int, int] = (16, 32, 32),
        embedding: int = 32,
        hidden: int = 32,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if samples < 8 or samples % 8:
            raise ValueError(f"BeatSequenceNetwork: samples is {samples}, a multiple of 8 expected")
        self.samples = samples
        self.shape = nn.Sequential(
            nn.Conv1d(2, widths[0], 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(widths[0], widths[1], 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(widths[1], widths[2], 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),  # not a mean: before, in and after the QRS mean different things
            nn.Dropout(dropout),
            nn.Linear(widths[2] * samples // 8, embedding),
            nn.ReLU(),
        )
        self.rhythm = nn.Sequential(nn.Linear(descriptors, embedding), nn.ReLU())
        self.sequence = nn.GRU(2 * embedding, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * embedding + 2 * hidden, classes)

    def forward(self, x: Any) -> Any:
        """Return logits, (N, T, 2 L + F) -> (N, T, classes)."""
        windows, beats = x.shape[:2]
        lead = x[:, :, : 2 * self.samples].reshape(windows * beats, 2, self.samples)
        shape = self.shape(lead).reshape(windows, beats, -1)
        rhythm = self.rhythm(x[:, :, 2 * self.samples :])
        each = self.dropout(tm.cat([shape, rhythm], 2))  # (N, T, 2 E)
        together, _ = self.sequence(each)  # (N, T, 2 H)
        return self.classifier(self.dropout(tm.cat([each, together], 2)))
