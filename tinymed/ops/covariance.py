"""Covariances and correlations of variables."""

from __future__ import annotations

import math
from typing import Any

from tinymed.ops.diagonal import diagonal
from tinymed.ops.division import divide
from tinymed.ops.elementwise import clamp, sqrt
from tinymed.ops.matmul import matmul
from tinymed.ops.promotion import cast, floating, rounded_once
from tinymed.ops.reduction import any, sum
from tinymed.ops.shaping import reshape, transpose, unsqueeze
from tinymed.precision import kind_of

__all__ = ["corrcoef", "cov"]


@rounded_once
def cov(x: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Return the covariances of the rows of ``x``, the columns being observations.

    Parameters
    ----------
    x : (V, N), or (N,) for one variable
    correction : int
        Taken from the number of observations before it divides.
    fweights : (N,) of integers, optional
        How often each observation was made.
    aweights : (N,) of floats, optional
        How much each observation counts.

    Returns
    -------
    (V, V), or () of one variable; NaN of too few observations
    """
    if x.ndim > 2:
        raise ValueError(f"cov: x {x.shape} has more than 2 axes, variables and observations")
    rows = floating(x if x.ndim == 2 else reshape(x, (1, -1)))
    observations = rows.shape[1]
    weights = None
    for name, given, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if given is None:
            continue
        if given.shape != (observations,) or kind_of(given.dtype) not in kinds:
            raise ValueError(
                f"cov: {name} {given.shape} {given.dtype} is not one "
                f"{'integer' if kinds == 'iu' else 'float'} for each of {observations} observations"
            )
        if bool(any(given < 0)):
            raise ValueError(f"cov: {name} holds negative weights")
        weights = given if weights is None else weights * given
    if weights is None:
        count: Any = float(observations)
        divisor: Any = count - correction
        centred = rows - sum(rows, 1, keepdim=True) / (count or math.nan)
        weighted = centred
    else:
        weights = cast(weights, rows.dtype)
        count = sum(weights)
        lost = sum(weights * aweights) / count if aweights is not None else 1
        divisor = count - correction * lost
        centred = rows - sum(rows * weights, 1, keepdim=True) / count
        weighted = centred * weights
    enough = bool(divisor > 0)
    products = matmul(weighted, transpose(centred, 0, 1)) / (divisor if enough else math.nan)
    return reshape(products, ()) if len(products) == 1 else products


@rounded_once
def corrcoef(x: Any) -> Any:
    """Return the correlations (Pearson) of the rows of ``x`` (V, N): 1 with itself.

    NaN for a variable that does not vary.
    """
    products = cov(x)
    if products.ndim == 0:
        return divide(products, products)
    deviation = sqrt(diagonal(products))
    return clamp(products / unsqueeze(deviation, 1) / deviation, -1.0, 1.0)
