// Step 2 of 7: the same, but neighbouring threads have neighbouring COLUMNS.
//
// A warp reads one element of a, which is handed to all its lanes, and 32 neighbours of b: one
// transaction of 128 bytes in place of 32. It writes 32 neighbours of y likewise.
// Counted: still 8 K bytes asked for per element, 0.25 FLOPs per byte, but all of them are used.
// Bound: the first-level cache, which delivers 4 bytes per multiply-add.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(256)
    coalesced(const float* a, const float* b, float* y, int M, int N, int K) {
  const int column = blockIdx.x * 256 + threadIdx.x, row = blockIdx.y;
  if (!CHECK(column_inside, column < N)) return;
  float sum = 0;
  for (int k = 0; k < K; k++) sum += a[(long long)row * K + k] * b[(long long)k * N + column];
  y[(long long)row * N + column] = sum;
}
