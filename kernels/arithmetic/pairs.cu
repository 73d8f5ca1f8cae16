// y = a + b or a b, of one shape: 16 bytes a thread, one pass.
//
// Counted in float32, an element: 12 bytes (6 in 16 bits), 1 FLOP. Bound: memory.
// Left open: SCALAR, of arrays; SUM, what is computed in.
#include "held.cuh"

#include "elements.cuh"

extern "C" __global__ void __launch_bounds__(THREADS)
    add(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
        long long n, int in_packs) {
  const auto sum = [](SCALAR left, SCALAR right) { return held(wide(left) + wide(right)); };
  for_elements(y, n, in_packs, sum, a, b);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    multiply(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
             long long n, int in_packs) {
  const auto product = [](SCALAR left, SCALAR right) { return held(wide(left) * wide(right)); };
  for_elements(y, n, in_packs, product, a, b);
}
