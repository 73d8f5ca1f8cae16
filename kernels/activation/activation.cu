// Activations and what goes back through them: one pass, 16 bytes a thread.
//
// An entry point for each, so that a short formula has the few registers of a short formula.
// Counted in float32, an element: 8 bytes forward, 12 back; from 1 FLOP (relu) to some 60 (gelu with
// its error function). Bound: memory; in float64 on GPUs of consumers, which have few of its units, the
// exponentials.
//
// Left open: SCALAR, float or double.
#include "elements.cuh"
#include "sigmoid.cuh"

// From here on exp(x) (exp(x) + 2) is the same number with 2 more, and mish(x) is x.
constexpr SCALAR MISH_IS_X = sizeof(SCALAR) == 4 ? 10 : 20;
constexpr SCALAR GELU_LINEAR = 1.5957691216057307;  // sqrt(8 / pi)
constexpr SCALAR GELU_CUBIC = GELU_LINEAR * SCALAR(0.044715);
constexpr SCALAR GELU_FAR = 25;  // beyond, the tanh form's sigmoid is 0 or 1, and a cube would overflow
constexpr SCALAR ROOT_OF_HALF = 0.7071067811865476;
constexpr SCALAR NORMAL_AT_0 = 0.3989422804014327;  // 1 / sqrt(2 pi)
constexpr SCALAR SIXTH = SCALAR(1) / 6, THIRD = SCALAR(1) / 3;

DEVICE SCALAR at_most(SCALAR x, SCALAR limit) { return x > limit ? limit : x; }  // NaN stays NaN
DEVICE SCALAR between(SCALAR x, SCALAR low, SCALAR high) { return at_most(x < low ? low : x, high); }

// The probability that a standard normal number is below z sqrt(2).
DEVICE SCALAR normal(SCALAR z) { return SCALAR(0.5) * (1 + erf(z)); }

DEVICE SCALAR relu_grad(SCALAR g, SCALAR y) { return y != 0 ? g : 0; }
DEVICE SCALAR sigmoid_grad(SCALAR g, SCALAR y) { return g * (y * (1 - y)); }
DEVICE SCALAR tanh_grad(SCALAR g, SCALAR y) { return g * (1 - y * y); }

DEVICE SCALAR leaky_relu(SCALAR x, SCALAR slope) { return x > 0 ? x : x * slope; }
DEVICE SCALAR leaky_relu_grad(SCALAR g, SCALAR x, SCALAR slope) { return x > 0 ? g : g * slope; }

DEVICE SCALAR elu(SCALAR x, SCALAR alpha, SCALAR scale, SCALAR rate) {
  return scale * (x > 0 ? x : alpha * expm1(x * rate));
}
DEVICE SCALAR elu_grad(SCALAR g, SCALAR x, SCALAR alpha, SCALAR scale, SCALAR rate) {
  return scale * (x <= 0 ? g * (exp(x * rate) * (alpha * rate)) : g);
}

DEVICE SCALAR hardtanh_grad(SCALAR g, SCALAR x, SCALAR low, SCALAR high) {
  return x <= low || x >= high ? 0 : g;
}

DEVICE SCALAR hardsigmoid(SCALAR x) { return between(x + 3, 0, 6) * SIXTH; }
DEVICE SCALAR hardsigmoid_grad(SCALAR g, SCALAR x) { return x > -3 && x < 3 ? g * SIXTH : 0; }

DEVICE SCALAR hardswish_grad(SCALAR g, SCALAR x) {
  return x <= -3 ? 0 : x < 3 ? g * (x * THIRD + SCALAR(0.5)) : g;
}

DEVICE SCALAR softplus(SCALAR x, SCALAR beta, SCALAR threshold) {
  const SCALAR z = x * beta;
  return z > threshold ? x : log_1_exp(z) / beta;
}
DEVICE SCALAR softplus_grad(SCALAR g, SCALAR x, SCALAR beta, SCALAR threshold) {
  const SCALAR z = x * beta;
  return z > threshold ? g : g * sigmoid(z);
}

DEVICE SCALAR silu_grad(SCALAR g, SCALAR x) {
  const SCALAR s = sigmoid(x);
  return g * (s * (1 + x * (1 - s)));
}

// tanh(softplus(x)) = n / (n + 2),  n = w (w + 2),  w = exp(x).
DEVICE SCALAR mish(SCALAR x) {
  const SCALAR w = exp(at_most(x, MISH_IS_X)), n = w * (w + 2);
  return x * (n * inverse(n + 2));
}
DEVICE SCALAR mish_grad(SCALAR g, SCALAR x) {
  const SCALAR w = exp(at_most(x, MISH_IS_X)), n = w * (w + 2), t = n * inverse(n + 2);
  return g * (t + x * (1 - t * t) * (w * inverse(w + 1)));
}

DEVICE SCALAR gelu_grad(SCALAR g, SCALAR x) {
  const SCALAR z = x * ROOT_OF_HALF;
  return g * (normal(z) + x * (NORMAL_AT_0 * exp(-z * z)));
}

DEVICE SCALAR gelu_tanh(SCALAR x) {
  const SCALAR z = between(x, -GELU_FAR, GELU_FAR);
  return x * sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)));
}
DEVICE SCALAR gelu_tanh_grad(SCALAR g, SCALAR x) {
  const SCALAR z = between(x, -GELU_FAR, GELU_FAR);
  const SCALAR s = sigmoid(z * (GELU_LINEAR + GELU_CUBIC * (z * z)));
  return g * (s + z * (s * (1 - s)) * (GELU_LINEAR + 3 * GELU_CUBIC * (z * z)));
}

// The entry points of an activation: f(x), and dL/dx from g = dL/dy and what is known, y or x. a, b and
// c are its parameters, in the order of kernels/activation/__init__.py.
#define ACTIVATION(name, of_x, of_g)                                                              \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)                                 \
      forward_##name(const SCALAR* __restrict__ from, SCALAR* __restrict__ to, long long n,       \
                     int wide, SCALAR a, SCALAR b, SCALAR c) {                                    \
    for_elements(to, n, wide, [=](SCALAR x) { return SCALAR(of_x); }, from);                      \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)                                 \
      grad_##name(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ known,              \
                  SCALAR* __restrict__ to, long long n, int wide, SCALAR a, SCALAR b, SCALAR c) { \
    for_elements(to, n, wide, [=](SCALAR g, SCALAR x) { return SCALAR(of_g); }, grad, known);     \
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
