// float16: 5 bits of exponent, 10 of mantissa; a type of its own, so that overloads can tell.
#pragma once
#include "device.cuh"

struct float16 {
  unsigned short bits;
};

DEVICE float16 to_float16(float x) { return {half_bits(x)}; }  // to the nearest, ties to even
DEVICE float to_float(float16 x) { return half_value(x.bits); }
