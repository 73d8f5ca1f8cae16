// y = a + b or a b, of one shape: 16 bytes a thread, one pass.
//
// Counted in float32, an element: 12 bytes, 1 FLOP. Bound: memory.
// Left open: SCALAR, float or double.
#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    add(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
        long long n, int wide) {
  for_elements(y, n, wide, [](SCALAR left, SCALAR right) { return left + right; }, a, b);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    multiply(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
             long long n, int wide) {
  for_elements(y, n, wide, [](SCALAR left, SCALAR right) { return left * right; }, a, b);
}
