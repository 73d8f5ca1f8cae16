// y = a + b or a b, of one shape: 16 bytes a thread, one pass.
//
// Counted in float32, an element: 12 bytes, 1 FLOP. Bound: memory.
// Left open: SCALAR, float or double.
#include "device.cuh"

constexpr int PACK = 16 / sizeof(SCALAR), THREADS = 256;

struct alignas(16) Pack {
  SCALAR of[PACK];
};

template <typename F>
DEVICE void for_pairs(const SCALAR* a, const SCALAR* b, SCALAR* y, long long n, bool wide, F f) {
  const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * PACK;
  if (wide && CHECK(pack_inside, first + PACK <= n)) {
    Pack left = *reinterpret_cast<const Pack*>(a + first);
    const Pack right = *reinterpret_cast<const Pack*>(b + first);
#pragma unroll
    for (int i = 0; i < PACK; i++) left.of[i] = f(left.of[i], right.of[i]);
    *reinterpret_cast<Pack*>(y + first) = left;
    return;
  }
  for (long long i = first; i < first + PACK && CHECK(pair_inside, i < n); i++) y[i] = f(a[i], b[i]);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    add(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
        long long n, int wide) {
  for_pairs(a, b, y, n, wide, [](SCALAR left, SCALAR right) { return left + right; });
}

extern "C" __global__ void __launch_bounds__(THREADS)
    multiply(const SCALAR* __restrict__ a, const SCALAR* __restrict__ b, SCALAR* __restrict__ y,
             long long n, int wide) {
  for_pairs(a, b, y, n, wide, [](SCALAR left, SCALAR right) { return left * right; });
}
