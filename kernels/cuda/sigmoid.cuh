// The logistic function and the integral of it; nothing overflows.
#pragma once
#include "inverse.cuh"

// 1 / (1 + exp(-x)).
template <typename T>
DEVICE T sigmoid(T x) {
  const T small = exp(-fabs(x)), share = inverse(1 + small);
  return x < 0 ? small * share : share;
}

// log(1 + exp(x)).
template <typename T>
DEVICE T log_1_exp(T x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
