// y = x: 16 bytes a thread, one pass.
//
// Counted: 2 bytes moved for each byte of x, no FLOPs. Bound: memory; what it reaches is the ceiling
// of every kernel that is bound by it.
#include "device.cuh"

constexpr int THREADS = 256;

extern "C" __global__ void __launch_bounds__(THREADS)
    copy(const unsigned char* __restrict__ x, unsigned char* __restrict__ y, long long bytes,
         int wide) {
  const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * 16;
  if (wide && CHECK(pack_inside, first + 16 <= bytes)) {
    *reinterpret_cast<uint4*>(y + first) = *reinterpret_cast<const uint4*>(x + first);
    return;
  }
  for (long long i = first; i < first + 16 && CHECK(byte_inside, i < bytes); i++) y[i] = x[i];
}
