// The sum of the squares of many arrays, added up in float64: what the clipping of gradients starts from.
//
// Each block adds up CHUNK elements of one array, whatever the GPU, and one block the sums of all: the
// same bits each time. Arrays come as in steps.cu, MOST in a launch.
//
// Counted in float32, an element: 4 bytes, one multiply-add in float64. Bound: memory, on GPUs of
// consumers, too: 64 float64 units of a multiprocessor are 2 there, and 4 bytes a clock come to each.
//
// Left open: SCALAR, float or double.
#include "arrays.cuh"
#include "pack.cuh"
#include "totals.cuh"

constexpr int CHUNK = 1 << 13;  // elements of a block: cuda.py has the same number

// The elements are those of `grad`. Block b of this launch writes sums[first + b].
extern "C" __global__ void __launch_bounds__(THREADS)
    squares(const Arrays arrays, int count, double* __restrict__ sums, long long first) {
  __shared__ double parts[MOST_WARPS];
  const int number = array_of(arrays, count, blockIdx.x);
  const long long before = number ? arrays.last_block[number - 1] : 0;
  const long long start = (blockIdx.x - before) * CHUNK, size = arrays.size[number];
  const SCALAR* grad = arrays.grad[number];
  const bool wide = reinterpret_cast<unsigned long long>(grad) % 16 == 0;
  double total = 0;
#pragma unroll 4
  for (int turn = threadIdx.x * PACK; turn < CHUNK; turn += THREADS * PACK) {
    const long long at = start + turn;
    if (wide && CHECK(squares_pack_inside, at + PACK <= size)) {
      const Pack pack = *reinterpret_cast<const Pack*>(grad + at);
#pragma unroll
      for (int i = 0; i < PACK; i++) total += double(pack.of[i]) * pack.of[i];
    } else {
#pragma unroll 1
      for (int i = 0; i < PACK; i++)
        if (CHECK(square_inside, at + i < size)) total += double(grad[at + i]) * grad[at + i];
    }
  }
  total = sum_over_block_once(total, parts);
  if (threadIdx.x == 0) sums[first + blockIdx.x] = total;
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    total(const double* __restrict__ sums, double* __restrict__ y, long long chunks) {
  __shared__ double parts[MOST_WARPS];
  const double all = sum_of(sums, chunks, parts);
  if (threadIdx.x == 0) *y = all;
}
