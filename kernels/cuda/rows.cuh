// A row in the registers of a block: read once, reduced in one order, written once.
//
// Each thread has DEPTH packs of 16 bytes, PACK neighbours each, so a block of n threads holds
// n * DEPTH * PACK elements. A longer row takes several turns and is read anew where it is needed
// again, by then from L2. `wide` says that all rows begin at multiples of 16 bytes and are whole packs.
#pragma once
#include "device.cuh"
#include "pack.cuh"
#include "reductions.cuh"

constexpr int DEPTH = 32 / sizeof(SCALAR);  // packs of a thread

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
