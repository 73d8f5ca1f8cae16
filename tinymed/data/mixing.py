"""Mixup: training on blends of two samples and of their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinymed.data.collate import as_array
from tinymed.data.geometry import Array, checked_number
from tinymed.data.sampler import checked_count
from tinymed.precision import kind_of
from tinymed.random import or_default
from tinymed.tensor import Tensor

__all__ = ["Mixup"]


@dataclass(frozen=True, kw_only=True)
class Mixup:
    """Blend each sample of a batch with another: share x + (1 - share) x', and so the labels.

    One share per batch is drawn from Beta(alpha, alpha), the partners by a permutation.

    Parameters
    ----------
    num_classes : int
        C >= 2.
    alpha : float
        Above 0: small, one of the two prevails (0.2 is usual); 1, any share is as likely.

    Raises
    ------
    ValueError, TypeError
        Numbers outside their ranges.

    References
    ----------
    Zhang et al. (2018), equation 1.

    Examples
    --------
    >>> mixup = Mixup(num_classes=2)
    >>> images, labels = np.random.default_rng(0).random((4, 8, 8)), np.array([0, 1, 1, 0])
    >>> mixed, probabilities = mixup(images, labels, generator=np.random.default_rng(1))
    >>> mixed.shape, probabilities.sum(axis=1).tolist()
    ((4, 8, 8), [1.0, 1.0, 1.0, 1.0])

    In a loader; `cross_entropy` takes the probabilities as they are:

    >>> from tinymed.data import DataLoader, TensorDataset
    >>> loader = DataLoader(TensorDataset(images, labels), 4, augment_batch=mixup.on_batch)
    >>> [target.shape for image, target in loader]
    [(4, 2)]
    """

    num_classes: int
    alpha: float = 0.2

    def __post_init__(self) -> None:
        """Check all settings."""
        checked_count("Mixup", "num_classes", self.num_classes, minimum=2)
        if checked_number("Mixup", "alpha", self.alpha) <= 0:
            raise ValueError(f"Mixup: alpha is {self.alpha}, a number above 0 expected")

    def __call__(
        self, images: Array, labels: Array, *, generator: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Return blended images and the probabilities of the classes.

        Parameters
        ----------
        images : numpy.ndarray (N, ...)
            Floats; not changed.
        labels : numpy.ndarray (N,) or (N, C)
            Class indices 0 .. C - 1, or probabilities.
        generator : numpy.random.Generator, optional
            The default one if not given.

        Returns
        -------
        numpy.ndarray (N, ...), numpy.ndarray (N, C)
            Of the dtype of the images.

        Raises
        ------
        ValueError, TypeError, IndexError
            Numbers of images and labels that differ; images that are not floats; labels that are
            neither; a class index out of range.
        """
        images, labels = np.asarray(images), np.asarray(labels)
        if kind_of(images.dtype) != "f":
            raise TypeError(f"Mixup: images are {images.dtype}, floats expected")
        targets = self._probabilities(labels, images.dtype)
        if not images.ndim or len(images) != len(targets):
            raise ValueError(
                f"Mixup: images {images.shape} and labels {labels.shape} differ in their number"
            )
        generator = or_default(generator)
        share = float(generator.beta(self.alpha, self.alpha))
        partner = generator.permutation(len(images))
        return (
            share * images + (1 - share) * images[partner],
            share * targets + (1 - share) * targets[partner],
        )

    def on_batch(self, batch: Any, generator: np.random.Generator) -> tuple[Any, ...]:
        """Blend a batch ``(images, labels)``, Tensors or arrays, for `DataLoader`.

        Raises
        ------
        ValueError
            A batch of more parts: which of them to blend, only you can know.
        """
        if len(batch) != 2:
            raise ValueError(f"Mixup.on_batch: a batch of {len(batch)} parts, two expected")
        mixed = self(as_array(batch[0]), as_array(batch[1]), generator=generator)
        return tuple(
            Tensor(part) if isinstance(given, Tensor) else part
            for part, given in zip(mixed, batch, strict=True)
        )

    def _probabilities(self, labels: Array, dtype: np.dtype[Any]) -> Array:
        """Return labels as probabilities (N, C)."""
        if (
            labels.ndim == 2
            and labels.shape[1] == self.num_classes
            and kind_of(labels.dtype) == "f"
        ):
            return labels.astype(dtype, copy=False)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                f"Mixup: labels are {labels.dtype} {labels.shape}, class indices (N,) or "
                f"probabilities (N, {self.num_classes}) expected"
            )
        wrong = labels[(labels < 0) | (labels >= self.num_classes)]
        if wrong.size:
            raise IndexError(f"Mixup: label {wrong[0]}, 0..{self.num_classes - 1} expected")
        return np.eye(self.num_classes, dtype=dtype)[labels]
