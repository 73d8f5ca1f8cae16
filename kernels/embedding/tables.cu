// Rows of a table by their numbers, and the gradient of that: each row's sum over the places that read it.
//
// forward: a group of threads copies a row, 16 bytes each. group_sums: places that read the same row
// stand together (they were sorted by their ids, those of one id in order); a group of threads adds them
// up one after the other, so that the sum is the same each time: no atomics.
//
// Counted in float32 for n places of D columns: forward moves 8 n D bytes, the gradient reads 4 n D and
// writes each touched row once. No FLOPs but n D additions. Bound: memory; a row that all places read is
// added up by one group of threads alone, and then their latency.
//
// Left open: SCALAR, float or double.
#include "device.cuh"

constexpr int PACK = 16 / sizeof(SCALAR), THREADS = 256;

template <int COUNT>
struct alignas(COUNT * sizeof(SCALAR)) Neighbours {
  SCALAR of[COUNT];
};

// f(row, column) for COUNT columns of each of `rows`: `across` threads a row.
template <int COUNT, typename F>
DEVICE void for_rows(long long rows, int width, int across, F f) {
  const int together = THREADS / across;
  const long long row = static_cast<long long>(blockIdx.x) * together + threadIdx.x / across;
  if (!CHECK(row_inside, row < rows)) return;
  for (int column = threadIdx.x % across * COUNT; CHECK(column_inside, column < width);
       column += across * COUNT)
    f(row, column);
}

template <int COUNT>
DEVICE void copy_rows(const SCALAR* table, const long long* ids, SCALAR* y, long long rows, int width,
                      int across) {
  using Few = Neighbours<COUNT>;
  for_rows<COUNT>(rows, width, across, [=](long long row, int column) {
    *reinterpret_cast<Few*>(y + row * width + column) =
        *reinterpret_cast<const Few*>(table + ids[row] * width + column);
  });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    forward(const SCALAR* __restrict__ table, const long long* __restrict__ ids, SCALAR* __restrict__ y,
            long long rows, int width, int across, int wide) {
  if (wide)
    copy_rows<PACK>(table, ids, y, rows, width, across);
  else
    copy_rows<1>(table, ids, y, rows, width, across);
}

template <int COUNT>
DEVICE void add_rows(const SCALAR* values, const long long* order, const long long* starts,
                     const long long* rows_of, SCALAR* y, long long groups, int width, int across) {
  using Few = Neighbours<COUNT>;
  for_rows<COUNT>(groups, width, across, [=](long long group, int column) {
    Few sum = {};
#pragma unroll 4
    for (long long i = starts[group]; i < starts[group + 1]; i++) {
      const Few few = *reinterpret_cast<const Few*>(values + order[i] * width + column);
#pragma unroll
      for (int j = 0; j < COUNT; j++) sum.of[j] += few.of[j];
    }
    const long long row = rows_of != nullptr ? rows_of[group] : group;
    *reinterpret_cast<Few*>(y + row * width + column) = sum;
  });
}

// Group g holds the places order[starts[g]] up to order[starts[g + 1]]; its sum becomes row rows_of[g].
extern "C" __global__ void __launch_bounds__(THREADS)
    group_sums(const SCALAR* __restrict__ values, const long long* __restrict__ order,
               const long long* __restrict__ starts, const long long* __restrict__ rows_of,
               SCALAR* __restrict__ y, long long groups, int width, int across, int wide) {
  if (wide)
    add_rows<PACK>(values, order, starts, rows_of, y, groups, width, across);
  else
    add_rows<1>(values, order, starts, rows_of, y, groups, width, across);
}
