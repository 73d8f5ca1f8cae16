// Products of tiles on tensor cores: what a block multiplies, TILE_M rows by TILE_N columns, and the
// ring of stages in shared memory through which the tiles come, by asynchronous copies.
//
// A step covers 64 bytes along K. A warp keeps WARP_M x WARP_N sums in float32. In TF32 numbers have
// 10 bits of mantissa. In TF32X3 each is the sum of two such numbers, x = big + small, and of their
// products only small * small is left out: 2^-22 of a product, what float32 rounds anyway; three
// instructions in place of one. An infinity becomes NaN there.
//
// Left open: FORMAT (format.cuh); TILE_M (128, 64 or 32); ROUNDED, whether what is in memory
// has been rounded to TF32 before.
#pragma once
#include "format.cuh"

constexpr bool HALF = sizeof(Element) == 2;  // what ldmatrix can turn
constexpr int TILE_N = 128, WARP_M = TILE_M == 128 ? 64 : 32, WARP_N = 32;
constexpr int WARPS_ACROSS = TILE_N / WARP_N, THREADS = TILE_M / WARP_M * WARPS_ACROSS * 32;
constexpr int STAGES = 4;
constexpr int CHUNK = 16 / sizeof(Element);  // elements of 16 bytes
constexpr int DEPTH = 4 * CHUNK;             // of a step along K
constexpr int PRODUCT = 2 * CHUNK;           // of one instruction along K
constexpr int PARTS = FORMAT == TF32X3 ? 2 : 1;

// A tile of an operand, LINES of its rows (of a) or columns (of b), in shared memory: (LINES, PITCH)
// or, turned, (DEPTH, PITCH). Rows of an odd number of 16 bytes: eight of them fall into all 32 banks.
template <bool ALONG, int COUNT>
struct Tile {
  static constexpr bool ALONG_K = ALONG;
  static constexpr int LINES = COUNT;
  static constexpr int PITCH = ALONG_K ? DEPTH + CHUNK : LINES + 8;
  static constexpr int SIZE = (ALONG_K ? LINES : DEPTH) * PITCH;
  static constexpr int ROW = ALONG_K ? DEPTH : LINES;  // elements of a row that are used
};

// A lane's part of a 16 x PRODUCT matrix of a, or of two PRODUCT x 8 matrices of b.
struct Fragment {
  unsigned of[PARTS][4];

  DEVICE void round() {
#if FORMAT == TF32X3
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const float x = __uint_as_float(of[0][i]);
      of[0][i] = to_tf32(x);
      of[1][i] = to_tf32(x - __uint_as_float(of[0][i]));
    }
#elif FORMAT == TF32 && !ROUNDED
#pragma unroll
    for (int i = 0; i < 4; i++) of[0][i] = to_tf32(__uint_as_float(of[0][i]));
#endif
  }
};

// Matrix of a at `line` and `k` of a tile: upper left, lower left, upper right, lower right quarter.
template <typename T>
DEVICE void load_a(Fragment& to, const Element* tile, int line, int k) {
  const int lane = threadIdx.x % 32, matrix = lane / 8;
  if (T::ALONG_K) {
    load_matrices<false>(to.of[0], tile + (line + matrix % 2 * 8 + lane % 8) * T::PITCH + k + matrix / 2 * CHUNK);
  } else if (HALF) {
    load_matrices<true>(to.of[0], tile + (k + matrix / 2 * 8 + lane % 8) * T::PITCH + line + matrix % 2 * 8);
  } else {  // ldmatrix would part numbers of 32 bits
    const unsigned* words = reinterpret_cast<const unsigned*>(tile);
#pragma unroll
    for (int i = 0; i < 4; i++)
      to.of[0][i] = words[(k + lane % 4 + i / 2 * 4) * T::PITCH + line + lane / 4 + i % 2 * 8];
  }
  to.round();
}

// Two neighbouring matrices of b: of[.][0] and of[.][1] belong to the first.
template <typename T>
DEVICE void load_b(Fragment& to, const Element* tile, int line, int k) {
  const int lane = threadIdx.x % 32, matrix = lane / 8;
  if (T::ALONG_K) {
    load_matrices<false>(to.of[0], tile + (line + matrix / 2 * 8 + lane % 8) * T::PITCH + k + matrix % 2 * CHUNK);
  } else if (HALF) {
    load_matrices<true>(to.of[0], tile + (k + matrix % 2 * 8 + lane % 8) * T::PITCH + line + matrix / 2 * 8);
  } else {  // ldmatrix would part numbers of 32 bits
    const unsigned* words = reinterpret_cast<const unsigned*>(tile);
#pragma unroll
    for (int i = 0; i < 4; i++)
      to.of[0][i] = words[(k + lane % 4 + i % 2 * 4) * T::PITCH + line + lane / 4 + i / 2 * 8];
  }
  to.round();
}

DEVICE void multiply(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#if FORMAT == BFLOAT16
  multiply_bf16(sum, a, b);
#elif FORMAT == FLOAT16
  multiply_fp16(sum, a, b);
#else
  multiply_tf32(sum, a, b);
#endif
}

// A thread's sums, and where they are in the block's tile: of[m][n] has two neighbours of a row, and
// two of the row 8 further down.
struct Sums {
  float of[WARP_M / 16][WARP_N / 8][4] = {};
  int warp_row = threadIdx.x / 32 / WARPS_ACROSS * WARP_M, warp_column = threadIdx.x / 32 % WARPS_ACROSS * WARP_N;

  DEVICE int row(int m, int half) const { return warp_row + 16 * m + threadIdx.x % 32 / 4 + 8 * half; }
  DEVICE int column(int n) const { return warp_column + 8 * n + threadIdx.x % 4 * 2; }

  template <typename A, typename B>
  DEVICE void add_product(const Element* tile_a, const Element* tile_b) {
#pragma unroll
    for (int k = 0; k < DEPTH; k += PRODUCT) {
      Fragment left[WARP_M / 16], right[WARP_N / 16];
#pragma unroll
      for (int m = 0; m < WARP_M / 16; m++) load_a<A>(left[m], tile_a, warp_row + 16 * m, k);
#pragma unroll
      for (int n = 0; n < WARP_N / 16; n++) load_b<B>(right[n], tile_b, warp_column + 16 * n, k);
#pragma unroll
      for (int part = 2 * PARTS - 2; part >= 0; part--)  // the small products first
#pragma unroll
        for (int m = 0; m < WARP_M / 16; m++)
#pragma unroll
          for (int n = 0; n < WARP_N / 8; n++) {
            const unsigned(&b)[4] = right[n / 2].of[part / 2];
            const unsigned pair[2] = {b[n % 2 * 2], b[n % 2 * 2 + 1]};
            multiply(of[m][n], left[m].of[part % 2], pair);
          }
    }
  }
};

// Add up `steps` products of tiles of A and B. copy(tile_a, tile_b, step) begins the copies of a step;
// it is called for one step after the other, STAGES - 1 ahead. `ring` has room for STAGES tiles each.
template <typename A, typename B, typename Copy>
DEVICE void add_steps(Sums& sums, Element* ring, int steps, Copy copy) {
  Element* const ring_b = ring + STAGES * A::SIZE;
  // Steps beyond the last copy nothing, but count: the wait is for all groups but the last few.
  const auto begin = [&](int step) {
    const int stage = step % STAGES;
    if (step < steps) copy(ring + stage * A::SIZE, ring_b + stage * B::SIZE, step);
    commit_copies();
  };
  for (int step = 0; step < STAGES - 1; step++) begin(step);
  for (int step = 0; step < steps; step++) {
    WAIT_COPIES(tiles_landed, STAGES - 2);  // this thread's copies for this step are there ...
    // ... and after this everybody's; and all have left the stage of the step before, which the
    // next copies overwrite.
    BARRIER(stage_ready);
    begin(step + STAGES - 1);
    sums.add_product<A, B>(ring + step % STAGES * A::SIZE, ring_b + step % STAGES * B::SIZE);
  }
}
