// y = f(y) where f is too long to be inlined into a product: one pass, 16 bytes a thread.
//
// Counted: 2 n elements moved, some 20 FLOPs each. Bound: memory.
// Left open: SCALAR, float, double or bfloat16.
#include "bfloat16.cuh"
#include "device.cuh"
#include "epilogue.cuh"

constexpr int PACK = 16 / sizeof(SCALAR), THREADS = 256;

DEVICE float activated(float x, int activation) { return activate(x, activation); }
DEVICE double activated(double x, int activation) { return activate(x, activation); }
DEVICE bfloat16 activated(bfloat16 x, int activation) {
  return to_bfloat16(activate(to_float(x), activation));
}

struct alignas(16) Pack {
  SCALAR of[PACK];
};

extern "C" __global__ void __launch_bounds__(THREADS)
    activation(SCALAR* y, long long n, int activation) {
  const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * PACK;
  if (CHECK(pack_inside, first + PACK <= n)) {
    Pack pack = *reinterpret_cast<Pack*>(y + first);
#pragma unroll
    for (int i = 0; i < PACK; i++) pack.of[i] = activated(pack.of[i], activation);
    *reinterpret_cast<Pack*>(y + first) = pack;
  } else {  // the last few elements, or none
    for (long long i = first; CHECK(rest_inside, i < n); i++) y[i] = activated(y[i], activation);
  }
}
