"""Words from a language model: drawing them, searching for the best, and how surprised it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinymed.kernels.arrays import to_host
from tinymed.random import or_default

__all__ = ["Hypothesis", "beam_search", "perplexity", "sample"]

Array = np.ndarray[Any, np.dtype[Any]]
State = TypeVar("State")
Step = Callable[[list[int], list[State]], tuple[Any, list[State]]]


def sample(
    logits: Any,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: np.random.Generator | None = None,
) -> Array:
    """Draw a token from softmax(logits / temperature), unlikely ones left out.

    Parameters
    ----------
    logits : Tensor or array (..., V)
        Real numbers; -inf for tokens that are not allowed.
    temperature : float
        Above 0: below 1 the likely become likelier, above 1 all become more alike.
    top_k : int, optional
        Only the k likeliest tokens, and those as likely as the last of them.
    top_p : float, optional
        Of what ``top_k`` leaves, only the likeliest that together have a probability of ``top_p``
        at least (nucleus sampling), 0 < top_p <= 1.
    generator : numpy.random.Generator, optional

    Returns
    -------
    array (...), int64

    Raises
    ------
    ValueError
        A logit is NaN or +inf, no token is allowed, or a setting is out of its range.

    References
    ----------
    Holtzman, Buys, Du, Forbes, Choi (2020), "The curious case of neural text degeneration".

    Examples
    --------
    >>> int(sample([0.0, 5.0, 1.0], top_k=1))
    1
    """
    numbers = _numbers(logits)
    if numbers.ndim == 0 or numbers.shape[-1] == 0:
        raise ValueError(f"sample: logits {numbers.shape}, (..., V) with V > 0 expected")
    if not 0 < temperature < np.inf:
        raise ValueError(f"sample: temperature {temperature}, above 0 expected; argmax is at 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"sample: top_k {top_k}, 1 at least expected")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"sample: top_p {top_p}, 0 < top_p <= 1 expected")
    if np.isnan(numbers).any() or (numbers == np.inf).any():
        raise ValueError("sample: a logit is NaN or +inf, real numbers or -inf expected")
    if (highest := numbers.max(axis=-1, keepdims=True)).min(initial=0) == -np.inf:
        raise ValueError("sample: all logits are -inf, one token at least has to be allowed")
    # The highest is taken off before the division, which may otherwise overflow.
    scores = (numbers - highest) / temperature
    if top_k is not None and top_k < scores.shape[-1]:
        last = np.partition(scores, -top_k, axis=-1)[..., -top_k, None]
        scores = np.where(scores < last, -np.inf, scores)
    share = np.exp(scores)
    share /= share.sum(axis=-1, keepdims=True)
    if top_p is not None:
        share = _nucleus(share, top_p)
    levels = share.cumsum(axis=-1)
    uniform = or_default(generator).random(numbers.shape[:-1])
    below = levels <= uniform[..., None] * levels[..., -1:]
    return np.asarray(below.sum(axis=-1), np.int64)


def _nucleus(share: Array, top_p: float) -> Array:
    """Return the probabilities (..., V) with those beyond the first ``top_p`` set to 0."""
    order = np.argsort(-share, axis=-1, kind="stable")
    ordered = np.take_along_axis(share, order, axis=-1)
    ordered[ordered.cumsum(axis=-1) - ordered >= top_p] = 0  # what came before was enough
    found = np.empty_like(share)
    np.put_along_axis(found, order, ordered, axis=-1)
    return found


@dataclass(frozen=True)
class Hypothesis:
    """A sequence that `beam_search` found."""

    tokens: list[int]  # without the start, with the end if it was reached
    log_probability: float  # of all tokens
    score: float  # log_probability / len(tokens) ** length_penalty


def beam_search(
    step: Step[State],
    start: int,
    state: State,
    *,
    width: int,
    end: int,
    max_length: int,
    length_penalty: float = 0.0,
) -> list[Hypothesis]:
    """Search for the likeliest sequences, keeping the ``width`` best beginnings at each length.

    Parameters
    ----------
    step : function
        ``step(tokens, states) -> (log_probabilities, states)``: the last token and the state of
        each of B beginnings; logarithms of probabilities (B, V), Tensor or array, of the next token
        of each, and their states after it.
    start : int
        The token that stands before the first.
    state : anything
        The state before ``start``.
    width : int
        At least 1, which is the greedy search.
    end : int
        The token that ends a sequence.
    max_length : int
        Sequences end there at the latest.
    length_penalty : float
        Scores are log_probability / length ** length_penalty: 0 prefers short sequences, 1 takes
        the mean of each token.

    Returns
    -------
    list of Hypothesis
        ``width`` at most, the best first.

    Raises
    ------
    ValueError
        ``step`` returns another shape, or NaN.

    Notes
    -----
    A sequence that has ended keeps its place among the beginnings; the search ends when all have.

    Examples
    --------
    >>> chances = np.log([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4], [0.2, 0.2, 0.6]])
    >>> def step(tokens, states):
    ...     return chances[tokens], states
    >>> beam_search(step, 0, None, width=2, end=2, max_length=3)[0].tokens
    [2]
    """
    if width < 1 or max_length < 1:
        raise ValueError(f"beam_search: width {width}, max_length {max_length}; both 1 or more")
    ended: list[Hypothesis] = []
    open_ones: list[tuple[list[int], float, State]] = [([], 0.0, state)]
    for length in range(1, max_length + 1):
        last = [tokens[-1] if tokens else start for tokens, _, _ in open_ones]
        found, states = step(last, [one[2] for one in open_ones])
        chances = _numbers(found)
        if chances.ndim != 2 or len(chances) != len(last) or np.isnan(chances).any():
            raise ValueError(
                f"beam_search: step returned {chances.shape} for {len(last)} beginnings, "
                f"({len(last)}, V) without NaN expected"
            )
        totals = (chances + np.array([one[1] for one in open_ones])[:, None]).reshape(-1)
        best = np.argsort(-totals, kind="stable")[: width + len(ended)]
        following, beams = [], sorted(ended, key=lambda one: -one.score)
        for place in best[totals[best] > -np.inf].tolist():
            parent, token = divmod(place, chances.shape[1])
            tokens, total = [*open_ones[parent][0], token], float(totals[place])
            hypothesis = Hypothesis(tokens, total, total / length**length_penalty)
            beams.append(hypothesis)
            if token != end and length < max_length:
                following.append((tokens, total, states[parent], hypothesis))
        beams = sorted(beams, key=lambda one: -one.score)[:width]
        chosen = {id(one) for one in beams}
        open_ones = [entry[:3] for entry in following if id(entry[3]) in chosen]
        continued = {id(entry[3]) for entry in following}
        ended = [one for one in beams if id(one) not in continued]
        if not open_ones:
            break
    return ended


def perplexity(log_probabilities: Any) -> float:
    """Return exp of the mean surprise: how many equally likely tokens would surprise as much.

    Parameters
    ----------
    log_probabilities : Tensor or array, any shape
        The natural logarithm of the probability that the model gave to each token.

    Raises
    ------
    ValueError
        There are none, or one is NaN or above 0.

    Examples
    --------
    >>> round(perplexity(np.log([0.25, 0.25])), 6)
    4.0
    """
    numbers = _numbers(log_probabilities)
    if not numbers.size or not (numbers <= 1e-6).all():
        raise ValueError(
            f"perplexity: {numbers.size} logarithms of probabilities, the largest "
            f"{numbers.max(initial=-np.inf)}; one or more, all 0 or below, expected"
        )
    return float(np.exp(-numbers.mean()))


def _numbers(x: Any) -> Array:
    """Return a Tensor, an array or a list as float64 on the host."""
    return np.asarray(to_host(getattr(x, "data", x)) if hasattr(x, "shape") else x, np.float64)
