"""Activations with kinks as layers: relu's relatives. Their formulas are in `ops.rectifiers`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinymed import ops
from tinymed.creation import full
from tinymed.nn.activation import Activation, InPlaceActivation
from tinymed.nn.module import Parameter, check_sizes

__all__ = [
    "CELU",
    "ELU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Softshrink",
    "Threshold",
]


class ReLU(InPlaceActivation):
    """y = max(x, 0)."""

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return ops.relu(x)


class ReLU6(InPlaceActivation):
    """y = min(max(x, 0), 6)."""

    def forward(self, x: Any) -> Any:
        """Return min(max(x, 0), 6)."""
        return ops.relu6(x)


class LeakyReLU(InPlaceActivation):
    """y = x where x > 0, else negative_slope x."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        """Return leaky_relu(x)."""
        return ops.leaky_relu(x, self.negative_slope)


class PReLU(Activation):
    """y = x where x > 0, else w x, with w learnt.

    Parameters
    ----------
    num_parameters : int
        1, or one for each channel (axis 1).
    init : float
        Where w starts.
    device, dtype : where and as what the parameter is made
    """

    shown = ("num_parameters",)
    weight: Parameter

    def __init__(
        self,
        num_parameters: int = 1,
        init: float = 0.25,
        device: str = "cpu",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_sizes("PReLU", num_parameters=num_parameters)
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(full((num_parameters,), init, dtype=dtype, device=device))

    def forward(self, x: Any) -> Any:
        """Return prelu(x), (N, C, ...) or any shape with one parameter."""
        return ops.prelu(x, self.weight)


class RReLU(InPlaceActivation):
    """y = x where x > 0, else s x; s is drawn from U(lower, upper) in training, else its mean.

    Parameters
    ----------
    lower, upper : float
    generator : numpy.random.Generator or None
        None takes `tinymed.random.default_generator`.
    """

    shown = ("lower", "upper")

    def __init__(
        self,
        lower: float = 1 / 8,
        upper: float = 1 / 3,
        inplace: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(inplace)
        self.lower, self.upper, self.generator = lower, upper, generator

    def forward(self, x: Any) -> Any:
        """Return rrelu(x), drawing slopes when training."""
        return ops.rrelu(x, self.lower, self.upper, self.training, self.generator)


class ELU(InPlaceActivation):
    """y = x where x > 0, else alpha (exp(x) - 1)."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        """Return elu(x)."""
        return ops.elu(x, self.alpha)


class CELU(ELU):
    """y = x where x > 0, else alpha (exp(x / alpha) - 1)."""

    def forward(self, x: Any) -> Any:
        """Return celu(x)."""
        return ops.celu(x, self.alpha)


class SELU(InPlaceActivation):
    """y = scale elu(x), by which layers keep mean 0 and variance 1."""

    def forward(self, x: Any) -> Any:
        """Return selu(x)."""
        return ops.selu(x)


class Hardtanh(InPlaceActivation):
    """y = min(max(x, min_val), max_val)."""

    shown = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        if not min_val < max_val:
            raise ValueError(f"Hardtanh: min_val={min_val} is not below max_val={max_val}")
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        """Return hardtanh(x)."""
        return ops.hardtanh(x, self.min_val, self.max_val)


class Hardsigmoid(InPlaceActivation):
    """y = min(max(x + 3, 0), 6) / 6."""

    def forward(self, x: Any) -> Any:
        """Return hardsigmoid(x)."""
        return ops.hardsigmoid(x)


class Hardswish(InPlaceActivation):
    """y = x hardsigmoid(x)."""

    def forward(self, x: Any) -> Any:
        """Return hardswish(x)."""
        return ops.hardswish(x)


class Threshold(InPlaceActivation):
    """y = x where x > threshold, else value."""

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold, self.value = threshold, value

    def forward(self, x: Any) -> Any:
        """Return threshold(x)."""
        return ops.threshold(x, self.threshold, self.value)


class Softshrink(Activation):
    """y = x brought nearer to 0 by lambd, 0 where |x| <= lambd."""

    shown = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        """Return softshrink(x)."""
        return ops.softshrink(x, self.lambd)


class Hardshrink(Activation):
    """y = x, but 0 where |x| <= lambd."""

    shown = ("lambd",)

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, x: Any) -> Any:
        """Return hardshrink(x)."""
        return ops.hardshrink(x, self.lambd)
