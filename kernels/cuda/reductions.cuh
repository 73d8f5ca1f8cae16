// Sums and others over a block, several of them one after the other: each waits for the one before.
#pragma once
#include "device.cuh"
#include "reduce.cuh"

// `over_block_once` where another reduction came before.
template <typename T, typename F>
DEVICE T over_block(T value, T* parts, F f) {
  if (blockDim.x > 32) BARRIER(parts_free);  // every thread has read the parts of the one before
  return over_block_once(value, parts, f);
}

template <typename T>
DEVICE T sum_over_block(T value, T* parts) {
  return over_block(value, parts, [](T a, T b) { return a + b; });
}
