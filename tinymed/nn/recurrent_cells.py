"""One step of a recurrent layer, from elementary ops: it reads like the equations.

A cell can be differentiated as often as you like and changed as you like; run step by step it gives
what the layer of the same name gives, whose fused node is faster and has first derivatives only.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tinymed import ops
from tinymed.creation import empty, zeros
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class _Cell(Module):
    """What the three share: weights, under PyTorch's names, and initial states."""

    blocks: ClassVar[int]  # of hidden_size rows in the weights
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: str,
        dtype: Any,
        generator: np.random.Generator | None,
    ) -> None:
        super().__init__()
        check_sizes(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.blocks * hidden_size
        self._draw("weight_ih", (rows, input_size), device, dtype, generator)
        self._draw("weight_hh", (rows, hidden_size), device, dtype, generator)
        for name in ("bias_ih", "bias_hh"):
            if bias:
                self._draw(name, (rows,), device, dtype, generator)
            else:
                self.register_parameter(name, None)

    def _draw(
        self, name: str, shape: tuple[int, ...], device: str, dtype: Any, generator: Any
    ) -> None:
        """Add a parameter from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch."""
        bound = 1 / math.sqrt(self.hidden_size)
        parameter = Parameter(empty(shape, dtype=dtype, device=device))
        self.register_parameter(name, parameter)
        init.uniform_(parameter, -bound, bound, generator)

    def _start(self, x: Any, state: Any, name: str = "hx") -> Any:
        """Return a state that fits x (N, D) or (D,): the given one, or zeros for None."""
        kind = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(f"{kind}: x {x.shape} must be (N, {self.input_size}) or without N")
        expected = (*x.shape[:-1], self.hidden_size)
        if state is None:
            return zeros(expected, dtype=self.weight_hh.dtype, device=self.weight_hh.device)
        if tuple(state.shape) != expected:
            raise ValueError(f"{kind}: {name} {state.shape} must be {expected}, for x {x.shape}")
        return state

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output."""
        return math.prod(output_shape[:-1]) * (self.weight_ih.numel() + self.weight_hh.numel())

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"{self.input_size}, {self.hidden_size}{'' if self.bias else ', bias=False'}"


class RNNCell(_Cell):
    """h_t = f(W x_t + b + U h_{t-1} + b').

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.
    bias : bool
    nonlinearity : "tanh" or "relu"
        f.
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(H), 1/sqrt(H)) as in PyTorch.

    References
    ----------
    Elman (1990), "Finding structure in time".
    """

    blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity={nonlinearity!r} is not 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, bias, device, dtype, generator)
        self.nonlinearity = nonlinearity

    def forward(self, x: Any, hx: Any = None) -> Any:
        """Return h_t (N, H) or (H,) from x_t (N, D) or (D,) and h_{t-1}, zeros for None."""
        h = self._start(x, hx)
        f = ops.tanh if self.nonlinearity == "tanh" else ops.relu
        return f(
            ops.linear(x, self.weight_ih, self.bias_ih)
            + ops.linear(h, self.weight_hh, self.bias_hh)
        )

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        shown = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + shown


class LSTMCell(_Cell):
    """c_t = f c_{t-1} + i g and h_t = o tanh(c_t), with the gates i, f, o and the new content g.

    i, f, o = sigmoid and g = tanh of W x_t + b + U h_{t-1} + b', each of its own H rows. With
    ``peephole`` the gates see the cell, each element through a weight of its own: w_ci c_{t-1} and
    w_cf c_{t-1} are added in i and f, w_co c_t in o.

    Parameters
    ----------
    input_size, hidden_size, bias, device, dtype, generator
        As in `RNNCell`.
    peephole : bool
        Add the parameters ``weight_ci``, ``weight_cf`` and ``weight_co``, (H,) each.

    References
    ----------
    Hochreiter, Schmidhuber (1997), "Long short-term memory"; Gers, Schraudolph, Schmidhuber (2002),
    "Learning precise timing with LSTM recurrent networks", for the peepholes.
    """

    blocks = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        peephole: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype, generator)
        self.peephole = peephole
        for name in ("weight_ci", "weight_cf", "weight_co") if peephole else ():
            self._draw(name, (hidden_size,), device, dtype, generator)

    def forward(self, x: Any, hx: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
        """Return (h_t, c_t) from x_t (N, D) or (D,) and (h_{t-1}, c_{t-1}), zeros for None."""
        if hx is not None and (not isinstance(hx, (tuple, list)) or len(hx) != 2):
            raise TypeError(f"LSTMCell: hx is {type(hx).__name__}, a pair (h, c) is expected")
        h, c = (None, None) if hx is None else hx
        h, c = self._start(x, h, "h"), self._start(x, c, "c")
        sums = ops.linear(x, self.weight_ih, self.bias_ih) + ops.linear(
            h, self.weight_hh, self.bias_hh
        )
        i, f, g, o = ops.split(sums, self.hidden_size, -1)  # (N, 4H) -> 4 times (N, H)
        if self.peephole:
            i, f = i + self.weight_ci * c, f + self.weight_cf * c
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        if self.peephole:
            o = o + self.weight_co * c
        return ops.sigmoid(o) * ops.tanh(c), c

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return super().extra_repr() + (", peephole=True" if self.peephole else "")


class GRUCell(_Cell):
    """h_t = (1 - z) n + z h_{t-1}, with the gates r and z and the new content n.

    r, z = sigmoid of W x_t + b + U h_{t-1} + b', each of its own H rows, and n = tanh of
    W x_t + b + r (U h_{t-1} + b'), or, unless ``reset_after``, of W x_t + b + U (r h_{t-1}) + b'.

    Parameters
    ----------
    input_size, hidden_size, bias, device, dtype, generator
        As in `RNNCell`.
    reset_after : bool
        Whether the reset gate comes after the product, as in PyTorch and cuDNN, or before it, as
        first published.

    References
    ----------
    Cho and others (2014), "Learning phrase representations using RNN encoder-decoder".
    """

    blocks = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: str = "cpu",
        dtype: Any = None,
        *,
        reset_after: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype, generator)
        self.reset_after = reset_after

    def forward(self, x: Any, hx: Any = None) -> Any:
        """Return h_t (N, H) or (H,) from x_t (N, D) or (D,) and h_{t-1}, zeros for None."""
        h, width = self._start(x, hx), self.hidden_size
        of_x = ops.split(ops.linear(x, self.weight_ih, self.bias_ih), width, -1)
        of_h = ops.split(ops.linear(h, self.weight_hh, self.bias_hh), width, -1)
        r = ops.sigmoid(of_x[0] + of_h[0])
        z = ops.sigmoid(of_x[1] + of_h[1])
        if self.reset_after:
            n = ops.tanh(of_x[2] + r * of_h[2])
        else:
            bias = None if self.bias_hh is None else self.bias_hh[2 * width :]
            n = ops.tanh(of_x[2] + ops.linear(r * h, self.weight_hh[2 * width :], bias))
        return (1 - z) * n + z * h

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")
