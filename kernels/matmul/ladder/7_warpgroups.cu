// Step 7 of 7: wgmma (sm_90a). Four warps multiply a 64 x 8 by an 8 x 128 matrix in one instruction.
//
// Before, each number had to be in a register of each warp that needs it. wgmma reads both tiles where
// they are, in shared memory, once for four warps, and is carried out while they go on: registers hold
// sums alone. For that the tiles lie as its hardware reads them, swizzled, neighbours along K (so b is
// turned on its way), and what threads have written there is shown to it by a fence. ../wgmma.cu is
// this kernel in 16 bits with tiles that a copy engine brings, four steps ahead.
// Counted: a block reads (64 + 128) * 32 * 4 = 24 KiB per step of 32 along K, for 2^19 FLOPs: 21 FLOPs
// per byte. Bound: waiting. Nothing here goes on at once: tiles come, are multiplied, make room.
#define FORMAT TF32
#include "swizzled.cuh"

constexpr int TILE_M = 64, TILE_N = 128, THREADS = WARPGROUP;
typedef SwizzledTile<true, TILE_M> A;
typedef SwizzledTile<true, TILE_N> B;

// Where an element of a tile is: in row `line` its chunk of 16 bytes changes place with another.
DEVICE int place(int line, int k) { return line * DEPTH + (k / 4 ^ line % 8) * 4 + k % 4; }

extern "C" __global__ void __launch_bounds__(THREADS)
    warpgroups(const float* a, const float* b, float* y, int M, int N, int K) {
  SWIZZLED_SHARED(float, tile_a);
  float* const tile_b = tile_a + A::SIZE;
  const int row_0 = blockIdx.y * TILE_M, column_0 = blockIdx.x * TILE_N;
  float sum[TILE_N / 2] = {};
  for (int k_0 = 0; k_0 < K; k_0 += DEPTH) {
#pragma unroll 8
    for (int i = threadIdx.x; i < A::SIZE; i += THREADS) {
      const int line = i / DEPTH, k = i % DEPTH;
      const bool inside = CHECK(row_inside, row_0 + line < M) && CHECK(a_k_inside, k_0 + k < K);
      const float x = inside ? a[(long long)(row_0 + line) * K + k_0 + k] : 0;
      tile_a[place(line, k)] = __uint_as_float(to_tf32(x));
    }
#pragma unroll 8
    for (int i = threadIdx.x; i < B::SIZE; i += THREADS) {
      const int line = i % TILE_N, k = i / TILE_N;  // neighbouring threads read neighbours in memory
      const bool inside = CHECK(column_inside, column_0 + line < N) && CHECK(b_k_inside, k_0 + k < K);
      const float x = inside ? b[(long long)(k_0 + k) * N + column_0 + line] : 0;
      tile_b[place(line, k)] = __uint_as_float(to_tf32(x));
    }
    FENCE_ASYNC(tiles_shown);  // to the tensor cores, which read past the path of a thread's writes
    BARRIER(tiles_loaded);     // those of all threads
    FENCE_SUMS(sums_given);
#pragma unroll
    for (int k = 0; k < DEPTH; k += PRODUCT)
      multiply_async_tf32(sum, A::descriptor(tile_a, 0, k), B::descriptor(tile_b, 0, k));
    COMMIT_PRODUCTS(step_begun);
    WAIT_PRODUCTS(step_done, 0, sum);
    BARRIER(tiles_used);  // nobody may write the next tiles over what another warp's products still read
  }
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < TILE_N / 2; i++) {
    const int row = row_0 + 16 * warp + lane / 4 + i / 2 % 2 * 8;
    const int column = column_0 + i / 4 * 8 + lane % 4 * 2 + i % 2;
    if (CHECK(y_inside, row < M && column < N)) y[(long long)row * N + column] = sum[i];
  }
}
