// bfloat16, the upper half of a float32, in integers: the same on every GPU and on the CPU.
#pragma once

typedef unsigned short bfloat16;

// To the nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ bfloat16 to_bfloat16(float x) {
  const unsigned bits = __float_as_uint(x);
  if (x != x) return static_cast<bfloat16>(bits >> 16 | 0x40);
  return static_cast<bfloat16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

__device__ __forceinline__ float to_float(bfloat16 x) { return __uint_as_float(unsigned(x) << 16); }
