// Each warpgroup multiplies the same two tiles of float16, in shared memory, 8 times a round into the
// sums in its registers; y is their sum. From sm_90a on.
//
// Counted, a warpgroup: 42 KiB once, 8 * 2 * 64 * 256 * 16 FLOPs a round. Bound: the tensor cores, as
// wgmma reaches them: what mma.sync leaves of them is seen beside tile_product.cu.
#define FORMAT FLOAT16
#include "swizzled.cuh"

constexpr int ROWS = 64, COLUMNS = 256, K = PRODUCT, CHAINS = 8;
typedef SwizzledTile<true, ROWS> A;
typedef SwizzledTile<false, COLUMNS> B;

// Where column `at` of row `row` of a box is: its chunk of 16 bytes changes place with another.
DEVICE int place(int row, int at) { return row * ROW + (at / 8 ^ row % 8) * 8 + at % 8; }

extern "C" __global__ void __launch_bounds__(WARPGROUP)
    warpgroup_product(const Element* __restrict__ a, const Element* __restrict__ b, Element* __restrict__ y,
                      int rounds) {
  SWIZZLED_SHARED(Element, tile_a);
  Element* const tile_b = tile_a + A::SIZE;
  for (int i = threadIdx.x; i < ROWS * K; i += WARPGROUP) tile_a[place(i / K, i % K)] = a[i];
  for (int i = threadIdx.x; i < K * COLUMNS; i += WARPGROUP) {
    const int k = i / COLUMNS, column = i % COLUMNS;
    tile_b[column / ROW * B::BOX + place(k, column % ROW)] = b[i];
  }
  FENCE_ASYNC(tiles_shown);  // to the tensor cores, which read past the path of a thread's writes
  BARRIER(tiles_written);    // by all threads
  float sum[COLUMNS / 2] = {};
  for (int round = 0; round < rounds; round++) {
    FENCE_SUMS(sums_given);
#pragma unroll
    for (int c = 0; c < CHAINS; c++)
      multiply_async_fp16<true, false>(sum, A::descriptor(tile_a, 0, 0), B::descriptor(tile_b, 0, 0));
    COMMIT_PRODUCTS(round_begun);
    WAIT_PRODUCTS(round_done, 0, sum);  // meanwhile other blocks multiply
  }
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
  for (int i = 0; i < COLUMNS / 2; i++)
    y[(static_cast<long long>(blockIdx.x) * ROWS + row + i / 2 % 2 * 8) * COLUMNS + i / 4 * 8 + column + i % 2] =
        to_element(sum[i]);
}
