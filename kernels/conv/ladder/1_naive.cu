// Step 1 of 3: one thread per element of y, with the loops of the definition.
//
// Neighbouring threads have neighbouring places, so that a warp's loads of x are neighbours too; the
// weight is the same for all of them. What windows share comes from the first-level cache.
// Counted: 2 FLOPs for two loads in each turn, 0.25 FLOPs per byte asked of the caches, and a dozen
// instructions to see what is padding. Bound: the issue of loads, at a few per cent of the arithmetic.
#include "device.cuh"
#include "epilogue.cuh"

extern "C" __global__ void __launch_bounds__(256)
    naive(const float* x, const float* weight, const float* bias, float* y, int N, int C, int H, int W,
          int K, int kernel_h, int kernel_w, int out_h, int out_w, int stride_h, int stride_w,
          int padding_h, int padding_w, int dilation_h, int dilation_w, int activation) {
  const int place = blockIdx.x * 256 + threadIdx.x, k = blockIdx.y;
  if (!CHECK(place_inside, place < N * out_h * out_w)) return;
  const int o_w = place % out_w, o_h = place / out_w % out_h, n = place / out_w / out_h;
  float sum = 0;
  for (int c = 0; c < C; c++)
    for (int r = 0; r < kernel_h; r++)
      for (int s = 0; s < kernel_w; s++) {
        const int h = o_h * stride_h + r * dilation_h - padding_h;
        const int w = o_w * stride_w + s * dilation_w - padding_w;
        if (CHECK(h_inside, h >= 0 && h < H) && CHECK(w_inside, w >= 0 && w < W))
          sum += weight[((k * C + c) * kernel_h + r) * kernel_w + s] * x[(((long long)n * C + c) * H + h) * W + w];
      }
  if (bias != nullptr) sum += bias[k];
  y[(((long long)n * K + k) * out_h + o_h) * out_w + o_w] = cut_off(sum, floor_of<float>(activation));
}
