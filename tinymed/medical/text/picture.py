"""A map of word vectors in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinymed.medical.text.vectors import WordVectors

__all__ = ["draw_word_map", "principal_components"]

Array = np.ndarray[Any, np.dtype[Any]]


def principal_components(x: ArrayLike, components: int = 2) -> tuple[Array, Array]:
    """Return the coordinates (N, K) along the directions of most variance, and its shares (K,).

    Parameters
    ----------
    x : array_like (N, D)
    components : int
        K, at most the smaller of N and D.

    Notes
    -----
    By the singular values of x minus its mean. A direction's sign is chosen so that its largest
    coordinate in size is positive.
    """
    numbers = np.asarray(x, np.float64)
    if numbers.ndim != 2 or not 1 <= components <= min(numbers.shape):
        raise ValueError(
            f"principal_components: x {numbers.shape} for {components} components, (N, D) with "
            "N and D as large expected"
        )
    centered = numbers - numbers.mean(axis=0)
    u, s, _ = np.linalg.svd(centered, full_matrices=False)
    found = u[:, :components] * s[:components]
    found *= np.where(found[abs(found).argmax(axis=0), range(components)] < 0, -1, 1)
    total = (s**2).sum()
    return found, s[:components] ** 2 / (total or 1)


def draw_word_map(
    vectors: WordVectors, path: str | Path, words: Sequence[str] | None = None, top: int = 100
) -> None:
    """Draw words at their two principal components into a picture file.

    Parameters
    ----------
    vectors : WordVectors
    path : str or Path
        Its ending says the format: .png, .svg, .pdf.
    words : sequence of str, optional
        Those to show, two at least; the first ``top`` if not given.
    top : int

    Raises
    ------
    KeyError
        A word has no vector.
    ImportError
        Matplotlib is not installed.
    """
    shown = list(words) if words is not None else vectors.words[:top]
    if len(shown) < 2:
        raise ValueError(f"draw_word_map: {len(shown)} words, two at least expected")
    rows = [vectors.id_of(word) for word in shown]
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("draw_word_map: needs matplotlib; pip install tinymed[report]") from error
    places, shares = principal_components(vectors.units[rows])
    figure = Figure(figsize=(9, 9), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*places.T, s=6)
    for word, place in zip(shown, places, strict=True):
        text = word.replace("$", r"\$")  # no formula
        axes.annotate(text, place, xytext=(3, 2), textcoords="offset points", fontsize=8)
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second component, {shares[1]:.0%}")
    figure.savefig(path, dpi=150)
