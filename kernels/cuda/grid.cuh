// A barrier of a whole grid, for cooperative launches: all blocks are resident and wait for each other.
#pragma once
#include "device.cuh"

// `counter` is 0 before the launch; `turn` is 1 for the first barrier, 2 for the second ...
DEVICE void wait_for_grid(unsigned* counter, unsigned turn) {
  BARRIER(grid_arrival);  // all writes of this block come before its arrival
  if (threadIdx.x == 0) {
    const unsigned all = turn * gridDim.x * gridDim.y * gridDim.z;
    __threadfence();
    atomicAdd(counter, 1u);
    while (*static_cast<volatile unsigned*>(counter) < all) __nanosleep(32);
    __threadfence();
  }
  BARRIER(grid_departure);  // nobody goes on before the arrival of the last block was seen
}

#define GRID_BARRIER(name, counter, turn) \
  do { if (KEPT(name)) wait_for_grid(counter, turn); } while (0)
