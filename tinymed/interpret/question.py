"""The question every heat-map answers: which score of which model, at which input.

One class holds what the methods share: how a target names a score, where the explanation is asked
for (at the input, or at the output of a layer), and that the model is left as it was found.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tinymed import ops
from tinymed.autograd import Variable
from tinymed.backpropagation import grad
from tinymed.grad_mode import enable_grad, no_grad
from tinymed.kernels.arrays import is_array, place, to_host, to_place
from tinymed.nn import Module
from tinymed.precision import kind_of
from tinymed.tensor import Tensor

__all__ = ["Array", "Layer", "Model", "Question", "Target", "evaluated", "log_odds", "probability"]

Array = NDArray[Any]
Model = Callable[..., Any]  # a Module, or any function of a Tensor
Target = int | Array | Callable[[Any], Any] | None
Layer = Module | str | None


def log_odds(target: int) -> Callable[[Any], Any]:
    """Return the target "log odds of a class": log p / (1 - p), p = softmax(logits)[target].

    What a softmax says about a class is this, not the logit: adding a number to all logits changes
    the logit alone. A single logit is the log odds of class 1 already.

    Parameters
    ----------
    target : int
        The class, 0 .. C - 1.

    Examples
    --------
    >>> import tinymed as tm
    >>> log_odds(1)(tm.tensor([[0.0, 2.0], [5.0, 7.0]]))
    tensor([2., 2.])
    """

    def score(logits: Any) -> Any:
        if logits.ndim != 2 or logits.shape[1] < 2:
            raise ValueError(f"log_odds: outputs {logits.shape}, logits (N, C >= 2) expected")
        index = class_index("log_odds", target, logits.shape[1])
        rest = [c for c in range(logits.shape[1]) if c != index]
        return logits[:, index] - ops.logsumexp(logits[:, rest], 1)

    return score


def probability(target: int) -> Callable[[Any], Any]:
    """Return the target "probability of a class": softmax of logits (N, C), sigmoid of (N, 1).

    For curves that a reader looks at; a saturated probability has hardly a gradient.

    Parameters
    ----------
    target : int
        The class, 0 .. C - 1; 0 or 1 for a single logit.

    Examples
    --------
    >>> import tinymed as tm
    >>> probability(0)(tm.tensor([[0.0], [0.0]]))
    tensor([0.5, 0.5])
    """

    def score(logits: Any) -> Any:
        if logits.ndim == 1 or logits.shape[1:] == (1,):
            return ops.sigmoid(single_logit("probability", logits, target))
        if logits.ndim != 2:
            raise ValueError(f"probability: outputs {logits.shape}, logits (N, C) expected")
        return ops.softmax(logits, 1)[:, class_index("probability", target, logits.shape[1])]

    return score


class Question:
    """A model, an input and a score; inside ``with`` the model is in eval mode and frozen.

    Parameters
    ----------
    name : str
        Of the method, for messages.
    model : Module, or a function of a Tensor
    x : Tensor or array (N, ...)
    target : int, array (N,) of int, callable or None
        The score of each sample. Of outputs (N, C) the logit of a class, which may differ from
        sample to sample; of a single logit (N,) or (N, 1) class 1 means the logit, class 0 the
        logit negated. None: the class the model predicts at ``x``; the single logit itself. Of
        other outputs a callable makes one number per sample.
    layer : Module, str or None
        Ask at the output of this layer (or the one of this name) instead of at the input.
    batch_size : int
        Samples the model sees at once.

    Attributes
    ----------
    x : numpy.ndarray (N, ...)
    start : numpy.ndarray (N, ...)
        Where the explanation is asked for: x, or what the layer makes of it.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        x: Any,
        target: Target = None,
        layer: Layer = None,
        batch_size: int = 32,
    ) -> None:
        array = x.data if isinstance(x, Variable) else x
        if not is_array(array) or array.ndim < 2 or not len(array):
            given = getattr(array, "shape", type(array).__name__)
            raise ValueError(f"{name}: x is {given}, a Tensor or array (N, ...) with N >= 1")
        if batch_size < 1:
            raise ValueError(f"{name}: batch_size is {batch_size}, at least 1 expected")
        self.name, self.model, self.batch_size = name, model, batch_size
        self.layer = layer_of(name, model, layer)
        self.device, self.x = place(array), to_host(array)
        self.asked: Target = target

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(evaluated(self.model))
            stack.enter_context(frozen(self.model))
            self.target = self.settled()
            self.start = self.x if self.layer is None else self._outputs_of(self.layer)
            self.restore = stack.pop_all()  # nothing failed: not now, but at the end
        return self

    def __exit__(self, *error: object) -> None:
        self.restore.close()

    def rows(self, count: int | None = None) -> Iterator[slice]:
        """Yield slices of ``count`` rows (N unless given) of at most ``batch_size``."""
        count = len(self.x) if count is None else count
        for begin in range(0, count, self.batch_size):
            yield slice(begin, min(begin + self.batch_size, count))

    def scores(self, values: Array, samples: Array) -> NDArray[np.float64]:
        """Return the score (M,) where row m of ``values`` stands in the place of a sample.

        Parameters
        ----------
        values : numpy.ndarray (M, ...)
            Rows as of ``start``.
        samples : numpy.ndarray (M,)
            Which sample each row belongs to.
        """
        found = np.empty(len(values))
        with no_grad():
            for rows in self.rows(len(values)):
                score = self._score(self.tensor(values[rows]), samples[rows])
                found[rows] = to_host(score.data)
        return found

    def gradients(self, values: Array, samples: Array) -> Array:
        """Return d score / d values, of the shape of ``values``; all rows at once."""
        with enable_grad():
            leaf = self.tensor(values)
            leaf.requires_grad = True
            (found,) = grad(self._score(leaf, samples).sum(), leaf)
        return to_host(found.data)

    def check_floats(self) -> None:
        """Raise unless there are derivatives with respect to ``start``."""
        if kind_of(self.start.dtype) != "f":
            raise TypeError(
                f"{self.name}: x is {self.start.dtype}, floats expected; for ids name the layer= "
                "that embeds them, for pictures convert to floats as in training"
            )

    def as_input(self, attribution: Array) -> Array:
        """Return what belongs to ``start`` in the shape of x: an embedding's features are added."""
        if attribution.shape != self.x.shape:
            if attribution.shape[:-1] != self.x.shape:
                raise ValueError(
                    f"{self.name}: the layer makes {attribution.shape} of x {self.x.shape}, "
                    f"{(*self.x.shape, 'E')} expected: features for each element"
                )
            attribution = attribution.sum(axis=-1)
        return attribution.astype(np.result_type(self.x.dtype, np.float32), copy=False)

    def settled(self) -> Target:
        """Return the target with nothing left open, so that it is the same at every input."""
        if callable(self.asked):
            return self.asked
        with no_grad():
            classes = self._logits(self.model(self.tensor(self.x[:1]))).shape[1]
        if self.asked is not None:
            given = np.asarray(self.asked)
            if given.shape not in ((), (len(self.x),)):
                raise ValueError(
                    f"{self.name}: target {given.shape}, one class or {len(self.x)} expected"
                )
            wanted = np.broadcast_to(given, (len(self.x),))
            return np.array([class_index(self.name, c, max(classes, 2)) for c in wanted])
        if classes == 1:
            return np.ones(len(self.x), np.int64)
        with no_grad():
            parts = [self._logits(self.model(self.tensor(self.x[rows]))) for rows in self.rows()]
        return np.concatenate([to_host(part.data).argmax(axis=1) for part in parts])

    def _logits(self, outputs: Any) -> Any:
        """Return the outputs of a model as (N, C), C = 1 for a single logit."""
        shape = getattr(outputs, "shape", None)
        if shape is not None and len(shape) == 1:
            return outputs[:, None]
        if shape is None or len(shape) != 2:
            given = type(outputs).__name__ if shape is None else shape
            raise ValueError(
                f"{self.name}: the model returns {given}, logits (N,) or (N, C) expected; "
                "a callable target makes one number per sample of anything"
            )
        return outputs

    def _score(self, values: Tensor, samples: Array) -> Any:
        """Return the score (M,) of rows that stand in the place of samples."""
        outputs = self._run(values, samples)
        if callable(self.target):
            score = self.target(outputs)
            if not isinstance(score, Variable):
                given = type(score).__name__
                raise TypeError(f"{self.name}: the target makes {given}, a Tensor expected")
            if tuple(score.data.shape) == (len(samples), 1):
                score = ops.reshape(score, (len(samples),))
        else:
            logits, wanted = self._logits(outputs), np.asarray(self.target)[samples]
            if logits.shape[1] == 1:
                sign = to_place(2.0 * wanted - 1, self.device).astype(logits.dtype)
                score = logits[:, 0] * Tensor(sign)
            else:
                index = to_place(wanted[:, None], self.device)
                score = ops.take_along_dim(logits, index, 1)[:, 0]
        made = tuple(score.data.shape)
        if made != (len(samples),):
            raise ValueError(
                f"{self.name}: the target makes {made} of {len(samples)} samples, "
                f"({len(samples)},) expected"
            )
        return score

    def _run(self, values: Tensor, samples: Array) -> Any:
        """Return the model's outputs with ``values`` as its input, or as the layer's output."""
        if self.layer is None:
            return self.model(values)
        handle = self.layer.register_forward_hook(lambda module, inputs, output: values)
        try:
            return self.model(self.tensor(self.x[samples]))
        finally:
            handle.remove()

    def _outputs_of(self, layer: Module) -> Array:
        """Return what a layer makes of x, which it must do once a sample."""
        parts: list[Array] = []
        handle = layer.register_forward_hook(
            lambda module, inputs, output: parts.append(to_host(output.data))
        )
        try:
            with no_grad():
                for number, rows in enumerate(self.rows(), 1):
                    self.model(self.tensor(self.x[rows]))
                    if len(parts) != number:
                        raise ValueError(
                            f"{self.name}: layer {type(layer).__name__} ran "
                            f"{len(parts) - number + 1} times, once expected"
                        )
        finally:
            handle.remove()
        return np.concatenate(parts)

    def tensor(self, values: Array) -> Tensor:
        """Return values where x was given: on the host, or on a GPU."""
        return Tensor(to_place(values, self.device))


@contextlib.contextmanager
def evaluated(model: Model) -> Iterator[None]:
    """Put a model into eval mode, and each of its modules back afterwards."""
    modules = list(model.modules()) if isinstance(model, Module) else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


@contextlib.contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Let no gradient go to a model's parameters: it would be computed for nothing."""
    parameters = list(model.parameters()) if isinstance(model, Module) else []
    before = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad = False
    try:
        yield
    finally:
        for parameter, requires_grad in zip(parameters, before, strict=True):
            parameter.requires_grad = requires_grad


def class_index(name: str, target: Any, classes: int) -> int:
    """Return a class as an int in 0 .. classes - 1, or raise."""
    try:
        index = operator.index(target)
    except TypeError:
        raise TypeError(f"{name}: target is {target!r}, a class index expected") from None
    if not 0 <= index < classes:
        raise IndexError(f"{name}: target is {index}, a class 0 .. {classes - 1} expected")
    return index


def single_logit(name: str, logits: Any, target: Any) -> Any:
    """Return a single logit (N,) as the evidence for class 1, or its negative for class 0."""
    logits = logits if logits.ndim == 1 else logits[:, 0]
    return logits if class_index(name, target, 2) else -logits


def layer_of(name: str, model: Model, layer: Layer) -> Module | None:
    """Return a layer of the model that is given by itself or by its name."""
    if layer is None:
        return None
    if not isinstance(model, Module):
        raise TypeError(f"{name}: layer= needs a Module, the model is {type(model).__name__}")
    named = dict(model.named_modules())
    if isinstance(layer, Module):
        if not any(layer is each for each in named.values()):
            raise ValueError(f"{name}: layer {type(layer).__name__} is not part of the model")
        return layer
    if layer not in named or not layer:
        raise ValueError(f"{name}: no layer {layer!r}, one of {[*filter(None, named)]} expected")
    return named[layer]
