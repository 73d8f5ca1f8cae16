// A convolution, or its gradient with respect to the input, as a matrix product whose right side is
// never laid out (implicit GEMM): result[r, column] = f(sum over k of weight[r, k] seen[k, column] +
// bias[r]). A column is an image and a place in it, k a channel and a tap; steps.cu says where k reads.
//
// A block computes TILE_M rows of TILE_N columns; its threads hold ROWS x COLUMNS sums each. A thread
// always fetches for the same column, so that it finds the column's place once; neighbours fetch
// neighbouring places. While a step of 8 along k is multiplied, the next is on its way to registers;
// two buffers in shared memory need one barrier per step. Sums run over k in order.
//
// Counted for 128 x 128 in float32, per block and step: 8 KiB read (and 160 bytes of the table), 2^18
// FLOPs; each thread does 512 multiply-adds, 32 loads of 128 bits from shared memory, and 8 loads
// with a dozen instructions each to see what is padding. From main memory, x is read rows / TILE_M
// times, if caches hold what windows share. Bound: the multiply-adds from 64 rows and 64 steps on;
// memory below, as 2 rows steps / (4 (rows + channels)) FLOPs per byte say.
//
// Left open: SCALAR, TILE_M, TILE_N, THREADS.
#include "columns.cuh"
#include "epilogue.cuh"
#include "product.cuh"

static_assert(THREADS % TILE_N == 0, "a thread fetches for one column");

// 512 threads on a multiprocessor hide each other's waiting: 128 registers each. Threads that fetch 8
// places for 64 sums need more, and the compiler for sm_100 and later.
#if __CUDA_ARCH__ >= 1000
constexpr int RESIDENT = 256;
#else
constexpr int RESIDENT = TILE_M == 64 ? 384 : 512;
#endif

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT / THREADS)
    sum_of_taps(const SCALAR* __restrict__ source, const SCALAR* __restrict__ weight,
                const SCALAR* __restrict__ bias, SCALAR* __restrict__ result,
                const int4* __restrict__ places, const int* __restrict__ weights_at,
                const int* __restrict__ counts, int most, int images, int channels, int rows,
                int row_pitch, int group_pitch, int source_d, int source_h, int source_w, int result_d,
                int result_h, int result_w, int step_d, int step_h, int step_w, int skip_d, int skip_h,
                int skip_w, int tiles_down, int activation) {
  __shared__ SCALAR tile_a[2][TILE_K][PITCH_A], tile_b[2][TILE_K][PITCH_B];
  const Triple from_size = {source_d, source_h, source_w}, to_size = {result_d, result_h, result_w};
  const Phase phase(blockIdx.y, to_size, {skip_d, skip_h, skip_w});
  const int group = blockIdx.z, groups = gridDim.z;
  const int columns = images * volume(phase.size), steps = counts[blockIdx.y];
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  places += blockIdx.y * most;
  weights_at += blockIdx.y * most;
  weight += static_cast<long long>(group) * group_pitch;

  // the column for which this thread fetches, and the place there from which distances count
  const int column = column_0 + threadIdx.x % TILE_N;
  const bool is_column = CHECK(column_inside, column < columns);
  const Digits own(column, phase.size);
  const Triple from = {own.at.d * step_d, own.at.h * step_h, own.at.w * step_w};
  const SCALAR* seen = source + (static_cast<long long>(own.image) * groups + group) * channels *
                                     volume(from_size);
  const int here = place_in(from_size, from.d, from.h, from.w);

  SCALAR next_a[COUNT_A], next_b[COUNT_B];
  const auto fetch = [&](int k_0) {
#pragma unroll
    for (int n = 0; n < COUNT_A; n++) {
      const int k = k_0 + threadIdx.x % TILE_K, row = row_0 + (n * THREADS + threadIdx.x) / TILE_K;
      const bool there = CHECK(row_inside, row < rows) && CHECK(weight_inside, k < steps);
      next_a[n] = there ? weight[static_cast<long long>(row) * row_pitch + weights_at[k]] : SCALAR(0);
    }
#pragma unroll
    for (int n = 0; n < COUNT_B; n++) {
      const int k = k_0 + (n * THREADS + threadIdx.x) / TILE_N;
      next_b[n] = 0;
      if (is_column && CHECK(step_inside, k < steps)) {
        const int4 step = places[k];
        if (sees(from, step, from_size)) next_b[n] = seen[here + step.x];
      }
    }
  };

  Sums sum;
  fetch(0);
  for (int k_0 = 0, buffer = 0; k_0 < steps; k_0 += TILE_K, buffer ^= 1) {
#pragma unroll
    for (int n = 0; n < COUNT_A; n++)
      tile_a[buffer][threadIdx.x % TILE_K][(n * THREADS + threadIdx.x) / TILE_K] = next_a[n];
#pragma unroll
    for (int n = 0; n < COUNT_B; n++)
      tile_b[buffer][(n * THREADS + threadIdx.x) / TILE_N][threadIdx.x % TILE_N] = next_b[n];
    // All elements must be there before they are read; and whoever is here has read the other
    // buffer, into which the next turn writes.
    BARRIER(tiles_stored);
    if (k_0 + TILE_K < steps) fetch(k_0 + TILE_K);
    sum.add_product(tile_a[buffer], tile_b[buffer]);
  }

  const SCALAR floor = floor_of<SCALAR>(activation);
  SCALAR shift[ROWS] = {};
#pragma unroll
  for (int i = 0; i < ROWS; i++)
    if (bias != nullptr && CHECK(bias_inside, row_0 + sum.row(i) < rows))
      shift[i] = bias[group * rows + row_0 + sum.row(i)];
  const long long plane = volume(to_size);
  // Where columns are neighbours in memory, a pack never reaches into another image.
  const bool packed = skip_d * skip_h * skip_w == 1 && plane % PACK == 0;
#pragma unroll
  for (int j = 0; j < COLUMNS; j++) {
    const int column = column_0 + sum.column(j);
    if ((packed && j % PACK != 0) || !CHECK(result_inside, column < columns)) continue;
    const Digits to(column, phase.size);
    SCALAR* at = result + (static_cast<long long>(to.image) * groups + group) * rows * plane +
                 place_in(to_size, to.at.d * skip_d + phase.first.d, to.at.h * skip_h + phase.first.h,
                          to.at.w * skip_w + phase.first.w);
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
      const int row = row_0 + sum.row(i);
      if (!CHECK(result_row_inside, row < rows)) continue;
      if (packed) {
        Pack pack;
#pragma unroll
        for (int l = 0; l < PACK; l++) pack.of[l] = cut_off(sum.of[i][j / PACK * PACK + l] + shift[i], floor);
        *reinterpret_cast<Pack*>(at + row * plane) = pack;
      } else {
        at[row * plane] = cut_off(sum.of[i][j] + shift[i], floor);
      }
    }
  }
}
