// Step 4 of 7: a thread computes 8 x 8 elements, which stay in its registers.
//
// 8 numbers of a and 8 of b feed 64 multiply-adds: 4 per number read from shared memory, not 1/2.
// Counted: a block of 256 threads computes 128 x 128; per step of 8 along K it reads 8 KiB for 2^18
// FLOPs: 32 FLOPs per byte from memory. Bound: the issue of instructions, of which 64 in 80 multiply.
#include "device.cuh"

constexpr int TILE = 128, DEPTH = 8, SIDE = 8, ACROSS = TILE / SIDE, THREADS = ACROSS * ACROSS;

extern "C" __global__ void __launch_bounds__(THREADS)
    register_tiles(const float* a, const float* b, float* y, int M, int N, int K) {
  // a lies turned round, so that a thread's 8 rows are neighbours; the padding shifts the banks
  __shared__ float tile_a[DEPTH][TILE + 4], tile_b[DEPTH][TILE];
  const int tx = threadIdx.x % ACROSS, ty = threadIdx.x / ACROSS;
  const int row_0 = blockIdx.y * TILE, column_0 = blockIdx.x * TILE;
  float sum[SIDE][SIDE] = {};
  for (int k_0 = 0; k_0 < K; k_0 += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += THREADS) {
      const int row = row_0 + i / DEPTH, k_a = k_0 + i % DEPTH;
      const int column = column_0 + i % TILE, k_b = k_0 + i / TILE;
      const bool a_inside = CHECK(row_inside, row < M) && CHECK(a_k_inside, k_a < K);
      const bool b_inside = CHECK(column_inside, column < N) && CHECK(b_k_inside, k_b < K);
      tile_a[i % DEPTH][i / DEPTH] = a_inside ? a[(long long)row * K + k_a] : 0;
      tile_b[i / TILE][i % TILE] = b_inside ? b[(long long)k_b * N + column] : 0;
    }
    BARRIER(tiles_loaded);  // the whole tiles must be there before anyone reads others' elements
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      float left[SIDE], right[SIDE];
#pragma unroll
      for (int i = 0; i < SIDE; i++) left[i] = tile_a[k][ty * SIDE + i];
#pragma unroll
      for (int j = 0; j < SIDE; j++) right[j] = tile_b[k][tx + j * ACROSS];  // neighbours: no conflicts
#pragma unroll
      for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++) sum[i][j] += left[i] * right[j];
    }
    BARRIER(tiles_used);  // nobody may load the next tiles while another still reads these
  }
#pragma unroll
  for (int i = 0; i < SIDE; i++)
#pragma unroll
    for (int j = 0; j < SIDE; j++) {
      const int row = row_0 + ty * SIDE + i, column = column_0 + tx + j * ACROSS;
      if (CHECK(y_inside, row < M && column < N)) y[(long long)row * N + column] = sum[i][j];
    }
}
