"""Averages of a model's weights over its training: they often predict better than the last."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tinymed.autograd import wrote
from tinymed.grad_mode import no_grad
from tinymed.kernels.arrays import Array
from tinymed.kernels.recording import action
from tinymed.precision import kind_of
from tinymed.tensor import Tensor

__all__ = ["AveragedModel", "get_ema_avg_fn", "get_swa_avg_fn"]

Average = Callable[[Array, Array, int], Array]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the exponential moving average: decay average + (1 - decay) current.

    Parameters
    ----------
    decay : float in [0, 1]
        Near 1: the average reaches back over about 1 / (1 - decay) updates.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_avg_fn: {decay=} is not in [0, 1]")

    def average(averaged: Array, current: Array, n_averaged: int) -> Array:
        return decay * averaged + (1 - decay) * current

    return average


def get_swa_avg_fn() -> Average:
    """Return the mean of all: average + (current - average) / (n_averaged + 1)."""

    def average(averaged: Array, current: Array, n_averaged: int) -> Array:
        return averaged + (current - averaged) / (n_averaged + 1)

    return average


class AveragedModel:
    """A copy of a model whose weights are the average of the model's over the updates.

    Parameters
    ----------
    model : Module
        Copied as ``module``, on ``device`` if that is given.
    device : str or None
    avg_fn : function or None
        ``avg_fn(averaged, current, n_averaged)`` of arrays; `get_swa_avg_fn` unless given.
    use_buffers : bool
        Average the floating buffers too, such as running statistics; others are copied.

    Notes
    -----
    The first update copies. ``state_dict`` has the keys of PyTorch's class of this name.

    References
    ----------
    Polyak, Juditsky (1992), "Acceleration of stochastic approximation by averaging"; Izmailov et
    al. (2018), "Averaging weights leads to wider optima and better generalization".

    Examples
    --------
    >>> import tinymed as tm
    >>> model = tm.nn.Linear(2, 1)
    >>> averaged = tm.optim.AveragedModel(model, avg_fn=tm.optim.get_ema_avg_fn(0.99))
    >>> averaged.update_parameters(model)            # after each optimizer.step()
    >>> averaged(tm.ones(3, 2)).shape
    (3, 1)
    >>> with averaged.in_place_of(model):            # for code that knows the model alone
    ...     _ = model(tm.ones(3, 2))
    """

    def __init__(
        self,
        model: Any,
        device: str | None = None,
        avg_fn: Average | None = None,
        use_buffers: bool = False,
    ) -> None:
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.module.zero_grad()
        self.avg_fn = get_swa_avg_fn() if avg_fn is None else avg_fn
        self.use_buffers = use_buffers
        self.n_averaged = 0

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run the averaged model."""
        return self.module(*inputs, **named)

    @action
    def update_parameters(self, model: Any) -> None:
        """Take the weights that ``model`` has now into the average."""
        device = next((t.device for t in self.module.parameters()), "cpu")
        with no_grad():
            for averaged, current, is_buffer in self._pairs(model):
                array = current.to(device).data
                mean = not is_buffer or (self.use_buffers and kind_of(averaged.dtype) == "f")
                if self.n_averaged and mean:
                    array = self.avg_fn(averaged.data, array, self.n_averaged)
                averaged.data[...] = array
                wrote(averaged.data)
        self.n_averaged += 1

    @contextlib.contextmanager
    def in_place_of(self, model: Any) -> Iterator[None]:
        """Let ``model`` have the averaged weights inside the block, and its own ones after it.

        No array is copied; writes inside the block go to the average.
        """
        pairs = [(averaged, current) for averaged, current, _ in self._pairs(model)]
        for pair in pairs:
            exchange(*pair)
        try:
            yield
        finally:
            for pair in pairs:
                exchange(*pair)

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates, and the averaged model's state behind ``module.``."""
        state = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": Tensor(np.array(self.n_averaged)), **state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; nothing unless everything fits."""
        inner = {
            name.removeprefix("module."): value
            for name, value in state.items()
            if name.startswith("module.")
        }
        count = int(state["n_averaged"])
        self.module.load_state_dict(inner)
        self.n_averaged = count

    def _pairs(self, model: Any) -> list[tuple[Tensor, Tensor, bool]]:
        """Return each averaged tensor with the one of ``model``, and whether it is a buffer."""
        found = []
        for is_buffer, kind in ((False, "named_parameters"), (True, "named_buffers")):
            ours, theirs = dict(getattr(self.module, kind)()), dict(getattr(model, kind)())
            shapes = [{name: t.shape for name, t in of.items()} for of in (ours, theirs)]
            if shapes[0] != shapes[1]:
                name = min(n for n in {**ours, **theirs} if shapes[0].get(n) != shapes[1].get(n))
                raise ValueError(
                    f"AveragedModel: {name} is {shapes[1].get(name, 'absent')} in the model, "
                    f"{shapes[0].get(name, 'absent')} in the average"
                )
            found += [(ours[name], theirs[name], is_buffer) for name in ours]
        return found


def exchange(one: Tensor, other: Tensor) -> None:
    """Exchange the arrays of two tensors."""
    one.data, other.data = other.data, one.data
