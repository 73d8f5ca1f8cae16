// Rows of a table by their numbers, and the gradient of that: each row's sum over the places that read it.
// Sums and maxima of bags of rows, and rows brought to a largest norm.
//
// forward: a group of threads copies a row, 16 bytes each. group_sums: places that read the same row
// stand together (they were sorted by their ids, those of one id in order); a group of threads adds them
// up one after the other, so that the sum is the same each time: no atomics. bag_sums and bag_maxima go
// through the rows of a bag in the same way. renormalize: a warp has a row.
//
// Counted in float32 for n places of D columns: forward moves 8 n D bytes, the gradient reads 4 n D and
// writes each touched row once. No FLOPs but n D additions. Bound: memory; a row that all places read is
// added up by one group of threads alone, and then their latency.
//
// Left open: SCALAR, float or double.
#include "device.cuh"
#include "pack.cuh"
#include "warp.cuh"

constexpr int THREADS = 256;

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

// `scale` has a factor for each place, or is null.
template <int COUNT>
DEVICE void add_rows(const SCALAR* values, const long long* order, const long long* starts,
                     const SCALAR* scale, const long long* rows_of, SCALAR* y, long long groups,
                     int width, int across) {
  using Few = Neighbours<COUNT>;
  for_rows<COUNT>(groups, width, across, [=](long long group, int column) {
    Few sum = {};
#pragma unroll 4
    for (long long i = starts[group]; i < starts[group + 1]; i++) {
      const Few few = *reinterpret_cast<const Few*>(values + order[i] * width + column);
#pragma unroll
      for (int j = 0; j < COUNT; j++)
        sum.of[j] += scale != nullptr ? few.of[j] * scale[i] : few.of[j];
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
    add_rows<PACK>(values, order, starts, nullptr, rows_of, y, groups, width, across);
  else
    add_rows<1>(values, order, starts, nullptr, rows_of, y, groups, width, across);
}

// Bag b holds the places offsets[b] up to offsets[b + 1].
extern "C" __global__ void __launch_bounds__(THREADS)
    bag_sums(const SCALAR* __restrict__ table, const long long* __restrict__ ids,
             const long long* __restrict__ offsets, const SCALAR* __restrict__ scale,
             SCALAR* __restrict__ y, long long bags, int width, int across, int wide) {
  if (wide)
    add_rows<PACK>(table, ids, offsets, scale, nullptr, y, bags, width, across);
  else
    add_rows<1>(table, ids, offsets, scale, nullptr, y, bags, width, across);
}

// The first of equal elements wins, and a NaN over everything; an empty bag has 0 and no winner, -1.
template <int COUNT>
DEVICE void largest_of_rows(const SCALAR* table, const long long* ids, const long long* offsets,
                            long long* winner, SCALAR* y, long long bags, int width, int across) {
  using Few = Neighbours<COUNT>;
  for_rows<COUNT>(bags, width, across, [=](long long bag, int column) {
    Few best = {};
    long long leader[COUNT];
#pragma unroll
    for (int j = 0; j < COUNT; j++) leader[j] = -1;
    for (long long i = offsets[bag]; i < offsets[bag + 1]; i++) {
      const long long id = ids[i];
      const Few few = *reinterpret_cast<const Few*>(table + id * width + column);
#pragma unroll
      for (int j = 0; j < COUNT; j++) {
        const bool number = best.of[j] == best.of[j];
        if (few.of[j] > best.of[j] || leader[j] < 0 || (few.of[j] != few.of[j] && number)) {
          best.of[j] = few.of[j];
          leader[j] = id;
        }
      }
    }
    *reinterpret_cast<Few*>(y + bag * width + column) = best;
#pragma unroll
    for (int j = 0; j < COUNT; j++) winner[bag * width + column + j] = leader[j];
  });
}

// 4 blocks of a multiprocessor: with fewer than 64 registers a thread would spill.
extern "C" __global__ void __launch_bounds__(THREADS, 4)
    bag_maxima(const SCALAR* __restrict__ table, const long long* __restrict__ ids,
               const long long* __restrict__ offsets, long long* __restrict__ winner,
               SCALAR* __restrict__ y, long long bags, int width, int across, int wide) {
  if (wide)
    largest_of_rows<PACK>(table, ids, offsets, winner, y, bags, width, across);
  else
    largest_of_rows<1>(table, ids, offsets, winner, y, bags, width, across);
}

// ------------------------------------------------------------------------------ a largest norm

enum Norm { SUM = 1, EUCLID = 2, LARGEST = 3, OTHER = 4 };  // cuda.py has the same numbers

// Shorten, in place, the rows whose norm is above `most`; `shortened` becomes 1 where there is one.
extern "C" __global__ void __launch_bounds__(THREADS)
    renormalize(SCALAR* __restrict__ table, const long long* __restrict__ rows,
                int* __restrict__ shortened, long long count, int width, int norm, SCALAR p,
                SCALAR most) {
  const long long number = static_cast<long long>(blockIdx.x) * (THREADS / 32) + threadIdx.x / 32;
  if (!CHECK(long_row_inside, number < count)) return;
  SCALAR* row = table + rows[number] * width;
  const auto join = [=](SCALAR a, SCALAR b) {
    if (norm != LARGEST) return a + b;
    return a > b || a != a ? a : b;  // a NaN on either side stays
  };
  SCALAR size = 0;
  for (int column = threadIdx.x % 32; CHECK(norm_inside, column < width); column += 32) {
    const SCALAR value = fabs(row[column]);
    size = join(size, norm == EUCLID ? value * value : norm == OTHER ? pow(value, p) : value);
  }
  size = over_warp(size, join);
  if (norm == EUCLID) size = sqrt(size);
  if (norm == OTHER) size = pow(size, 1 / p);
  if (!(size > most)) return;
  const SCALAR scale = most / (size + SCALAR(1e-7));
  for (int column = threadIdx.x % 32; CHECK(scaled_inside, column < width); column += 32)
    row[column] *= scale;
  if (threadIdx.x % 32 == 0) *shortened = 1;
}
