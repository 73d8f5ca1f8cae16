// Small kernels on which the emulator of Hopper's engines is tested: each does one thing right or wrong.
#define FORMAT FLOAT16
#include "swizzled.cuh"

extern "C" {

// The box at (row, column) of a matrix, as it lands: 16 rows of 128 bytes.
__global__ void one_box(const __grid_constant__ TensorMap map, unsigned short* y, int column, int row, int matrix,
                        int expected, int parity) {
  SWIZZLED_SHARED(unsigned short, box);
  Mbarrier* barrier = reinterpret_cast<Mbarrier*>(box + 1024);
  if (threadIdx.x == 0) {
    initialise(barrier, 1);
    FENCE_MBARRIERS(barrier_seen);
  }
  BARRIER(barrier_made);
  if (threadIdx.x == 0) {
    ARRIVE_EXPECTING(box_asked, barrier, expected < 0 ? 2048 : expected);
    if (expected < 0) ARRIVE(asked_again, barrier);
    copy_box(expected > 1 << 14 ? box + 1024 : box, map, column, row, matrix, barrier);
  }
  WAIT_PHASE(box_landed, barrier, parity);
  for (int i = threadIdx.x; i < 1024; i += blockDim.x) y[i] = box[i];
}

// The first warp counts to two with the second: each waits for the other, twice.
__global__ void in_turns(int* y, int arrivals) {
  SWIZZLED_SHARED(int, counter);
  Mbarrier *ping = reinterpret_cast<Mbarrier*>(counter + 2), *pong = ping + 1;
  if (threadIdx.x == 0) {
    counter[0] = 0;
    initialise(ping, 1);
    initialise(pong, arrivals);
  }
  BARRIER(turns_made);
  for (int turn = 0; turn < 2; turn++) {
    if (threadIdx.x == 0) {
      WAIT_PHASE(pong_came, pong, turn ^ 1);
      counter[0]++;
      ARRIVE(ping_goes, ping);
    } else if (threadIdx.x == 32) {
      WAIT_PHASE(ping_came, ping, turn);
      y[turn] = counter[0];
      ARRIVE(pong_goes, pong);
    }
  }
}

// a (64, 16) b (16, 128), by threads that write both tiles; `turned`: not along K.
__global__ void one_async(const unsigned short* a, const unsigned short* b, float* y, int turned, int early) {
  SWIZZLED_SHARED(float16, tile_a);
  typedef SwizzledTile<true, 64> A;
  typedef SwizzledTile<true, 128> B;
  float16* const tile_b = tile_a + A::SIZE;
  const auto put = [](float16* tile, int line, int k, int turned, unsigned short bits) {
    const int row = turned ? line / 64 * 64 + k : line, column = turned ? line % 64 : k;
    tile[row * 64 + (column / 8 ^ row % 8) * 8 + column % 8].bits = bits;
  };
  for (int i = threadIdx.x; i < 64 * 16; i += WARPGROUP) put(tile_a, i / 16, i % 16, turned, a[i]);
  for (int i = threadIdx.x; i < 16 * 128; i += WARPGROUP) put(tile_b, i % 128, i / 128, turned, b[i]);
  FENCE_ASYNC(tiles_shown);
  BARRIER(tiles_written);
  float sum[64] = {};
  FENCE_SUMS(sums_given);
  if (turned)
    multiply_async_fp16<false, false>(sum, SwizzledTile<false, 64>::descriptor(tile_a, 0, 0),
                                      SwizzledTile<false, 128>::descriptor(tile_b, 0, 0));
  else multiply_async_fp16<true, true>(sum, A::descriptor(tile_a, 0, 0), B::descriptor(tile_b, 0, 0));
  if (early) y[threadIdx.x] = sum[0];  // while the product goes on
  COMMIT_PRODUCTS(product_begun);
  WAIT_PRODUCTS(product_done, 0, sum);
  if (early) return;
  for (int i = 0; i < 64; i++)
    y[(threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8) * 128 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] =
        sum[i];
}
}
