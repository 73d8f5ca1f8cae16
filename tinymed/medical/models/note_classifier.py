"""A network for short medical texts: two views of the words and of their parts."""

from __future__ import annotations

from typing import Any

from tinymed import creation, nn, ops
from tinymed.medical.models.sparse_linear import SparseLinear

__all__ = ["NoteClassifier", "WordWeights"]


class WordWeights(SparseLinear):
    """Linear in the parts of a text's words: each counts its rarity, the text is a unit vector.

    Ids (N, T, P), 0 where there is no part -> (N, classes).

    Parameters
    ----------
    parts, classes : int

    Attributes
    ----------
    rarity : Tensor (parts,)
        Inverse document frequencies; 0 for what is not counted.
    """

    rarity: Any

    def __init__(self, parts: int, classes: int) -> None:
        super().__init__(parts, classes)
        self.register_buffer("rarity", creation.ones(parts))

    def features(self, ids: Any) -> tuple[Any, Any]:
        """Return the parts of texts and what they count, (N, T, P) -> (N, T P) each."""
        flat = ids.reshape(ids.shape[0], -1)
        shares = self.rarity[flat] * (flat != 0).to(self.rarity.dtype)
        length = (shares * shares).sum(1, keepdim=True).sqrt().clip(1e-6, None)
        return flat, shares / length


class NoteClassifier(nn.Module):
    """Two views of a text, each with logits of its own; a prediction is the mean of both.

    A text is ids (N, T, P): the parts of each word, which are the word itself and the n-grams of
    its characters, so that a word never seen in training still has parts that were.

    The wide view is `WordWeights`, which is fitted. The deep view has vectors: sum over the parts
    of each word (N, T, D) -> [itself, convolution of three words, relu] (N, T, D + H) ->
    attention, a mean weighted by softmax(v tanh(U h)) over the words that are there, beside the
    plain mean -> dropout -> logits.

    Parameters
    ----------
    parts : int
        Rows of the tables: 0 is padding.
    classes : int
    dim : int
        D, length of a vector.
    channels : int
        H, of the convolution.
    dropout : float in [0, 1)
        Of the text's vector in the deep view.
    word_dropout : float in [0, 1)
        The share of whole words that the deep view does not see in training: a text is known by
        any of them.

    References
    ----------
    Cheng et al. (2016), "Wide & deep learning for recommender systems"; Bojanowski, Grave, Joulin,
    Mikolov (2017), "Enriching word vectors with subword information"; Kim (2014), "Convolutional
    neural networks for sentence classification"; Yang et al. (2016), "Hierarchical attention
    networks for document classification", equations 5-7.

    Examples
    --------
    >>> import tinymed as tm
    >>> ids = tm.tensor([[[3, 7], [4, 0], [0, 0]]])  # two words, the first with an n-gram
    >>> network = NoteClassifier(10, 5).eval()
    >>> network(ids).shape, network.attention(ids)[0, 2].item()
    ((1, 2, 5), 0.0)
    """

    def __init__(
        self,
        parts: int,
        classes: int,
        dim: int = 64,
        channels: int = 64,
        dropout: float = 0.5,
        word_dropout: float = 0.25,
    ) -> None:
        super().__init__()
        self.vectors = nn.EmbeddingBag(parts, dim, mode="sum", padding_idx=0)
        nn.init.zeros_(self.vectors.weight)  # a part that training never sees adds nothing
        self.wide = WordWeights(parts, classes)
        self.conv = nn.Conv1d(dim, channels, 3, padding=1)
        self.relevance = nn.Linear(dim + channels, channels)
        self.context = nn.Linear(channels, 1, bias=False)
        self.word_dropout = nn.Dropout(word_dropout)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * (dim + channels), classes)

    def forward(self, ids: Any) -> Any:
        """Return the logits of both views, (N, T, P) -> (N, 2, classes)."""
        words = (ids[:, :, 0] != 0).to(self.wide.rarity.dtype)
        seen = (self.word_dropout(words) > 0).to(ids.dtype)
        return ops.stack([self.wide(ids), self._deep_view(ids * seen.unsqueeze(2))], 1)

    def attention(self, ids: Any) -> Any:
        """Return the weight of each word, (N, T, P) -> (N, T): they sum to 1, 0 for padding."""
        return self._weights(*self._states(ids))

    def _deep_view(self, ids: Any) -> Any:
        """Return logits (N, classes) from vectors, neighbours and attention."""
        states, present = self._states(ids)
        attended = (states * self._weights(states, present).unsqueeze(2)).sum(1)
        counts = present.sum(1, keepdim=True).clip(1, None)
        mean = (states * present.unsqueeze(2)).sum(1) / counts  # (N, T, F) -> (N, F)
        return self.classifier(self.dropout(ops.cat([attended, mean], 1)))

    def _states(self, ids: Any) -> tuple[Any, Any]:
        """Return what is known of each word (N, T, D + H), and 1 where there is one (N, T)."""
        batch, steps, parts = ids.shape
        present = (ids[:, :, 0] != 0).to(self.wide.rarity.dtype)
        words = self.vectors(ids.reshape(batch * steps, parts)).reshape(batch, steps, -1)
        around = self.conv(words.transpose(1, 2)).relu().transpose(1, 2)  # over T
        return ops.cat([words, around], 2), present

    def _weights(self, states: Any, present: Any) -> Any:
        """Return the softmax of relevance over the words that are there: (N, T)."""
        scores = self.context(self.relevance(states).tanh()).squeeze(2)
        # far enough down for an exact zero, yet finite: a text without words gives no NaN
        return (scores + (present - 1) * 1e9).softmax(1) * present
