"""What a case of a layer is, and how its inputs are drawn: plain data, read by both libraries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

__all__ = ["CASES", "ONLY_HERE", "Case", "Drawn", "build", "case", "draw", "flat", "nested"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """An array that is drawn at random when the results are made.

    Numbers are rounded to float16, so that every floating dtype starts from the same ones.
    """

    kind: str  # "normal", "large", "positive", "probability", "log", "sign" or "classes"
    shape: Shape
    classes: int = 0
    ignored: int | None = None  # a class index that stands in every third place
    constant: bool = False  # wants no gradient


@dataclass(frozen=True)
class Case:
    """One layer and the inputs it is called with."""

    layer: str
    inputs: tuple[Any, ...]  # each a Drawn, None, or a tuple of these
    settings: dict[str, Any]  # of the constructor
    call: dict[str, Any]  # further arguments of the call
    training: bool
    family: str


class Layer(NamedTuple):
    """A setting that is itself a layer."""

    layer: str
    settings: dict[str, Any]


CASES: dict[str, Case] = {}
ONLY_HERE: dict[str, str] = {}  # layers that PyTorch has not -> the test that proves them
_family = [""]


def begin(family: str) -> None:
    """Let what follows belong to ``family``: its results are one file."""
    _family[0] = family


def case(name: str, *inputs: Any, call: dict[str, Any] | None = None, **settings: Any) -> None:
    """Add the case ``"Layer: what is special"``; a shape stands for normal numbers.

    A list of inputs stands for a tuple of tensors: the (h0, c0) of an LSTM.
    """
    training = settings.pop("training", False)
    assert name not in CASES, name
    drawn = tuple(map(_drawn, inputs))
    CASES[name] = Case(name.partition(":")[0], drawn, settings, call or {}, training, _family[0])


def only_here(layer: str, proof: str) -> None:
    """Say that PyTorch has no such layer, and which test proves it."""
    ONLY_HERE[layer] = proof


def _drawn(given: Any) -> Any:
    if isinstance(given, list):
        return tuple(map(_drawn, given))
    return Drawn("normal", given) if isinstance(given, tuple) else given


def flat(values: Any) -> Iterator[Any]:
    """Yield what nested tuples and lists hold, without the Nones."""
    if isinstance(values, (tuple, list)):
        yield from chain.from_iterable(map(flat, values))
    elif values is not None:
        yield values


def nested(like: Any, values: Iterator[Any]) -> Any:
    """Return the next ``values`` in the form of ``like``: the other way from `flat`."""
    if isinstance(like, tuple):
        return tuple(nested(part, values) for part in like)
    return None if like is None else next(values)


def draw(drawn: Drawn, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return the array that ``drawn`` asks for."""
    if drawn.kind == "classes":
        indices = generator.integers(0, drawn.classes, drawn.shape)
        if drawn.ignored is not None:
            indices.reshape(-1)[::3] = drawn.ignored
        return indices
    values = np.asarray(generator.standard_normal(drawn.shape))
    if drawn.kind == "large":
        values = 60 * values
    elif drawn.kind == "positive":
        values = abs(values) + 0.5
    elif drawn.kind == "probability":
        values = np.clip(0.5 + values / 3, 0, 1)
    elif drawn.kind == "log":  # of a probability
        values = -abs(values) - 0.1
    elif drawn.kind == "sign":
        values = np.where(values < 0, -1.0, 1.0)
    return values.astype(np.float16)


def build(nn: Any, layer: str, settings: dict[str, Any]) -> Any:
    """Make a layer of ``torch.nn`` or ``tinymed.nn``."""
    if "layers" in settings:
        return nn.Sequential(*(build(nn, name, given) for name, given in settings["layers"]))
    made = {
        name: build(nn, *value) if isinstance(value, Layer) else value
        for name, value in settings.items()
    }
    return getattr(nn, layer)(**made)
