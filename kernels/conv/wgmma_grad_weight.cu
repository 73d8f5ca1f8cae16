// The gradient of a convolution with respect to its weight on Hopper's tensor cores: the sums of
// tensor_grad_weight.cu, for each group over k of dy[r, k] seen[column, k], where k is an image and a
// place in dy, a column a tap and a channel, in float16 or bfloat16, by products of warpgroups.
//
// Rows of both tiles are places: dy's come as boxes of a matrix, what windows see of x is gathered
// (gathered.cuh). All copies of a thread are for one tap and chunk of channels. The places of a step are
// the same for all taps: each lane follows one of its warp's sixteen, by adding digits, and tells the
// others. Parts in float32, which add_parts adds in order, as there.
//
// Counted: per block and step of 64 places (TILE_M + 256) * 128 bytes read for 2^15 TILE_M FLOPs: 85
// FLOPs a byte with tiles of 128 rows, 51 with 64; the parts are written and read once. Bound: the tensor
// cores, as far as the second-level cache feeds them: dy is read columns / 256 times, x rows / TILE_M.
//
// Left open: FORMAT (BFLOAT16 or FLOAT16), TILE_M, TILE_N (256).
#include "gathered.cuh"

constexpr int WARPS = WARPGROUP / 32, COUNT = DEPTH / WARPS;  // that gather, and places of each
typedef SwizzledTile<false, TILE_M> A;
typedef SwizzledTile<false, TILE_N> B;
static_assert(TILE_N / CHUNK == 32, "a warp copies all columns of a place");

extern "C" __global__ void __launch_bounds__(THREADS, 1)
    grad_weight(const __grid_constant__ TensorMap dy, const Element* __restrict__ x, float* __restrict__ parts,
                const int4* __restrict__ places, int images, int channels, int chunks, int rows, int taps,
                int per_part, int source_d, int source_h, int source_w, int out_d, int out_h, int out_w,
                int stride_d, int stride_h, int stride_w, int tiles_down) {
  SWIZZLED_SHARED(Element, memory);
  const Ring<A, B> ring(memory);
  const Triple source = {source_d, source_h, source_w}, out = {out_d, out_h, out_w};
  const int part = blockIdx.y, group = blockIdx.z, groups = gridDim.z;
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  const int all = images * volume(out), first = part * per_part;
  const int steps = (min(all - first, per_part) + DEPTH - 1) / DEPTH;
  ring.make(ARRIVALS);

  if (threadIdx.x < WARPGROUP) {
    keep_registers<FETCHING>();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int column_chunk = column_0 / CHUNK + lane, own_tap = column_chunk / chunks;
    int4 tap = {0, NOWHERE, 0, 0};
    if (CHECK(tap_inside, own_tap < taps)) tap = places[own_tap];
    x += (static_cast<long long>(group) * images * volume(source) * chunks + column_chunk % chunks) * CHUNK;
    // The place that this lane follows, and how far it goes in a step.
    int k = first + warp + lane % COUNT * WARPS;
    Digits here(k, out);
    const Digits by(DEPTH, out);
    fetch_and_gather(
        ring, steps,
        [&](Element* tile, int step, Mbarrier* full) {
          A::fetch(tile, dy, row_0, first + step * DEPTH, group, full);
        },
        [&](Element* tile, int) {
          const Triple from = {here.at.d * stride_d, here.at.h * stride_h, here.at.w * stride_w};
          const int d = CHECK(place_inside, k < all) ? from.d : NOWHERE;
          const int number = here.image * volume(source) + place_in(source, from.d, from.h, from.w);
#pragma unroll
          for (int n = 0; n < COUNT; n++) {
            const Triple at = {__shfl_sync(WHOLE_WARP, d, n), __shfl_sync(WHOLE_WARP, from.h, n),
                               __shfl_sync(WHOLE_WARP, from.w, n)};
            const int seen = __shfl_sync(WHOLE_WARP, number, n) + tap.x;
            copy_async<16>(tile + lane / CHUNKS * B::BOX + place_in_box(warp + n * WARPS, lane % CHUNKS),
                           x + seen * chunks * CHUNK, sees(at, tap, source));
          }
          here.add(by, out);
          k += DEPTH;
        });
    return;
  }

  parts += (static_cast<long long>(part) * groups + group) * rows * channels * taps;
  multiply_part(ring, steps, [&](const float (&sum)[SUMS], int row, int column) {
    const int first_row = row_0 + row, first_column = column_0 + column;
    for_pairs(sum, rows - first_row, [&](int, int in_rows, int across, float left, float right) {
      const int to = first_column + across, to_tap = to / (chunks * CHUNK), channel = to % (chunks * CHUNK);
      if (!CHECK(result_tap_inside, to_tap < taps)) return;
      float* at = parts + (static_cast<long long>(first_row + in_rows) * channels + channel) * taps + to_tap;
      if (CHECK(left_inside, channel < channels)) at[0] = left;
      if (CHECK(right_inside, channel + 1 < channels)) at[taps] = right;
    });
  });
}
