// All steps of an LSTM or GRU in one launch: the recurrent weights stay in shared memory.
//
// Each block owns some units of the state, has their rows of U (going back: their columns), and all
// that belongs to them. In a step it needs the whole state of the step before (going back: all sums'
// gradients): that is what blocks exchange, in two turns, with one barrier of all blocks a step.
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
//
// With 227 KiB, an LSTM forward has room up to H = 448 in a cluster of 16 and 1241 on 132
// multiprocessors; back up to 416 and 1320; a GRU 514, 1436, 487, 1550. resident.py computes it.
#include "cells.cuh"
#include "grid.cuh"

constexpr int THREADS = 256, WARPS = THREADS / 32;
constexpr int GROUP = 4;  // sequences of a lane
#if CLUSTER_BLOCKS
constexpr int LANES_ACROSS = 1, OWN = 1;  // lanes along the batch; units of a lane
#define TOGETHER CLUSTER(CLUSTER_BLOCKS)
#else
constexpr int LANES_ACROSS = 8, OWN = 2;
#define TOGETHER
#endif
constexpr int TILE_UNITS = 32 / LANES_ACROSS * OWN, TILE_BATCH = LANES_ACROSS * GROUP;
static_assert(TILE_UNITS * TILE_BATCH <= THREADS, "a thread finishes one element of a tile");

// What every kernel here is given: which rows belong to which step, and which units to a block.
struct Layout {
  const int* starts;  // (T + 1) rows
  int steps, batch, H, units, reverse;  // units of a block, a multiple of OWN

  DEVICE int sharers() const { return (H + units - 1) / units; }
  DEVICE int share() const {
#if CLUSTER_BLOCKS
    return cluster_rank();
#else
    return blockIdx.x % sharers();
#endif
  }
  DEVICE int slices() const { return gridDim.x / (CLUSTER_BLOCKS ? CLUSTER_BLOCKS : sharers()); }
  DEVICE int slice() const { return blockIdx.x / (CLUSTER_BLOCKS ? CLUSTER_BLOCKS : sharers()); }
  DEVICE int first_unit() const { return share() * units; }
  DEVICE int mine() const { return min(units, H - first_unit()); }  // 0 or less: nothing to do
};

// ------------------------------------------------------------------------------------ exchange

// Numbers (2, K, batch) that all blocks read and each writes for its own units; 2 turns, so that one
// can be written while the other is still being read.
struct Exchange {
  float* numbers;
  int K, pitch, first;  // of the batch

  DEVICE float* at(int turn, int k, int b) const {
    return numbers + (static_cast<long long>(turn & 1) * K + k) * pitch + b - first;
  }
  DEVICE float4 load(int turn, int k, int b) const {
    const float4* from = reinterpret_cast<const float4*>(at(turn, k, b));
    return CLUSTER_BLOCKS ? *from : __ldcg(from);  // other blocks wrote it: not from the L1 cache
  }
  DEVICE void store(int turn, int k, int b, float value) const {
#if CLUSTER_BLOCKS
    for (int block = 0; block < CLUSTER_BLOCKS; block++) *in_cluster(at(turn, k, b), block) = value;
#else
    *at(turn, k, b) = value;
#endif
  }
};

// Whoever reads what blocks exchanged comes after all of them have written it. With two turns, the
// same barrier keeps them from writing what is still being read. In a cluster, the first one is also
// what every block has begun by, before others write into its shared memory.
DEVICE void wait_for_all(unsigned* counter, unsigned turn) {
#if CLUSTER_BLOCKS
  CLUSTER_BARRIER(cluster_has_written);
#else
  GRID_BARRIER(grid_has_written, counter, turn);
#endif
}

// ------------------------------------------------------------------------------------- product

template <int N>
struct alignas(N % 4 ? N % 2 ? 4 : 8 : 16) Rows {
  float of[N];
};

template <int ROWS>
DEVICE constexpr int pitch_of_parts() { return TILE_UNITS * ROWS + 1; }

// One tile of U h: ROWS sums for each of a block's units and sequences. Thread n gets in `total` those
// of unit n % TILE_UNITS, sequence n / TILE_UNITS of the tile. Weights are (K, units, ROWS).
template <int ROWS>
DEVICE void multiply(const float* weights, float* parts, Exchange exchange, int turn, int units,
                     int unit_0, int batch_0, float (&total)[ROWS]) {
  constexpr int N = OWN * ROWS, PITCH = pitch_of_parts<ROWS>();
  const int warp = threadIdx.x / 32, across = threadIdx.x % 32 % LANES_ACROSS;
  const int down = threadIdx.x % 32 / LANES_ACROSS * OWN;
  float sum[GROUP][N] = {};
  // Lanes beyond the block's units multiply what lies there, weights or parts; nobody uses their sums.
#pragma unroll 4
  for (int k = warp; k < exchange.K; k += WARPS) {
    const float* row = weights + (k * units + unit_0 + down) * ROWS;
    const Rows<N> w = *reinterpret_cast<const Rows<N>*>(row);
    const float4 h = exchange.load(turn, k, batch_0 + across * GROUP);
#pragma unroll
    for (int i = 0; i < N; i++) {
      sum[0][i] += w.of[i] * h.x;
      sum[1][i] += w.of[i] * h.y;
      sum[2][i] += w.of[i] * h.z;
      sum[3][i] += w.of[i] * h.w;
    }
  }
  BARRIER(parts_read);  // those of the tile before
#pragma unroll
  for (int b = 0; b < GROUP; b++)
#pragma unroll
    for (int i = 0; i < N; i++)
      parts[(warp * TILE_BATCH + across * GROUP + b) * PITCH + down * ROWS + i] = sum[b][i];
  BARRIER(parts_written);  // the sums of all warps
  const int unit = threadIdx.x % TILE_UNITS, b = threadIdx.x / TILE_UNITS;
#pragma unroll
  for (int i = 0; i < ROWS; i++) total[i] = 0;
  if (b >= TILE_BATCH) return;
  for (int part = 0; part < WARPS; part++)
#pragma unroll
    for (int i = 0; i < ROWS; i++)
      total[i] += parts[(part * TILE_BATCH + b) * PITCH + unit * ROWS + i];
}

// The element of a tile that this thread finishes; the same thread each time, so that what belongs to
// an element alone (its cell, its gradients) needs no barrier.
struct Element {
  int unit, b;
  bool inside;  // the block's units and the step's n sequences
};

DEVICE Element element(const Layout& layout, int unit_0, int batch_0, int n) {
  const int unit = unit_0 + threadIdx.x % TILE_UNITS, b = threadIdx.x / TILE_UNITS;
  return {layout.first_unit() + unit, batch_0 + b,
          b < TILE_BATCH && CHECK(unit_is_own, unit < layout.mine()) && CHECK(row_inside, batch_0 + b < n)};
}

// Where things lie in shared memory: the exchange of a cluster, weights, parts.
struct Memory {
  float *weights, *parts;
  Exchange exchange;
};

template <int ROWS>
DEVICE Memory memory(float* shared, float* exchanged, const Layout& layout, int K) {
  const int state = CLUSTER_BLOCKS ? 2 * K * GROUP : 0;
  float* weights = shared + state;
  const int pitch = CLUSTER_BLOCKS ? GROUP : (layout.batch + TILE_BATCH - 1) / TILE_BATCH * TILE_BATCH;
  return {weights, weights + K * layout.units * ROWS,
          {CLUSTER_BLOCKS ? shared : exchanged, K, pitch, CLUSTER_BLOCKS ? layout.slice() * GROUP : 0}};
}

// ------------------------------------------------------------------------------------- forward

// Rows of U, (GATES H, H) -> (H, units, GATES), and the initial state, in both turns: sequences that
// are not long enough for the first steps begin with it later.
template <int GATES>
DEVICE void begin_forward(const Memory& m, const Layout& layout, const float* weight, const float* h0) {
  const int H = layout.H, units = layout.units, first = layout.first_unit();
  for (int e = threadIdx.x; e < units * GATES * H; e += THREADS) {  // k runs along memory
    const int k = e % H, unit = e / H / GATES, gate = e / H % GATES;
    const bool inside = CHECK(row_of_weight_inside, first + unit < H);
    const float w = inside ? weight[(static_cast<long long>(gate) * H + first + unit) * H + k] : 0;
    m.weights[(k * units + unit) * GATES + gate] = w;
  }
  const int own = CLUSTER_BLOCKS ? H : max(0, layout.mine());  // a block of a cluster fills its own
  const int sequences = CLUSTER_BLOCKS ? GROUP : layout.batch;
  for (int e = threadIdx.x; e < own * sequences; e += THREADS) {
    const int k = e % own + (CLUSTER_BLOCKS ? 0 : first), b = m.exchange.first + e / own;
    if (!CHECK(sequence_inside, b < layout.batch)) continue;
    const float h = h0[static_cast<long long>(b) * H + k];
    *m.exchange.at(0, k, b) = *m.exchange.at(1, k, b) = h;
  }
}

// `gates` has W x + b, and gets the gates if `cells`, which gets the cells as they were, is not null.
extern "C" __global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_forward(const int* starts, int steps, int batch, int H, int units, int reverse,
                 float* exchanged, unsigned* counter, const float* weight, const float* h0,
                 float* gates, float* h, float* c, float* output, float* cells) {
  DYNAMIC_SHARED(float, shared);
  const Layout layout = {starts, steps, batch, H, units, reverse};
  const Memory m = memory<4>(shared, exchanged, layout, H);
  begin_forward<4>(m, layout, weight, h0);
  wait_for_all(counter, 1);
  for (int step = 0; step < steps; step++) {
    const int t = reverse ? steps - 1 - step : step, start = starts[t], n = starts[t + 1] - start;
    for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
      for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) {
        float total[4];
        multiply<4>(m.weights, m.parts, m.exchange, step, units, unit_0, batch_0, total);
        const Element e = element(layout, unit_0, batch_0, n);
        if (!e.inside) continue;
        const long long own = static_cast<long long>(e.b) * H + e.unit;
        const long long at = static_cast<long long>(start + e.b) * H + e.unit;
        float* gate = gates + 4 * at - 3 * e.unit;
        const float* none = nullptr;
        const Lstm<float> now = lstm(gate[0] + total[0], gate[H] + total[1], gate[2 * H] + total[2],
                                     gate[3 * H] + total[3], c[own], none, e.unit, H);
        if (cells != nullptr) {
          cells[at] = c[own];
          gate[0] = now.i;
          gate[H] = now.f;
          gate[2 * H] = now.g;
          gate[3 * H] = now.o;
        }
        c[own] = now.c;
        h[own] = output[at] = now.h;
        m.exchange.store(step + 1, e.unit, e.b, now.h);
      }
    wait_for_all(counter, step + 2);
  }
}

// The reset gate after the product; `candidates` is null unless training, as `gates` is kept.
extern "C" __global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_forward(const int* starts, int steps, int batch, int H, int units, int reverse,
                float* exchanged, unsigned* counter, const float* weight, const float* h0,
                float* gates, const float* bias, float* h, float* output, float* candidates) {
  DYNAMIC_SHARED(float, shared);
  const Layout layout = {starts, steps, batch, H, units, reverse};
  const Memory m = memory<3>(shared, exchanged, layout, H);
  begin_forward<3>(m, layout, weight, h0);
  wait_for_all(counter, 1);
  for (int step = 0; step < steps; step++) {
    const int t = reverse ? steps - 1 - step : step, start = starts[t], n = starts[t + 1] - start;
    for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
      for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) {
        float total[3];
        multiply<3>(m.weights, m.parts, m.exchange, step, units, unit_0, batch_0, total);
        const Element e = element(layout, unit_0, batch_0, n);
        if (!e.inside) continue;
        const long long own = static_cast<long long>(e.b) * H + e.unit;
        const long long at = static_cast<long long>(start + e.b) * H + e.unit;
        float* gate = gates + 3 * at - 2 * e.unit;
#pragma unroll
        for (int k = 0; k < 3; k++) total[k] += bias == nullptr ? 0 : bias[k * H + e.unit];
        const float r = sigmoid(gate[0] + total[0]), z = sigmoid(gate[H] + total[1]);
        const float fresh = tanh(gate[2 * H] + r * total[2]);
        if (candidates != nullptr) {
          candidates[at] = total[2];
          gate[0] = r;
          gate[H] = z;
          gate[2 * H] = fresh;
        }
        const float now = (1 - z) * fresh + z * h[own];
        h[own] = output[at] = now;
        m.exchange.store(step + 1, e.unit, e.b, now);
      }
    wait_for_all(counter, step + 2);
  }
}

// ---------------------------------------------------------------------------------------- back

// Columns of U, (K, H) -> (K, units).
DEVICE void begin_backward(const Memory& m, const Layout& layout, const float* weight) {
  const int units = layout.units, first = layout.first_unit();
  for (int e = threadIdx.x; e < units * m.exchange.K; e += THREADS) {
    const int k = e / units, unit = e % units;
    const bool inside = CHECK(column_of_weight_inside, first + unit < layout.H);
    m.weights[e] = inside ? weight[static_cast<long long>(k) * layout.H + first + unit] : 0;
  }
}

// dL/dh of the step before: U^T times the gradients that were exchanged, added to what is in dh.
DEVICE void go_back(const Memory& m, const Layout& layout, int step, int n, float* dh) {
  for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
    for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) {
      float total[1];
      multiply<1>(m.weights, m.parts, m.exchange, step, layout.units, unit_0, batch_0, total);
      const Element e = element(layout, unit_0, batch_0, n);
      if (e.inside) dh[static_cast<long long>(e.b) * layout.H + e.unit] += total[0];
    }
}

extern "C" __global__ void TOGETHER __launch_bounds__(THREADS, 1)
    lstm_backward(const int* starts, int steps, int batch, int H, int units, int reverse,
                  float* exchanged, unsigned* counter, const float* weight, const float* gates,
                  const float* cells, const float* grad_output, float* dh, float* dc,
                  float* grad_sums) {
  DYNAMIC_SHARED(float, shared);
  const Layout layout = {starts, steps, batch, H, units, reverse};
  const Memory m = memory<1>(shared, exchanged, layout, 4 * H);
  begin_backward(m, layout, weight);
  wait_for_all(counter, 1);
  for (int step = 0; step < steps; step++) {
    const int t = reverse ? step : steps - 1 - step, start = starts[t], n = starts[t + 1] - start;
    for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
      for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) {
        const Element e = element(layout, unit_0, batch_0, n);
        if (!e.inside) continue;
        const long long own = static_cast<long long>(e.b) * H + e.unit;
        const long long at = static_cast<long long>(start + e.b) * H + e.unit;
        const long long first = 4 * at - 3 * e.unit;
        const float d = dh[own] + (grad_output == nullptr ? 0 : grad_output[at]);
        const float *gate = gates + first, *none = nullptr;
        const LstmGrad<float> grad = lstm_grad(gate[0], gate[H], gate[2 * H], gate[3 * H], cells[at],
                                               d, dc[own], none, e.unit, H);
        const float sums[4] = {grad.i, grad.f, grad.g, grad.o};
#pragma unroll
        for (int k = 0; k < 4; k++) {
          grad_sums[first + k * H] = sums[k];
          m.exchange.store(step, k * H + e.unit, e.b, sums[k]);
        }
        dc[own] = grad.c;
        dh[own] = 0;
      }
    wait_for_all(counter, step + 2);
    go_back(m, layout, step, n, dh);
  }
}

extern "C" __global__ void TOGETHER __launch_bounds__(THREADS, 1)
    gru_backward(const int* starts, int steps, int batch, int H, int units, int reverse,
                 float* exchanged, unsigned* counter, const float* weight, const float* gates,
                 const float* candidates, const float* before, const float* grad_output, float* dh,
                 float* grad_sums, float* of_state) {
  DYNAMIC_SHARED(float, shared);
  const Layout layout = {starts, steps, batch, H, units, reverse};
  const Memory m = memory<1>(shared, exchanged, layout, 3 * H);
  begin_backward(m, layout, weight);
  wait_for_all(counter, 1);
  for (int step = 0; step < steps; step++) {
    const int t = reverse ? step : steps - 1 - step, start = starts[t], n = starts[t + 1] - start;
    for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
      for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) {
        const Element e = element(layout, unit_0, batch_0, n);
        if (!e.inside) continue;
        const long long own = static_cast<long long>(e.b) * H + e.unit;
        const long long at = static_cast<long long>(start + e.b) * H + e.unit;
        const long long first = 3 * at - 2 * e.unit;
        const float *gate = gates + first, r = gate[0];
        const float d = dh[own] + (grad_output == nullptr ? 0 : grad_output[at]);
        const GruGrad<float> grad = gru_grad(gate[H], gate[2 * H], before[at], d);
        const float of_reset = grad.n * candidates[at] * r * (1 - r);
        const float sums[3] = {of_reset, grad.z, grad.n * r};
#pragma unroll
        for (int k = 0; k < 3; k++) {
          of_state[first + k * H] = sums[k];
          grad_sums[first + k * H] = k < 2 ? sums[k] : grad.n;
          m.exchange.store(step, k * H + e.unit, e.b, sums[k]);
        }
        dh[own] = grad.h;
      }
    wait_for_all(counter, step + 2);
    go_back(m, layout, step, n, dh);
  }
}
