// What follows the product in one step of a recurrent layer: a thread for each element of the state.
//
// The general path, for any sizes and layers: W x is one product for all steps; then each step is the
// product U h and one of these. They take the sums apart, apply the equations (cells.cuh), and leave
// the state and all that training keeps, so that no number makes a second trip through memory.
//
// Arrays of 16 bits are rounded once: sums, equations and what goes from step to step beside the
// product (the cell, a GRU's state, going back dL/dh) are float32; the product takes the state, and
// going back the gradients of the sums, as they are rounded for whoever asked for them.
//
// Counted for the LSTM, per element: forward 4 + 4 + 1 numbers read (sums, product, cell), 7 written
// (3 unless training), some 40 FLOPs; back 4 + 1 + 4 read, 6 written; in float32 64 and 60 bytes, in 16
// bits 54 and 40. Bound: memory; with a small state, the two launches that each step takes. Nothing is
// summed here: the order is the product's.
//
// Rows of the state (n, H), of gates (n, G H), the gates side by side. Left open: SCALAR, of arrays;
// SUM, of sums.
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
DEVICE SUM gradient(const SUM* dh, const SUM* product, int rows, const SCALAR* grad_output, int row,
                    long long at) {
  SUM sum = dh == nullptr ? SUM(0) : dh[at];
  if (CHECK(row_has_product, row < rows)) sum += product[at];
  return grad_output == nullptr ? sum : sum + wide(grad_output[at]);
}

extern "C" {

// ------------------------------------------------------------------------------- Elman's network

// `sums` has W x + b, `bias` is that of U h or null; `output` may be `sums`.
__global__ void __launch_bounds__(THREADS)
    rnn_forward(const SUM* sums, const SUM* product, const SCALAR* bias, SCALAR* h, SCALAR* output,
                int is_tanh, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  const SUM now = rnn(sums[at] + (product[at] + at_or_zero<SUM>(bias, p.unit)), is_tanh);
  put(output + at, now);
  put(h + at, now);
}

// The first `rows` rows of dh come by `product`; what else dh has is used up.
__global__ void __launch_bounds__(THREADS)
    rnn_backward(const SCALAR* output, const SCALAR* grad_output, SUM* dh, const SUM* product, int rows,
                 SCALAR* grad_sums, int is_tanh, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  const SUM d = gradient(dh, product, rows, grad_output, p.row, at);
  put(grad_sums + at, rnn_grad<SUM>(wide(output[at]), d, is_tanh));
  dh[at] = 0;
}

// ------------------------------------------------------------------------ long short-term memory

// `gates`, which may be `sums`, gets the gates if `cells`, which gets the cells as they were, is not
// null.
__global__ void __launch_bounds__(THREADS)
    lstm_forward(const SUM* sums, const SUM* product, const SCALAR* bias, const SCALAR* peepholes, SUM* c,
                 SCALAR* h, SCALAR* output, SCALAR* gates, SCALAR* cells, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 4 * at - 3 * p.unit;
  SUM sum[4];
#pragma unroll
  for (int k = 0; k < 4; k++)
    sum[k] = sums[first + k * H] + (product[first + k * H] + at_or_zero<SUM>(bias, k * H + p.unit));
  const Lstm<SUM> now = lstm(sum[0], sum[1], sum[2], sum[3], c[at], peepholes, p.unit, H);
  if (cells != nullptr) {
    SCALAR* gate = gates + first;
    put(cells + at, c[at]);
    put(gate, now.i);
    put(gate + H, now.f);
    put(gate + 2 * H, now.g);
    put(gate + 3 * H, now.o);
  }
  c[at] = now.c;
  put(h + at, now.h);
  if (output != nullptr) put(output + at, now.h);
}

__global__ void __launch_bounds__(THREADS)
    lstm_backward(const SCALAR* gates, const SCALAR* cells, const SCALAR* grad_output, SUM* dh,
                  const SUM* product, int rows, SUM* dc, const SCALAR* peepholes, SCALAR* grad_sums, int n,
                  int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 4 * at - 3 * p.unit;
  const SCALAR* gate = gates + first;
  const SUM d = gradient(dh, product, rows, grad_output, p.row, at);
  const LstmGrad<SUM> grad =
      lstm_grad<SUM>(wide(gate[0]), wide(gate[H]), wide(gate[2 * H]), wide(gate[3 * H]), wide(cells[at]),
                     d, dc[at], peepholes, p.unit, H);
  SCALAR* sum = grad_sums + first;
  put(sum, grad.i);
  put(sum + H, grad.f);
  put(sum + 2 * H, grad.g);
  put(sum + 3 * H, grad.o);
  dc[at] = grad.c;
  if (dh != nullptr) dh[at] = 0;
}

// -------------------------------------------------------------------------- gated recurrent unit

// The new state, and h, which is what of it the product takes, null where that is `state` itself.
DEVICE void keep_state(SUM* state, SCALAR* h, SCALAR* output, long long at, SUM z, SUM fresh) {
  const SUM now = (1 - z) * fresh + z * state[at];
  state[at] = now;
  put(output + at, now);
  if (h != nullptr) put(h + at, now);
}

// The reset gate after the product (n, 3H); `candidates` is null unless training, as `gates` is kept,
// which may be `sums`.
__global__ void __launch_bounds__(THREADS)
    gru_forward(const SUM* sums, const SUM* product, const SCALAR* bias, SUM* state, SCALAR* h,
                SCALAR* output, SCALAR* gates, SCALAR* candidates, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  SUM of_state[3];
#pragma unroll
  for (int k = 0; k < 3; k++) of_state[k] = product[first + k * H] + at_or_zero<SUM>(bias, k * H + p.unit);
  const SUM r = sigmoid(sums[first] + of_state[0]), z = sigmoid(sums[first + H] + of_state[1]);
  const SUM fresh = tanh(sums[first + 2 * H] + r * of_state[2]);
  if (candidates != nullptr) {
    SCALAR* gate = gates + first;
    put(candidates + at, of_state[2]);
    put(gate, r);
    put(gate + H, z);
    put(gate + 2 * H, fresh);
  }
  keep_state(state, h, output, at, z, fresh);
}

// The reset gate before the product, first half: r, z in their places of `sums`, r h into `reset`.
__global__ void __launch_bounds__(THREADS)
    gru_gates(SUM* sums, const SUM* product, const SCALAR* bias, const SUM* state, SCALAR* reset, int n,
              int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit;
  SUM *gate = sums + 3 * at - 2 * p.unit, of_state[2];
#pragma unroll
  for (int k = 0; k < 2; k++)
    of_state[k] = product[2 * at - p.unit + k * H] + at_or_zero<SUM>(bias, k * H + p.unit);
  gate[0] = sigmoid(gate[0] + of_state[0]);
  gate[H] = sigmoid(gate[H] + of_state[1]);
  put(reset + at, gate[0] * state[at]);
}

// The second half, with the product of r h. `gates` is null where `sums` are kept as the gates.
__global__ void __launch_bounds__(THREADS)
    gru_state(SUM* sums, const SUM* product, const SCALAR* bias, SUM* state, SCALAR* h, SCALAR* output,
              SCALAR* gates, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  SUM* gate = sums + first;
  const SUM of_state = product[at] + at_or_zero<SUM>(bias, 2 * H + p.unit);
  const SUM z = gate[H], fresh = tanh(gate[2 * H] + of_state);
  if (gates == nullptr) {
    gate[2 * H] = fresh;
  } else {
    put(gates + first, gate[0]);
    put(gates + first + H, z);
    put(gates + first + 2 * H, fresh);
  }
  keep_state(state, h, output, at, z, fresh);
}

__global__ void __launch_bounds__(THREADS)
    gru_backward(const SCALAR* gates, const SCALAR* candidates, const SCALAR* before,
                 const SCALAR* grad_output, SUM* dh, const SUM* product, int rows, SCALAR* grad_sums,
                 SCALAR* of_state, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const SCALAR* gate = gates + first;
  const SUM r = wide(gate[0]), d = gradient(dh, product, rows, grad_output, p.row, at);
  const GruGrad<SUM> grad = gru_grad<SUM>(wide(gate[H]), wide(gate[2 * H]), wide(before[at]), d);
  const SUM of_reset = grad.n * wide(candidates[at]) * r * (1 - r);
  put(grad_sums + first, of_reset);
  put(of_state + first, of_reset);
  put(grad_sums + first + H, grad.z);
  put(of_state + first + H, grad.z);
  put(grad_sums + first + 2 * H, grad.n);
  put(of_state + first + 2 * H, grad.n * r);
  dh[at] = grad.h;
}

// The reset gate before the product, first half: dL/dn's sum, also side by side in `of_new` (n, H).
__global__ void __launch_bounds__(THREADS)
    gru_backward_new(const SCALAR* gates, const SCALAR* before, const SCALAR* grad_output, SUM* dh,
                     const SUM* product, int rows, SCALAR* grad_sums, SCALAR* of_new, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const SUM d = gradient(dh, product, rows, grad_output, p.row, at);
  const GruGrad<SUM> grad =
      gru_grad<SUM>(wide(gates[first + H]), wide(gates[first + 2 * H]), wide(before[at]), d);
  put(grad_sums + first + H, grad.z);
  put(grad_sums + first + 2 * H, grad.n);
  put(of_new + at, grad.n);
  dh[at] = grad.h;
}

// The second half, with the gradient of r h; the sums of r and z also side by side in `of_gates`.
__global__ void __launch_bounds__(THREADS)
    gru_backward_gates(const SCALAR* gates, const SCALAR* before, const SUM* of_reset, SUM* dh,
                       SCALAR* grad_sums, SCALAR* of_gates, int n, int H) {
  const Place p = place(n, H);
  if (!p.inside) return;
  const long long at = static_cast<long long>(p.row) * H + p.unit, first = 3 * at - 2 * p.unit;
  const SUM r = wide(gates[first]), grad = of_reset[at] * wide(before[at]) * r * (1 - r);
  SCALAR* beside = of_gates + 2 * at - p.unit;
  put(grad_sums + first, grad);
  put(beside, grad);
  beside[H] = grad_sums[first + H];
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
