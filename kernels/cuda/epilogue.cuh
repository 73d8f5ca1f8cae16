// What follows a product: bias and activation.
#pragma once

enum Activation { NONE = 0, RELU = 1, TANH = 2, SIGMOID = 3 };  // epilogue.py has the same numbers

// Below this a fused activation cuts off: relu is one instruction, and so is none. (tanh or sigmoid,
// inlined for each of a thread's 64 sums, would be three quarters of a product's code.)
template <typename T>
__device__ __forceinline__ T floor_of(int activation) {
  return activation == RELU ? T(0) : -T(__int_as_float(0x7f800000));  // or minus infinity
}

template <typename T>
__device__ __forceinline__ T cut_off(T x, T floor) {
  return x < floor ? floor : x;  // NaN stays NaN
}

template <typename T>
__device__ __forceinline__ T activate(T x, int activation) {
  if (activation == RELU) return cut_off(x, T(0));
  if (activation == TANH) return tanh(x);
  if (activation == SIGMOID) return T(1) / (T(1) + exp(-x));
  return x;
}
