// Activations and what goes back through them: one pass, 16 bytes a thread.
//
// An entry point for each, so that a short formula has the few registers of a short formula.
// Counted in float32, an element: 8 bytes forward, 12 back (half of it in 16 bits); from 1 FLOP (relu)
// to some 60 (gelu with its error function). Bound: memory; in float64 on GPUs of consumers, which have
// few of its units, the exponentials.
//
// Left open: SCALAR, of arrays; SUM, what f is computed in.
#include "held.cuh"

#include "elements.cuh"
#include "sigmoid.cuh"

// From here on exp(x) (exp(x) + 2) is the same number with 2 more, and mish(x) is x.
constexpr SUM MISH_IS_X = sizeof(SUM) == 4 ? 10 : 20;
constexpr SUM GELU_LINEAR = 1.5957691216057307;  // sqrt(8 / pi)
constexpr SUM GELU_CUBIC = GELU_LINEAR * SUM(0.044715);
constexpr SUM GELU_FAR = 25;  // beyond, the tanh form's sigmoid is 0 or 1, and a cube would overflow
constexpr SUM ROOT_OF_HALF = 0.7071067811865476;
constexpr SUM NORMAL_AT_0 = 0.3989422804014327;  // 1 / sqrt(2 pi)
constexpr SUM SIXTH = SUM(1) / 6, THIRD = SUM(1) / 3;

DEVICE SUM at_most(SUM x, SUM limit) { return x > limit ? limit : x; }  // NaN stays NaN
DEVICE SUM between(SUM x, SUM low, SUM high) { return at_most(x < low ? low : x, high); }

// The probability that a standard normal number is below z sqrt(2).
DEVICE SUM normal(SUM z) { return SUM(0.5) * (1 + erf(z)); }

DEVICE SUM relu_grad(SUM g, SUM y) { return y != 0 ? g : 0; }
DEVICE SUM sigmoid_grad(SUM g, SUM y) { return g * (y * (1 - y)); }
DEVICE SUM tanh_grad(SUM g, SUM y) { return g * (1 - y * y); }

DEVICE SUM leaky_relu(SUM x, SUM slope) { return x > 0 ? x : x * slope; }
DEVICE SUM leaky_relu_grad(SUM g, SUM x, SUM slope) { return x > 0 ? g : g * slope; }

DEVICE SUM elu(SUM x, SUM alpha, SUM scale, SUM rate) {
  return scale * (x > 0 ? x : alpha * expm1(x * rate));
}
DEVICE SUM elu_grad(SUM g, SUM x, SUM alpha, SUM scale, SUM rate) {
  return scale * (x <= 0 ? g * (exp(x * rate) * (alpha * rate)) : g);
}

DEVICE SUM hardtanh_grad(SUM g, SUM x, SUM low, SUM high) {
  return x <= low || x >= high ? 0 : g;
}

DEVICE SUM hardsigmoid(SUM x) { return between(x + 3, 0, 6) * SIXTH; }
DEVICE SUM hardsigmoid_grad(SUM g, SUM x) { return x > -3 && x < 3 ? g * SIXTH : 0; }

DEVICE SUM hardswish_grad(SUM g, SUM x) {
  return x <= -3 ? 0 : x < 3 ? g * (x * THIRD + SUM(0.5)) : g;
}

DEVICE SUM softplus(SUM x, SUM beta, SUM threshold) {
  const SUM z = x * beta;
  return z > threshold ? x : log_1_exp(z) / beta;
}
DEVICE SUM softplus_grad(SUM g, SUM x, SUM beta, SUM threshold) {
  const SUM z = x * beta;
  return z > threshold ? g : g * sigmoid(z);
}

DEVICE SUM silu_grad(SUM g, SUM x) {
  const SUM s = sigmoid(x);
  return g * (s * (1 + x * (1 - s)));
}

// tanh(softplus(x)) = n / (n + 2),  n = w (w + 2),  w = exp(x).
DEVICE SUM mish(SUM x) {
  const SUM w = exp(at_most(x, MISH_IS_X)), n = w * (w + 2);
  return x * (n * inverse(n + 2));
}
DEVICE SUM mish_grad(SUM g, SUM x) {
  const SUM w = exp(at_most(x, MISH_IS_X)), n = w * (w + 2), t = n * inverse(n + 2);
  return g * (t + x * (1 - t * t) * (w * inverse(w + 1)));
}

DEVICE SUM gelu_grad(SUM g, SUM x) {
  const SUM z = x * ROOT_OF_HALF;
  return g * (normal(z) + x * (NORMAL_AT_0 * exp(-z * z)));
}

DEVICE SUM gelu_tanh(SUM x) {
  const SUM z = between(x, -GELU_FAR, GELU_FAR);
  return x * sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)));
}
DEVICE SUM gelu_tanh_grad(SUM g, SUM x) {
  const SUM z = between(x, -GELU_FAR, GELU_FAR);
  const SUM s = sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)));
  return g * (s + z * (s * (1 - s)) * (GELU_LINEAR + 3 * GELU_CUBIC * (z * z)));
}

// The entry points of an activation: f(x), and dL/dx from g = dL/dy and what is known, y or x. a, b and
// c are its parameters, in the order of kernels/activation/__init__.py.
#define ACTIVATION(name, of_x, of_g)                                                              \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)                                 \
      forward_##name(const SCALAR* __restrict__ from, SCALAR* __restrict__ to, long long n,       \
                     int packed, SUM a, SUM b, SUM c) {                                           \
    const auto f = [=](SUM x) { return SUM(of_x); };                                              \
    for_elements(to, n, packed, [=](SCALAR at) { return held(f(wide(at))); }, from);              \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)                                 \
      grad_##name(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ known,              \
                  SCALAR* __restrict__ to, long long n, int packed, SUM a, SUM b, SUM c) {        \
    const auto f = [=](SUM g, SUM x) { return SUM(of_g); };                                       \
    for_elements(                                                                                 \
        to, n, packed, [=](SCALAR g, SCALAR at) { return held(f(wide(g), wide(at))); }, grad,     \
        known);                                                                                   \
  }

ACTIVATION(relu, x < 0 ? 0 : x, relu_grad(g, x))
ACTIVATION(leaky_relu, leaky_relu(x, a), leaky_relu_grad(g, x, a))
ACTIVATION(elu, elu(x, a, b, c), elu_grad(g, x, a, b, c))
ACTIVATION(hardtanh, between(x, a, b), hardtanh_grad(g, x, a, b))
ACTIVATION(hardsigmoid, hardsigmoid(x), hardsigmoid_grad(g, x))
ACTIVATION(hardswish, x * hardsigmoid(x), hardswish_grad(g, x))
ACTIVATION(sigmoid, sigmoid(x), sigmoid_grad(g, x))
ACTIVATION(tanh, tanh(x), tanh_grad(g, x))
ACTIVATION(softplus, softplus(x, a, b), softplus_grad(g, x, a, b))
ACTIVATION(logsigmoid, -log_1_exp(-x), g * sigmoid(-x))
ACTIVATION(silu, x * sigmoid(x), silu_grad(g, x))
ACTIVATION(mish, mish(x), mish_grad(g, x))
ACTIVATION(gelu, x * normal(x * ROOT_OF_HALF), gelu_grad(g, x))
ACTIVATION(gelu_tanh, gelu_tanh(x), gelu_tanh_grad(g, x))
