// All steps of a recurrent layer in one launch, whatever its cell: who owns what, what blocks exchange,
// the product, and the loop over time, forward and back. What it gains and costs: resident.cu.
//
// A step has one or two exchanges. Each is followed by a product with what was exchanged, which every
// block forms for its own units; in the end it has what it gives to the next exchange. Weights and what
// is exchanged are held in the dtype of the arrays, sums are float32. Left open: CLUSTER_BLOCKS; SCALAR,
// of arrays.
#pragma once
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

// What every kernel here is given: which rows belong to which step, and which units to a block. Where
// the state is not as long as the cell there are two, with units of the one and of the other.
struct Layout {
  const int* starts;  // (T + 1) rows
  int steps, batch, H, units, reverse;  // units of a block, a multiple of OWN
  int sharers;                          // blocks that have units of the same sequences, of a grid

  DEVICE int share() const {
#if CLUSTER_BLOCKS
    return cluster_rank();
#else
    return blockIdx.x % sharers;
#endif
  }
  DEVICE int slices() const { return gridDim.x / (CLUSTER_BLOCKS ? CLUSTER_BLOCKS : sharers); }
  DEVICE int slice() const { return blockIdx.x / (CLUSTER_BLOCKS ? CLUSTER_BLOCKS : sharers); }
  DEVICE int first_unit() const { return share() * units; }
  DEVICE int mine() const { return min(units, H - first_unit()); }  // 0 or less: nothing to do
};

// The rows (start, start + n) of a step of the loop.
struct Step {
  int start, n;
};

DEVICE Step step_at(const Layout& layout, int step, bool from_the_end) {
  const int t = from_the_end ? layout.steps - 1 - step : step, start = layout.starts[t];
  return {start, layout.starts[t + 1] - start};
}

// The element of a tile that this thread finishes; the same thread each time, so that what belongs to
// an element alone (its cell, its gradients) needs no barrier.
struct Element {
  int unit, b;
  bool inside;  // the block's units and the step's n sequences
  long long own, at;  // where it is in (batch, H), in (rows, H)
};

DEVICE Element element(const Layout& layout, int unit_0, int batch_0, Step step) {
  const int mine = unit_0 + threadIdx.x % TILE_UNITS, down = threadIdx.x / TILE_UNITS;
  const int unit = layout.first_unit() + mine, b = batch_0 + down;
  const bool inside = down < TILE_BATCH && CHECK(unit_is_own, mine < layout.mine()) &&
                      CHECK(row_inside, b < step.n);
  return {unit, b, inside, static_cast<long long>(b) * layout.H + unit,
          static_cast<long long>(step.start + b) * layout.H + unit};
}

// Every tile of this block's units and of its share of the step's n sequences.
template <typename Visit>
DEVICE void each_tile(const Layout& layout, int n, Visit visit) {
  for (int batch_0 = layout.slice() * TILE_BATCH; batch_0 < n; batch_0 += layout.slices() * TILE_BATCH)
    for (int unit_0 = 0; unit_0 < layout.mine(); unit_0 += TILE_UNITS) visit(unit_0, batch_0);
}

// ------------------------------------------------------------------------------------ exchange

// What has so many bytes, to be loaded as one.
template <int BYTES>
struct Word;
template <>
struct Word<8> {
  typedef uint2 Type;
};
template <>
struct Word<16> {
  typedef uint4 Type;
};

// N neighbours in memory, read at once as far as their number allows.
template <int N>
struct alignas((N % 4 ? N % 2 ? 1 : 2 : N % 8 || sizeof(SCALAR) > 2 ? 4 : 8) * sizeof(SCALAR)) Few {
  SCALAR of[N];
};

template <int N>
DEVICE Few<N> past_the_first_cache(const Few<N>* from) {
  typedef typename Word<sizeof(Few<N>)>::Type Whole;
  const Whole whole = __ldcg(reinterpret_cast<const Whole*>(from));
  return *reinterpret_cast<const Few<N>*>(&whole);
}

// Numbers (2, K, batch) that all blocks read and each writes for its own units; 2 turns, so that one
// can be written while the other is still being read.
struct Exchange {
  SCALAR* numbers;
  int K, pitch, first;  // of the batch

  DEVICE SCALAR* at(int turn, int k, int b) const {
    return numbers + (static_cast<long long>(turn & 1) * K + k) * pitch + b - first;
  }
  DEVICE Few<GROUP> load(int turn, int k, int b) const {
    const Few<GROUP>* from = reinterpret_cast<const Few<GROUP>*>(at(turn, k, b));
    return CLUSTER_BLOCKS ? *from : past_the_first_cache(from);  // other blocks wrote it
  }
  DEVICE void store(int turn, int k, int b, float value) const {
#if CLUSTER_BLOCKS
    for (int block = 0; block < CLUSTER_BLOCKS; block++) put(in_cluster(at(turn, k, b), block), value);
#else
    put(at(turn, k, b), value);
#endif
  }
};

// Whoever reads what blocks exchanged comes after all of them have written it. With two turns, the
// same barrier keeps them from writing what is still being read. In a cluster, the first one is also
// what every block has begun by, before others write into its shared memory. The two exchanges of a
// step have a name each: neither barrier stands in for the other. `waits` is how many there were.
template <bool SECOND = false>
DEVICE void wait_for_all(unsigned* counter, unsigned& waits) {
#if CLUSTER_BLOCKS
  if constexpr (SECOND) {
    CLUSTER_BARRIER(cluster_has_written_again);
  } else {
    CLUSTER_BARRIER(cluster_has_written);
  }
#else
  if constexpr (SECOND) {
    GRID_BARRIER(grid_has_written_again, counter, ++waits);
  } else {
    GRID_BARRIER(grid_has_written, counter, ++waits);
  }
#endif
}

// Where things lie in shared memory: the exchange of a cluster, weights, parts of sums.
struct Memory {
  SCALAR* weights;
  float* parts;
  Exchange exchange;
};

// So many weights of a block; an exchange of K numbers of each sequence.
DEVICE Memory memory(SCALAR* shared, SCALAR* exchanged, const Layout& layout, int count, int K) {
  const int state = CLUSTER_BLOCKS ? 2 * K * GROUP : 0;
  SCALAR* weights = shared + state;
  const int each = sizeof(float) / sizeof(SCALAR), size = (count + each - 1) / each * each;
  const int pitch = CLUSTER_BLOCKS ? GROUP : (layout.batch + TILE_BATCH - 1) / TILE_BATCH * TILE_BATCH;
  return {weights, reinterpret_cast<float*>(weights + size),
          {CLUSTER_BLOCKS ? shared : exchanged, K, pitch, CLUSTER_BLOCKS ? layout.slice() * GROUP : 0}};
}

// ------------------------------------------------------------------------------------- product

template <int ROWS>
DEVICE constexpr int pitch_of_parts() { return TILE_UNITS * ROWS + 1; }

// One tile of U h: ROWS sums for each of a block's units and sequences, of `terms` products. Thread n
// gets in `total` those of unit n % TILE_UNITS, sequence n / TILE_UNITS of the tile. Weights are
// (terms, units, ROWS).
template <int ROWS>
DEVICE void multiply(const SCALAR* weights, float* parts, Exchange exchange, int turn, int terms,
                     int units, int unit_0, int batch_0, float (&total)[ROWS]) {
  constexpr int N = OWN * ROWS, PITCH = pitch_of_parts<ROWS>();
  const int warp = threadIdx.x / 32, across = threadIdx.x % 32 % LANES_ACROSS;
  const int down = threadIdx.x % 32 / LANES_ACROSS * OWN;
  float sum[GROUP][N] = {};
  // Lanes beyond the block's units multiply what lies there, weights or parts; nobody uses their sums.
#pragma unroll 4
  for (int k = warp; k < terms; k += WARPS) {
    const SCALAR* row = weights + (k * units + unit_0 + down) * ROWS;
    const Few<N> w = *reinterpret_cast<const Few<N>*>(row);
    const Few<GROUP> h = exchange.load(turn, k, batch_0 + across * GROUP);
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
      for (int b = 0; b < GROUP; b++) sum[b][i] += wide(w.of[i]) * wide(h.of[b]);
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

// The product with what was exchanged in a turn, and `finish(element, sums)` for each element.
template <int ROWS, typename Finish>
DEVICE void products(const Memory& m, const SCALAR* weights, int terms, int turn, const Layout& layout,
                     Step step, Finish finish) {
  each_tile(layout, step.n, [&](int unit_0, int batch_0) {
    float total[ROWS];
    multiply<ROWS>(weights, m.parts, m.exchange, turn, terms, layout.units, unit_0, batch_0, total);
    const Element e = element(layout, unit_0, batch_0, step);
    if (e.inside) finish(e, total);
  });
}

// ------------------------------------------------------------------------------------- forward

// Rows of U, (GATES H, K) -> (K, units, GATES).
template <int GATES>
DEVICE void load_rows(SCALAR* weights, const Layout& layout, const SCALAR* weight, int K) {
  const int H = layout.H, units = layout.units, first = layout.first_unit();
  for (int e = threadIdx.x; e < units * GATES * K; e += THREADS) {  // k runs along memory
    const int k = e % K, unit = e / K / GATES, gate = e / K % GATES;
    const bool inside = CHECK(row_of_weight_inside, first + unit < H);
    const long long from = (static_cast<long long>(gate) * H + first + unit) * K + k;
    weights[(k * units + unit) * GATES + gate] = inside ? weight[from] : SCALAR{};
  }
}

// The initial state, in both turns: sequences that are not long enough for the first steps begin with
// it later.
DEVICE void load_state(const Exchange& exchange, const Layout& layout, const SCALAR* h0) {
  const int H = layout.H, first = layout.first_unit();
  const int own = CLUSTER_BLOCKS ? H : max(0, layout.mine());  // a block of a cluster fills its own
  const int sequences = CLUSTER_BLOCKS ? GROUP : layout.batch;
  for (int e = threadIdx.x; e < own * sequences; e += THREADS) {
    const int k = e % own + (CLUSTER_BLOCKS ? 0 : first), b = exchange.first + e / own;
    if (!CHECK(sequence_inside, b < layout.batch)) continue;
    const SCALAR h = h0[static_cast<long long>(b) * H + k];
    *exchange.at(0, k, b) = *exchange.at(1, k, b) = h;
  }
}

// What is multiplied: of the first product of a step, and of the second if it has one.
struct Weights {
  const SCALAR *first, *second;
};

// A cell has its first `FIRST` sums of each unit by a product with the state. Then `first(e, H, sums)`
// is the new state; unless it has `SECOND` sums more of each unit of the state, by a product with what
// `first` gave: then the new state is `second(e, H, sums)`.
template <typename Cell>
DEVICE void forward(const Cell& cell, const Layout& layout, const Layout& of_state, SCALAR* shared,
                    SCALAR* exchanged, unsigned* counter, const Weights& weight, const SCALAR* h0) {
  constexpr int FIRST = Cell::FIRST, SECOND = Cell::SECOND;
  const int H = layout.H, P = of_state.H, firsts = FIRST * P * layout.units;
  const Memory m = memory(shared, exchanged, layout, firsts + SECOND * H * of_state.units, max(H, P));
  SCALAR* of_second = m.weights + firsts;
  load_rows<FIRST>(m.weights, layout, weight.first, P);
  if constexpr (SECOND > 0) load_rows<SECOND>(of_second, of_state, weight.second, H);
  load_state(m.exchange, of_state, h0);
  unsigned waits = 0;
  int turn = 0;
  wait_for_all(counter, waits);
  for (int i = 0; i < layout.steps; i++) {
    const Step step = step_at(layout, i, layout.reverse);
    products<FIRST>(m, m.weights, P, turn, layout, step, [&](const Element& e, float (&total)[FIRST]) {
      m.exchange.store(turn + 1, e.unit, e.b, cell.first(e, H, total));
    });
    if constexpr (SECOND > 0) {
      wait_for_all<true>(counter, waits);
      turn++;
      products<SECOND>(m, of_second, H, turn, of_state, step, [&](const Element& e, float (&total)[SECOND]) {
        m.exchange.store(turn + 1, e.unit, e.b, cell.second(e, P, total));
      });
    }
    wait_for_all(counter, waits);
    turn++;
  }
}

// ---------------------------------------------------------------------------------------- back

// Columns of U, or of R: (K, H) -> (K, units).
DEVICE void load_columns(SCALAR* weights, const Layout& layout, const SCALAR* weight, int K) {
  const int units = layout.units, first = layout.first_unit();
  for (int e = threadIdx.x; e < units * K; e += THREADS) {
    const int k = e / units, unit = e % units;
    const bool inside = CHECK(column_of_weight_inside, first + unit < layout.H);
    weights[e] = inside ? weight[static_cast<long long>(k) * layout.H + first + unit] : SCALAR{};
  }
}

// What a layer hands back for each step, and what goes from step to step.
struct Gradients {
  const SCALAR* of_output;  // null where only the final state was used
  float* dh;
};

// `first(e, P, d, sums)` makes of d = dL/dh the gradients of a unit's `FIRST` sums of the last product,
// and returns what of d goes on past it. These times its weights are the gradient of the state of the
// step before; unless there are `SECOND` sums of a product before that: then they are that of what it
// gave, and `second(e, H, total, sums)` makes of it the gradients of these sums, which times their
// weights are that of the state.
template <typename Cell>
DEVICE void backward(const Cell& cell, const Gradients& gradients, const Layout& layout,
                     const Layout& of_state, SCALAR* shared, SCALAR* exchanged, unsigned* counter,
                     const Weights& weight) {
  constexpr int FIRST = Cell::FIRST, SECOND = Cell::SECOND;
  const int H = layout.H, P = of_state.H, firsts = FIRST * P * layout.units;
  float* dh = gradients.dh;
  const Memory m =
      memory(shared, exchanged, layout, firsts + SECOND * H * of_state.units, max(FIRST * P, SECOND * H));
  SCALAR* of_second = m.weights + firsts;
  load_columns(m.weights, layout, weight.first, FIRST * P);
  if constexpr (SECOND > 0) load_columns(of_second, of_state, weight.second, SECOND * H);
  unsigned waits = 0;
  int turn = 0;
  wait_for_all(counter, waits);
  const auto add = [&](const Element& e, float (&total)[1]) { dh[e.own] += total[0]; };
  for (int i = 0; i < layout.steps; i++) {
    const Step step = step_at(layout, i, !layout.reverse);
    each_tile(of_state, step.n, [&](int unit_0, int batch_0) {
      const Element e = element(of_state, unit_0, batch_0, step);
      if (!e.inside) return;
      const SCALAR* of_output = gradients.of_output;
      float sums[FIRST];
      dh[e.own] = cell.first(e, P, dh[e.own] + (of_output == nullptr ? 0 : wide(of_output[e.at])), sums);
#pragma unroll
      for (int k = 0; k < FIRST; k++) m.exchange.store(turn, k * P + e.unit, e.b, sums[k]);
    });
    wait_for_all(counter, waits);
    if constexpr (SECOND > 0) {
      products<1>(m, m.weights, FIRST * P, turn, layout, step, [&](const Element& e, float (&total)[1]) {
        float sums[SECOND];
        cell.second(e, H, total[0], sums);
#pragma unroll
        for (int k = 0; k < SECOND; k++) m.exchange.store(turn + 1, k * H + e.unit, e.b, sums[k]);
      });
      wait_for_all<true>(counter, waits);
      turn++;
      products<1>(m, of_second, SECOND * H, turn, of_state, step, add);
    } else {
      products<1>(m, m.weights, FIRST * P, turn, of_state, step, add);
    }
    turn++;
  }
}
