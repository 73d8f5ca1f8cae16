// dL/dbias: the sums of dL/dy (N, C, L) over all axes but the channels', in one order.
//
// planes: L > 1; blocks share a channel and each adds up a part of it. columns: L = 1, a matrix; 32
// threads take 32 neighbouring columns, so that each read of a warp is 128 bytes. merge joins the parts.
//
// Counted in float32, an element: 4 bytes (2 in 16 bits), 1 FLOP. Bound: memory.
//
// Left open: SCALAR, of dL/dy; SUM, of sums.
#include "scalars.cuh"

#include "channels.cuh"
#include "pack.cuh"
#include "reduce.cuh"

constexpr int COLUMNS = 32, ROWS = THREADS / COLUMNS;  // of a block: cuda.py has the same

template <int COUNT>
DEVICE SUM part_sum(const SCALAR* grad, int samples, int channels, unsigned L, int across) {
  using Few = Neighbours<COUNT>;
  SUM total = 0;
  over_part<COUNT>(samples, channels, L, across, [&](long long at, unsigned) {
    const Few few = *reinterpret_cast<const Few*>(grad + at);
#pragma unroll
    for (int i = 0; i < COUNT; i++) total += wide(few.of[i]);
  });
  return total;
}

// Block (c, part) finds the sum of a part of channel c; partial is (parts, C).
extern "C" __global__ void __launch_bounds__(THREADS)
    planes(const SCALAR* __restrict__ grad, SUM* __restrict__ partial, int samples, int channels,
           unsigned L, int across, int in_packs) {
  __shared__ SUM parts[MOST_WARPS];
  SUM total = in_packs ? part_sum<PACK>(grad, samples, channels, L, across)
                       : part_sum<1>(grad, samples, channels, L, across);
  total = sum_over_block_once(total, parts);
  if (threadIdx.x == 0) partial[static_cast<long long>(blockIdx.y) * channels + blockIdx.x] = total;
}

// Block (x, part) finds the sums of COLUMNS columns over every gridDim.y-th group of ROWS rows.
extern "C" __global__ void __launch_bounds__(THREADS)
    columns(const SCALAR* __restrict__ grad, SUM* __restrict__ partial, int rows, int channels) {
  __shared__ SUM sums[ROWS][COLUMNS];
  const int x = threadIdx.x % COLUMNS, y = threadIdx.x / COLUMNS;
  const int channel = blockIdx.x * COLUMNS + x;
  const bool inside = CHECK(column_inside, channel < channels);
  SUM total = 0;
#pragma unroll 4
  for (int row = blockIdx.y * ROWS + y; inside && CHECK(row_inside, row < rows);
       row += gridDim.y * ROWS)
    total += wide(grad[static_cast<long long>(row) * channels + channel]);
  sums[y][x] = total;
  BARRIER(sums_stored);  // the first warp reads what all of them have stored
  if (y > 0 || !inside) return;
#pragma unroll
  for (int other = 1; other < ROWS; other++) total += sums[other][x];
  partial[static_cast<long long>(blockIdx.y) * channels + channel] = total;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    merge(const SUM* __restrict__ partial, SUM* __restrict__ y, int channels, int parts) {
  const int channel = blockIdx.x * THREADS + threadIdx.x;
  if (!CHECK(channel_inside, channel < channels)) return;
  SUM total = 0;
  for (int part = 0; part < parts; part++)
    total += partial[static_cast<long long>(part) * channels + channel];
  y[channel] = total;
}
