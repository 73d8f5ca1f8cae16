"""Limits on gradients, dense or of rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from tinymed.autograd import wrote
from tinymed.kernels import optimizer as kernels
from tinymed.kernels.arrays import Array, is_array
from tinymed.kernels.recording import action
from tinymed.row_gradient import RowGradient
from tinymed.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> float:
    """Scale all gradients, in place, so that their norm together is at most ``max_norm``.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    max_norm : float >= 0
    norm_type : float
        p of the norm; ``math.inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Raise `RuntimeError` instead of scaling by a NaN or infinite norm.

    Returns
    -------
    float
        The norm before.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks".
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm={max_norm} is not >= 0")
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return _clip_norm(given, max_norm, norm_type, error_if_nonfinite)


@action
def _clip_norm(
    parameters: list[Tensor], max_norm: float, norm_type: float, error_if_nonfinite: bool
) -> float:
    gradients = gradients_of(parameters)
    total = norm_of("clip_grad_norm_", gradients, norm_type, error_if_nonfinite)
    factor = max_norm / (total + 1e-6)
    if factor < 1 or math.isnan(factor):
        for gradient in gradients:
            values = values_of(gradient)
            values *= factor
            wrote(values)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of all gradients, in place, to [-clip_value, clip_value].

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    clip_value : float >= 0
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value={clip_value} is not >= 0")
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    _clip_values(given, clip_value)


@action
def _clip_values(parameters: list[Tensor], clip_value: float) -> None:
    for gradient in gradients_of(parameters):
        values = values_of(gradient)
        values.clip(-clip_value, clip_value, out=values)
        wrote(values)


def get_total_norm(tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> float:
    """Return the norm of all tensors together, as if they were one vector.

    Parameters
    ----------
    tensors : Tensor, RowGradient or iterable of these
        Gradients, mostly: ``[p.grad for p in model.parameters()]``.
    norm_type : float
        p of the norm; ``math.inf`` for the largest absolute value.
    error_if_nonfinite : bool
        Raise `RuntimeError` instead of returning NaN or infinity.

    Examples
    --------
    >>> import tinymed as tm
    >>> get_total_norm([tm.tensor([3.0]), tm.tensor([[4.0]])])
    5.0
    """
    given = [tensors] if isinstance(tensors, (Tensor, RowGradient)) else list(tensors)
    return norm_of("get_total_norm", given, norm_type, error_if_nonfinite)


def norm_of(name: str, given: list[Any], norm_type: float, error_if_nonfinite: bool) -> float:
    """Return the norm of tensors together; a RowGradient's other rows are 0 and add nothing."""
    norm_type = float(norm_type)
    if not norm_type > 0:
        raise ValueError(f"{name}: norm_type={norm_type} is not positive")
    arrays = [values_of(one) for one in given]
    sizes = (abs(array) for array in arrays)
    if norm_type == 2 and arrays:
        total = math.sqrt(kernels.squares(arrays))
    elif norm_type == math.inf:
        largest = [float(size.max()) for size in sizes if size.size]
        total = math.nan if any(map(math.isnan, largest)) else max(largest, default=0.0)
    else:
        sums = (float((size.astype("float64") ** norm_type).sum()) for size in sizes)
        total = sum(sums) ** (1 / norm_type)
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(f"{name}: the norm of the gradients is {total}")
    return total


def gradients_of(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    """Return the gradients of parameters that have one."""
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p.grad for p in given if p.grad is not None]


def values_of(gradient: Any) -> Array:
    """Return the array that holds a gradient: all of it, or its rows."""
    if isinstance(gradient, RowGradient):
        return gradient.values
    return gradient if is_array(gradient) else gradient.data
