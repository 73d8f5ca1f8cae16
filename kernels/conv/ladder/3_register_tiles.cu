// Step 3 of 3: a thread computes 4 x 4 elements, which stay in its registers.
//
// 4 weights and 4 numbers of x feed 16 multiply-adds: 2 per number read from shared memory, not 1/2. A
// thread always fetches for the same place, so that it divides for that once, and not in each step.
// Counted: a block of 256 threads computes 64 x 64; per step of 16 it reads 8 KiB for 2^17 FLOPs, 16
// per byte. Bound: the issue of instructions, half of which multiply. What is left to gain is in
// kernels/conv/tiles.cu: 8 x 8 sums, a table in place of the divisions, loads ahead of the products.
#include "device.cuh"
#include "epilogue.cuh"

constexpr int TILE = 64, DEPTH = 16, SIDE = 4, ACROSS = TILE / SIDE, THREADS = ACROSS * ACROSS;

extern "C" __global__ void __launch_bounds__(THREADS)
    register_tiles(const float* x, const float* weight, const float* bias, float* y, int N, int C, int H,
                   int W, int K, int kernel_h, int kernel_w, int out_h, int out_w, int stride_h,
                   int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                   int activation) {
  __shared__ float tile_a[DEPTH][TILE + 1], tile_b[DEPTH][TILE];  // the padding shifts the banks
  const int tx = threadIdx.x % ACROSS, ty = threadIdx.x / ACROSS;
  const int row_0 = blockIdx.y * TILE, place_0 = blockIdx.x * TILE;
  const int places = N * out_h * out_w, steps = C * kernel_h * kernel_w;
  const int own = place_0 + threadIdx.x % TILE, n = own / out_w / out_h;
  const int from_h = own / out_w % out_h * stride_h - padding_h, from_w = own % out_w * stride_w - padding_w;
  float sum[SIDE][SIDE] = {};
  for (int k_0 = 0; k_0 < steps; k_0 += DEPTH) {
    for (int i = threadIdx.x; i < TILE * DEPTH; i += THREADS) {
      const int row = row_0 + i / DEPTH, k_a = k_0 + i % DEPTH;
      const bool a_inside = CHECK(row_inside, row < K) && CHECK(a_k_inside, k_a < steps);
      tile_a[i % DEPTH][i / DEPTH] = a_inside ? weight[row * steps + k_a] : 0;
      const int k = k_0 + i / TILE, s = k % kernel_w, r = k / kernel_w % kernel_h, c = k / kernel_w / kernel_h;
      const int h = from_h + r * dilation_h, w = from_w + s * dilation_w;
      const bool b_inside = CHECK(column_inside, own < places) && CHECK(b_k_inside, k < steps) &&
                            CHECK(h_inside, h >= 0 && h < H) && CHECK(w_inside, w >= 0 && w < W);
      tile_b[i / TILE][i % TILE] = b_inside ? x[(((long long)n * C + c) * H + h) * W + w] : 0;
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
  const float floor = floor_of<float>(activation);
#pragma unroll
  for (int j = 0; j < SIDE; j++) {
    const int place = place_0 + tx + j * ACROSS;
    const int o_w = place % out_w, o_h = place / out_w % out_h, image = place / out_w / out_h;
#pragma unroll
    for (int i = 0; i < SIDE; i++) {
      const int row = row_0 + ty * SIDE + i;
      if (!CHECK(y_inside, row < K && place < places)) continue;
      const float shift = bias == nullptr ? 0 : bias[row];
      y[(((long long)image * K + row) * out_h + o_h) * out_w + o_w] = cut_off(sum[i][j] + shift, floor);
    }
  }
}
