// Up to MOST arrays in one launch: their addresses, and at which block each of them ends.
#pragma once
#include "device.cuh"

constexpr int THREADS = 256, STATES = 3;
constexpr int MOST = 64;  // arrays in a launch: cuda.py has the same number

// The arrays of a launch. An argument of at most 4 KiB, as cuda.py writes it.
struct Arrays {
  SCALAR* param[MOST];
  const SCALAR* grad[MOST];
  SCALAR* state[STATES][MOST];  // null where a rule has none
  long long size[MOST];
  long long last_block[MOST];  // the number of the first block beyond each array
};

// Which array a block is for.
DEVICE int array_of(const Arrays& arrays, int count, long long block) {
  int low = 0, high = count - 1;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (block < arrays.last_block[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}
