// 1 / x without the function that a division in float64 is, for which registers are saved.
#pragma once
#include "device.cuh"

DEVICE float inverse(float x) { return 1 / x; }

// For x from 1 to 1e37, or NaN: two steps of Newton's method from a float32.
DEVICE double inverse(double x) {
  double y = __fdividef(1.0f, static_cast<float>(x));
  y += y * (1 - x * y);
  return y + y * (1 - x * y);
}
