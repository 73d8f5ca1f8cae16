// Group and layer norm, forward and backward: a row is a group of channels of one sample, contiguous; a
// block holds it in registers and reads it once (twice or more if it is longer than these, from L2). The
// gradients of weight and bias are sums over channels: channels.cu.
//
// Counted in float32, an element: 8 bytes forward, 12 backward, some 10 FLOPs. Bound: memory.
//
// Left open: SCALAR, float or double.
#include "rows.cuh"

DEVICE SCALAR inverse_root(SCALAR variance, SCALAR eps) { return 1 / sqrt(variance + eps); }

// f(n, i, where in the row) for each element of a row in registers; beyond its end nothing.
template <typename F>
DEVICE void each(int first, int length, F f) {
#pragma unroll
  for (int n = 0; n < DEPTH; n++)
#pragma unroll
    for (int i = 0; i < PACK; i++) {
      const int at = Row::place(n, first) + i;
      if (at < length) f(n, i, at);
    }
}

// `length` elements a row, L a channel; `groups` rows a sample.
extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    rows(const SCALAR* __restrict__ x, const SCALAR* __restrict__ weight,
         const SCALAR* __restrict__ bias, SCALAR* __restrict__ y, SCALAR* __restrict__ means,
         SCALAR* __restrict__ variances, int length, unsigned L, int groups, SCALAR eps, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  const long long start = static_cast<long long>(blockIdx.x) * length;
  const int channel = blockIdx.x % groups * (length / L);
  const SCALAR share = SCALAR(1) / length;  // divisions while the row is held would cost registers
  Row row;
  SCALAR total = 0, squares = 0;
  for (int first = 0; first < length; first += turn_length()) {
    row.load(x + start, first, length, wide, 0);
    each(first, length, [&](int n, int i, int) { total += row.packs[n].of[i]; });
  }
  const SCALAR mean = sum_over_block(total, parts) * share;
  for (int first = 0; first < length; first += turn_length()) {
    if (length > turn_length()) row.load(x + start, first, length, wide, 0);
    each(first, length, [&](int n, int i, int) {
      const SCALAR apart = row.packs[n].of[i] - mean;
      squares += apart * apart;
    });
  }
  const SCALAR variance = sum_over_block(squares, parts) * share;
  const SCALAR scale = inverse_root(variance, eps);
  if (threadIdx.x == 0) {
    means[blockIdx.x] = mean;
    variances[blockIdx.x] = variance;
  }
  for (int first = 0; first < length; first += turn_length()) {
    if (length > turn_length()) row.load(x + start, first, length, wide, 0);
    each(first, length, [&](int n, int i, int at) {
      const int own = channel + (L == 1 ? at : at / L);
      SCALAR z = (row.packs[n].of[i] - mean) * scale;
      if (weight != nullptr) z *= weight[own];
      if (bias != nullptr) z += bias[own];
      row.packs[n].of[i] = z;
    });
    row.store(y + start, first, length, wide);
  }
}

// dL/dx of a row: scale (w g - mean(w g) - z mean(w g z)).
extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    rows_grad(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ x,
              const SCALAR* __restrict__ weight, const SCALAR* __restrict__ means,
              const SCALAR* __restrict__ variances, SCALAR* __restrict__ grad_x, int length,
              unsigned L, int groups, SCALAR eps, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  const long long start = static_cast<long long>(blockIdx.x) * length;
  const int channel = blockIdx.x % groups * (length / L);
  const SCALAR share = SCALAR(1) / length;
  const SCALAR mean = means[blockIdx.x], scale = inverse_root(variances[blockIdx.x], eps);
  Row g, z;
  const auto load = [&](int first) {
    g.load(grad + start, first, length, wide, 0);
    z.load(x + start, first, length, wide, 0);
    each(first, length, [&](int n, int i, int at) {
      if (weight != nullptr) g.packs[n].of[i] *= weight[channel + (L == 1 ? at : at / L)];
      z.packs[n].of[i] = (z.packs[n].of[i] - mean) * scale;
    });
  };
  SCALAR total = 0, along = 0;
  for (int first = 0; first < length; first += turn_length()) {
    load(first);
    each(first, length, [&](int n, int i, int) {
      total += g.packs[n].of[i];
      along += g.packs[n].of[i] * z.packs[n].of[i];
    });
  }
  total = sum_over_block(total, parts) * share;
  along = sum_over_block(along, parts) * share;
  for (int first = 0; first < length; first += turn_length()) {
    if (length > turn_length()) load(first);
    each(first, length, [&](int n, int i, int) {
      g.packs[n].of[i] = scale * (g.packs[n].of[i] - total - z.packs[n].of[i] * along);
    });
    g.store(grad_x + start, first, length, wide);
  }
}
