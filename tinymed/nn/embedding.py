"""Layers that look up rows of a table: embeddings of tokens, and bags of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import empty
from tinymed.grad_mode import no_grad
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.ops.embedding import check_mode, checked_padding
from tinymed.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class Table(Module):
    """The table that both layers own, and how it begins."""

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Any,
        frozen: bool,
        device: str,
        dtype: Any,
        generator: np.random.Generator | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_sizes(name, num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = checked_padding(name, padding_idx, num_embeddings)
        if weight is not None:
            if tuple(weight.shape) != (num_embeddings, embedding_dim):
                raise ValueError(
                    f"{name}: weight {weight.shape} does not fit {num_embeddings} embeddings of "
                    f"{embedding_dim} elements"
                )
            self.weight = Parameter(weight, requires_grad=not frozen)
            return
        made = empty(num_embeddings, embedding_dim, dtype=dtype, device=device)
        self.weight = Parameter(made, requires_grad=not frozen)
        init.normal_(self.weight, generator=generator)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows: those that are not as usual."""
        usual = {
            "padding_idx": None,
            "max_norm": None,
            "norm_type": 2.0,
            "scale_grad_by_freq": False,
            "mode": None,
            "sparse": False,
            "include_last_offset": False,
        }
        shown = [
            f", {name}={getattr(self, name)!r}"
            for name, value in usual.items()
            if getattr(self, name, value) != value
        ]
        return f"{self.num_embeddings}, {self.embedding_dim}{''.join(shown)}"


def checked_embeddings(name: str, embeddings: Any) -> tuple[int, int]:
    """Return the shape of a table that was made elsewhere, or raise."""
    if not hasattr(embeddings, "shape") or len(embeddings.shape) != 2:
        shape = getattr(embeddings, "shape", type(embeddings).__name__)
        raise ValueError(f"{name}.from_pretrained: embeddings {shape} must be (rows, features)")
    rows, features = embeddings.shape
    return rows, features


class Embedding(Table):
    """A table of vectors; token ids in, their vectors out: (*) -> (*, embedding_dim).

    Parameters
    ----------
    num_embeddings : int
        V, the number of different ids.
    embedding_dim : int
        D, the length of a vector.
    padding_idx : int or None
        The id that fills up: its vector is 0 at the start and gets no gradient.
    max_norm : float or None
        Shorten, before they are read and in place, vectors whose ``norm_type``-norm is above it.
    norm_type : float
    scale_grad_by_freq : bool
        Divide each vector's gradient by how often its id was read.
    sparse : bool
        The gradient is a RowGradient: its cost is that of the ids that were read, not of the table.
        For `SGD`, `Adagrad` and `SparseAdam`.
    device, dtype : where and as what the table is made
    generator : numpy.random.Generator or None
        Draws the starting values, N(0, 1) as in PyTorch.

    Examples
    --------
    >>> import tinymed as tm
    >>> tm.nn.Embedding(10, 3)(tm.tensor([[1, 2], [4, 9]])).shape
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype, generator
        )
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """Return a layer on a table (V, D) that was made elsewhere, as it is, without a copy.

        ``freeze`` keeps it from being trained; the others as for the layer.
        """
        rows, features = checked_embeddings("Embedding", embeddings)
        return cls(
            rows,
            features,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            embeddings,
            freeze,
        )

    def forward(self, x: Any) -> Any:
        """Return the vectors of token ids: (*) -> (*, D)."""
        return ops.embedding(
            x,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )


class EmbeddingBag(Table):
    """The sum, mean or maximum of the vectors of each bag of token ids; see `Embedding`.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
    max_norm, norm_type, scale_grad_by_freq
        As for `Embedding`.
    mode : "mean", "sum" or "max"
    sparse : bool
        As for `Embedding`; not with "max".
    include_last_offset : bool
        Offsets also say where the last bag ends.
    padding_idx : int or None
        The id that counts as absent from the bags.
    device, dtype, generator
        As for `Embedding`.

    Examples
    --------
    >>> import tinymed as tm
    >>> bags = tm.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bags(tm.tensor([1, 2, 4, 5, 4]), offsets=tm.tensor([0, 2])).shape
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        check_mode("EmbeddingBag", mode, False, scale_grad_by_freq, sparse)
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype, generator
        )
        self.max_norm, self.norm_type, self.mode = max_norm, norm_type, mode
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.include_last_offset = include_last_offset

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """Return a layer on a table (V, D) that was made elsewhere, as it is, without a copy."""
        rows, features = checked_embeddings("EmbeddingBag", embeddings)
        made = cls(
            rows,
            features,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made

    def forward(self, x: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """Return a vector for each bag: (B, N), or (n,) with ``offsets`` (B,), to (B, D)."""
        return ops.embedding_bag(
            x,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
