"""Recurrent layers: h_t = f(W x_t + U h_{t-1} + b) over whole sequences, LSTM and GRU.

Each layer and direction is one fused node of the graph (`tinymed.ops.lstm` ...); the same step by
step, from elementary ops, is in `recurrent_cells`.
"""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any, ClassVar

import numpy as np

from tinymed import ops
from tinymed.creation import empty, zeros
from tinymed.kernels.recording import constant
from tinymed.nn import init
from tinymed.nn.module import Module, Parameter, check_sizes
from tinymed.nn.packing import PackedSequence
from tinymed.ops.packing import Packing, pack, packing, take_rows, unpack
from tinymed.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN"]

PEEPHOLES = ("weight_ci", "weight_cf", "weight_co")
NOT_SHOWN = ("input_size", "hidden_size", "device", "dtype", "generator")  # by repr, as settings


class _Recurrent(Module):
    """What the three share: weights by layer and direction, and the way through all of them."""

    blocks: ClassVar[int]  # of hidden_size rows in the weights

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_sizes(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        given = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional}
        for argument, value in given.items():
            if not isinstance(value, bool):
                raise TypeError(f"{name}: {argument}={value!r} is not a bool")
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"{name}: dropout={dropout!r} is not a probability")
        if dropout > 0 and num_layers == 1:
            warnings.warn(
                f"{name}: dropout={dropout} comes between layers, and num_layers is 1: it does "
                "nothing",
                stacklevel=3,
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = float(dropout)

    def _draw_weights(
        self, device: str, dtype: Any, generator: np.random.Generator | None = None
    ) -> None:
        """Add the parameters of all layers, drawn from U(-1/sqrt(H), 1/sqrt(H)) as in PyTorch."""
        self.generator, bound = generator, 1 / math.sqrt(self.hidden_size)
        for layer in range(self.num_layers):
            features = self.input_size if layer == 0 else self._sizes()[0] * len(self._suffixes())
            for suffix in self._suffixes():
                for name, shape in self._shapes(features).items():
                    parameter = Parameter(empty(shape, dtype=dtype, device=device))
                    self.register_parameter(f"{name}_l{layer}{suffix}", parameter)
                    init.uniform_(parameter, -bound, bound, generator)

    def _shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of one layer and direction, in PyTorch's order."""
        rows = self.blocks * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features)}
        shapes["weight_hh"] = (rows, self._sizes()[0])
        return shapes | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def _sizes(self) -> tuple[int, ...]:
        """Return the width of each part of the state; the first is that of the output."""
        return (self.hidden_size,)

    def _suffixes(self) -> tuple[str, ...]:
        """Return what the names of the weights end with, for each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def _scan(self, rows: Any, states: list[Any], weights: Any, **schedule: Any) -> Any:
        """Run one layer in one direction; return output (R, features) and parts of the state."""
        raise NotImplementedError

    def forward(self, x: Any, hx: Any = None, lengths: Any = None) -> tuple[Any, Any]:
        """Return the output of the last layer at all steps, and the final state of all layers.

        Parameters
        ----------
        x : (T, N, D), (N, T, D) if ``batch_first``, (T, D) without batch, or PackedSequence
        hx : (layers * directions, N, H), without N for (T, D), or None
            The initial state; None stands for zeros. A pair (h_0, c_0) for an LSTM.
        lengths : (N,) integers in any order, 0 allowed, or None
            Steps of each sequence; None stands for T. What lies behind them is never read, so its
            gradient is exactly zero, and the reverse direction begins at each sequence's own end.

        Returns
        -------
        output : like x, directions * H features (PackedSequence for a PackedSequence)
            Zeros behind the end of a sequence.
        state : like ``hx``
            After the last step of each sequence; its initial one where there is none.

        Raises
        ------
        ValueError
            If shapes or lengths do not fit; the message names them.
        TypeError
            If lengths are not integers, or dtypes differ.
        """
        name, parts = type(self).__name__, self._state_parts(hx)
        if isinstance(x, PackedSequence):
            if lengths is not None:
                raise ValueError(f"{name}: lengths are given, but a PackedSequence has its own")
            rows, final = self._run(x.data, parts, x.packing())
            return x._replace(data=rows), self._state(final)
        if x.ndim not in (2, 3):
            raise ValueError(f"{name}: x {x.shape} must have three axes, or two without batch")
        if x.ndim == 3:
            how = packing(name, tuple(x.shape[:2]), lengths, self.batch_first)
            rows, final = self._run(pack(x, how), parts, how)
            return unpack(rows, how), self._state(final)
        if lengths is not None:
            raise ValueError(f"{name}: lengths are given, but x {x.shape} has no batch axis")
        alone = packing(name, (x.shape[0], 1), None)
        batched = None if parts is None else [ops.unsqueeze(part, part.ndim - 1) for part in parts]
        rows, final = self._run(x, batched, alone)
        return rows, self._state([ops.squeeze(part, 1) for part in final])

    def _run(self, rows: Any, initial: Any, how: Packing) -> tuple[Any, list[Any]]:
        """Send packed rows (R, D) through all layers; return (R, features) and the final state."""
        if rows.ndim != 2 or rows.shape[1] != self.input_size:
            raise ValueError(
                f"{type(self).__name__}: x has {rows.shape[1:]} features at each step, "
                f"input_size={self.input_size} is expected"
            )
        states = self._initial(initial, how)
        finals: list[list[Any]] = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix in self._suffixes():
                weights = {n: getattr(self, f"{n}_l{layer}{suffix}") for n in self._shapes(0)}
                begin = [part[len(finals)] for part in states]
                schedule = {"sizes": how.sizes, "reverse": bool(suffix)}
                output, *final = self._scan(rows, begin, weights, **schedule)
                outputs.append(output)
                finals.append([take_rows(part, how.back) for part in final])
            rows = outputs[0] if len(outputs) == 1 else ops.cat(outputs, 1)
            if layer < self.num_layers - 1:
                rows = ops.dropout(rows, self.dropout, self.training, self.generator)
        return rows, [ops.stack(parts) for parts in zip(*finals, strict=True)]

    def _initial(self, parts: list[Any] | None, how: Packing) -> list[list[Any]]:
        """Return each part of the state as one (N, size) per layer and direction, as packed."""
        count, like = self.num_layers * len(self._suffixes()), self.weight_hh_l0
        expected = [(count, how.batch, size) for size in self._sizes()]
        if parts is None:
            made = [zeros(shape[1:], dtype=like.dtype, device=like.device) for shape in expected]
            return [[Tensor(constant(part.data))] * count for part in made]
        for part, shape in zip(parts, expected, strict=True):
            if tuple(part.shape) != shape:
                raise ValueError(
                    f"{type(self).__name__}: hx {part.shape} must be {shape}: layers * "
                    "directions, sequences, size"
                )
        return [[take_rows(part[k], how.order) for k in range(count)] for part in parts]

    def _state_parts(self, state: Any) -> list[Any] | None:
        """Return the parts of a state as the user gives it."""
        return None if state is None else [state]

    def _state(self, parts: list[Any]) -> Any:
        """Return a state as the user gets it from its parts."""
        return parts[0]

    def flatten_parameters(self) -> None:
        """Do nothing: PyTorch lays its weights out for cuDNN here, and its code calls it."""

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """Return the multiply-adds of one call with this output, all sequences of full length."""
        matrices = sum(p.numel() for p in self.parameters() if p.ndim == 2)
        return math.prod(output_shape[:-1]) * matrices

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows: those that are not the constructor's defaults."""
        every = inspect.signature(type(self)).parameters.values()
        settings = {p.name: p.default for p in every if p.name not in NOT_SHOWN}
        shown = [f"{n}={v!r}" for n, d in settings.items() if (v := getattr(self, n)) != d]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown])


class RNN(_Recurrent):
    """h_t = f(W x_t + U h_{t-1} + b): the recurrent layer of Elman (1990).

    Parameters
    ----------
    input_size, hidden_size : int
        D and H.
    num_layers : int
        Layers one above the other: the output of one is the input of the next.
    nonlinearity : "tanh" or "relu"
        f.
    bias : bool
    batch_first : bool
        x is (N, T, D), not (T, N, D).
    dropout : float in [0, 1]
        Probability with which elements between layers are dropped while training.
    bidirectional : bool
        Add a second layer beside each that runs from the end; outputs stand side by side.
    device, dtype : where and as what the parameters are made
    generator : numpy.random.Generator or None
        Draws the starting values, U(-1/sqrt(H), 1/sqrt(H)) as in PyTorch, and the dropout.

    Examples
    --------
    >>> import tinymed as tm
    >>> output, last = tm.nn.RNN(3, 4)(tm.ones(5, 2, 3), lengths=[5, 2])
    >>> output.shape, last.shape
    ((5, 2, 4), (1, 2, 4))
    """

    blocks = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        generator: np.random.Generator | None = None,
    ) -> None:
        settings = num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(input_size, hidden_size, *settings)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity={nonlinearity!r} is not 'tanh' or 'relu'")
        self.nonlinearity = nonlinearity
        self._draw_weights(device, dtype, generator)

    def _scan(self, rows: Any, states: list[Any], weights: Any, **schedule: Any) -> Any:
        """Run one layer in one direction."""
        return ops.rnn(rows, states[0], **weights, nonlinearity=self.nonlinearity, **schedule)


class LSTM(_Recurrent):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t): long short-term memory.

    i, f, o are the sigmoid and g the tanh of their rows of W x_t + U h_{t-1} + b; see `LSTMCell`
    for the same in ops.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype,
    generator
        As in `RNN`.
    proj_size : int
        P: a projection makes the state smaller, h_t = R (o tanh(c_t)), with R ``weight_hr_l0``
        (P, H); 0 for none.
    peephole : bool
        The gates see the cell, each element through a weight of its own: w_ci c_{t-1} and
        w_cf c_{t-1} are added in i and f, w_co c_t in o. The parameters are ``weight_ci_l0``,
        ``weight_cf_l0`` and ``weight_co_l0``, (H,) each.

    References
    ----------
    Hochreiter, Schmidhuber (1997), "Long short-term memory"; Gers, Schraudolph, Schmidhuber (2002),
    "Learning precise timing with LSTM recurrent networks"; Sak, Senior, Beaufays (2014), "Long
    short-term memory recurrent neural network architectures".

    Examples
    --------
    >>> import tinymed as tm
    >>> layer = tm.nn.LSTM(3, 4, bidirectional=True)
    >>> output, (h, c) = layer(tm.ones(5, 2, 3))
    >>> output.shape, h.shape, c.shape
    ((5, 2, 8), (2, 2, 4), (2, 2, 4))
    """

    blocks = 4

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: str = "cpu",
        dtype: Any = None,
        *,
        peephole: bool = False,
        generator: np.random.Generator | None = None,
    ) -> None:
        settings = num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(input_size, hidden_size, *settings)
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"LSTM: proj_size={proj_size} is not in 0 to {hidden_size - 1}")
        self.proj_size, self.peephole = proj_size, peephole
        self._draw_weights(device, dtype, generator)

    def _shapes(self, features: int) -> dict[str, tuple[int, ...]]:
        """Return the shapes of the weights of one layer and direction."""
        shapes = super()._shapes(features)
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return shapes | (dict.fromkeys(PEEPHOLES, (self.hidden_size,)) if self.peephole else {})

    def _sizes(self) -> tuple[int, ...]:
        """Return the widths of h and c."""
        return self.proj_size or self.hidden_size, self.hidden_size

    def _scan(self, rows: Any, states: list[Any], weights: Any, **schedule: Any) -> Any:
        """Run one layer in one direction."""
        peepholes = tuple(weights.pop(name) for name in PEEPHOLES) if self.peephole else None
        return ops.lstm(rows, tuple(states), **weights, peepholes=peepholes, **schedule)

    def _state_parts(self, state: Any) -> list[Any] | None:
        """Return [h_0, c_0]."""
        if state is not None and (not isinstance(state, (tuple, list)) or len(state) != 2):
            raise TypeError(f"LSTM: hx is {type(state).__name__}, a pair (h_0, c_0) is expected")
        return None if state is None else list(state)

    def _state(self, parts: list[Any]) -> Any:
        """Return (h_n, c_n)."""
        return tuple(parts)


class GRU(_Recurrent):
    """h_t = (1 - z) n + z h_{t-1}: the gated recurrent unit.

    r and z are the sigmoid of their rows of W x_t + b + U h_{t-1} + b', n is the tanh of
    W x_t + b + r (U h_{t-1} + b'); see `GRUCell` for the same in ops.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype,
    generator
        As in `RNN`.
    reset_after : bool
        False for n = tanh(W x_t + b + U (r h_{t-1}) + b'), as first published.

    References
    ----------
    Cho and others (2014), "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation".

    Examples
    --------
    >>> import tinymed as tm
    >>> output, last = tm.nn.GRU(3, 4, num_layers=2, batch_first=True)(tm.ones(2, 5, 3))
    >>> output.shape, last.shape
    ((2, 5, 4), (2, 2, 4))
    """

    blocks = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: str = "cpu",
        dtype: Any = None,
        *,
        reset_after: bool = True,
        generator: np.random.Generator | None = None,
    ) -> None:
        settings = num_layers, bias, batch_first, dropout, bidirectional
        super().__init__(input_size, hidden_size, *settings)
        self.reset_after = reset_after
        self._draw_weights(device, dtype, generator)

    def _scan(self, rows: Any, states: list[Any], weights: Any, **schedule: Any) -> Any:
        """Run one layer in one direction."""
        return ops.gru(rows, states[0], **weights, reset_after=self.reset_after, **schedule)
