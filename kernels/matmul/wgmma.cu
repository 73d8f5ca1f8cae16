// y = f(a b + bias) on Hopper's tensor cores: float16 or bfloat16, sums in float32. For each batch
// a (M, K), b (K, N), y (M, N).
//
// What it gains over tensor.cu: four warps multiply 64 x TILE_N by one instruction, straight from
// shared memory, where mma.sync needs each number in a register first; and one thread asks the copy
// engine for whole tiles, where there each thread computes addresses. So the warps have parts: the
// first group only fetches, and gives its registers to the two others, which only multiply, 64 rows
// each. Between them goes a ring of STAGES tiles: `full` says that a stage has come, `empty` that its
// products have been read. The engine fills up what is outside of a and b with zeros.
//
// Counted: per block and step of 64 along K (128 + TILE_N) * 128 bytes read for 2^14 TILE_N FLOPs: 64
// FLOPs a byte with tiles of 128 columns, 85 with 256; eight instructions a step. Bound: the tensor
// cores' own rate (989 TFLOP/s on an H100, by its data sheet), or memory when K or y is small: a byte
// of memory buys 295 FLOPs there, so that tiles must come from the second-level cache mostly, which
// blocks that follow each other down the columns of tiles of y see to.
//
// Left open: FORMAT (BFLOAT16 or FLOAT16); TILE_N (128 or 256). There is an entry point for each layout:
// n for rows of a or b that are rows in memory, t for those that are columns there.
#include "epilogue.cuh"
#include "warpgroup_ring.cuh"

constexpr int TILE_M = CONSUMERS * 64;
constexpr int FETCHING = 40, MULTIPLYING = 232;  // registers: of the 168 that a launch gives to each

struct Arguments {
  const Element* bias;
  Element* y;
  float* parts;
  int M, N, K, per_part, a_batched, b_batched, tiles_down, activation;
};

// What one thread does: have the tiles of all steps copied, each as soon as its stage is empty.
template <typename A, typename B>
DEVICE void fetch(const Ring<A, B>& ring, const TensorMap& a, const TensorMap& b, int row, int column, int first,
                  int steps, int matrix_a, int matrix_b) {
  for (int step = 0; step < steps; step++) {
    ring.wait_empty(step);
    Mbarrier* full = ring.full + step % STAGES;
    ARRIVE_EXPECTING(stage_asked, full, A::BYTES + B::BYTES);
    A::fetch(ring.a(step), a, row, first + step * DEPTH, matrix_a, full);
    B::fetch(ring.b(step), b, column, first + step * DEPTH, matrix_b, full);
  }
}

// Call put(place in y, column, sum, sum right of it) for all sums of this thread in 64 rows from `row_0` on.
template <typename Put>
DEVICE void for_places(const float (&sum)[TILE_N / 2], const Arguments& to, int row_0, int column_0, Put put) {
  for_pairs(sum, to.M - row_0, [&](int, int row, int across, float left, float right) {
    const int column = column_0 + across;
    put(static_cast<long long>(row_0 + row) * to.N + column, column, left, right);
  });
}

// Write these rows of y, or of a part of its sums.
DEVICE void write(const float (&sum)[TILE_N / 2], const Arguments& to, int row_0, int column_0) {
  const long long matrix = static_cast<long long>(to.M) * to.N;
  const auto shifted = [&](float x, int column) {
    return to.bias == nullptr ? x : x + to_float(to.bias[column]);
  };
  if (to.parts != nullptr) {
    float* parts = to.parts + (static_cast<long long>(blockIdx.y) * gridDim.z + blockIdx.z) * matrix;
    for_places(sum, to, row_0, column_0, [&](long long at, int column, float left, float right) {
      if (CHECK(left_part_inside, column < to.N)) parts[at] = shifted(left, column);
      if (CHECK(right_part_inside, column + 1 < to.N)) parts[at + 1] = shifted(right, column + 1);
    });
    return;
  }
  Element* const y = to.y + blockIdx.z * matrix;
  const float floor = floor_of<float>(to.activation);
  const auto final = [&](float x, int column) {
    return to_element(cut_off(shifted(x, column), floor));
  };
  if (to.N % 2 == 0) {
    for_places(sum, to, row_0, column_0, [&](long long at, int column, float left, float right) {
      if (!CHECK(pair_inside, column < to.N)) return;
      write_pair(y + at, final(left, column), final(right, column + 1));
    });
  } else {
    for_places(sum, to, row_0, column_0, [&](long long at, int column, float left, float right) {
      if (CHECK(left_inside, column < to.N)) y[at] = final(left, column);
      if (CHECK(right_inside, column + 1 < to.N)) y[at + 1] = final(right, column + 1);
    });
  }
}

template <bool A_ALONG_K, bool B_ALONG_K>
DEVICE void matmul(Element* memory, const TensorMap& a, const TensorMap& b, const Arguments& given) {
  typedef SwizzledTile<A_ALONG_K, TILE_M> A;
  typedef SwizzledTile<B_ALONG_K, TILE_N> B;
  const Ring<A, B> ring(memory);
  const int row_0 = blockIdx.x % given.tiles_down * TILE_M, column_0 = blockIdx.x / given.tiles_down * TILE_N;
  const int first = blockIdx.y * given.per_part;
  const int steps = (min(given.K - first, given.per_part) + DEPTH - 1) / DEPTH;
  ring.make(1);
  if (threadIdx.x < WARPGROUP) {
    keep_registers<FETCHING>();
    if (threadIdx.x == 0)
      fetch(ring, a, b, row_0, column_0, first, steps, given.a_batched ? blockIdx.z : 0,
            given.b_batched ? blockIdx.z : 0);
  } else {
    take_registers<MULTIPLYING>();
    const int row = (threadIdx.x / WARPGROUP - 1) * 64;
    float sum[TILE_N / 2] = {};
    multiply(sum, ring, row, 0, steps);
    write(sum, given, row_0 + row, column_0);
  }
}

#define LAYOUT(name, A_ALONG_K, B_ALONG_K)                                                                  \
  extern "C" __global__ void __launch_bounds__(THREADS, 1)                                                  \
      name(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,                        \
           const Element* __restrict__ bias, Element* __restrict__ y, float* __restrict__ parts, int M,     \
           int N, int K, int per_part, int a_batched, int b_batched, int tiles_down, int activation) {      \
    SWIZZLED_SHARED(Element, memory);                                                                       \
    matmul<A_ALONG_K, B_ALONG_K>(                                                                           \
        memory, a, b, {bias, y, parts, M, N, K, per_part, a_batched, b_batched, tiles_down, activation});   \
  }
LAYOUT(matmul_nn, true, false)
LAYOUT(matmul_nt, true, true)
LAYOUT(matmul_tn, false, false)
LAYOUT(matmul_tt, false, true)
