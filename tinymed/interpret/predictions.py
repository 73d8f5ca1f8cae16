"""Several predictions of the same cases: by members, by passes with dropout, by views of the input.

Their mean errs less than one of them; how far they lie apart says how sure the model may be
(`predictive_uncertainty`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinymed.autograd import Variable
from tinymed.grad_mode import no_grad
from tinymed.interpret.question import Array, Model, evaluated
from tinymed.kernels.arrays import place, to_host, to_place
from tinymed.nn import GRU, LSTM, RNN, Module, MultiheadAttention, dropout
from tinymed.random import default_generator, set_default_generator
from tinymed.tensor import Tensor

__all__ = ["dropout_predictions", "member_predictions", "view_predictions"]

LAYERS = tuple(getattr(dropout, name) for name in dropout.__all__)
WITH_DROPOUT = (*LAYERS, MultiheadAttention, LSTM, GRU, RNN)


def member_predictions(members: Sequence[Model], x: Any, *, batch_size: int = 32) -> Array:
    """Return the outputs of several models, a deep ensemble or those of k folds.

    Parameters
    ----------
    members : sequence of Module, or of functions of a Tensor
        Asked in eval mode, without recording; their modes are left as they were.
    x : Tensor or array (N, ...)
    batch_size : int
        Samples a model sees at once.

    Returns
    -------
    numpy.ndarray (M, N, ...)

    References
    ----------
    Lakshminarayanan, Pritzel, Blundell (2017), "Simple and scalable predictive uncertainty
    estimation using deep ensembles".

    Examples
    --------
    >>> import tinymed as tm
    >>> member_predictions([tm.nn.Linear(3, 2) for _ in range(5)], tm.ones(4, 3)).shape
    (5, 4, 2)
    """
    if not len(members):
        raise ValueError("member_predictions: 0 members, one or more expected")
    found = []
    for member in members:
        with evaluated(member):
            found.append(outputs_of("member_predictions", member, x, batch_size))
    return np.stack(found)


def dropout_predictions(
    model: Module,
    x: Any,
    *,
    passes: int = 30,
    batch_size: int = 32,
    generator: np.random.Generator | None = None,
) -> Array:
    """Return the outputs of passes in which dropout goes on (Monte Carlo dropout).

    Parameters
    ----------
    model : Module
        Asked in eval mode but for its dropout: layers, and that within attention and recurrent
        layers. Modes and generators are left as they were.
    x : Tensor or array (N, ...)
    passes : int
    batch_size : int
    generator : numpy.random.Generator, optional
        Draws for every layer, whatever generator it has.

    Returns
    -------
    numpy.ndarray (passes, N, ...)

    Raises
    ------
    ValueError
        A model without dropout: all passes would be the same.

    References
    ----------
    Gal, Ghahramani (2016), "Dropout as a Bayesian approximation: representing model uncertainty in
    deep learning".

    Examples
    --------
    >>> import tinymed as tm
    >>> model = tm.nn.Sequential(tm.nn.Dropout(0.5), tm.nn.Linear(3, 2))
    >>> dropout_predictions(model, tm.ones(4, 3), passes=7).shape
    (7, 4, 2)
    """
    if passes < 1:
        raise ValueError(f"dropout_predictions: passes is {passes}, at least 1 expected")
    dropping = [m for m in model.modules() if isinstance(m, WITH_DROPOUT) and share_of(m) > 0]
    if not dropping:
        raise ValueError(f"dropout_predictions: {type(model).__name__} has no dropout")
    before = default_generator()
    own = [module.generator for module in dropping]
    with evaluated(model):
        try:
            set_default_generator(before if generator is None else generator)
            for module in dropping:
                module.training, module.generator = True, None
            return np.stack(
                [outputs_of("dropout_predictions", model, x, batch_size) for _ in range(passes)]
            )
        finally:
            set_default_generator(before)
            for module, given in zip(dropping, own, strict=True):
                module.generator = given


def view_predictions(
    model: Model,
    x: Any,
    views: Sequence[Callable[[Any], Any]],
    *,
    batch_size: int = 32,
) -> Array:
    """Return the outputs for several views of the input (test-time augmentation).

    Parameters
    ----------
    model : Module, or a function of a Tensor
        Asked in eval mode, without recording; its modes are left as they were.
    x : Tensor or array (N, ...)
    views : sequence of callable
        Each makes of x what shows the same in another way: ``lambda x: x``, a flip, a turn.
    batch_size : int

    Returns
    -------
    numpy.ndarray (V, N, ...)

    Examples
    --------
    >>> x = np.array([[1.0, 2.0]])
    >>> view_predictions(lambda x: x[:, :1], x, [lambda x: x, lambda x: x[:, ::-1]]).tolist()
    [[[1.0]], [[2.0]]]
    """
    if not len(views):
        raise ValueError("view_predictions: 0 views, one or more expected")
    with evaluated(model):
        return np.stack(
            [outputs_of("view_predictions", model, view(x), batch_size) for view in views]
        )


def outputs_of(name: str, model: Model, x: Any, batch_size: int) -> Array:
    """Return the outputs of a model over x, batch by batch, on the host."""
    array = x.data if isinstance(x, Variable) else x
    if not getattr(array, "ndim", 0) or not len(array) or batch_size < 1:
        given = getattr(array, "shape", type(array).__name__)
        raise ValueError(
            f"{name}: x is {given} and batch_size {batch_size}; (N, ...) and 1 or more expected"
        )
    where, parts = place(array), []
    with no_grad():
        for begin in range(0, len(array), batch_size):
            rows = np.ascontiguousarray(to_host(array[begin : begin + batch_size]))
            parts.append(to_host(model(Tensor(to_place(rows, where))).data))
    return np.concatenate(parts)


def share_of(module: Any) -> float:
    """Return what share of its inputs a layer drops while training."""
    return float(module.p if isinstance(module, LAYERS) else module.dropout)
