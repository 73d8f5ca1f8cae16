// Step 2 of 3: a matrix product that is never laid out. y[k, place] = the sum over (c, r, s) of
// weight[k, (c, r, s)] times what place sees there: a block reads a tile of both into shared memory
// once, and uses each number 32 times.
//
// Counted: 8 KiB per block and step of 32, for 2 * 32^3 FLOPs: 8 FLOPs per byte, 32 times those of
// step 1, and one look at the padding for 32 multiply-adds. Each still reads two numbers from shared
// memory. Bound: shared memory, at about an eighth of the arithmetic; and three divisions per load.
#include "device.cuh"
#include "epilogue.cuh"

constexpr int TILE = 32;

extern "C" __global__ void __launch_bounds__(TILE * TILE)
    shared(const float* x, const float* weight, const float* bias, float* y, int N, int C, int H, int W,
           int K, int kernel_h, int kernel_w, int out_h, int out_w, int stride_h, int stride_w,
           int padding_h, int padding_w, int dilation_h, int dilation_w, int activation) {
  __shared__ float tile_a[TILE][TILE], tile_b[TILE][TILE];
  const int tx = threadIdx.x % TILE, ty = threadIdx.x / TILE;
  const int row = blockIdx.y * TILE + ty, place = blockIdx.x * TILE + tx;
  const int o_w = place % out_w, o_h = place / out_w % out_h, n = place / out_w / out_h;
  const int places = N * out_h * out_w, steps = C * kernel_h * kernel_w;
  float sum = 0;
  for (int k_0 = 0; k_0 < steps; k_0 += TILE) {
    const bool a_inside = CHECK(row_inside, row < K) && CHECK(a_k_inside, k_0 + tx < steps);
    tile_a[ty][tx] = a_inside ? weight[row * steps + k_0 + tx] : 0;
    const int k = k_0 + ty, s = k % kernel_w, r = k / kernel_w % kernel_h, c = k / kernel_w / kernel_h;
    const int h = o_h * stride_h + r * dilation_h - padding_h;
    const int w = o_w * stride_w + s * dilation_w - padding_w;
    const bool b_inside = CHECK(column_inside, place < places) && CHECK(b_k_inside, k < steps) &&
                          CHECK(h_inside, h >= 0 && h < H) && CHECK(w_inside, w >= 0 && w < W);
    tile_b[ty][tx] = b_inside ? x[(((long long)n * C + c) * H + h) * W + w] : 0;
    BARRIER(tiles_loaded);  // the whole tiles must be there before anyone reads a neighbour's element
    for (int l = 0; l < TILE; l++) sum += tile_a[ty][l] * tile_b[l][tx];
    BARRIER(tiles_used);  // nobody may load the next tiles while another still reads these
  }
  if (!CHECK(y_inside, row < K && place < places)) return;
  if (bias != nullptr) sum += bias[row];
  y[(((long long)n * K + row) * out_h + o_h) * out_w + o_w] = cut_off(sum, floor_of<float>(activation));
}
