// Weighted sums along one axis of an array (outer, size, inner): y[., o, .] is the sum over k of
// weight[k, o] x[., index[k, o], .]. Forward and back are the same: going back, the taps are transposed.
//
// A thread has one result, or PACK neighbours where rows of `inner` are whole packs: these share their
// taps, and are read and written 16 bytes at a time. Along the last axis neighbours have taps of their
// own, which lie side by side for that reason, and read near each other, from the first-level cache.
// Each result is written once, by one thread, its products added in the order of the taps: a gradient
// is gathered as well, so that there are no atomics.
//
// Counted in float32: 4 bytes of x and of y each, 2 FLOPs a tap; the taps themselves stay in the caches.
// Bound: memory. Left open: SCALAR, float or double.
#include "device.cuh"
#include "pack.cuh"

constexpr int THREADS = 256;

template <int COUNT>
DEVICE void sums(const SCALAR* x, const long long* index, const SCALAR* weight, SCALAR* y, unsigned count,
                 unsigned size, unsigned outputs, unsigned inner, int taps) {
  using Few = Neighbours<COUNT>;
  const unsigned number = blockIdx.x * THREADS + threadIdx.x, across = inner / COUNT;
  if (!CHECK(result_inside, number < count)) return;
  const unsigned row = number / across, o = row % outputs;
  x += static_cast<long long>(row / outputs) * size * inner + number % across * COUNT;
  Few total = {};
  for (int k = 0; k < taps; k++) {
    const unsigned at = k * outputs + o;
    const long long from = index[at];
    if (!CHECK(tap_there, from >= 0)) break;  // nor are those behind it
    const SCALAR w = weight[at];
    const Few few = *reinterpret_cast<const Few*>(x + from * inner);
#pragma unroll
    for (int i = 0; i < COUNT; i++) total.of[i] += w * few.of[i];
  }
  *reinterpret_cast<Few*>(y + static_cast<long long>(number) * COUNT) = total;
}

extern "C" __global__ void __launch_bounds__(THREADS)
    resample(const SCALAR* __restrict__ x, const long long* __restrict__ index,
             const SCALAR* __restrict__ weight, SCALAR* __restrict__ y, unsigned count, unsigned size,
             unsigned outputs, unsigned inner, int taps, int wide) {
  if (wide)
    sums<PACK>(x, index, weight, y, count, size, outputs, inner, taps);
  else
    sums<1>(x, index, weight, y, count, size, outputs, inner, taps);
}
