// Each warp multiplies the same two tiles `rounds` times into 8 sums, all in registers; y is their
// sum.
//
// Counted, a warp: 512 bytes once, 8 * 2 * 16 * 8 * K FLOPs a round. Bound: the tensor cores, as
// mma.sync reaches them: from Hopper on, wgmma reaches more.
// Left open: BF16: 1 for bfloat16 (K 16), 0 for float32 rounded to TF32 (K 8).
#include "bfloat16.cuh"
#include "device.cuh"

constexpr int THREADS = 256, CHAINS = 8, ROWS = 16, COLUMNS = 8;
#if BF16
typedef bfloat16 Element;
constexpr int K = 16;
DEVICE unsigned pair(const Element* x, int apart) { return x[0] | unsigned(x[apart]) << 16; }
#else
typedef float Element;
constexpr int K = 8;
#endif

extern "C" __global__ void __launch_bounds__(THREADS)
    tile_product(const Element* __restrict__ a, const Element* __restrict__ b,
                 Element* __restrict__ y, int tiles, int rounds) {
  const int group = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
  const int tile = blockIdx.x * (THREADS / 32) + threadIdx.x / 32;
  unsigned left[4], right[2];
#pragma unroll
  for (int i = 0; i < 4; i++) {  // rows g, g + 8 by the two halves of K (PTX ISA, m16n8k16, m16n8k8)
    const int row = group + i % 2 * 8;
#if BF16
    left[i] = pair(a + row * K + 2 * member + i / 2 * 8, 1);
#else
    left[i] = to_tf32(a[row * K + member + i / 2 * 4]);
#endif
  }
#pragma unroll
  for (int i = 0; i < 2; i++) {
#if BF16
    right[i] = pair(b + (2 * member + i * 8) * COLUMNS + group, COLUMNS);
#else
    right[i] = to_tf32(b[(member + i * 4) * COLUMNS + group]);
#endif
  }
  float sum[CHAINS][4] = {};
  for (int round = 0; round < rounds; round++)
#pragma unroll
    for (int c = 0; c < CHAINS; c++) {
#if BF16
      multiply_bf16(sum[c], left, right);
#else
      multiply_tf32(sum[c], left, right);
#endif
    }
#pragma unroll
  for (int c = 1; c < CHAINS; c++)
#pragma unroll
    for (int i = 0; i < 4; i++) sum[0][i] += sum[c][i];
  if (!CHECK(tile_inside, tile < tiles)) return;
#pragma unroll
  for (int i = 0; i < 4; i++) {
    const long long place = (static_cast<long long>(tile) * ROWS + group + i / 2 * 8) * COLUMNS;
#if BF16
    y[place + 2 * member + i % 2] = to_bfloat16(sum[0][i]);
#else
    y[place + 2 * member + i % 2] = sum[0][i];
#endif
  }
}
