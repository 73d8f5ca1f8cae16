// The gradient of a convolution with respect to its weight on tensor cores: for each group, the sum
// over k of dy[r, k] seen[column, k], where k is an image and a place in dy, a column a tap and a
// channel. dy and x come with their channels last (channels_last.cu): a row of both tiles is a place,
// whose chunks of 16 bytes are rows of the result, or channels that a tap sees there.
//
// The result is small and the sum long: the blocks of one tile each take a range of k, and write
// partial sums in float32 that add_parts adds in order. No sum depends on who comes first.
//
// A thread copies for the same tap and channels all along, and goes from place to place by adding
// digits. Counted for 64 x 128 in TF32: per block and step of 16, 12 KiB read, 2^18 FLOPs; the parts
// are written and read once. Bound: mma.sync, at 3/4 of what the shared memory feeds a warp of 64 x 32;
// the reading of dy, columns / TILE_N times, and of x, rows / TILE_M times, where the result is small.
//
// Left open: FORMAT, TILE_M, ROUNDED (1: channels_last.cu has done it).
#include "columns.cuh"
#include "tensor_tiles.cuh"

// Who copies what of a tile: a thread always the same chunk of its lines, of places APART.
template <int LINES>
struct Share {
  static constexpr int ACROSS = LINES / CHUNK, APART = THREADS / ACROSS, COUNT = DEPTH / APART;
  static_assert(COUNT * APART == DEPTH, "threads share the places evenly");
  int chunk = threadIdx.x % ACROSS, place = threadIdx.x / ACROSS;
};

extern "C" __global__ void __launch_bounds__(THREADS, 256 / THREADS)
    grad_weight(const Element* __restrict__ dy, const Element* __restrict__ x, float* __restrict__ parts,
                const int4* __restrict__ places, int images, int channels, int chunks, int rows,
                int row_chunks, int taps, int per_part, int source_d, int source_h, int source_w,
                int out_d, int out_h, int out_w, int stride_d, int stride_h, int stride_w,
                int tiles_down) {
  typedef Tile<false, TILE_M> A;
  typedef Tile<false, TILE_N> B;
  DYNAMIC_SHARED(Element, ring);
  const Triple source = {source_d, source_h, source_w}, out = {out_d, out_h, out_w};
  const int part = blockIdx.y, group = blockIdx.z, groups = gridDim.z;
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  const int all = images * volume(out), first = part * per_part, end = min(all - first, per_part) + first;

  const Share<TILE_M> of_a;
  const int row_chunk = row_0 / CHUNK + of_a.chunk;
  const bool is_row = CHECK(row_chunk_inside, row_chunk < row_chunks);
  const Element* of_dy = dy + (static_cast<long long>(group) * all * row_chunks + row_chunk) * CHUNK;

  const Share<TILE_N> of_b;
  const int column_chunk = column_0 / CHUNK + of_b.chunk, own_tap = column_chunk / chunks;
  int4 tap = {0, -(1 << 30), 0, 0};  // sees nothing
  if (CHECK(tap_inside, own_tap < taps)) tap = places[own_tap];
  const Element* of_x = x + (static_cast<long long>(group) * images * volume(source) * chunks +
                             column_chunk % chunks) * CHUNK;
  Digits here[Share<TILE_N>::COUNT];
#pragma unroll
  for (int n = 0; n < Share<TILE_N>::COUNT; n++)
    here[n] = Digits(first + of_b.place + n * Share<TILE_N>::APART, out);
  const Digits by(DEPTH, out);

  Sums sums;
  add_steps<A, B>(sums, ring, (end - first + DEPTH - 1) / DEPTH, [&](Element* tile_a, Element* tile_b, int step) {
    const int k_0 = first + step * DEPTH;
#pragma unroll
    for (int n = 0; n < Share<TILE_M>::COUNT; n++) {
      const int place = of_a.place + n * Share<TILE_M>::APART, k = k_0 + place;
      copy_async<16>(tile_a + place * A::PITCH + of_a.chunk * CHUNK,
                     of_dy + static_cast<long long>(k) * row_chunks * CHUNK,
                     is_row && CHECK(place_inside, k < end));
    }
#pragma unroll
    for (int n = 0; n < Share<TILE_N>::COUNT; n++) {
      const int place = of_b.place + n * Share<TILE_N>::APART;
      const Triple from = {here[n].at.d * stride_d, here[n].at.h * stride_h, here[n].at.w * stride_w};
      const long long at = static_cast<long long>(here[n].image) * volume(source) +
                           place_in(source, from.d, from.h, from.w) + tap.x;
      copy_async<16>(tile_b + place * B::PITCH + of_b.chunk * CHUNK, of_x + at * chunks * CHUNK,
                     CHECK(seen_inside, k_0 + place < end) && sees(from, tap, source));
      here[n].add(by, out);
    }
  });

  parts += (static_cast<long long>(part) * groups + group) * rows * channels * taps;
#pragma unroll
  for (int n = 0; n < WARP_N / 8; n++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int column = column_0 + sums.column(n) + i;
      const int to_tap = column / (chunks * CHUNK), channel = column % (chunks * CHUNK);
      if (!CHECK(result_tap_inside, to_tap < taps) || !CHECK(channel_inside, channel < channels)) continue;
#pragma unroll
      for (int m = 0; m < WARP_M / 16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int row = row_0 + sums.row(m, half);
          if (CHECK(row_inside, row < rows))
            parts[(static_cast<long long>(row) * channels + channel) * taps + to_tap] = sums.of[m][n][2 * half + i];
        }
    }
}
