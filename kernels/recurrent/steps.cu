// What follows the product in one step of a recurrent layer: a thread for each element of the state.
//
// The general path, for any sizes and layers: W x is one product for all steps; then each step is the
// product U h and one of these. They take the sums apart, apply the equations (cells.cuh), and leave
// the state and all that training keeps, so that no number makes a second trip through memory.
//
// Counted for the LSTM, per element: forward 4 + 4 + 1 numbers read (sums, product, cell), 7 written
// (3 unless training), some 40 FLOPs; back 4 + 1 + 4 read, 6 written. Bound: memory; with a small
// state, the two launches that each step takes. Nothing is summed here: the order is the product's.
//
// Rows of the state (n, H), of gates (n, G H), the gates side by side. Left open: SCALAR.
#include "cells.cuh"

constexpr int THREADS = 256;

struct Place {
  int row, unit;
  bool inside;
};

DEVICE Place place(int n, int H) {
  const int element = blockIdx.x * THREADS + threadIdx.x;
  return {element / H, element % H, CHECK(element_inside, element < n * H)};
}

// dL/dh of a step: what came by other ways than the product, the product, and the output's own.
DEVICE SCALAR gradient(const SCALAR* dh, const SCALAR* product, int rows, const SCALAR* grad_output,
                       int row, long long at) {
  SCALAR sum = dh == nullptr ? SCALAR(0) : dh[at];
  if (CHECK(row_has_product, row < rows)) sum += product[at];
  return grad_output == nullptr ? sum : sum + grad_output[at];
}

extern "C" {

// ------------------------------------------------------------------------------- Elman's network

// `output` has W x + b and gets h.
__global__ void __launch_bounds__(THREADS)
    rnn_forward(SCALAR* output, const SCALAR* product, SCALAR* h, int is_tanh, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  output[at] = h[at] = rnn(output[at] + product[at], is_tanh);
}

// The first `rows` rows of dh come by `product`; what else dh has is used up.
__global__ void __launch_bounds__(THREADS)
    rnn_backward(const SCALAR* output, const SCALAR* grad_output, SCALAR* dh, const SCALAR* product,
                 int rows, SCALAR* grad_sums, int is_tanh, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  const SCALAR d = gradient(dh, product, rows, grad_output, p.row, at);
  grad_sums[at] = rnn_grad(output[at], d, is_tanh);
  dh[at] = 0;
}

// ------------------------------------------------------------------------ long short-term memory

// `gates` has W x + b, and gets the gates if `cells`, which gets the cells as they were, is not null.
__global__ void __launch_bounds__(THREADS)
    lstm_forward(SCALAR* gates, const SCALAR* product, const SCALAR* peepholes, SCALAR* c, SCALAR* h,
                 SCALAR* output, SCALAR* cells, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 4 * at - 3 * p.unit;
  SCALAR* gate = gates + first;
  product += first;
  const Lstm<SCALAR> now =
      lstm(gate[0] + product[0], gate[H] + product[H], gate[2 * H] + product[2 * H],
           gate[3 * H] + product[3 * H], c[at], peepholes, p.unit, H);
  if (cells != nullptr) {
    cells[at] = c[at];
    gate[0] = now.i;
    gate[H] = now.f;
    gate[2 * H] = now.g;
    gate[3 * H] = now.o;
  }
  c[at] = now.c;
  h[at] = now.h;
  if (output != nullptr) output[at] = now.h;
}

__global__ void __launch_bounds__(THREADS)
    lstm_backward(const SCALAR* gates, const SCALAR* cells, const SCALAR* grad_output, SCALAR* dh,
                  const SCALAR* product, int rows, SCALAR* dc, const SCALAR* peepholes,
                  SCALAR* grad_sums, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 4 * at - 3 * p.unit;
  const SCALAR *gate = gates + first, d = gradient(dh, product, rows, grad_output, p.row, at);
  const LstmGrad<SCALAR> grad = lstm_grad(gate[0], gate[H], gate[2 * H], gate[3 * H], cells[at], d,
                                          dc[at], peepholes, p.unit, H);
  SCALAR* sum = grad_sums + first;
  sum[0] = grad.i;
  sum[H] = grad.f;
  sum[2 * H] = grad.g;
  sum[3 * H] = grad.o;
  dc[at] = grad.c;
  if (dh != nullptr) dh[at] = 0;
}

// -------------------------------------------------------------------------- gated recurrent unit

// The reset gate after the product (n, 3H); `candidates` is null unless training, as `gates` is kept.
__global__ void __launch_bounds__(THREADS)
    gru_forward(SCALAR* gates, const SCALAR* product, const SCALAR* bias, SCALAR* h, SCALAR* output,
                SCALAR* candidates, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  SCALAR *gate = gates + first, of_state[3];
#pragma unroll
  for (int k = 0; k < 3; k++)
    of_state[k] = product[first + k * H] + (bias == nullptr ? SCALAR(0) : bias[k * H + p.unit]);
  const SCALAR r = sigmoid(gate[0] + of_state[0]), z = sigmoid(gate[H] + of_state[1]);
  const SCALAR fresh = tanh(gate[2 * H] + r * of_state[2]);
  if (candidates != nullptr) {
    candidates[at] = of_state[2];
    gate[0] = r;
    gate[H] = z;
    gate[2 * H] = fresh;
  }
  output[at] = h[at] = (1 - z) * fresh + z * h[at];
}

// The reset gate before the product, first half: r, z into `gates`, r h into `reset`.
__global__ void __launch_bounds__(THREADS)
    gru_gates(SCALAR* gates, const SCALAR* product, const SCALAR* bias, const SCALAR* h, SCALAR* reset,
              int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  SCALAR *gate = gates + 3 * at - 2 * p.unit, of_state[2];
#pragma unroll
  for (int k = 0; k < 2; k++)
    of_state[k] = product[2 * at - p.unit + k * H] + (bias == nullptr ? SCALAR(0) : bias[k * H + p.unit]);
  gate[0] = sigmoid(gate[0] + of_state[0]);
  gate[H] = sigmoid(gate[H] + of_state[1]);
  reset[at] = gate[0] * h[at];
}

// The second half, with the product of r h.
__global__ void __launch_bounds__(THREADS)
    gru_state(SCALAR* gates, const SCALAR* product, const SCALAR* bias, SCALAR* h, SCALAR* output, int n,
              int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  SCALAR* gate = gates + 3 * at - 2 * p.unit;
  const SCALAR of_state = product[at] + (bias == nullptr ? SCALAR(0) : bias[2 * H + p.unit]);
  const SCALAR z = gate[H], fresh = tanh(gate[2 * H] + of_state);
  gate[2 * H] = fresh;
  output[at] = h[at] = (1 - z) * fresh + z * h[at];
}

__global__ void __launch_bounds__(THREADS)
    gru_backward(const SCALAR* gates, const SCALAR* candidates, const SCALAR* before,
                 const SCALAR* grad_output, SCALAR* dh, const SCALAR* product, int rows,
                 SCALAR* grad_sums, SCALAR* of_state, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const SCALAR *gate = gates + first, r = gate[0];
  const GruGrad<SCALAR> grad = gru_grad(gate[H], gate[2 * H], before[at],
                                        gradient(dh, product, rows, grad_output, p.row, at));
  const SCALAR of_reset = grad.n * candidates[at] * r * (1 - r);
  grad_sums[first] = of_state[first] = of_reset;
  grad_sums[first + H] = of_state[first + H] = grad.z;
  grad_sums[first + 2 * H] = grad.n;
  of_state[first + 2 * H] = grad.n * r;
  dh[at] = grad.h;
}

// The reset gate before the product, first half: dL/dn's sum, also side by side in `of_new` (n, H).
__global__ void __launch_bounds__(THREADS)
    gru_backward_new(const SCALAR* gates, const SCALAR* before, const SCALAR* grad_output, SCALAR* dh,
                     const SCALAR* product, int rows, SCALAR* grad_sums, SCALAR* of_new, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const GruGrad<SCALAR> grad = gru_grad(gates[first + H], gates[first + 2 * H], before[at],
                                        gradient(dh, product, rows, grad_output, p.row, at));
  grad_sums[first + H] = grad.z;
  grad_sums[first + 2 * H] = of_new[at] = grad.n;
  dh[at] = grad.h;
}

// The second half, with the gradient of r h; the sums of r and z also side by side in `of_gates`.
__global__ void __launch_bounds__(THREADS)
    gru_backward_gates(const SCALAR* gates, const SCALAR* before, const SCALAR* of_reset, SCALAR* dh,
                       SCALAR* grad_sums, SCALAR* of_gates, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const SCALAR r = gates[first];
  grad_sums[first] = of_gates[2 * at - p.unit] = of_reset[at] * before[at] * r * (1 - r);
  of_gates[2 * at - p.unit + H] = grad_sums[first + H];
  dh[at] += of_reset[at] * r;
}

// -------------------------------------------------------------------------------- earlier states

// The state that each step began with; a step's rows are those of `starts` (T + 1), `each` blocks.
__global__ void __launch_bounds__(THREADS)
    before(SCALAR* found, const SCALAR* states, const SCALAR* initial, const int* starts, int steps,
           int H, int each, int reverse) {
  const int step = blockIdx.x / each, element = blockIdx.x % each * THREADS + threadIdx.x;
  const int row = element / H, unit = element % H, start = starts[step];
  if (!CHECK(row_inside, row < starts[step + 1] - start)) return;
  const int other = reverse ? step + 1 : step - 1;
  const bool is_first = other < 0 || other >= steps || row >= starts[other + 1] - starts[other];
  const SCALAR* from = is_first ? initial + static_cast<long long>(row) * H
                                : states + static_cast<long long>(starts[other] + row) * H;
  found[static_cast<long long>(start + row) * H + unit] = from[unit];
}
}
