// y = f(a, b ...) of arrays of one size, element by element: one pass, a pack of 16 bytes a thread.
#pragma once
#include "device.cuh"
#include "pack.cuh"

constexpr int THREADS = 256;
// Blocks of a multiprocessor: a thread may then have 64 registers. Without a number the compiler keeps
// to 40 for formulas in float64, and spills.
constexpr int RESIDENT = 4;

template <typename F, typename... Packs>
DEVICE void store_pack(SCALAR* y, F f, Packs... given) {
  Pack pack;
#pragma unroll
  for (int i = 0; i < PACK; i++) pack.of[i] = f(given.of[i]...);
  *reinterpret_cast<Pack*>(y) = pack;
}

// `wide`: all arrays begin at multiples of 16 bytes. Others, and the last few elements, go one by one.
template <typename F, typename... Arrays>
DEVICE void for_elements(SCALAR* y, long long n, bool wide, F f, Arrays... given) {
  const long long first = (static_cast<long long>(blockIdx.x) * THREADS + threadIdx.x) * PACK;
  if (wide && CHECK(pack_inside, first + PACK <= n)) {
    store_pack(y + first, f, *reinterpret_cast<const Pack*>(given + first)...);
    return;
  }
#pragma unroll 1  // rarely run: code for each of a few elements would be most of the kernel's
  for (long long i = first; i < first + PACK && CHECK(element_inside, i < n); i++)
    y[i] = f(given[i]...);
}
