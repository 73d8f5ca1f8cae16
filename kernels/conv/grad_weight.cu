// The gradient of a convolution with respect to its weight, as a matrix product whose right side is
// never laid out: for each group, result[r, column] = sum over k of dy[r, k] seen[column, k]. Here k
// is an image and a place in dy, a column is a channel and a tap, of which steps.cu says where it reads.
//
// The result is small and the sum long, so that the sum is split: the blocks of one tile each take a
// range of k and write their own partial sums; `add_parts` adds those in order (parts.cu of matmul). No
// sum depends on who comes first: a GPU gives the same bits each time.
//
// A thread always fetches the same k of a step, and goes from one place to the next by adding digits.
// Counted for 128 x 128 in float32, per block and step of 8: 8 KiB read, 2^18 FLOPs; the parts are
// written and read once, 8 bytes per part and weight. Bound: the multiply-adds where rows and columns
// fill a tile; else the reading of dy, columns / TILE_N times, and of x, rows / TILE_M times.
//
// Left open: SCALAR, TILE_M, TILE_N, THREADS.
#include "columns.cuh"
#include "product.cuh"

constexpr int APART = THREADS / TILE_K;  // lines between two that a thread fetches

extern "C" __global__ void __launch_bounds__(THREADS)
    grad_weight(const SCALAR* __restrict__ dy, const SCALAR* __restrict__ x, SCALAR* __restrict__ parts,
                const int4* __restrict__ places, int images, int channels, int rows, int columns,
                int per_part, int source_d, int source_h, int source_w, int out_d, int out_h, int out_w,
                int stride_d, int stride_h, int stride_w, int tiles_down) {
  __shared__ SCALAR tile_a[2][TILE_K][PITCH_A], tile_b[2][TILE_K][PITCH_B];
  __shared__ int4 taps[TILE_N];
  const Triple source = {source_d, source_h, source_w}, out = {out_d, out_h, out_w};
  const int part = blockIdx.y, group = blockIdx.z, groups = gridDim.z;
  const int row_0 = blockIdx.x % tiles_down * TILE_M, column_0 = blockIdx.x / tiles_down * TILE_N;
  const int first = part * per_part;  // a part never begins beyond the last place
  const int end = min(images * volume(out) - first, per_part) + first;

  for (int n = threadIdx.x; n < TILE_N; n += THREADS) {
    const int4 nowhere = {0, -(1 << 30), 0, 0};
    taps[n] = CHECK(tap_inside, column_0 + n < columns) ? places[column_0 + n] : nowhere;
  }
  BARRIER(taps_loaded);  // each thread fetches for taps that others have loaded

  const int k = threadIdx.x % TILE_K, line = threadIdx.x / TILE_K;
  Digits here(first + k, out);
  const Digits by(TILE_K, out);
  SCALAR next_a[COUNT_A], next_b[COUNT_B];
  const auto fetch = [&](int k_0) {
    const bool is_place = CHECK(place_inside, k_0 + k < end);
    const long long slice = static_cast<long long>(here.image) * groups + group;
    const SCALAR* of_dy = dy + slice * rows * volume(out) + place_in(out, here.at.d, here.at.h, here.at.w);
#pragma unroll
    for (int n = 0; n < COUNT_A; n++) {
      const int row = row_0 + line + n * APART;
      next_a[n] = 0;
      if (is_place && CHECK(row_inside, row < rows))
        next_a[n] = of_dy[static_cast<long long>(row) * volume(out)];
    }
    const Triple from = {here.at.d * stride_d, here.at.h * stride_h, here.at.w * stride_w};
    const SCALAR* of_x = x + slice * channels * volume(source);
    const int offset = place_in(source, from.d, from.h, from.w);
#pragma unroll
    for (int n = 0; n < COUNT_B; n++) {
      const int4 tap = taps[line + n * APART];
      next_b[n] = is_place && sees(from, tap, source) ? of_x[offset + tap.x] : SCALAR(0);
    }
    here.add(by, out);
  };

  Sums sum;
  fetch(first);
  for (int k_0 = first, buffer = 0; k_0 < end; k_0 += TILE_K, buffer ^= 1) {
#pragma unroll
    for (int n = 0; n < COUNT_A; n++) tile_a[buffer][k][line + n * APART] = next_a[n];
#pragma unroll
    for (int n = 0; n < COUNT_B; n++) tile_b[buffer][k][line + n * APART] = next_b[n];
    // All elements must be there before they are read; and whoever is here has read the other
    // buffer, into which the next turn writes.
    BARRIER(tiles_stored);
    if (k_0 + TILE_K < end) fetch(k_0 + TILE_K);
    sum.add_product(tile_a[buffer], tile_b[buffer]);
  }

  parts += (static_cast<long long>(part) * groups + group) * rows * columns;
#pragma unroll
  for (int i = 0; i < ROWS; i++)
#pragma unroll
    for (int j = 0; j < COLUMNS; j++) {
      const int row = row_0 + sum.row(i), column = column_0 + sum.column(j);
      if (CHECK(result_inside, row < rows && column < columns))
        parts[static_cast<long long>(row) * columns + column] = sum.of[i][j];
    }
}
