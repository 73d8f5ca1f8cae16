// One element of one step of a recurrent layer: the equations, forward and back, for all kernels here.
// T is what they are computed in, S what weights are held in.
#pragma once
#include "scalars.cuh"

template <typename T>
DEVICE T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }

// A bias of U h; 0 where there is none.
template <typename T, typename S>
DEVICE T at_or_zero(const S* bias, int i) { return bias == nullptr ? T(0) : wide(bias[i]); }

// ------------------------------------------------------------------------------- Elman's network

template <typename T>
DEVICE T rnn(T sum, bool is_tanh) {
  return is_tanh ? tanh(sum) : sum < 0 ? T(0) : sum;  // NaN stays NaN
}

// dL/dsum from h and dL/dh.
template <typename T>
DEVICE T rnn_grad(T h, T dh, bool is_tanh) { return dh * (is_tanh ? 1 - h * h : T(h > 0)); }

// ------------------------------------------------------------------------ long short-term memory

template <typename T>
struct Lstm {
  T i, f, g, o, c, h;
};

// From the sums i, f, g, o and the cell: the gates, the new cell, o tanh(c). `peepholes` (3, H) or null.
template <typename T, typename S>
DEVICE Lstm<T> lstm(T i, T f, T g, T o, T c, const S* peepholes, int unit, int H) {
  if (peepholes != nullptr) {
    i += wide(peepholes[unit]) * c;
    f += wide(peepholes[H + unit]) * c;
  }
  Lstm<T> now;
  now.i = sigmoid(i);
  now.f = sigmoid(f);
  now.g = tanh(g);
  now.c = now.f * c + now.i * now.g;
  now.o = sigmoid(peepholes == nullptr ? o : o + wide(peepholes[2 * H + unit]) * now.c);
  now.h = now.o * tanh(now.c);
  return now;
}

template <typename T>
struct LstmGrad {
  T i, f, g, o, c;  // of the sums; and of the cell that the step began with
};

// From the gates and the cell that the step began with; dh and dc are of the step's own h and c.
template <typename T, typename S>
DEVICE LstmGrad<T> lstm_grad(T i, T f, T g, T o, T c, T dh, T dc, const S* peepholes, int unit, int H) {
  const T squashed = tanh(f * c + i * g);
  LstmGrad<T> d;
  d.o = dh * squashed * o * (1 - o);
  dc += dh * o * (1 - squashed * squashed);
  if (peepholes != nullptr) dc += d.o * wide(peepholes[2 * H + unit]);
  d.i = dc * g * i * (1 - i);
  d.f = dc * c * f * (1 - f);
  d.g = dc * i * (1 - g * g);
  d.c = dc * f;
  if (peepholes != nullptr) d.c += d.i * wide(peepholes[unit]) + d.f * wide(peepholes[H + unit]);
  return d;
}

// -------------------------------------------------------------------------- gated recurrent unit

template <typename T>
struct GruGrad {
  T z, n, h;  // of the sums of z and n; and of h by way of z h alone
};

template <typename T>
DEVICE GruGrad<T> gru_grad(T z, T n, T h, T dh) {
  return {dh * (h - n) * z * (1 - z), dh * (1 - z) * (1 - n * n), dh * z};
}
