// Batch, group and layer norm, forward and backward, with sums in one order.
//
// rows, rows_grad: a row is a group of channels of one sample, contiguous; a block holds it in registers
// and reads it once (twice or more if it is longer than these, from L2). channel_*: a channel is spread
// over the batch, and few channels must keep a whole GPU busy: `parts` blocks each reduce a part of one
// to partial results, which `merge_*` joins in order, and every_* goes through all elements with them.
//
// Counted in float32, an element: a row moves 8 bytes forward, 12 backward. Batch norm moves 12 forward
// (x twice) and 20 backward, of which what fits into L2 comes from there. Some 10 FLOPs. Bound: memory.
// Channels of single positions (L = 1) are read in columns, 32 bytes for 4: from L2 where x fits.
//
// Left open: SCALAR, float or double.
#include "channels.cuh"
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

// ------------------------------------------------------------------------- channels of a batch

template <int COUNT>
DEVICE void part_statistics(const SCALAR* x, SCALAR* partial, int samples, int channels, unsigned L,
                            int across, SCALAR* parts) {
  using Few = Neighbours<COUNT>;
  SCALAR total = 0, count = 0, squares = 0;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned) {
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) total += few.of[i];
    count += COUNT;
  });
  count = sum_over_block(count, parts);
  const SCALAR mean = sum_over_block(total, parts) / count;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned) {
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) squares += (few.of[i] - mean) * (few.of[i] - mean);
  });
  squares = sum_over_block(squares, parts);
  if (threadIdx.x == 0) {
    partial += 3 * (blockIdx.x * gridDim.y + blockIdx.y);
    partial[0] = count;
    partial[1] = mean;
    partial[2] = squares;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    channel_statistics(const SCALAR* __restrict__ x, SCALAR* __restrict__ partial, int samples,
                       int channels, unsigned L, int across, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  if (wide)
    part_statistics<PACK>(x, partial, samples, channels, L, across, parts);
  else
    part_statistics<1>(x, partial, samples, channels, L, across, parts);
}

// Mean and variance of each channel from those of its parts (Chan, Golub, LeVeque 1983, eq. 2.1).
extern "C" __global__ void __launch_bounds__(THREADS)
    merge_statistics(const SCALAR* __restrict__ partial, SCALAR* __restrict__ means,
                     SCALAR* __restrict__ variances, int channels, int parts) {
  const int channel = blockIdx.x * THREADS + threadIdx.x;
  if (!CHECK(channel_inside, channel < channels)) return;
  partial += 3 * static_cast<long long>(channel) * parts;
  SCALAR count = partial[0], mean = partial[1], squares = partial[2];
  for (int part = 1; part < parts; part++) {
    const SCALAR more = partial[3 * part], apart = partial[3 * part + 1] - mean;
    const SCALAR share = more / (count + more);
    squares += partial[3 * part + 2] + apart * apart * count * share;
    mean += apart * share;
    count += more;
  }
  means[channel] = mean;
  variances[channel] = squares / count;
}

// Partial sums of g z and of g; the mean and variance are each channel's, or each group's of a sample.
template <int COUNT>
DEVICE void part_sums(const SCALAR* grad, const SCALAR* x, const SCALAR* means,
                      const SCALAR* variances, SCALAR* partial, int samples, int channels, unsigned L,
                      int across, int groups, SCALAR eps, SCALAR* parts) {
  using Few = Neighbours<COUNT>;
  SCALAR along = 0, total = 0;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned sample) {
    const int own = groups ? sample * groups + blockIdx.x / (channels / groups) : blockIdx.x;
    const SCALAR mean = means[own], scale = inverse_root(variances[own], eps);
    const Few g = *reinterpret_cast<const Few*>(grad + at);
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) {
      total += g.of[i];
      along += g.of[i] * ((few.of[i] - mean) * scale);
    }
  });
  along = sum_over_block(along, parts);
  total = sum_over_block(total, parts);
  if (threadIdx.x == 0) {
    partial += 2 * (blockIdx.x * gridDim.y + blockIdx.y);
    partial[0] = along;
    partial[1] = total;
  }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    channel_sums(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ x,
                 const SCALAR* __restrict__ means, const SCALAR* __restrict__ variances,
                 SCALAR* __restrict__ partial, int samples, int channels, unsigned L, int across,
                 int groups, SCALAR eps, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  if (wide)
    part_sums<PACK>(grad, x, means, variances, partial, samples, channels, L, across, groups, eps, parts);
  else
    part_sums<1>(grad, x, means, variances, partial, samples, channels, L, across, groups, eps, parts);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    merge_sums(const SCALAR* __restrict__ partial, SCALAR* __restrict__ along,
               SCALAR* __restrict__ total, int channels, int parts) {
  const int channel = blockIdx.x * THREADS + threadIdx.x;
  if (!CHECK(channel_inside, channel < channels)) return;
  partial += 2 * static_cast<long long>(channel) * parts;
  SCALAR sums[2] = {};
  for (int part = 0; part < parts; part++)
    for (int i = 0; i < 2; i++) sums[i] += partial[2 * part + i];
  along[channel] = sums[0];
  total[channel] = sums[1];
}

// ---------------------------------------------------------------- every element of (N, C, L)

// What each channel's elements have in common.
struct Channel {
  SCALAR mean, scale, then;  // z = (x - mean) scale; then a bias, or the weight of the gradient
  SCALAR total, along;       // of the gradient: the means of g and of g z
};

DEVICE unsigned first_of_pack() { return (blockIdx.x * THREADS + threadIdx.x) * PACK; }

// `variances` with eps, or scales if eps is negative.
extern "C" __global__ void __launch_bounds__(THREADS)
    every_affine(const SCALAR* __restrict__ x, const SCALAR* __restrict__ means,
                 const SCALAR* __restrict__ variances, const SCALAR* __restrict__ weight,
                 const SCALAR* __restrict__ bias, SCALAR* __restrict__ y, unsigned size, int channels,
                 unsigned L, SCALAR eps, int wide) {
  const auto known = [&](unsigned at) {
    const unsigned c = at / L % channels;
    Channel channel = {means[c], eps < 0 ? variances[c] : inverse_root(variances[c], eps)};
    if (weight != nullptr) channel.scale *= weight[c];
    if (bias != nullptr) channel.then = bias[c];
    return channel;
  };
  const unsigned first = first_of_pack();
  if (wide) {  // all of the pack is in one channel
    if (!CHECK(affine_pack_inside, first < size)) return;
    const Channel own = known(first);
    Pack pack = *reinterpret_cast<const Pack*>(x + first);
    for (int i = 0; i < PACK; i++) pack.of[i] = (pack.of[i] - own.mean) * own.scale + own.then;
    *reinterpret_cast<Pack*>(y + first) = pack;
    return;
  }
  for (unsigned at = first; at < first + PACK && CHECK(affine_inside, at < size); at++) {
    const Channel own = known(at);
    y[at] = (x[at] - own.mean) * own.scale + own.then;
  }
}

// dL/dx = weight / sqrt(variance + eps) (g - mean(g) - z mean(g z)), of sums over `count` elements.
extern "C" __global__ void __launch_bounds__(THREADS)
    every_grad(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ x,
               const SCALAR* __restrict__ means, const SCALAR* __restrict__ variances,
               const SCALAR* __restrict__ weight, const SCALAR* __restrict__ along,
               const SCALAR* __restrict__ total, SCALAR* __restrict__ grad_x, unsigned size,
               int channels, unsigned L, SCALAR eps, SCALAR share, int wide) {
  const auto known = [&](unsigned at) {
    const unsigned c = at / L % channels;
    const SCALAR scale = inverse_root(variances[c], eps);
    return Channel{means[c], scale, weight != nullptr ? weight[c] : SCALAR(1), total[c] * share,
                   along[c] * share};
  };
  const auto back = [](SCALAR g, SCALAR x, const Channel& own) {
    const SCALAR z = (x - own.mean) * own.scale;
    return own.then * own.scale * (g - own.total - z * own.along);
  };
  const unsigned first = first_of_pack();
  if (wide) {
    if (!CHECK(grad_pack_inside, first < size)) return;
    const Channel own = known(first);
    Pack g = *reinterpret_cast<const Pack*>(grad + first);
    const Pack pack = *reinterpret_cast<const Pack*>(x + first);
    for (int i = 0; i < PACK; i++) g.of[i] = back(g.of[i], pack.of[i], own);
    *reinterpret_cast<Pack*>(grad_x + first) = g;
    return;
  }
  for (unsigned at = first; at < first + PACK && CHECK(grad_inside, at < size); at++)
    grad_x[at] = back(grad[at], x[at], known(at));
}
