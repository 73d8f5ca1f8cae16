"""Recurrent layers through a whole sequence: all time steps of one layer, in one direction.

Sequences of different lengths are *packed*: sorted by length, the longest first, their rows stand
time step by time step, so that step t is one block of n_t rows and work follows the sum of the
lengths R = n_0 + n_1 + ...  For sequences of one length that is (T, N, D) seen as (T N, D).

``sizes`` is (n_0, n_1, ...), never rising; ``reverse`` begins at the end of each sequence; D are
the features of x, H those of the state, P those of the output (H unless there is a projection).

``rnn_forward(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse, nonlinearity)``
    output (R, H), h_n (N, H)
``lstm_forward(x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, peepholes, sizes,``
``reverse, training)``
    output (R, P), h_n (N, P), c_n (N, H); if training gates (R, 4H) and cells (R, H), else None
``gru_forward(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse, reset_after,``
``training)``
    output (R, H), h_n (N, H); if training gates (R, 3H) and, with reset_after, candidates (R, H)

Going back, a kernel returns the gradients of what the gates are made of (before the sigmoid or
tanh), for all steps, and those of the initial states; the gradients of x, the weights and the
biases are then one matrix product each, for all steps at once.

``before(states, initial, sizes, reverse)``
    the state (R, H) that each step began with: that of the step before, or the initial one (N, H)
``rnn_backward(grad_output, grad_h, output, weight_hh, sizes, reverse, nonlinearity)``
    grad_sums (R, H), grad_h0 (N, H)
``lstm_backward(grad_output, grad_h, grad_c, gates, cells, weight_hh, weight_hr, peepholes, sizes,``
``reverse)``
    grad_sums (R, 4H), grad_hidden (R, P) if there is a projection, grad_h0 (N, P), grad_c0 (N, H)
``gru_backward(grad_output, grad_h, gates, candidates, before, weight_hh, sizes, reverse)``
    grad_sums (R, 3H) for W x, the same for U h, grad_h0 (N, H)

weight_ih (G, D), weight_hh (G, P), biases (G,) or None, G = H, 4H (rows i, f, g, o) or 3H (rows r,
z, n); weight_hr (P, H) or None; peepholes (3, H) (rows i, f, o) or None; grad_output (R, P) or None
where only the final state is used; ``before`` (R, H) is what the kernel of that name returns.

Arrays are float32, float64, float16 or bfloat16, all alike, and so are results. On the CPU, and on
a GPU before sm_80, those of 16 bits are computed in float32 and rounded once, in the registry:
neither the reference nor numba_cpu knows of them. In CUDA from sm_80 products take them as they
are, their sums in float32; what goes from step to step outside of products, the cell, a GRU's
state and, going back, the state's gradient, stays float32. The state that products take is rounded
at each step, as it is handed back.
"""

from tinymed.kernels.registry import kernel

RESIDENT = "reference", "numba_cpu", "cuda", "cuda:grid", "cuda:cluster", "numba_cuda"

rnn_forward = kernel(__name__, "rnn_forward", *RESIDENT)
rnn_backward = kernel(__name__, "rnn_backward", *RESIDENT)
lstm_forward = kernel(__name__, "lstm_forward", *RESIDENT)
lstm_backward = kernel(__name__, "lstm_backward", *RESIDENT)
gru_forward = kernel(__name__, "gru_forward", *RESIDENT)
gru_backward = kernel(__name__, "gru_backward", *RESIDENT)
before = kernel(__name__, "before", "reference", "numba_cpu", "cuda")
