// Step 1 of 7: one thread per element of y = a b, in the order in which a beginner writes it.
//
// Neighbouring threads have neighbouring ROWS. A warp's 32 loads of a are K apart, its 32 stores N
// apart: each is a memory transaction of its own, of which 4 bytes in 32 are used.
// Counted: 2 K FLOPs and 8 K bytes per element, 0.25 FLOPs per byte; of the lines that are fetched for
// a, an eighth is used. Bound: memory and the cache, far below 1 % of the arithmetic.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(256)
    naive(const float* a, const float* b, float* y, int M, int N, int K) {
  const int row = blockIdx.x * 256 + threadIdx.x, column = blockIdx.y;
  if (!CHECK(row_inside, row < M)) return;
  float sum = 0;
  for (int k = 0; k < K; k++) sum += a[(long long)row * K + k] * b[(long long)k * N + column];
  y[(long long)row * N + column] = sum;
}
