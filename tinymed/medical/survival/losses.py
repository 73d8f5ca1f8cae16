"""Losses of survival, made of recorded ops: they can be differentiated, twice too."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinymed import ops
from tinymed.medical.survival.outcomes import RiskSets, checked_outcomes
from tinymed.tensor import Tensor

__all__ = ["cox_loss", "discrete_hazard_loss", "discrete_survival", "discrete_targets"]

Floats = NDArray[np.float64]


def cox_loss(
    log_hazard: Any,
    time: ArrayLike,
    event: ArrayLike,
    ties: str = "efron",
    reduction: str = "mean",
) -> Any:
    r"""Return the negative log partial likelihood of Cox's model.

    sum over events i of log(sum_{j: t_j >= t_i} exp(h_j)) - h_i. Of d events at one time the l-th,
    l = 0 .. d - 1, has l / d of the sum over these d taken off its risk set (Efron), or nothing
    (Breslow).

    Parameters
    ----------
    log_hazard : Tensor (n,)
        h: the logarithm of the hazard, but for a constant that cancels.
    time, event : array (n,)
        Until the event (1) or until the patient was last seen without it (0).
    ties : "efron" or "breslow"
    reduction : "mean" or "sum"
        Over the events. Without an event the loss is 0, and so is its gradient.

    Raises
    ------
    ValueError
        Shapes that differ, times that are negative or not finite, events other than 0 and 1.

    Notes
    -----
    O(n log n). Sorted by falling time, all risk sets are one cumulative log-sum-exp; what Efron
    takes off is a share of it: nothing is exponentiated that could overflow. In a batch, a risk set
    is of the patients in the batch.

    References
    ----------
    Cox (1972), J. R. Statist. Soc. B 34; Breslow (1974), Biometrics 30; Efron (1977), J. Am.
    Statist. Assoc. 72; Katzman et al. (2018), "DeepSurv".

    Examples
    --------
    >>> import tinymed as tm
    >>> cox_loss(tm.tensor([0.0, 0.0]), [1.0, 2.0], [1, 1])   # log 2 for the first, 0 for the last
    tensor(0.3466)
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"cox_loss: reduction={reduction!r}, 'mean' or 'sum' expected")
    sets = RiskSets.of("cox_loss", _host(time), _host(event), ties)
    if tuple(log_hazard.shape) != (len(sets.order),):
        raise ValueError(
            f"cox_loss: log_hazard has shape {tuple(log_hazard.shape)}, ({len(sets.order)},) "
            "expected, one for each time"
        )
    if not len(sets.events):
        return (log_hazard * 0).sum()
    h = log_hazard[sets.order]
    at_risk = ops.logcumsumexp(h, 0)[sets.last]  # (m,)
    own = h[sets.events]
    losses = at_risk - own
    if sets.fraction.any():
        kind = log_hazard.dtype
        none = Tensor(np.zeros(int(sets.tie[-1]) + 1, kind))
        share = ops.index_add(none, 0, Tensor(sets.tie), ops.exp(own - at_risk))[sets.tie]
        losses = losses + ops.log1p(share * Tensor(-sets.fraction.astype(kind)))
    return losses.mean() if reduction == "mean" else losses.sum()


def discrete_targets(
    time: ArrayLike, event: ArrayLike, cuts: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which intervals a patient is known to have begun at risk, and in which it failed.

    Parameters
    ----------
    time, event : array (n,)
    cuts : array (k,)
        Where the intervals end, rising: (0, c_1], (c_1, c_2] .. An event after the last is none.

    Returns
    -------
    counted, failed : array (n, k) of bool
        Someone censored in an interval counts in it if it was seen for at least half of it.

    References
    ----------
    Gensheimer and Narasimhan (2019), "A scalable discrete-time survival model for neural networks".

    Examples
    --------
    >>> counted, failed = discrete_targets([1.5, 1.5, 1.2], [1, 0, 0], [1, 2, 3])
    >>> counted.astype(int).tolist(), failed.astype(int).tolist()
    ([[1, 1, 0], [1, 1, 0], [1, 0, 0]], [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    """
    times, events = checked_outcomes("discrete_targets", _host(time), _host(event))
    ends = _checked_cuts("discrete_targets", cuts)
    starts = np.concatenate([[0.0], ends[:-1]])
    # An event at time 0 falls into the first interval, like one at any time until its end.
    failed = events[:, None] & (times[:, None] <= ends) & (times[:, None] > starts)
    failed[:, 0] |= events & (times == 0)
    survived = np.where(events[:, None], ends, (starts + ends) / 2) <= times[:, None]
    return failed | (survived & ~failed), failed


def discrete_hazard_loss(
    logits: Any, time: ArrayLike, event: ArrayLike, cuts: ArrayLike, reduction: str = "mean"
) -> Any:
    """Return the negative log-likelihood of discrete hazards.

    h_k = sigmoid(logits_k) is the probability of the event in interval k of those who begin it.
    A patient adds -log h_k for the interval of its event, -log(1 - h_k) for each that it survived.

    Parameters
    ----------
    logits : Tensor (n, k)
    time, event : array (n,)
    cuts : array (k,)
        As in `discrete_targets`.
    reduction : "mean" or "sum"
        Over the patients.

    Raises
    ------
    ValueError
        Shapes that differ; cuts that do not rise from above 0; see `discrete_targets`.

    References
    ----------
    Gensheimer and Narasimhan (2019), eq. 3.

    Examples
    --------
    >>> import tinymed as tm
    >>> discrete_hazard_loss(tm.zeros(1, 2), [1.5], [1], [1.0, 2.0])     # 2 log 2
    tensor(1.3863)
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"discrete_hazard_loss: reduction={reduction!r}, 'mean' or 'sum' expected")
    counted, failed = discrete_targets(time, event, cuts)
    if tuple(logits.shape) != counted.shape:
        raise ValueError(
            f"discrete_hazard_loss: logits have shape {tuple(logits.shape)}, {counted.shape} "
            "expected: patients and intervals"
        )
    kind = logits.dtype
    total = ops.binary_cross_entropy_with_logits(
        logits, Tensor(failed.astype(kind)), Tensor(counted.astype(kind)), "sum"
    )
    return total / len(counted) if reduction == "mean" else total


def discrete_survival(logits: ArrayLike, cuts: ArrayLike, at: float) -> Floats:
    """Return the probability of no event until a time, within an interval of constant hazard.

    Parameters
    ----------
    logits : array (..., k)
        Of the hazards.
    cuts : array (k,)
    at : float
        A time from 0 to the last cut.

    Examples
    --------
    >>> discrete_survival([[0.0, 0.0]], [1.0, 2.0], 2.0)
    array([0.25])
    """
    ends = _checked_cuts("discrete_survival", cuts)
    values = np.asarray(logits, np.float64)
    if values.shape[-1:] != ends.shape:
        raise ValueError(
            f"discrete_survival: logits have shape {values.shape}, {len(ends)} intervals expected"
        )
    if not 0 <= at <= ends[-1]:
        raise ValueError(f"discrete_survival: at={at}, 0 to the last cut {ends[-1]} expected")
    starts = np.concatenate([[0.0], ends[:-1]])
    passed = np.clip((at - starts) / (ends - starts), 0, 1)  # what of each interval has passed
    survival: Floats = np.exp(-(np.logaddexp(0, values) * passed).sum(-1))
    return survival


def _checked_cuts(name: str, cuts: ArrayLike) -> Floats:
    ends = np.asarray(cuts, np.float64)
    if ends.ndim != 1 or not len(ends) or not np.isfinite(ends).all():
        raise ValueError(f"{name}: cuts {ends.tolist()}, finite numbers (k,) expected, k >= 1")
    if ends[0] <= 0 or (np.diff(ends) <= 0).any():
        raise ValueError(f"{name}: cuts {ends.tolist()} do not rise from above 0")
    return ends


def _host(values: Any) -> Any:
    return values.numpy() if isinstance(values, Tensor) else values
