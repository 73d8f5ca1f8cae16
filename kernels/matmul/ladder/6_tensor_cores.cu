// Step 6 of 7: tensor cores. A warp multiplies a 16 x 8 by an 8 x 8 matrix in one instruction.
//
// Numbers are rounded to TF32: the range of float32, 10 bits of mantissa in place of 23; sums stay
// float32. Each warp keeps 64 x 32 sums; the tiles come by asynchronous copies, which need no
// registers on their way. ../tensor.cu is this kernel for any layout and shape, three steps ahead.
// Counted: a block reads 2 * 128 * 32 * 4 = 32 KiB per step of 32 along K, for 2^20 FLOPs: 32 FLOPs
// per byte. Bound: shared memory, from which a warp reads 24 numbers a lane for 16 instructions.
#include "device.cuh"

constexpr int TILE = 128, DEPTH = 32, THREADS = 256;
constexpr int PITCH_A = DEPTH + 4, PITCH_B = TILE + 8;  // a warp's reads fall into 32 banks

extern "C" __global__ void __launch_bounds__(THREADS)
    tensor_cores(const float* a, const float* b, float* y, int M, int N, int K) {
  __shared__ float tile_a[TILE][PITCH_A], tile_b[DEPTH][PITCH_B];
  const int row_0 = blockIdx.y * TILE, column_0 = blockIdx.x * TILE;
  const int warp = threadIdx.x / 32, group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
  const int warp_row = warp / 4 * 64, warp_column = warp % 4 * 32;
  float sum[4][4][4] = {};  // 4 x 4 products of 16 x 8, 4 elements of each in this lane
  for (int k_0 = 0; k_0 < K; k_0 += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += THREADS) {
      const int row = i / DEPTH, k_a = i % DEPTH, column = i % TILE, k_b = i / TILE;
      copy_async<4>(&tile_a[row][k_a], a + (long long)(row_0 + row) * K + k_0 + k_a,
                    CHECK(row_inside, row_0 + row < M) && CHECK(a_k_inside, k_0 + k_a < K));
      copy_async<4>(&tile_b[k_b][column], b + (long long)(k_0 + k_b) * N + column_0 + column,
                    CHECK(column_inside, column_0 + column < N) && CHECK(b_k_inside, k_0 + k_b < K));
    }
    commit_copies();
    WAIT_COPIES(copies_landed, 0);  // this thread's copies are there ...
    BARRIER(tiles_loaded);          // ... and everybody else's
#pragma unroll
    for (int k = 0; k < DEPTH; k += 8) {
      unsigned left[4][4], right[4][2];
#pragma unroll
      for (int m = 0; m < 4; m++)
#pragma unroll
        for (int i = 0; i < 4; i++)  // rows g, g + 8 by columns t, t + 4 of a 16 x 8 matrix
          left[m][i] = to_tf32(
              tile_a[warp_row + 16 * m + group + i % 2 * 8][k + member + i / 2 * 4]);
#pragma unroll
      for (int n = 0; n < 4; n++)
#pragma unroll
        for (int i = 0; i < 2; i++)
          right[n][i] = to_tf32(tile_b[k + member + 4 * i][warp_column + 8 * n + group]);
#pragma unroll
      for (int m = 0; m < 4; m++)
#pragma unroll
        for (int n = 0; n < 4; n++) multiply_tf32(sum[m][n], left[m], right[n]);
    }
    BARRIER(tiles_used);  // nobody may copy the next tiles over what another still reads
  }
#pragma unroll
  for (int m = 0; m < 4; m++)
#pragma unroll
    for (int n = 0; n < 4; n++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int row = row_0 + warp_row + 16 * m + group + i / 2 * 8;
        const int column = column_0 + warp_column + 8 * n + 2 * member + i % 2;
        if (CHECK(y_inside, row < M && column < N)) y[(long long)row * N + column] = sum[m][n][i];
      }
}
