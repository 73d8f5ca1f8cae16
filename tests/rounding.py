"""How far a result may lie from its exact value: the one place where tests allow for rounding."""

from typing import Any

import numpy as np

SAFETY = 4.0  # the model is the size to expect; the worst of thousands of elements is larger


def assert_rounded(
    result: Any, exact: np.ndarray, *, terms: int = 1, scale: Any = None, dtype: Any = None
) -> None:
    """Assert |result - exact| <= SAFETY sqrt(terms) eps scale, element by element.

    A sum of K products, each rounded to eps, is off by about sqrt(K) eps times the size of what is
    added up, if the roundings are independent of each other (Higham, Mary 2019).

    Parameters
    ----------
    result : array in the dtype under test
    exact : the same in float64
    terms : int
        K, how many numbers are added up for one element.
    scale : float or array like ``exact``
        The root of the sum of the squares of the terms; |exact| where there is one term.
    dtype : dtype or None
        Whose eps counts; that of ``result`` unless given.
    """
    result = np.asarray(result)
    eps = np.finfo(result.dtype if dtype is None else dtype).eps
    scale = np.abs(exact) if scale is None else scale
    allowed = SAFETY * np.sqrt(max(terms, 1)) * eps * np.asarray(scale) + np.finfo(np.float32).tiny
    assert result.shape == np.shape(exact)
    error = np.abs(result.astype(np.float64) - exact)
    worst = np.unravel_index(np.argmax(error - allowed), error.shape) if error.size else None
    assert (error <= allowed).all(), (
        f"at {worst}: {result[worst]} instead of {exact[worst]}, "
        f"allowed {np.broadcast_to(allowed, error.shape)[worst]:.3g}"
    )
