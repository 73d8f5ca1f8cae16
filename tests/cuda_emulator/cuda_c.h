// CUDA C for a C++ compiler: its keywords, built-in variables and functions, on fibers.
#pragma once
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "fibers.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("cuda_shared"), aligned(128)))

#define threadIdx (emulator::now->thread)
#define blockIdx (emulator::now->block->index)
#define blockDim (emulator::dimensions(emulator::launch_.block))
#define gridDim (emulator::dimensions(emulator::launch_.grid))
constexpr int warpSize = 32;

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) double2 { double x, y; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline double2 make_double2(double x, double y) { return {x, y}; }

namespace emulator {

inline uint3 dimensions(const unsigned (&of)[3]) { return {of[0], of[1], of[2]}; }

inline int wait_at(State barrier, const char* name, int predicate = 0) {
  now->at = name;
  now->predicate = predicate;
  wait(barrier);
  return now->count;
}

// Give a value to the warp, wait for all lanes of the mask, return what each of them gave.
template <typename T> const Slot* exchange(unsigned mask, const T& given, const char* operation) {
  static_assert(sizeof(T) <= SLOT && std::is_trivially_copyable_v<T>);
  Fiber* self = now;
  if (!(mask >> self->number % 32 & 1)) fail(where(*self) + " is not in its own mask in " + operation);
  std::memcpy(self->slot.bytes, &given, sizeof(T));
  self->mask = mask;
  self->at = operation;
  wait(IN_WARP);
  return &self->block->seen[self->number / 32 * 32];
}

template <typename T> T taken(const Slot& from) {
  T value;
  std::memcpy(&value, from.bytes, sizeof(T));
  return value;
}

// A lane that is not in the mask, or has ended, gives nothing: its value is all ones, a NaN.
template <typename T> T shuffle(unsigned mask, T value, int from, const char* operation) {
  const Slot* all = exchange(mask, value, operation);
  const unsigned other = now->number / 32 * 32 + from;
  if (mask >> from & 1 && other < now->block->fibers.size()) return taken<T>(all[from]);
  std::memset(&value, 0xff, sizeof value);
  return value;
}

}  // namespace emulator

inline void __syncthreads() { emulator::wait_at(emulator::AT_BARRIER, "__syncthreads"); }
inline int __syncthreads_count(int p) {
  return emulator::wait_at(emulator::AT_BARRIER, "__syncthreads_count", p);
}
inline int __syncthreads_or(int p) {
  return emulator::wait_at(emulator::AT_BARRIER, "__syncthreads_or", p) != 0;
}
inline int __syncthreads_and(int p) {
  return emulator::wait_at(emulator::AT_BARRIER, "__syncthreads_and", !p) == 0;
}
inline void __syncwarp(unsigned mask = ~0u) { emulator::exchange(mask, 0, "__syncwarp"); }

template <typename T> T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const int lane = emulator::now->number % 32, group = lane & ~(width - 1);
  return emulator::shuffle(mask, value, group | (from & (width - 1)), "__shfl_sync");
}
template <typename T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = emulator::now->number % 32, own = lane & (width - 1);
  return emulator::shuffle(mask, value, own + int(by) < width ? lane + by : lane, "__shfl_down_sync");
}
template <typename T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int lane = emulator::now->number % 32, own = lane & (width - 1);
  return emulator::shuffle(mask, value, own >= int(by) ? lane - by : lane, "__shfl_up_sync");
}
template <typename T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int lane = emulator::now->number % 32, other = lane ^ bits;
  const bool same = (other & ~(width - 1)) == (lane & ~(width - 1));
  return emulator::shuffle(mask, value, same ? other : lane, "__shfl_xor_sync");
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const emulator::Slot* all = emulator::exchange(mask, predicate != 0, "__ballot_sync");
  const unsigned first = emulator::now->number / 32 * 32;
  unsigned votes = 0;
  for (unsigned l = 0; l < 32 && first + l < emulator::now->block->fibers.size(); l++)
    if (mask >> l & 1) votes |= unsigned(emulator::taken<bool>(all[l])) << l;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

// One thread runs at a time, and goes on until it waits: plain reads and writes are atomic.
template <typename T> T atomicAdd(T* p, std::common_type_t<T> value) {
  const T before = *p;
  *p = before + value;
  return before;
}
template <typename T> T atomicMax(T* p, std::common_type_t<T> value) {
  const T before = *p;
  *p = std::max(before, T(value));
  return before;
}
template <typename T> T atomicMin(T* p, std::common_type_t<T> value) {
  const T before = *p;
  *p = std::min(before, T(value));
  return before;
}
template <typename T> T atomicExch(T* p, std::common_type_t<T> value) { return std::exchange(*p, T(value)); }
template <typename T>
T atomicCAS(T* p, std::common_type_t<T> expected, std::common_type_t<T> value) {
  const T before = *p;
  if (before == T(expected)) *p = value;
  return before;
}
inline void __threadfence() {}  // memory is always in order here: a missing fence is not found
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) { emulator::wait_at(emulator::PAUSED, "a loop"); }

template <typename T> T __ldg(const T* p) { return *p; }
template <typename T> T __ldcg(const T* p) { return *p; }
template <typename To, typename From> To reinterpret_bits(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  std::memcpy(&y, &x, sizeof y);
  return y;
}
inline float __int_as_float(int x) { return reinterpret_bits<float>(x); }
inline int __float_as_int(float x) { return reinterpret_bits<int>(x); }
inline float __uint_as_float(unsigned x) { return reinterpret_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return reinterpret_bits<unsigned>(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
using std::max;
using std::min;
