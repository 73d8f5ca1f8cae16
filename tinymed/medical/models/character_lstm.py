"""A language model of characters: an LSTM that tells the next one."""

from __future__ import annotations

from typing import Any

from tinymed import nn

__all__ = ["CharacterLSTM"]

PADDING = 0


class CharacterLSTM(nn.Module):
    """P(next character | those before): embedding -> LSTM -> dropout -> linear.

    Parameters
    ----------
    characters : int
        V, ids 0 (padding) to V - 1.
    dim : int
        Length of a character's vector.
    hidden : int
        H, of each layer of the LSTM.
    layers : int
    dropout : float in [0, 1)
        Of what each layer hands on.

    References
    ----------
    Graves (2013), "Generating sequences with recurrent neural networks", section 3; Zaremba,
    Sutskever, Vinyals (2014), "Recurrent neural network regularization".

    Examples
    --------
    >>> import tinymed as tm
    >>> network = CharacterLSTM(9, dim=4, hidden=8).eval()
    >>> logits, state = network.read(tm.tensor([[1, 5, 3], [1, 4, 0]]))
    >>> logits.shape, state[0].shape
    ((2, 3, 9), (1, 2, 8))
    """

    def __init__(
        self,
        characters: int,
        dim: int = 64,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, dim, padding_idx=PADDING)
        between = dropout if layers > 1 else 0.0
        self.lstm = nn.LSTM(dim, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden, characters)

    def forward(self, ids: Any) -> Any:
        """Return the logits of what follows each character, (N, T) -> (N, T, V)."""
        return self.read(ids)[0]

    def read(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
        """Return logits and the state (h, c) after the last character of each text.

        Parameters
        ----------
        ids : (N, T), padding at the end only
        state : (h, c), (layers, N, H) each, or None
            After the characters before.
        """
        lengths = (ids.data != PADDING).sum(1)
        output, state = self.lstm(self.embedding(ids), state, lengths=lengths)
        return self.classifier(self.dropout(output)), state
