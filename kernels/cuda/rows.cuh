// A row in the registers of a block: read once, reduced in one order, written once.
//
// Each thread has DEPTH packs of 16 bytes, PACK neighbours each, so a block of n threads holds
// n * DEPTH * PACK elements. A longer row takes several turns and is read anew where it is needed
// again, by then from L2. `wide` says that all rows begin at multiples of 16 bytes and are whole packs.
#pragma once
#include "device.cuh"

constexpr int PACK = 16 / sizeof(SCALAR), DEPTH = 32 / sizeof(SCALAR);
constexpr int MOST_THREADS = 512, MOST_WARPS = MOST_THREADS / 32;  // of a block

struct alignas(16) Pack {
  SCALAR of[PACK];
};

DEVICE int turn_length() { return blockDim.x * DEPTH * PACK; }

struct Row {
  Pack packs[DEPTH];

  // Where the pack begins that is number `n` of this thread, in a turn that begins at `first`.
  DEVICE static long long place(int n, long long first) {
    return first + (n * blockDim.x + threadIdx.x) * PACK;
  }
  DEVICE void load(const SCALAR* x, long long first, long long length, bool wide, SCALAR outside) {
#pragma unroll
    for (int n = 0; n < DEPTH; n++) {
      const long long at = place(n, first);
      if (wide && CHECK(pack_read_inside, at < length)) {
        packs[n] = *reinterpret_cast<const Pack*>(x + at);
      } else {
#pragma unroll
        for (int i = 0; i < PACK; i++)
          packs[n].of[i] = CHECK(element_read_inside, at + i < length) ? x[at + i] : outside;
      }
    }
  }
  DEVICE void store(SCALAR* y, long long first, long long length, bool wide) const {
#pragma unroll
    for (int n = 0; n < DEPTH; n++) {
      const long long at = place(n, first);
      if (wide && CHECK(pack_written_inside, at < length)) {
        *reinterpret_cast<Pack*>(y + at) = packs[n];
      } else {
#pragma unroll
        for (int i = 0; i < PACK; i++)
          if (CHECK(element_written_inside, at + i < length)) y[at + i] = packs[n].of[i];
      }
    }
  }
};

// f of all threads' values, the same bits in each thread and each time: pairs of lanes, pairs of
// pairs ..., then warp after warp.
template <typename T, typename F>
DEVICE T over_block(T value, T* parts, F f) {
#pragma unroll
  for (int by = 16; by > 0; by /= 2) value = f(value, __shfl_xor_sync(WHOLE_WARP, value, by));
  if (blockDim.x == 32) return value;
  BARRIER(parts_free);  // every thread has read the parts of the reduction before
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  BARRIER(parts_stored);  // all parts must be there before they are read
  value = parts[0];
  for (int warp = 1; warp < blockDim.x / 32; warp++) value = f(value, parts[warp]);
  return value;
}

template <typename T>
DEVICE T sum_over_block(T value, T* parts) {
  return over_block(value, parts, [](T a, T b) { return a + b; });
}
