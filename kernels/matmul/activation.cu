// y = f(y) where f is too long to be inlined into a product: one pass, 16 bytes a thread.
//
// Counted: 2 n elements moved, some 20 FLOPs each. Bound: memory.
// Left open: SCALAR, float, double, bfloat16 or float16.
#include "bfloat16.cuh"
#include "float16.cuh"

#include "elements.cuh"
#include "epilogue.cuh"

DEVICE float activated(float x, int activation) { return activate(x, activation); }
DEVICE double activated(double x, int activation) { return activate(x, activation); }
DEVICE bfloat16 activated(bfloat16 x, int activation) {
  return to_bfloat16(activate(to_float(x), activation));
}
DEVICE float16 activated(float16 x, int activation) {
  return to_float16(activate(to_float(x), activation));
}

extern "C" __global__ void __launch_bounds__(THREADS)
    activation(SCALAR* y, long long n, int activation) {
  for_elements(y, n, true, [=](SCALAR x) { return activated(x, activation); }, y);
}
