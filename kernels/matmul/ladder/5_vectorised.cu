// Step 5 of 7: all memory is read and written 128 bits at a time, the next tiles while these are used.
//
// 4 loads of 128 bits feed 64 multiply-adds in place of 16 loads: 64 in 68 instructions multiply. The
// next step's elements travel to registers meanwhile, and two buffers save one of the two barriers.
// N and K must be multiples of 4: ../tiles.cu is this kernel for any shape.
// Counted: as step 4, 32 FLOPs per byte. Bound: the multiply-adds themselves.
#include "device.cuh"

constexpr int TILE = 128, DEPTH = 8, THREADS = 256;

DEVICE float4 load(const float* from, bool inside) {
  return inside ? *reinterpret_cast<const float4*>(from) : make_float4(0, 0, 0, 0);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    vectorised(const float* a, const float* b, float* y, int M, int N, int K) {
  __shared__ float tile_a[2][DEPTH][TILE + 4], tile_b[2][DEPTH][TILE + 4];
  const int tx = threadIdx.x % 16, ty = threadIdx.x / 16;
  const int row_0 = blockIdx.y * TILE, column_0 = blockIdx.x * TILE;
  // this thread's pack of each tile: 4 neighbours along K of a, 4 neighbours along N of b
  const int a_row = threadIdx.x / 2, a_k = threadIdx.x % 2 * 4;
  const int b_k = threadIdx.x / 32, b_column = threadIdx.x % 32 * 4;
  const float* from_a = a + (long long)(row_0 + a_row) * K + a_k;
  const float* from_b = b + (long long)b_k * N + column_0 + b_column;
  const bool a_inside = CHECK(row_inside, row_0 + a_row < M);
  const bool b_inside = CHECK(column_inside, column_0 + b_column < N);
  float sum[8][8] = {};
  float4 next_a = load(from_a, a_inside && CHECK(a_k_inside, a_k < K));
  float4 next_b = load(from_b, b_inside && CHECK(b_k_inside, b_k < K));
  for (int k_0 = 0, buffer = 0; k_0 < K; k_0 += DEPTH, buffer ^= 1) {
    const float four[4] = {next_a.x, next_a.y, next_a.z, next_a.w};
#pragma unroll
    for (int i = 0; i < 4; i++) tile_a[buffer][a_k + i][a_row] = four[i];
    *reinterpret_cast<float4*>(&tile_b[buffer][b_k][b_column]) = next_b;
    BARRIER(tiles_stored);  // all is there; and all have left the buffer that is written next
    const int k_1 = k_0 + DEPTH;
    next_a = load(from_a + k_1, a_inside && CHECK(a_k_inside, k_1 + a_k < K));
    next_b = load(from_b + (long long)k_1 * N, b_inside && CHECK(b_k_inside, k_1 + b_k < K));
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
      float left[8], right[8];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        *reinterpret_cast<float4*>(left + 4 * half) =
            *reinterpret_cast<float4*>(&tile_a[buffer][k][64 * half + 4 * ty]);
        *reinterpret_cast<float4*>(right + 4 * half) =
            *reinterpret_cast<float4*>(&tile_b[buffer][k][64 * half + 4 * tx]);
      }
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) sum[i][j] += left[i] * right[j];
    }
  }
#pragma unroll
  for (int i = 0; i < 8; i++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = row_0 + i / 4 * 64 + 4 * ty + i % 4, column = column_0 + 64 * half + 4 * tx;
      const float* four = sum[i] + 4 * half;
      if (CHECK(y_inside, row < M && column < N))
        *reinterpret_cast<float4*>(y + (long long)row * N + column) =
            make_float4(four[0], four[1], four[2], four[3]);
    }
}
