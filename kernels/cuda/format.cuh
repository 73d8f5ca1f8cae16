// The numbers that tensor cores take.
//
// Left open: FORMAT, one of the four below.
#pragma once
#include "bfloat16.cuh"
#include "device.cuh"
#include "float16.cuh"

#define TF32 0
#define TF32X3 1
#define BFLOAT16 2
#define FLOAT16 3

#if FORMAT == BFLOAT16
typedef bfloat16 Element;
DEVICE Element to_element(float x) { return to_bfloat16(x); }
#elif FORMAT == FLOAT16
typedef float16 Element;
DEVICE Element to_element(float x) { return to_float16(x); }
#else
typedef float Element;
DEVICE Element to_element(float x) { return x; }
DEVICE float to_float(float x) { return x; }
#endif
