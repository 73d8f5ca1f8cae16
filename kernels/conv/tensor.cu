// A convolution, or its gradient with respect to the input, on tensor cores: the implicit matrix
// product of tiles.cu, result[r, column] = f(sum over k of weight[r, k] seen[k, column] + bias[r]),
// where k is a tap and a channel. Source and weight come with their channels last (channels_last.cu),
// in chunks of 16 bytes, so that each copy is one chunk or, in the padding, zeros; the result is laid
// out as the rest of the world has it.
//
// A block computes TILE_M rows of TILE_N columns, three steps of 64 bytes along k behind its copies
// (tensor_tiles.cuh). A thread copies one chunk of k for the same columns all along, so that it finds
// their places once, and goes through taps and chunks by adding digits. Sums run over k in order.
//
// Counted for 128 x 128: per block and step 16 KiB read, 2^19 FLOPs in TF32, 2^20 in 16 bits; source
// and result move once more than by tiles.cu, for the layout. Bound: mma.sync from 64 rows and some
// 256 terms on (65 % of what wgmma reaches on sm_90; a third of it in three products), memory below,
// as 2 rows k / (size (rows + 3 channels)) FLOPs per byte say.
//
// Left open: FORMAT, TILE_M, ROUNDED (1: channels_last.cu has done it).
#include "columns.cuh"
#include "epilogue.cuh"
#include "tensor_tiles.cuh"

constexpr int APART = THREADS / 4;  // lines between two that a thread copies
constexpr int COUNT_A = TILE_M / APART, COUNT_B = TILE_N / APART;

struct alignas(2 * sizeof(Element)) Pair {
  Element of[2];
};

extern "C" __global__ void __launch_bounds__(THREADS, 256 / THREADS)
    sum_of_taps(const Element* __restrict__ source, const Element* __restrict__ weight,
                const Element* __restrict__ bias, Element* __restrict__ result,
                const int4* __restrict__ places, const int* __restrict__ weights_at,
                const int* __restrict__ counts, int most, int images, int chunks, int rows, int taps,
                int source_d, int source_h, int source_w, int result_d, int result_h, int result_w,
                int step_d, int step_h, int step_w, int skip_d, int skip_h, int skip_w, int tiles_down,
                int activation) {
  typedef Tile<true, TILE_M> A;
  typedef Tile<true, TILE_N> B;
  DYNAMIC_SHARED(Element, ring);
  const Triple from_size = {source_d, source_h, source_w}, to_size = {result_d, result_h, result_w};
  const Phase phase(blockIdx.y, to_size, {skip_d, skip_h, skip_w});
  const int group = blockIdx.z, groups = gridDim.z, channels = chunks * CHUNK;
  const int columns = images * volume(phase.size), count = counts[blockIdx.y];
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  places += blockIdx.y * most;
  weights_at += blockIdx.y * most;

  // the lines for which this thread copies, and its chunk among the four of a step
  const int line = threadIdx.x / 4, own = threadIdx.x % 4;
  int tap = own / chunks, chunk = own % chunks;
  const int tap_by = 4 / chunks, chunk_by = 4 % chunks;
  const Element* of_weight[COUNT_A];
#pragma unroll
  for (int n = 0; n < COUNT_A; n++)
    of_weight[n] = weight + (static_cast<long long>(group) * rows + row_0 + line + n * APART) * taps * channels;
  const Element* of_source[COUNT_B];
  Triple from[COUNT_B];
#pragma unroll
  for (int n = 0; n < COUNT_B; n++) {
    const int column = column_0 + line + n * APART;
    const Digits at(column, phase.size);
    from[n] = {at.at.d * step_d, at.at.h * step_h, at.at.w * step_w};
    of_source[n] = source + ((static_cast<long long>(group) * images + at.image) * volume(from_size) +
                             place_in(from_size, from[n].d, from[n].h, from[n].w)) * channels;
    if (!CHECK(column_inside, column < columns)) from[n].d = -(1 << 30);  // sees nothing
  }

  Sums sums;
  const int steps = (count * chunks + 3) / 4;
  add_steps<A, B>(sums, ring, steps, [&](Element* tile_a, Element* tile_b, int) {
    const bool is_step = CHECK(step_inside, tap < count);
    int4 step = {0, -(1 << 30), 0, 0};
    int at = 0;
    if (is_step) {
      step = places[tap];
      at = weights_at[tap] * channels;
    }
#pragma unroll
    for (int n = 0; n < COUNT_A; n++)
      copy_async<16>(tile_a + (line + n * APART) * A::PITCH + own * CHUNK, of_weight[n] + at + chunk * CHUNK,
                     is_step && CHECK(row_inside, row_0 + line + n * APART < rows));
#pragma unroll
    for (int n = 0; n < COUNT_B; n++)
      copy_async<16>(tile_b + (line + n * APART) * B::PITCH + own * CHUNK,
                     of_source[n] + step.x * channels + chunk * CHUNK, sees(from[n], step, from_size));
    tap += tap_by;
    chunk += chunk_by;
    const bool carry = chunk >= chunks;
    tap += carry;
    chunk -= carry ? chunks : 0;
  });

  const float floor = floor_of<float>(activation);
  float shift[WARP_M / 16][2] = {};
#pragma unroll
  for (int m = 0; m < WARP_M / 16; m++)
#pragma unroll
    for (int half = 0; half < 2; half++) {
      const int row = row_0 + sums.row(m, half);
      if (bias != nullptr && CHECK(bias_inside, row < rows)) shift[m][half] = to_float(bias[group * rows + row]);
    }
  const long long plane = volume(to_size);
  // Where columns are neighbours in memory, a pair never reaches into another image.
  const bool paired = skip_d * skip_h * skip_w == 1 && plane % 2 == 0;
#pragma unroll
  for (int n = 0; n < WARP_N / 8; n++)
#pragma unroll
    for (int i = 0; i < 2; i++) {
      const int column = column_0 + sums.column(n) + i;
      if ((paired && i == 1) || !CHECK(result_inside, column < columns)) continue;
      const Digits to(column, phase.size);
      Element* at = result + (static_cast<long long>(to.image) * groups + group) * rows * plane +
                    place_in(to_size, to.at.d * skip_d + phase.first.d, to.at.h * skip_h + phase.first.h,
                             to.at.w * skip_w + phase.first.w);
#pragma unroll
      for (int m = 0; m < WARP_M / 16; m++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
          const int row = row_0 + sums.row(m, half);
          if (!CHECK(result_row_inside, row < rows)) continue;
          const auto final = [&](int j) {
            return to_element(cut_off(sums.of[m][n][2 * half + j] + shift[m][half], floor));
          };
          if (paired) *reinterpret_cast<Pair*>(at + row * plane) = {final(0), final(1)};
          else at[row * plane] = final(i);
        }
    }
}
