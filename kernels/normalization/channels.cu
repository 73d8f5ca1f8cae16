// Batch norm, forward and backward, and the affine map of its evaluation: a channel is spread over the
// batch, and few channels must keep a whole GPU busy. `parts` blocks each reduce a part of one to partial
// results, which merge_* joins in order, and every_* goes through all elements with them.
//
// Counted in float32, an element: 12 bytes forward (x twice) and 20 backward, of which what fits into L2
// comes from there; half of it in 16 bits. Some 10 FLOPs. Bound: memory. Channels of single positions
// (L = 1) are read in columns, 32 bytes for 4: from L2 where x fits.
//
// Left open: SCALAR, of x, y and their gradients; SUM, of all that a channel has one number of.
#include "scalars.cuh"

#include "channels.cuh"
#include "reductions.cuh"

DEVICE SUM inverse_root(SUM variance, SUM eps) { return 1 / sqrt(variance + eps); }

template <int COUNT>
DEVICE void part_statistics(const SCALAR* x, SUM* partial, int samples, int channels, unsigned L,
                            int across, SUM* parts) {
  using Few = Neighbours<COUNT>;
  SUM total = 0, count = 0, squares = 0;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned) {
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) total += wide(few.of[i]);
    count += COUNT;
  });
  count = sum_over_block(count, parts);
  const SUM mean = sum_over_block(total, parts) / count;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned) {
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) {
      const SUM apart = wide(few.of[i]) - mean;
      squares += apart * apart;
    }
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
    channel_statistics(const SCALAR* __restrict__ x, SUM* __restrict__ partial, int samples,
                       int channels, unsigned L, int across, int in_packs) {
  __shared__ SUM parts[MOST_WARPS];
  if (in_packs)
    part_statistics<PACK>(x, partial, samples, channels, L, across, parts);
  else
    part_statistics<1>(x, partial, samples, channels, L, across, parts);
}

// Mean and variance of each channel from those of its parts (Chan, Golub, LeVeque 1983, eq. 2.1).
extern "C" __global__ void __launch_bounds__(THREADS)
    merge_statistics(const SUM* __restrict__ partial, SUM* __restrict__ means,
                     SUM* __restrict__ variances, int channels, int parts) {
  const int channel = blockIdx.x * THREADS + threadIdx.x;
  if (!CHECK(channel_inside, channel < channels)) return;
  partial += 3 * static_cast<long long>(channel) * parts;
  SUM count = partial[0], mean = partial[1], squares = partial[2];
  for (int part = 1; part < parts; part++) {
    const SUM more = partial[3 * part], apart = partial[3 * part + 1] - mean;
    const SUM share = more / (count + more);
    squares += partial[3 * part + 2] + apart * apart * count * share;
    mean += apart * share;
    count += more;
  }
  means[channel] = mean;
  variances[channel] = squares / count;
}

// Partial sums of g z and of g; the mean and variance are each channel's, or each group's of a sample.
template <int COUNT>
DEVICE void part_sums(const SCALAR* grad, const SCALAR* x, const SUM* means, const SUM* variances,
                      SUM* partial, int samples, int channels, unsigned L, int across, int groups,
                      SUM eps, SUM* parts) {
  using Few = Neighbours<COUNT>;
  SUM along = 0, total = 0;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned sample) {
    const int own = groups ? sample * groups + blockIdx.x / (channels / groups) : blockIdx.x;
    const SUM mean = means[own], scale = inverse_root(variances[own], eps);
    const Few g = *reinterpret_cast<const Few*>(grad + at);
    const Few few = *reinterpret_cast<const Few*>(x + at);
    for (int i = 0; i < COUNT; i++) {
      const SUM one = wide(g.of[i]);
      total += one;
      along += one * ((wide(few.of[i]) - mean) * scale);
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
                 const SUM* __restrict__ means, const SUM* __restrict__ variances,
                 SUM* __restrict__ partial, int samples, int channels, unsigned L, int across,
                 int groups, SUM eps, int in_packs) {
  __shared__ SUM parts[MOST_WARPS];
  if (in_packs)
    part_sums<PACK>(grad, x, means, variances, partial, samples, channels, L, across, groups, eps, parts);
  else
    part_sums<1>(grad, x, means, variances, partial, samples, channels, L, across, groups, eps, parts);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    merge_sums(const SUM* __restrict__ partial, SUM* __restrict__ along, SUM* __restrict__ total,
               int channels, int parts) {
  const int channel = blockIdx.x * THREADS + threadIdx.x;
  if (!CHECK(channel_inside, channel < channels)) return;
  partial += 2 * static_cast<long long>(channel) * parts;
  SUM sums[2] = {};
  for (int part = 0; part < parts; part++)
    for (int i = 0; i < 2; i++) sums[i] += partial[2 * part + i];
  along[channel] = sums[0];
  total[channel] = sums[1];
}

// ---------------------------------------------------------------- every element of (N, C, L)

// What each channel's elements have in common.
struct Channel {
  SUM mean, scale, then;  // z = (x - mean) scale; then a bias, or the weight of the gradient
  SUM total, along;       // of the gradient: the means of g and of g z
};

DEVICE SUM along_line(SUM x, const Channel& own) { return (x - own.mean) * own.scale + own.then; }

DEVICE SUM gradient(SUM g, SUM x, const Channel& own) {
  const SUM z = (x - own.mean) * own.scale;
  return own.then * own.scale * (g - own.total - z * own.along);
}

DEVICE unsigned first_of_pack() { return (blockIdx.x * THREADS + threadIdx.x) * PACK; }

// `variances` with eps, or scales if eps is negative.
extern "C" __global__ void __launch_bounds__(THREADS)
    every_affine(const SCALAR* __restrict__ x, const SUM* __restrict__ means,
                 const SUM* __restrict__ variances, const SUM* __restrict__ weight,
                 const SUM* __restrict__ bias, SCALAR* __restrict__ y, unsigned size, int channels,
                 unsigned L, SUM eps, int in_packs) {
  const auto known = [&](unsigned at) {
    const unsigned c = at / L % channels;
    Channel channel = {means[c], eps < 0 ? variances[c] : inverse_root(variances[c], eps)};
    if (weight != nullptr) channel.scale *= weight[c];
    if (bias != nullptr) channel.then = bias[c];
    return channel;
  };
  const unsigned first = first_of_pack();
  if (in_packs) {  // all of the pack is in one channel
    if (!CHECK(affine_pack_inside, first < size)) return;
    const Channel own = known(first);
    Pack pack = *reinterpret_cast<const Pack*>(x + first);
    for (int i = 0; i < PACK; i++) put(&pack.of[i], along_line(wide(pack.of[i]), own));
    *reinterpret_cast<Pack*>(y + first) = pack;
    return;
  }
  for (unsigned at = first; at < first + PACK && CHECK(affine_inside, at < size); at++)
    put(y + at, along_line(wide(x[at]), known(at)));
}

// dL/dx = weight / sqrt(variance + eps) (g - mean(g) - z mean(g z)), of sums over `count` elements.
extern "C" __global__ void __launch_bounds__(THREADS)
    every_grad(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ x,
               const SUM* __restrict__ means, const SUM* __restrict__ variances,
               const SUM* __restrict__ weight, const SUM* __restrict__ along,
               const SUM* __restrict__ total, SCALAR* __restrict__ grad_x, unsigned size,
               int channels, unsigned L, SUM eps, SUM share, int in_packs) {
  const auto known = [&](unsigned at) {
    const unsigned c = at / L % channels;
    const SUM scale = inverse_root(variances[c], eps);
    return Channel{means[c], scale, weight != nullptr ? weight[c] : SUM(1), total[c] * share,
                   along[c] * share};
  };
  const unsigned first = first_of_pack();
  if (in_packs) {
    if (!CHECK(grad_pack_inside, first < size)) return;
    const Channel own = known(first);
    Pack g = *reinterpret_cast<const Pack*>(grad + first);
    const Pack pack = *reinterpret_cast<const Pack*>(x + first);
    for (int i = 0; i < PACK; i++) put(&g.of[i], gradient(wide(g.of[i]), wide(pack.of[i]), own));
    *reinterpret_cast<Pack*>(grad_x + first) = g;
    return;
  }
  for (unsigned at = first; at < first + PACK && CHECK(grad_inside, at < size); at++)
    put(grad_x + at, gradient(wide(grad[at]), wide(x[at]), known(at)));
}
