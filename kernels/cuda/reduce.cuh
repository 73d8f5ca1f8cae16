// Reductions of a block in one order.
#pragma once
#include "device.cuh"
#include "warp.cuh"

constexpr int MOST_THREADS = 512, MOST_WARPS = MOST_THREADS / 32;  // of a block

// f of all threads' values, the same bits in each thread and each time: of each warp, then warp
// after warp. `parts` has not been used before.
template <typename T, typename F>
DEVICE T over_block_once(T value, T* parts, F f) {
  value = over_warp(value, f);
  if (blockDim.x == 32) return value;
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  BARRIER(parts_stored);  // all parts must be there before they are read
  value = parts[0];
  for (int warp = 1; warp < blockDim.x / 32; warp++) value = f(value, parts[warp]);
  return value;
}

template <typename T>
DEVICE T sum_over_block_once(T value, T* parts) {
  return over_block_once(value, parts, [](T a, T b) { return a + b; });
}
