// A convolution with few channels of results in a group (depthwise, or one map at the end of a
// network), and its gradients: what tiles.cu computes, without a tile of which most would be empty.
//
// `sum_of_taps`: a thread computes EACH results of one channel, 256 apart; steps and weights are read
// from shared memory once for all of them, and what windows share comes from the first-level cache.
// Counted in float32 for 3x3 depthwise: 18 FLOPs per 8 bytes from memory. Bound: memory, if the
// loads of the taps, which are 9 times as many, hit the cache; then the issue of instructions.
//
// `grad_weight`: a block computes one weight, a sum over images and places: each thread takes every
// 256th, then the sums are added in the order of a tree. Counted: dy and x are read once per tap, from
// the cache after the first. Bound: the issue of instructions. Left open: SCALAR, TILE_N.
#include "columns.cuh"
#include "epilogue.cuh"

constexpr int THREADS = 256, EACH = TILE_N / THREADS, CHUNK = 64, WARPS = THREADS / 32;

extern "C" __global__ void __launch_bounds__(THREADS, 4)
    sum_of_taps(const SCALAR* __restrict__ source, const SCALAR* __restrict__ weight,
                const SCALAR* __restrict__ bias, SCALAR* __restrict__ result,
                const int4* __restrict__ places, const int* __restrict__ weights_at,
                const int* __restrict__ counts, int most, int images, int channels, int rows,
                int row_pitch, int group_pitch, int source_d, int source_h, int source_w, int result_d,
                int result_h, int result_w, int step_d, int step_h, int step_w, int skip_d, int skip_h,
                int skip_w, int tiles_down, int activation) {
  __shared__ int4 step[CHUNK];
  __shared__ SCALAR of_step[CHUNK];
  const Triple from_size = {source_d, source_h, source_w}, to_size = {result_d, result_h, result_w};
  const Phase phase(blockIdx.y, to_size, {skip_d, skip_h, skip_w});
  const int group = blockIdx.z, groups = gridDim.z, row = blockIdx.x % tiles_down;
  const int columns = images * volume(phase.size), steps = counts[blockIdx.y];
  const int column_0 = blockIdx.x / tiles_down * TILE_N + threadIdx.x;
  weight += static_cast<long long>(group) * group_pitch + static_cast<long long>(row) * row_pitch;

  SCALAR sum[EACH] = {};
  Triple from[EACH];
  const SCALAR* seen[EACH];
#pragma unroll
  for (int n = 0; n < EACH; n++) {
    const Digits own(column_0 + n * THREADS, phase.size);
    from[n] = {own.at.d * step_d, own.at.h * step_h, own.at.w * step_w};
    seen[n] = source + (static_cast<long long>(own.image) * groups + group) * channels * volume(from_size) +
              place_in(from_size, from[n].d, from[n].h, from[n].w);
    if (!CHECK(column_inside, column_0 + n * THREADS < columns)) from[n].d = -(1 << 30);  // sees nothing
  }
  for (int first = 0; first < steps; first += CHUNK) {
    BARRIER(chunk_used);  // nobody may load the next steps while another still reads these
    if (threadIdx.x < CHUNK && CHECK(step_inside, first + threadIdx.x < steps)) {
      step[threadIdx.x] = places[blockIdx.y * most + first + threadIdx.x];
      of_step[threadIdx.x] = weight[weights_at[blockIdx.y * most + first + threadIdx.x]];
    }
    BARRIER(chunk_loaded);  // all read what a few have loaded
    for (int k = 0; k < min(CHUNK, steps - first); k++)
#pragma unroll
      for (int n = 0; n < EACH; n++)
        if (sees(from[n], step[k], from_size)) sum[n] += of_step[k] * seen[n][step[k].x];
  }
  const SCALAR floor = floor_of<SCALAR>(activation);
  const SCALAR shift = bias == nullptr ? SCALAR(0) : bias[group * rows + row];
#pragma unroll
  for (int n = 0; n < EACH; n++) {
    const int column = column_0 + n * THREADS;
    if (!CHECK(result_inside, column < columns)) continue;
    const Digits to(column, phase.size);
    const long long slice = (static_cast<long long>(to.image) * groups + group) * rows + row;
    const int place = place_in(to_size, to.at.d * skip_d + phase.first.d, to.at.h * skip_h + phase.first.h,
                               to.at.w * skip_w + phase.first.w);
    result[slice * volume(to_size) + place] = cut_off(sum[n] + shift, floor);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS, 4)
    grad_weight(const SCALAR* __restrict__ dy, const SCALAR* __restrict__ x, SCALAR* __restrict__ result,
                const int4* __restrict__ places, int images, int channels, int rows, int columns,
                int source_d, int source_h, int source_w, int out_d, int out_h, int out_w, int stride_d,
                int stride_h, int stride_w) {
  __shared__ SCALAR of_warp[WARPS];
  const Triple source = {source_d, source_h, source_w}, out = {out_d, out_h, out_w};
  const int group = blockIdx.y, groups = gridDim.y;
  const int row = blockIdx.x / columns, column = blockIdx.x % columns;
  const int4 tap = places[column];
  const Digits by(THREADS, out);
  Digits here(threadIdx.x, out);
  SCALAR sum = 0;
  for (int n = threadIdx.x; n < images * volume(out); n += THREADS) {
    const Triple from = {here.at.d * stride_d, here.at.h * stride_h, here.at.w * stride_w};
    const long long slice = static_cast<long long>(here.image) * groups + group;
    if (sees(from, tap, source))
      sum += dy[(slice * rows + row) * volume(out) + place_in(out, here.at.d, here.at.h, here.at.w)] *
             x[slice * channels * volume(source) + place_in(source, from.d, from.h, from.w) + tap.x];
    here.add(by, out);
  }
#pragma unroll
  for (int far = 16; far > 0; far /= 2) sum += __shfl_down_sync(WHOLE_WARP, sum, far);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  BARRIER(warps_done);  // one thread adds what the first of each warp has
  if (threadIdx.x == 0) {
    for (int warp = 1; warp < WARPS; warp++) sum += of_warp[warp];
    result[(group * rows + row) * columns + column] = sum;
  }
}
