// Eight chains of s = s / 2 + x in the registers of a thread, `rounds` steps long; y is their sum.
//
// Counted, an element: 8 bytes once, 16 FLOPs a round. Bound: the pipes of float32 (or float64); the
// chains do not wait for each other, and 2048 threads of a multiprocessor hide the rest.
// Left open: SCALAR, float or double.
#include "device.cuh"

constexpr int THREADS = 256, CHAINS = 8;

extern "C" __global__ void __launch_bounds__(THREADS)
    multiply_add(const SCALAR* __restrict__ x, SCALAR* __restrict__ y, long long n, int rounds) {
  const long long i = static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x;
  if (!CHECK(element_inside, i < n)) return;
  const SCALAR add = x[i], half = SCALAR(0.5);
  SCALAR chain[CHAINS];
#pragma unroll
  for (int c = 0; c < CHAINS; c++) chain[c] = SCALAR(c + 1);
#pragma unroll 8
  for (int round = 0; round < rounds; round++)
#pragma unroll
    for (int c = 0; c < CHAINS; c++) chain[c] = chain[c] * half + add;
  SCALAR sum = chain[0];
#pragma unroll
  for (int c = 1; c < CHAINS; c++) sum += chain[c];
  y[i] = sum;
}
