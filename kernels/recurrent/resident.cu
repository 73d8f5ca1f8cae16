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
// Arrays of 16 bits have their weights and their exchange in 16 bits, half of the shared memory and of
// the reads of L2; numbers are widened when they are read, 12 for 32 multiply-adds, and multiplied as
// float32, not by tensor cores, whose tiles the few sequences of a block would leave half empty. So the
// multiply-adds bound it: in a cluster of 16, H = 640, 4 sequences: 3200 cycles, for 200 KiB of weights.
// What is rounded and what is not is as in steps.cu.
//
// With 227 KiB there is room up to these H, in a cluster of 16 and on 132 multiprocessors; resident.py
// computes it:
//                        float32                      16 bits
//                        forward       back           forward       back
//   Elman                 891  2640     891  2640     1282  3720    1282  3720
//   LSTM                  448  1241     416  1320      640  1773     608  1848
//   LSTM, P = H / 4       771  2112     655  2112     1101  3168    1018  3168
//   GRU                   514  1436     487  1550      738  2112     717  2112
//   GRU, reset first      523  1493     509  1550      752  2112     736  2112
//
// An LSTM with a projection has a state of P and cells of H, and two exchanges a step: o tanh(c), then
// the state. A block owns units of both, in the same proportion, with rows of U for the one and rows of R
// for the other: fewer weights than without, while P is less than four fifths of H.
//
// The loops are in resident.cuh; here are the cells: what one element of one step does.
#include "resident.cuh"

#define ARGUMENTS                                                                                \
  const int *starts, int steps, int batch, int H, int units, int reverse, SCALAR *exchanged,     \
      unsigned *counter, const SCALAR *weight
#define LAYOUT {starts, steps, batch, H, units, reverse, (H + units - 1) / units}

// `sums` have W x + b, in float32; `bias` is that of U h, or null. What is kept of them may be `sums`.

// ------------------------------------------------------------------------------- Elman's network

struct RnnForward {
  static constexpr int FIRST = 1, SECOND = 0;
  const float* sums;
  const SCALAR* bias;
  SCALAR *h, *output;
  bool is_tanh;

  DEVICE float first(const Element& e, int, const float (&sum)[1]) const {
    const float now = rnn(sums[e.at] + (sum[0] + at_or_zero<float>(bias, e.unit)), is_tanh);
    put(output + e.at, now);
    put(h + e.own, now);
    return now;
  }
};

struct RnnBackward {
  static constexpr int FIRST = 1, SECOND = 0;
  const SCALAR* output;
  SCALAR* grad_sums;
  bool is_tanh;

  DEVICE float first(const Element& e, int, float d, float (&sums)[1]) const {
    sums[0] = rnn_grad<float>(wide(output[e.at]), d, is_tanh);
    put(grad_sums + e.at, sums[0]);
    return 0;
  }
};

// ------------------------------------------------------------------------ long short-term memory

// With a projection R the state is R (o tanh(c)), a second product.
template <bool PROJECTED>
struct LstmForward {
  static constexpr int FIRST = 4, SECOND = PROJECTED;
  const float* sums;
  const SCALAR *bias, *peepholes;  // of U h; (3, H); or null
  float* c;
  SCALAR *h, *output, *gates, *cells;

  // `gates` gets the gates if `cells`, which gets the cells as they were, is not null.
  DEVICE float first(const Element& e, int H, const float (&sum)[4]) const {
    const long long at = 4 * e.at - 3 * e.unit;
    float all[4];
#pragma unroll
    for (int k = 0; k < 4; k++)
      all[k] = sums[at + k * H] + (sum[k] + at_or_zero<float>(bias, k * H + e.unit));
    const Lstm<float> now = lstm(all[0], all[1], all[2], all[3], c[e.own], peepholes, e.unit, H);
    if (cells != nullptr) {
      SCALAR* gate = gates + at;
      put(cells + e.at, c[e.own]);
      put(gate, now.i);
      put(gate + H, now.f);
      put(gate + 2 * H, now.g);
      put(gate + 3 * H, now.o);
    }
    c[e.own] = now.c;
    return PROJECTED ? now.h : keep(e, now.h);
  }
  DEVICE float second(const Element& e, int, const float (&sum)[1]) const { return keep(e, sum[0]); }

  DEVICE float keep(const Element& e, float now) const {
    put(output + e.at, now);
    put(h + e.own, now);
    return now;
  }
};

struct LstmBackward {
  static constexpr int FIRST = 4, SECOND = 0;
  const SCALAR *peepholes, *gates, *cells;
  float* dc;
  SCALAR* grad_sums;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[4]) const {
    const long long at = 4 * e.at - 3 * e.unit;
    const SCALAR* gate = gates + at;
    const LstmGrad<float> grad =
        lstm_grad<float>(wide(gate[0]), wide(gate[H]), wide(gate[2 * H]), wide(gate[3 * H]),
                         wide(cells[e.at]), d, dc[e.own], peepholes, e.unit, H);
    sums[0] = grad.i;
    sums[1] = grad.f;
    sums[2] = grad.g;
    sums[3] = grad.o;
#pragma unroll
    for (int k = 0; k < 4; k++) put(grad_sums + at + k * H, sums[k]);
    dc[e.own] = grad.c;
    return 0;
  }
};

// Back through R first: its gradient needs dL/dh of each step, (rows, P).
struct LstmProjectedBackward {
  static constexpr int FIRST = 1, SECOND = 4;
  LstmBackward cell;
  SCALAR* grad_hidden;

  DEVICE float first(const Element& e, int, float d, float (&sums)[1]) const {
    put(grad_hidden + e.at, d);
    sums[0] = d;
    return 0;
  }
  DEVICE void second(const Element& e, int H, float d, float (&sums)[4]) const { cell.first(e, H, d, sums); }
};

// -------------------------------------------------------------------------- gated recurrent unit

// The state as it goes on, and as it is handed back: `h` is null where both are one.
struct GruState {
  float* state;
  SCALAR *h, *output;

  DEVICE float next(const Element& e, float z, float fresh) const {
    const float now = (1 - z) * fresh + z * state[e.own];
    state[e.own] = now;
    put(output + e.at, now);
    if (h != nullptr) put(h + e.own, now);
    return now;
  }
};

// The reset gate after the product; `candidates` is null unless training, as `gates` is kept.
struct GruForward {
  static constexpr int FIRST = 3, SECOND = 0;
  const float* sums;
  const SCALAR* bias;
  GruState to;
  SCALAR *gates, *candidates;

  DEVICE float first(const Element& e, int H, const float (&sum)[3]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const float r = sigmoid(sums[at] + (sum[0] + at_or_zero<float>(bias, e.unit)));
    const float z = sigmoid(sums[at + H] + (sum[1] + at_or_zero<float>(bias, H + e.unit)));
    const float candidate = sum[2] + at_or_zero<float>(bias, 2 * H + e.unit);
    const float fresh = tanh(sums[at + 2 * H] + r * candidate);
    if (candidates != nullptr) {
      put(candidates + e.at, candidate);
      put(gates + at, r);
      put(gates + at + H, z);
      put(gates + at + 2 * H, fresh);
    }
    return to.next(e, z, fresh);
  }
};

struct GruBackward {
  static constexpr int FIRST = 3, SECOND = 0;
  const SCALAR *gates, *candidates, *before;
  SCALAR *grad_sums, *of_state;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[3]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const SCALAR* gate = gates + at;
    const float r = wide(gate[0]);
    const GruGrad<float> grad = gru_grad<float>(wide(gate[H]), wide(gate[2 * H]), wide(before[e.at]), d);
    sums[0] = grad.n * wide(candidates[e.at]) * r * (1 - r);
    sums[1] = grad.z;
    sums[2] = grad.n * r;
#pragma unroll
    for (int k = 0; k < 3; k++) {
      put(of_state + at + k * H, sums[k]);
      put(grad_sums + at + k * H, k < 2 ? sums[k] : grad.n);
    }
    return grad.h;
  }
};

// The reset gate before the product: r h is what blocks exchange second. r and z wait in `sums`, where
// the gates stay if `gates` is null.
struct GruResetBeforeForward {
  static constexpr int FIRST = 2, SECOND = 1;
  float* sums;
  const SCALAR* bias;
  GruState to;
  SCALAR* gates;

  DEVICE float first(const Element& e, int H, const float (&sum)[2]) const {
    float* gate = sums + 3 * e.at - 2 * e.unit;
    gate[0] = sigmoid(gate[0] + (sum[0] + at_or_zero<float>(bias, e.unit)));
    gate[H] = sigmoid(gate[H] + (sum[1] + at_or_zero<float>(bias, H + e.unit)));
    return gate[0] * to.state[e.own];
  }
  DEVICE float second(const Element& e, int H, const float (&sum)[1]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    float* gate = sums + at;
    const float z = gate[H];
    const float fresh = tanh(gate[2 * H] + (sum[0] + at_or_zero<float>(bias, 2 * H + e.unit)));
    if (gates == nullptr) {
      gate[2 * H] = fresh;
    } else {
      put(gates + at, gate[0]);
      put(gates + at + H, z);
      put(gates + at + 2 * H, fresh);
    }
    return to.next(e, z, fresh);
  }
};

// Back, the gradient of n's sum gives that of r h; only then there are those of r and z to exchange.
struct GruResetBeforeBackward {
  static constexpr int FIRST = 1, SECOND = 2;
  const SCALAR *gates, *before;
  SCALAR* grad_sums;
  float* dh;

  DEVICE float first(const Element& e, int H, float d, float (&sums)[1]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const GruGrad<float> grad =
        gru_grad<float>(wide(gates[at + H]), wide(gates[at + 2 * H]), wide(before[e.at]), d);
    put(grad_sums + at + H, grad.z);
    put(grad_sums + at + 2 * H, grad.n);
    sums[0] = grad.n;
    return grad.h;
  }
  DEVICE void second(const Element& e, int H, float of_reset, float (&sums)[2]) const {
    const long long at = 3 * e.at - 2 * e.unit;
    const float r = wide(gates[at]);
    sums[0] = of_reset * wide(before[e.at]) * r * (1 - r);
    put(grad_sums + at, sums[0]);
    sums[1] = wide(grad_sums[at + H]);
    dh[e.own] += of_reset * r;
  }
};

// ---------------------------------------------------------------------------------------- entries

extern "C" {

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    rnn_forward(ARGUMENTS, const SCALAR* h0, const float* sums, const SCALAR* bias, SCALAR* h,
                SCALAR* output, int is_tanh) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const RnnForward cell = {sums, bias, h, output, is_tanh != 0};
  forward(cell, layout, layout, shared, exchanged, counter, {weight, nullptr}, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    rnn_backward(ARGUMENTS, const SCALAR* grad_output, float* dh, const SCALAR* output, SCALAR* grad_sums,
                 int is_tanh) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const RnnBackward cell = {output, grad_sums, is_tanh != 0};
  backward(cell, {grad_output, dh}, layout, layout, shared, exchanged, counter, {weight, nullptr});
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_forward(ARGUMENTS, const SCALAR* h0, const float* sums, const SCALAR* bias,
                 const SCALAR* peepholes, float* c, SCALAR* h, SCALAR* output, SCALAR* gates,
                 SCALAR* cells) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const LstmForward<false> cell = {sums, bias, peepholes, c, h, output, gates, cells};
  forward(cell, layout, layout, shared, exchanged, counter, {weight, nullptr}, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_backward(ARGUMENTS, const SCALAR* grad_output, float* dh, const SCALAR* peepholes,
                  const SCALAR* gates, const SCALAR* cells, float* dc, SCALAR* grad_sums) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const LstmBackward cell = {peepholes, gates, cells, dc, grad_sums};
  backward(cell, {grad_output, dh}, layout, layout, shared, exchanged, counter, {weight, nullptr});
}

// `weight_hr` is R (P, H), `units_of_state` a block's of the state.
__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_projected_forward(ARGUMENTS, const SCALAR* h0, const float* sums, const SCALAR* bias,
                           const SCALAR* peepholes, float* c, SCALAR* h, SCALAR* output, SCALAR* gates,
                           SCALAR* cells, const SCALAR* weight_hr, int P, int units_of_state) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const Layout of_state = {starts, steps, batch, P, units_of_state, reverse, layout.sharers};
  const LstmForward<true> cell = {sums, bias, peepholes, c, h, output, gates, cells};
  forward(cell, layout, of_state, shared, exchanged, counter, {weight, weight_hr}, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_projected_backward(ARGUMENTS, const SCALAR* grad_output, float* dh, const SCALAR* peepholes,
                            const SCALAR* gates, const SCALAR* cells, float* dc, SCALAR* grad_sums,
                            SCALAR* grad_hidden, const SCALAR* weight_hr, int P, int units_of_state) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const Layout of_state = {starts, steps, batch, P, units_of_state, reverse, layout.sharers};
  const LstmProjectedBackward cell = {{peepholes, gates, cells, dc, grad_sums}, grad_hidden};
  backward(cell, {grad_output, dh}, layout, of_state, shared, exchanged, counter, {weight_hr, weight});
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_forward(ARGUMENTS, const SCALAR* h0, const float* sums, const SCALAR* bias, float* state,
                SCALAR* h, SCALAR* output, SCALAR* gates, SCALAR* candidates) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const GruForward cell = {sums, bias, {state, h, output}, gates, candidates};
  forward(cell, layout, layout, shared, exchanged, counter, {weight, nullptr}, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_backward(ARGUMENTS, const SCALAR* grad_output, float* dh, const SCALAR* gates,
                 const SCALAR* candidates, const SCALAR* before, SCALAR* grad_sums, SCALAR* of_state) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const GruBackward cell = {gates, candidates, before, grad_sums, of_state};
  backward(cell, {grad_output, dh}, layout, layout, shared, exchanged, counter, {weight, nullptr});
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_reset_before_forward(ARGUMENTS, const SCALAR* h0, float* sums, const SCALAR* bias, float* state,
                             SCALAR* h, SCALAR* output, SCALAR* gates) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const GruResetBeforeForward cell = {sums, bias, {state, h, output}, gates};
  const Weights weights = {weight, weight + 2LL * H * H};  // of r and z; of n
  forward(cell, layout, layout, shared, exchanged, counter, weights, h0);
}

__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_reset_before_backward(ARGUMENTS, const SCALAR* grad_output, float* dh, const SCALAR* gates,
                              const SCALAR* before, SCALAR* grad_sums) {
  DYNAMIC_SHARED(SCALAR, shared);
  const Layout layout = LAYOUT;
  const GruResetBeforeBackward cell = {gates, before, grad_sums, dh};
  const Weights weights = {weight + 2LL * H * H, weight};  // of n; of r and z
  backward(cell, {grad_output, dh}, layout, layout, shared, exchanged, counter, weights);
}
}
