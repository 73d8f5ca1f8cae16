// What one block multiplies in a step: TILE_M rows by TILE_N columns, TILE_K deep, from shared memory.
// Left open: SCALAR, TILE_M, TILE_N, THREADS.
#pragma once
#include "device.cuh"

constexpr int TILE_K = 8;
constexpr int PACK = 16 / sizeof(SCALAR);  // elements of one 128-bit access
constexpr int ACROSS = 16, DOWN = THREADS / ACROSS;
constexpr int ROWS = TILE_M / DOWN, COLUMNS = TILE_N / ACROSS;  // sums of a thread
constexpr int FAR_M = TILE_M / (ROWS / PACK), FAR_N = TILE_N / (COLUMNS / PACK);  // between its packs
constexpr int PITCH_A = TILE_M + PACK, PITCH_B = TILE_N + PACK;  // shifts banks, keeps alignment
constexpr int COUNT_A = TILE_M * TILE_K / THREADS, COUNT_B = TILE_N * TILE_K / THREADS;
static_assert(COUNT_A * THREADS == TILE_M * TILE_K && COUNT_B * THREADS == TILE_N * TILE_K, "evenly");

struct alignas(16) Pack {
  SCALAR of[PACK];
};

// A thread's sums. A warp is 4 threads high and 8 wide: it reads few packs for its products.
struct Sums {
  SCALAR of[ROWS][COLUMNS] = {};
  int ty = threadIdx.x / 64 * 4 + threadIdx.x % 32 / 8, tx = threadIdx.x / 32 % 2 * 8 + threadIdx.x % 8;

  DEVICE int row(int i) const { return i / PACK * FAR_M + ty * PACK + i % PACK; }
  DEVICE int column(int j) const { return j / PACK * FAR_N + tx * PACK + j % PACK; }
  DEVICE void add_product(const SCALAR (*a)[PITCH_A], const SCALAR (*b)[PITCH_B]) {
#pragma unroll
    for (int k = 0; k < TILE_K; k++) {
      Pack left[ROWS / PACK], right[COLUMNS / PACK];
#pragma unroll
      for (int p = 0; p < ROWS / PACK; p++)
        left[p] = *reinterpret_cast<const Pack*>(&a[k][row(p * PACK)]);
#pragma unroll
      for (int p = 0; p < COLUMNS / PACK; p++)
        right[p] = *reinterpret_cast<const Pack*>(&b[k][column(p * PACK)]);
#pragma unroll
      for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
          of[i][j] += left[i / PACK].of[i % PACK] * right[j / PACK].of[j % PACK];
    }
  }
};
