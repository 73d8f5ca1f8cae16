// A convolution, or its gradient with respect to the input, on Hopper's tensor cores: the sums of
// tensor.cu, result[r, column] = f(sum over k of weight[r, k] seen[k, column] + bias[r]), where k is a tap
// and a channel, in float16 or bfloat16, by products of warpgroups (warpgroup_ring.cuh).
//
// What it gains over tensor.cu: the tensor cores' whole rate, and warps with parts: one group fetches
// (gathered.cuh), two multiply. Weights come as boxes of a matrix whose rows are k: phases of a gradient
// have their own, side by side (filters_of_phases.cu). Where columns lie is found once a block.
//
// Long sums of few tiles are split, as matrix products are: then parts in float32 are written, and
// add_parts adds them in order, the bias and f after.
//
// Counted: per block and step of 64 along k (TILE_M + TILE_N) * 128 bytes read for 128 TILE_M TILE_N
// FLOPs: 85 FLOPs a byte with tiles of 128 x 256, 64 with 128 x 128, 51 with 64 x 256; source and result
// move once more, for the layout. Bound: the tensor cores from 128 rows and some 500 terms on, as far as
// the second-level cache feeds them (every tap reads the source again, from there); memory below.
//
// Left open: FORMAT (BFLOAT16 or FLOAT16), TILE_M, TILE_N.
#include "epilogue.cuh"
#include "gathered.cuh"

constexpr int GATHERED = WARPGROUP / CHUNKS, COUNT = TILE_N / GATHERED;  // columns between a thread's, and of them
typedef SwizzledTile<true, TILE_M> A;
typedef SwizzledTile<true, TILE_N> B;

// Of a column of the tile: the place of its window in the source, and where its results are.
struct Column {
  int4 from;  // d, h, w, and the place's number
  long long to;
};

extern "C" __global__ void __launch_bounds__(THREADS, 1)
    sum_of_taps(const __grid_constant__ TensorMap weight, const Element* __restrict__ source,
                const Element* __restrict__ bias, Element* __restrict__ result, float* __restrict__ parts,
                const int4* __restrict__ places, const int* __restrict__ counts, int most, int split,
                int per_part, int images, int chunks, int rows, int own_weights, int source_d, int source_h, int source_w, int result_d,
                int result_h, int result_w, int step_d, int step_h, int step_w, int skip_d, int skip_h,
                int skip_w, int tiles_down, int activation) {
  SWIZZLED_SHARED(Element, memory);
  const Ring<A, B> ring(memory);
  Column* const columns = ring.rest<Column>();
  const Triple from_size = {source_d, source_h, source_w}, to_size = {result_d, result_h, result_w};
  const int group = blockIdx.z, groups = gridDim.z;
  const int row_0 = blockIdx.x % tiles_down * TILE_M;
  const long long plane = volume(to_size);
  const int number_of_phase = blockIdx.y / split, part = blockIdx.y % split;
  const int count = counts[number_of_phase];  // of its taps
  const int first_step = part * per_part;
  // Where none meets, or the sum of a phase is shorter than that of another, there is a step of zeros.
  const int steps = max(1, min((count * chunks + CHUNKS - 1) / CHUNKS - first_step, per_part));

  for (int i = threadIdx.x; i < TILE_N; i += THREADS) {
    const Phase phase(number_of_phase, to_size, {skip_d, skip_h, skip_w});
    const int number = blockIdx.x / tiles_down * TILE_N + i;
    const Digits at(number, phase.size);
    const Triple from = {at.at.d * step_d, at.at.h * step_h, at.at.w * step_w};
    const bool inside = CHECK(column_inside, number < images * volume(phase.size));
    columns[i].from = {inside ? from.d : NOWHERE, from.h, from.w,
                       at.image * volume(from_size) + place_in(from_size, from.d, from.h, from.w)};
    columns[i].to = inside ? (static_cast<long long>(at.image) * groups + group) * rows * plane +
                                 place_in(to_size, at.at.d * skip_d + phase.first.d,
                                          at.at.h * skip_h + phase.first.h, at.at.w * skip_w + phase.first.w)
                           : -1;
  }
  ring.make(ARRIVALS);  // and the columns: after it, all threads see them

  if (threadIdx.x < WARPGROUP) {
    keep_registers<FETCHING>();
    const int line = threadIdx.x / CHUNKS, own = threadIdx.x % CHUNKS;
    const int matrix = (own_weights ? number_of_phase * groups : 0) + group;
    source += static_cast<long long>(group) * images * volume(from_size) * chunks * CHUNK;
    int4 from[COUNT];
#pragma unroll
    for (int n = 0; n < COUNT; n++) from[n] = columns[line + n * GATHERED].from;
    // The chunk that this thread copies in the next step, of which tap, and where that looks.
    int tap = (first_step * CHUNKS + own) / chunks, chunk = (first_step * CHUNKS + own) % chunks;
    const int tap_by = CHUNKS / chunks, chunk_by = CHUNKS % chunks;
    const auto look = [&]() -> int4 {
      if (CHECK(step_inside, tap < count)) return places[number_of_phase * most + tap];
      return {0, NOWHERE, 0, 0};
    };
    int4 next = look();
    fetch_and_gather(
        ring, steps,
        [&](Element* tile, int step, Mbarrier* full) {
          A::fetch(tile, weight, row_0, (first_step + step) * DEPTH, matrix, full);
        },
        [&](Element* tile, int) {
#pragma unroll
          for (int n = 0; n < COUNT; n++)
            copy_async<16>(tile + place_in_box(line + n * GATHERED, own),
                           source + ((from[n].w + next.x) * chunks + chunk) * CHUNK,
                           sees({from[n].x, from[n].y, from[n].z}, next, from_size));
          tap += tap_by;
          chunk += chunk_by;
          const bool carry = chunk >= chunks;
          tap += carry;
          chunk -= carry ? chunks : 0;
          next = look();  // while the copies go
        });
    return;
  }

  // Where columns are neighbours in memory, a pair never reaches into another image.
  const bool paired = skip_d * skip_h * skip_w == 1 && plane % 2 == 0;
  const float floor = floor_of<float>(activation);
  multiply_part(ring, steps, [&](const float (&sum)[SUMS], int row, int column) {
    const int first = row_0 + row;
    if (parts != nullptr) {
      float* const own = parts + part * (static_cast<long long>(images) * groups * rows * plane);
      for_pairs(sum, rows - first, [&](int, int in_rows, int across, float left, float right) {
        const Column* at = columns + column + across;
        const long long line = (first + in_rows) * plane;
        if (CHECK(left_part_inside, at[0].to >= 0)) own[line + at[0].to] = left;
        if (CHECK(right_part_inside, at[1].to >= 0)) own[line + at[1].to] = right;
      });
      return;
    }
    const int lowest = threadIdx.x % WARPGROUP / 32 * 16 + threadIdx.x % 32 / 4;
    float shift[2] = {};
#pragma unroll
    for (int half = 0; half < 2; half++)
      if (bias != nullptr && CHECK(bias_inside, first + lowest + 8 * half < rows))
        shift[half] = to_float(bias[group * rows + first + lowest + 8 * half]);
    for_pairs(sum, rows - first, [&](int half, int in_rows, int across, float left, float right) {
      const Column* at = columns + column + across;
      const auto final = [&](float x) { return to_element(cut_off(x + shift[half], floor)); };
      Element* const own = result + (first + in_rows) * plane;
      if (!CHECK(left_inside, at[0].to >= 0)) return;
      if (paired) {
        write_pair(own + at[0].to, final(left), final(right));
      } else {
        own[at[0].to] = final(left);
        if (CHECK(right_inside, at[1].to >= 0)) own[at[1].to] = final(right);
      }
    });
  });
}
