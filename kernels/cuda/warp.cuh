// Reductions of a warp in one order.
#pragma once
#include "device.cuh"

// f of the values of all lanes, the same bits in each: pairs of lanes, pairs of pairs ...
template <typename T, typename F>
DEVICE T over_warp(T value, F f) {
#pragma unroll
  for (int by = 16; by > 0; by /= 2) value = f(value, __shfl_xor_sync(WHOLE_WARP, value, by));
  return value;
}
