// All steps of a recurrent layer in one launch: the recurrent weights stay in shared memory.
//
// Each block owns some units of the state, has their rows of U (going back: their columns), and all
// that belongs to them. In a step it needs the whole state of the step before (going back: all sums'
// gradients): that is what blocks exchange, in two turns, with one barrier of all blocks a step; two
// where the reset gate of a GRU comes before the product, which then has to wait for all gates.
// - CLUSTER_BLOCKS = 0, a cooperative grid: the exchange lies in memory (that is, in L2). Blocks
//   share out the units; if there are enough blocks, also the batch, 32 sequences each.
// - CLUSTER_BLOCKS = 8 or 16, from sm_90: each cluster has all units of 4 sequences, and the exchange
//   lies in the shared memory of each of its blocks, to which all others write. No memory, no L2.
//
// A product is shared out along K: each of 8 warps sums every 8th term of a tile of units x batch in
// registers, 4 sequences x 1 or 2 units x gates a lane; the 8 parts are added in order. The result is
// the same each time, and the same for any other order of the threads.
//
// Counted for the LSTM on 132 multiprocessors, H = 1024, 32 sequences, a step: forward 2^27
// multiply-adds, 4.7 us at 28 T/s; each block reads 128 KiB of state, 17 MB of L2 in all, 3 us; the
// barrier about 1.5 us; U, 16 MiB, is not read again, which alone would take 5 us. Back, blocks read
// the gradients of all 4 H sums: 69 MB of L2, some 12 us, which bounds it. In a cluster of 16, H =
// 448, 4 sequences: 200 KiB of weights read from shared memory at 128 bytes a cycle, 1600 cycles; as
// many for the multiply-adds. Fewer units or sequences than a tile cost as much as a whole tile.
// Elman's network has a quarter of the multiply-adds, forward 1.2 us, and the same state to read and
// barrier, which bound it; back it reads as much as forward. A GRU with the reset gate first has the
// products of a GRU, but two exchanges and barriers a step: as much again as they take.
//
// With 227 KiB there is room up to these H, in a cluster of 16 and on 132 multiprocessors; resident.py
// computes it:
//             forward      back                              forward      back
//   Elman     891  2640    891  2640     GRU                 514  1436    487  1550
//   LSTM      448  1241    416  1320     GRU, reset first    523  1493    509  1550
//
// The loops are in resident.cuh; here are the cells: what one element of one step does.
#include "resident.cuh"

#define ARGUMENTS                                                                               \
  const int *starts, int steps, int batch, int H, int units, int reverse, float *exchanged,     \
      unsigned *counter, const float *weight
#define LAYOUT {starts, steps, batch, H, units, reverse}

// ------------------------------------------------------------------------------- Elman's network

struct RnnForward {
  static constexpr int FIRST = 1, SECOND = 0;
  const float* bias;   // of U h, or null
  float *h, *output;  // `output` has W x + b and gets h
  bool is_tanh;

  DEVICE float first(const Element& e, int, const float (&sum)[1]) const {
    const float of_state = sum[0] + at_or_zero<float>(bias, e.unit);
    return h[e.own] = output[e.at] = rnn(output[e.at] + of_state, is_tanh);
  }
};

struct RnnBackward {
  static constexpr int FIRST = 1, SECOND = 0;
  const float* output;
  float* grad_sums;
  bool is_tanh;

  DEVICE float first(const Element& e, int, float d, float (&sums)[1]) const {
    sums[0] = grad_sums[e.at] = rnn_grad(output[e.at], d, is_tanh);
    return 0;
  }
};

// ------------------------------------------------------------------------ long short-term memory

struct LstmForward {
  static constexpr int FIRST = 4, SECOND = 0;
  const float *bias, *peepholes;  // of U h; (3, H); or null
  float *gates, *h, *c, *output, *cells;

  // `gates` has W x + b, and gets the gates if `cells`, which gets the cells as they were, is not null.
  DEVICE float first(const Element& e, int H, const float (&sum)[4]) const {
    float* gate = gates + 4 * e.at - 3 * e.unit;
    float all[4];
#pragma unroll
    for (int k = 0; k < 4; k++) all[k] = gate[k * H] + (sum[k] + at_or_zero<float>(bias, k * H + e.unit));
    const Lstm<float> now = lstm(all[0], all[1], all[2], all[3], c[e.own], peepholes, e.unit, H);
    if (cells != nullptr) {
      cells[e.at] = c[e.own];
      gate[0] = now.i;
      gate[H] = now.f;
      gate[2 * H] = now.g;
      gate[3 * H] = now.o;
    }
    c[e.own] = now.c;
    return h[e.own] = output[e.at] = now.h;
  }
};

struct LstmBackward {
  static constexpr int FIRST = 4, SECOND = 0;
  const float *peepholes, *gates, *cells;
  float *dc, *grad_sums;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[4]) const {
    const long long at = 4 * e.at - 3 * e.unit;
    const float* gate = gates + at;
    const LstmGrad<float> grad = lstm_grad(gate[0], gate[H], gate[2 * H], gate[3 * H], cells[e.at], d,
                                           dc[e.own], peepholes, e.unit, H);
    grad_sums[at] = sums[0] = grad.i;
    grad_sums[at + H] = sums[1] = grad.f;
    grad_sums[at + 2 * H] = sums[2] = grad.g;
    grad_sums[at + 3 * H] = sums[3] = grad.o;
    dc[e.own] = grad.c;
    return 0;
  }
};

// -------------------------------------------------------------------------- gated recurrent unit

// The reset gate after the product; `candidates` is null unless training, as `gates` is kept.
struct GruForward {
  static constexpr int FIRST = 3, SECOND = 0;
  const float* bias;
  float *gates, *h, *output, *candidates;

  DEVICE float first(const Element& e, int H, const float (&sum)[3]) const {
    float* gate = gates + 3 * e.at - 2 * e.unit;
    const float r = sigmoid(gate[0] + (sum[0] + at_or_zero<float>(bias, e.unit)));
    const float z = sigmoid(gate[H] + (sum[1] + at_or_zero<float>(bias, H + e.unit)));
    const float candidate = sum[2] + at_or_zero<float>(bias, 2 * H + e.unit);
    const float fresh = tanh(gate[2 * H] + r * candidate);
    if (candidates != nullptr) {
      candidates[e.at] = candidate;
      gate[0] = r;
      gate[H] = z;
      gate[2 * H] = fresh;
    }
    return h[e.own] = output[e.at] = (1 - z) * fresh + z * h[e.own];
  }
};

struct GruBackward {
  static constexpr int FIRST = 3, SECOND = 0;
  const float *gates, *candidates, *before;
  float *grad_sums, *of_state;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[3]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const float *gate = gates + at, r = gate[0];
    const GruGrad<float> grad = gru_grad(gate[H], gate[2 * H], before[e.at], d);
    sums[0] = grad.n * candidates[e.at] * r * (1 - r);
    sums[1] = grad.z;
    sums[2] = grad.n * r;
#pragma unroll
    for (int k = 0; k < 3; k++) {
      of_state[at + k * H] = sums[k];
      grad_sums[at + k * H] = k < 2 ? sums[k] : grad.n;
    }
    return grad.h;
  }
};

// The reset gate before the product: r h is what blocks exchange second.
struct GruResetBeforeForward {
  static constexpr int FIRST = 2, SECOND = 1;
  const float* bias;
  float *gates, *h, *output;

  DEVICE float first(const Element& e, int H, const float (&sum)[2]) const {
    float* gate = gates + 3 * e.at - 2 * e.unit;
    gate[0] = sigmoid(gate[0] + (sum[0] + at_or_zero<float>(bias, e.unit)));
    gate[H] = sigmoid(gate[H] + (sum[1] + at_or_zero<float>(bias, H + e.unit)));
    return gate[0] * h[e.own];
  }
  DEVICE float second(const Element& e, int H, const float (&sum)[1]) const {
    float* gate = gates + 3 * e.at - 2 * e.unit;
    const float z = gate[H];
    const float fresh = tanh(gate[2 * H] + (sum[0] + at_or_zero<float>(bias, 2 * H + e.unit)));
    gate[2 * H] = fresh;
    return h[e.own] = output[e.at] = (1 - z) * fresh + z * h[e.own];
  }
};

// Back, the gradient of n's sum gives that of r h; only then there are those of r and z to exchange.
struct GruResetBeforeBackward {
  static constexpr int FIRST = 1, SECOND = 2;
  const float *gates, *before;
  float* grad_sums;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[1]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const GruGrad<float> grad = gru_grad(gates[at + H], gates[at + 2 * H], before[e.at], d);
    grad_sums[at + H] = grad.z;
    sums[0] = grad_sums[at + 2 * H] = grad.n;
    return grad.h;
  }
  DEVICE float second(const Element& e, int H, float of_reset, float (&sums)[2]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const float r = gates[at];
    sums[0] = grad_sums[at] = of_reset * before[e.at] * r * (1 - r);
    sums[1] = grad_sums[at + H];
    return of_reset * r;
  }
};

// ---------------------------------------------------------------------------------------- entries

extern "C" {

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    rnn_forward(ARGUMENTS, const float* h0, const float* bias, float* h, float* output, int is_tanh) {
  DYNAMIC_SHARED(float, shared);
  const RnnForward cell = {bias, h, output, is_tanh != 0};
  forward(cell, LAYOUT, shared, exchanged, counter, weight, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    rnn_backward(ARGUMENTS, const float* grad_output, float* dh, const float* output, float* grad_sums,
                 int is_tanh) {
  DYNAMIC_SHARED(float, shared);
  const RnnBackward cell = {output, grad_sums, is_tanh != 0};
  backward(cell, {grad_output, dh}, LAYOUT, shared, exchanged, counter, weight);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_forward(ARGUMENTS, const float* h0, const float* bias, const float* peepholes, float* gates,
                 float* h, float* c, float* output, float* cells) {
  DYNAMIC_SHARED(float, shared);
  const LstmForward cell = {bias, peepholes, gates, h, c, output, cells};
  forward(cell, LAYOUT, shared, exchanged, counter, weight, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_backward(ARGUMENTS, const float* grad_output, float* dh, const float* peepholes,
                  const float* gates, const float* cells, float* dc, float* grad_sums) {
  DYNAMIC_SHARED(float, shared);
  const LstmBackward cell = {peepholes, gates, cells, dc, grad_sums};
  backward(cell, {grad_output, dh}, LAYOUT, shared, exchanged, counter, weight);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_forward(ARGUMENTS, const float* h0, const float* bias, float* gates, float* h, float* output,
                float* candidates) {
  DYNAMIC_SHARED(float, shared);
  const GruForward cell = {bias, gates, h, output, candidates};
  forward(cell, LAYOUT, shared, exchanged, counter, weight, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_backward(ARGUMENTS, const float* grad_output, float* dh, const float* gates,
                 const float* candidates, const float* before, float* grad_sums, float* of_state) {
  DYNAMIC_SHARED(float, shared);
  const GruBackward cell = {gates, candidates, before, grad_sums, of_state};
  backward(cell, {grad_output, dh}, LAYOUT, shared, exchanged, counter, weight);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_reset_before_forward(ARGUMENTS, const float* h0, const float* bias, float* gates, float* h,
                             float* output) {
  DYNAMIC_SHARED(float, shared);
  const GruResetBeforeForward cell = {bias, gates, h, output};
  forward(cell, LAYOUT, shared, exchanged, counter, weight, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_reset_before_backward(ARGUMENTS, const float* grad_output, float* dh, const float* gates,
                              const float* before, float* grad_sums) {
  DYNAMIC_SHARED(float, shared);
  const GruResetBeforeBackward cell = {gates, before, grad_sums};
  backward(cell, {grad_output, dh}, LAYOUT, shared, exchanged, counter, weight);
}
}
