// Numbers as arrays hold them and as sums are formed: what has 16 bits is computed in float32.
#pragma once
#include "bfloat16.cuh"
#include "device.cuh"
#include "float16.cuh"

DEVICE float wide(float x) { return x; }
DEVICE double wide(double x) { return x; }
DEVICE float wide(bfloat16 x) { return to_float(x); }
DEVICE float wide(float16 x) { return to_float(x); }
DEVICE void put(float* to, float x) { *to = x; }
DEVICE void put(double* to, double x) { *to = x; }
DEVICE void put(bfloat16* to, float x) { *to = to_bfloat16(x); }
DEVICE void put(float16* to, float x) { *to = to_float16(x); }
