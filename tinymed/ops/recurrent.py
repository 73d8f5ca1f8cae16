"""Recurrent layers: one node for a whole sequence, of one layer in one direction.

The node works on packed rows (see `packing`). The kernel does what has to go step by step; with
the sums s_t = W x_t + U h_{t-1} + b and its dL/ds (R, G), what is left is one matrix product each,
over all steps at once:

    dL/dx = dL/ds W,   dL/dW = dL/ds^T x,   dL/dU = dL/ds^T h_before,   dL/db = sum of dL/ds

Sources: Elman (1990), "Finding structure in time"; Werbos (1990), "Backpropagation through time";
Hochreiter, Schmidhuber (1997), "Long short-term memory"; Gers, Schraudolph, Schmidhuber (2002),
"Learning precise timing with LSTM recurrent networks" (peepholes); Cho and others (2014), "Learning
phrase representations using RNN encoder-decoder" (GRU); Sak, Senior, Beaufays (2014), "Long
short-term memory recurrent neural network architectures" (projection).
"""

from __future__ import annotations

from typing import Any, ClassVar

from tinymed.autograd import Function, Variable
from tinymed.grad_mode import MODE
from tinymed.kernels import recurrent as kernels
from tinymed.kernels.arrays import Array, array_module
from tinymed.kernels.matmul import bias_grad, product
from tinymed.kernels.recording import constant
from tinymed.kernels.recurrent.reference import parts
from tinymed.ops.broadcasting import Shape
from tinymed.precision import rounded, widened

__all__ = ["GRU", "LSTM", "RNN"]

Gradients = tuple[Array | None, ...]


class _Recurrent(Function):
    """What the three share. Their first six inputs are x, h0, W, U and the biases of both."""

    twice_differentiable = False
    as_given = True  # kernels compute 16 bits in float32, and are given them for tensor cores
    blocks: ClassVar[int]  # of H rows in the weights
    recording = False  # whether a backward may follow, for which the kernel must keep something

    def __init__(self, sizes: Shape, reverse: bool = False) -> None:
        self.sizes, self.reverse = sizes, reverse

    def __call__(self, *inputs: Any) -> Any:
        self.recording = MODE.enabled and any(
            isinstance(x, Variable) and x.requires_grad for x in inputs
        )
        return super().__call__(*inputs)

    def output_shape(
        self,
        x: Shape,
        h0: Shape,
        weight_ih: Shape,
        weight_hh: Shape,
        bias_ih: Shape | None = None,
        bias_hh: Shape | None = None,
    ) -> tuple[Shape, ...]:
        self.check(x, h0, weight_ih, weight_hh, bias_ih, bias_hh)
        return (x[0], weight_hh[1]), h0

    def check(
        self,
        x: Shape,
        h0: Shape,
        weight_ih: Shape,
        weight_hh: Shape,
        bias_ih: Shape | None,
        bias_hh: Shape | None,
        weight_hr: Shape | None = None,
        **others: tuple[Shape | None, str],
    ) -> None:
        """Raise unless all shapes fit; ``others`` are (given, what it must be, in letters)."""
        name, rows = type(self).__name__.lower(), sum(self.sizes)
        if len(x) != 2 or x[0] != rows:
            raise ValueError(f"{name}: packed x {x} must be ({rows}, D), a row for each step")
        if len(weight_hh) != 2 or weight_hh[0] % self.blocks:
            raise ValueError(f"{name}: weight_hh {weight_hh} must be ({self.blocks} H, H)")
        batch, hidden = h0[0] if h0 else 0, weight_hh[0] // self.blocks
        if max(self.sizes, default=0) > batch:
            raise ValueError(f"{name}: h0 {h0} has no row for each of {max(self.sizes)} sequences")
        letters = {"D": x[1], "N": batch, "H": hidden, "G": weight_hh[0], "3": 3}
        letters["P"] = weight_hr[0] if weight_hr else hidden
        expected: dict[str, tuple[Shape | None, str]] = {
            "weight_ih": (weight_ih, "GD"),
            "weight_hh": (weight_hh, "GP"),
            "bias_ih": (bias_ih, "G"),
            "bias_hh": (bias_hh, "G"),
            "weight_hr": (weight_hr, "PH"),
            "h0": (h0, "NP"),
            **others,
        }
        for argument, (given, form) in expected.items():
            wanted = tuple(letters[letter] for letter in form)
            if given is not None and given != wanted:
                raise ValueError(
                    f"{name}: {argument} {given} must be {wanted}, since x has {x[1]} features, "
                    f"weight_hh {weight_hh} says H = {hidden}, and h0 {h0} has {batch} sequences"
                )

    def h_before(self, h: Array, h0: Array) -> Array:
        """Return the state with which each row's step began, (R, P)."""
        return kernels.before(h, h0, self.sizes, self.reverse)

    def products(
        self, grad_sums: Array, of_state: Array, h_before: Array | None, x: Array, weight_ih: Array
    ) -> Gradients:
        """Return the gradients of x, W, U and both biases, where wanted, from dL/ds."""
        to_x, _, to_weight_ih, to_weight_hh, to_bias_ih, to_bias_hh = self.edges[:6]
        return (
            product(grad_sums, weight_ih) if to_x else None,  # (R, G)(G, D) -> (R, D)
            product(grad_sums.T, x) if to_weight_ih else None,  # (G, R)(R, D) -> (G, D)
            product(of_state.T, h_before) if to_weight_hh else None,  # (G, R)(R, P) -> (G, P)
            bias_grad(grad_sums) if to_bias_ih else None,
            bias_grad(of_state) if to_bias_hh else None,
        )

    def refuse_second_graph(self, *values: Any) -> None:
        """Raise if backward is to be recorded: the kernels have no derivative."""
        if any(isinstance(value, Variable) for value in values):
            name = type(self).__name__
            raise NotImplementedError(
                f"{name}: no second derivative; run nn.{name}Cell step by step, which has all"
            )


class RNN(_Recurrent):
    """h_t = f(s_t), s_t = W x_t + U h_{t-1} + b;  dL/ds = f'(s) dL/dh, dL/dh_{t-1} = U^T dL/ds."""

    blocks = 1

    def __init__(self, sizes: Shape, reverse: bool = False, nonlinearity: str = "tanh") -> None:
        super().__init__(sizes, reverse)
        self.nonlinearity = nonlinearity

    def forward(
        self,
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
    ) -> tuple[Array, Array]:
        inputs = x, h0, weight_ih, weight_hh, bias_ih, bias_hh
        self.output_shape(*map(shape_of, inputs))
        return kernels.rnn_forward(*inputs, self.sizes, self.reverse, self.nonlinearity)

    def backward(
        self,
        grad_outputs: tuple[Array | None, ...],
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        output: tuple[Array, Array],
    ) -> Gradients:
        self.refuse_second_graph(*grad_outputs, x, h0, weight_ih, weight_hh)
        (grad_output, grad_h), (h, h_n) = grad_outputs, output
        grad_h = or_zeros(grad_h, h_n)
        schedule = self.sizes, self.reverse
        grad_sums, grad_h0 = kernels.rnn_backward(
            grad_output, grad_h, h, weight_hh, *schedule, self.nonlinearity
        )
        h_before = self.h_before(h, h0) if self.edges[3] else None
        to_x, *to_weights = self.products(grad_sums, grad_sums, h_before, x, weight_ih)
        return to_x, grad_h0, *to_weights


class LSTM(_Recurrent):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t), where i, f, o = sigmoid(s), g = tanh(s).

    dL/dc_t = o (1 - tanh(c_t)^2) dL/dh_t + f_{t+1} dL/dc_{t+1};  dL/dg = i dL/dc, dL/di = g dL/dc,
    dL/df = c_{t-1} dL/dc, dL/do = tanh(c) dL/dh, each times the derivative of its sigmoid or tanh.
    """

    blocks = 4

    def output_shape(  # type: ignore[override]
        self,
        x: Shape,
        h0: Shape,
        weight_ih: Shape,
        weight_hh: Shape,
        bias_ih: Shape | None,
        bias_hh: Shape | None,
        c0: Shape,
        weight_hr: Shape | None,
        peepholes: Shape | None,
    ) -> tuple[Shape, ...]:
        weights = weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
        self.check(x, h0, *weights, c0=(c0, "NH"), peepholes=(peepholes, "3H"))
        return (x[0], weight_hh[1]), h0, c0

    def forward(
        self,
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
        c0: Array,
        weight_hr: Array | None,
        peepholes: Array | None,
    ) -> tuple[Array, Array, Array]:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        self.output_shape(*map(shape_of, (x, h0, *weights, c0, weight_hr, peepholes)))
        schedule = self.sizes, self.reverse
        h, h_n, c_n, gates, cells = kernels.lstm_forward(
            x, h0, c0, *weights, weight_hr, peepholes, *schedule, self.recording
        )
        if self.recording:
            self.keep(gates=gates, cells=cells)
        return h, h_n, c_n

    def backward(
        self,
        grad_outputs: tuple[Array | None, ...],
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        weight_hr: Array | None,
        peepholes: Array | None,
        output: tuple[Array, Array, Array],
    ) -> Gradients:
        self.refuse_second_graph(*grad_outputs, x, h0, weight_ih, weight_hh)
        (grad_output, grad_h, grad_c), (h, h_n, c_n) = grad_outputs, output
        grad_h, grad_c = or_zeros(grad_h, h_n), or_zeros(grad_c, c_n)
        gates, cells = self.kept("gates"), self.kept("cells")
        weights, schedule = (weight_hh, weight_hr, peepholes), (self.sizes, self.reverse)
        grad_sums, grad_hidden, grad_h0, grad_c0 = kernels.lstm_backward(
            grad_output, grad_h, grad_c, gates, cells, *weights, *schedule
        )
        h_before = self.h_before(h, h0) if self.edges[3] else None
        to_x, *to_weights = self.products(grad_sums, grad_sums, h_before, x, weight_ih)
        to_others = self.extensions(gates, cells, grad_sums, grad_hidden)
        return to_x, grad_h0, *to_weights, grad_c0, *to_others

    def extensions(
        self, gates: Array, cells: Array, grad_sums: Array, grad_hidden: Array | None
    ) -> Gradients:
        """Return the gradients of the projection and the peepholes, where wanted."""
        to_projection, to_peepholes = self.edges[7:]
        if not (to_projection or to_peepholes):
            return None, None
        dtype, (gates, cells, grad_sums) = gates.dtype, map(widened, (gates, cells, grad_sums))
        (i, f, g, o), (di, df, _, do) = parts(gates, 4), parts(grad_sums, 4)
        after, xp = f * cells + i * g, array_module(gates)  # the cells each step ended with
        grad_projection = grad_peepholes = None
        if to_projection and grad_hidden is not None:
            hidden = rounded(o * xp.tanh(after), dtype)
            grad_projection = product(grad_hidden.T, hidden)  # (P, R)(R, H) -> (P, H)
        if to_peepholes:
            seen = di * cells, df * cells, do * after
            grad_peepholes = rounded(xp.stack([each.sum(axis=0) for each in seen]), dtype)
        return grad_projection, grad_peepholes


class GRU(_Recurrent):
    """h_t = (1 - z) n + z h_{t-1}, where r, z = sigmoid(s) and n = tanh(s).

    dL/dn = (1 - z) dL/dh, dL/dz = (h_{t-1} - n) dL/dh, each times the derivative of its sigmoid or
    tanh;  dL/dh_{t-1} = z dL/dh + U^T dL/ds. In n the reset gate comes after the product,
    r (U h + b'), or, as first published, before it, U (r h) + b'.
    """

    blocks = 3

    def __init__(self, sizes: Shape, reverse: bool = False, reset_after: bool = True) -> None:
        super().__init__(sizes, reverse)
        self.reset_after = reset_after

    def forward(
        self,
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None,
        bias_hh: Array | None,
    ) -> tuple[Array, Array]:
        inputs = x, h0, weight_ih, weight_hh, bias_ih, bias_hh
        self.output_shape(*map(shape_of, inputs))
        h, h_n, gates, candidates = kernels.gru_forward(
            *inputs, self.sizes, self.reverse, self.reset_after, self.recording
        )
        if self.recording:
            self.keep(gates=gates, candidates=candidates)
        return h, h_n

    def backward(
        self,
        grad_outputs: tuple[Array | None, ...],
        x: Array,
        h0: Array,
        weight_ih: Array,
        weight_hh: Array,
        output: tuple[Array, Array],
    ) -> Gradients:
        self.refuse_second_graph(*grad_outputs, x, h0, weight_ih, weight_hh)
        (grad_output, grad_h), (h, h_n) = grad_outputs, output
        gates, candidates = self.kept("gates"), self.kept("candidates")
        h_before, schedule = self.h_before(h, h0), (self.sizes, self.reverse)
        grad_sums, of_state, grad_h0 = kernels.gru_backward(
            grad_output, or_zeros(grad_h, h_n), gates, candidates, h_before, weight_hh, *schedule
        )
        found = self.products(grad_sums, of_state, h_before, x, weight_ih)
        to_x, to_weight_ih, to_weight_hh, *to_biases = found
        if not self.reset_after and to_weight_hh is not None:  # its rows of n have met r h
            r, _, _ = parts(gates, 3)
            _, _, of_new = parts(grad_sums, 3)
            reset = rounded(widened(r) * widened(h_before), r.dtype)
            to_weight_hh[2 * r.shape[1] :] = product(of_new.T, reset)
        return to_x, grad_h0, to_weight_ih, to_weight_hh, *to_biases


def shape_of(x: Array | None) -> Any:
    """Return the shape of an array; None for None."""
    return None if x is None else x.shape


def or_zeros(gradient: Array | None, like: Array) -> Array:
    """Return the gradient of an output; zeros where it was not used."""
    return constant(array_module(like).zeros_like(like)) if gradient is None else gradient
