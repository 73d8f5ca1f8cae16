// The sum of partial results, which are few: by one block, in one order.
#pragma once
#include "reduce.cuh"

template <typename T>
DEVICE T sum_of(const T* x, long long n, T* parts) {
  T total = 0;
  for (long long i = threadIdx.x; CHECK(number_inside, i < n); i += blockDim.x) total += x[i];
  return sum_over_block_once(total, parts);
}
