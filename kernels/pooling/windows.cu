// Pooling, forward and backward: max with the number of the tap that won, and average; 1 to 3 axes
// (missing ones have size 1).
//
// A thread computes one result; neighbours have neighbouring places. Forward goes over a window's
// taps; backward over the windows that cover a place, and adds their shares in the order of the taps:
// each result is written once, by one thread, so that there are neither atomics nor zeros to write
// first. What windows share comes from the first-level cache.
//
// Counted in float32, per plane of S places and O windows: max_forward moves 4 S + 5 O bytes,
// max_grad_input 5 O + 4 S, the averages 4 (S + O); per result one comparison or addition a tap. Bound:
// memory; 16 bits are half of it. Left open: SCALAR, of arrays; SUM, of sums.
#include "scalars.cuh"

struct Axis {
  int size, out, kernel, stride, padding, dilation;

  DEVICE int place(int window, int tap) const { return window * stride + tap * dilation - padding; }
  // The first tap of a window that meets the input: of all that are as low as the padding, it wins.
  DEVICE int first(int window) const {
    return min(max((padding - window * stride + dilation - 1) / dilation, 0), kernel - 1);
  }
  // Which window sees a place with this tap; -1 for none.
  DEVICE int window(int place, int tap) const {
    const int far = place + padding - tap * dilation;
    return far >= 0 && far % stride == 0 && far / stride < out ? far / stride : -1;
  }
};

struct Place {
  int d, h, w;
  long long plane;  // which image and channel

  DEVICE Place(long long number, int size_d, int size_h, int size_w) {
    const long long volume = static_cast<long long>(size_d) * size_h * size_w;
    plane = number / volume;
    const int rest = static_cast<int>(number % volume);
    w = rest % size_w;
    h = rest / size_w % size_h;
    d = rest / size_w / size_h;
  }
};

#define SETTINGS                                                                                    \
  long long count, int size_d, int size_h, int size_w, int out_d, int out_h, int out_w,             \
      int kernel_d, int kernel_h, int kernel_w, int stride_d, int stride_h, int stride_w,           \
      int padding_d, int padding_h, int padding_w, int dilation_d, int dilation_h, int dilation_w
#define AXES                                                                          \
  const Axis d = {size_d, out_d, kernel_d, stride_d, padding_d, dilation_d};          \
  const Axis h = {size_h, out_h, kernel_h, stride_h, padding_h, dilation_h};          \
  const Axis w = {size_w, out_w, kernel_w, stride_w, padding_w, dilation_w};          \
  const long long number = blockIdx.x * 256ll + threadIdx.x;                          \
  if (!CHECK(result_inside, number < count)) return;

DEVICE long long places(const Axis& d, const Axis& h, const Axis& w) {
  return static_cast<long long>(d.size) * h.size * w.size;
}
DEVICE long long windows(const Axis& d, const Axis& h, const Axis& w) {
  return static_cast<long long>(d.out) * h.out * w.out;
}

// Visit the taps of a window that are inside, in their order: visit(tap, place in the plane).
template <typename Visit>
DEVICE void each_tap(const Axis& d, const Axis& h, const Axis& w, const Place& o, Visit visit) {
  for (int a = 0; a < d.kernel; a++) {
    const int i = d.place(o.d, a);
    if (!CHECK(d_inside, static_cast<unsigned>(i) < d.size)) continue;
    for (int b = 0; b < h.kernel; b++) {
      const int j = h.place(o.h, b);
      if (!CHECK(h_inside, static_cast<unsigned>(j) < h.size)) continue;
      for (int c = 0; c < w.kernel; c++) {
        const int k = w.place(o.w, c);
        if (CHECK(w_inside, static_cast<unsigned>(k) < w.size))
          visit((a * h.kernel + b) * w.kernel + c, (i * h.size + j) * w.size + k);
      }
    }
  }
}

// Visit the windows that cover a place, in the order of the taps they see it with: visit(tap, window
// of the plane).
template <typename Visit>
DEVICE void each_window(const Axis& d, const Axis& h, const Axis& w, const Place& s, Visit visit) {
  for (int a = 0; a < d.kernel; a++) {
    const int i = d.window(s.d, a);
    if (!CHECK(window_d_inside, i >= 0)) continue;
    for (int b = 0; b < h.kernel; b++) {
      const int j = h.window(s.h, b);
      if (!CHECK(window_h_inside, j >= 0)) continue;
      for (int c = 0; c < w.kernel; c++) {
        const int k = w.window(s.w, c);
        if (CHECK(window_w_inside, k >= 0))
          visit((a * h.kernel + b) * w.kernel + c, (i * h.out + j) * w.out + k);
      }
    }
  }
}

// The first of equal elements wins, and a NaN over everything, the last of several.
template <typename Winner>
DEVICE void largest(const SCALAR* x, SCALAR* y, Winner* winner, long long number, const Axis& d,
                    const Axis& h, const Axis& w) {
  const Place o(number, d.out, h.out, w.out);
  SUM best = -SUM(__int_as_float(0x7f800000));  // minus infinity
  int won = (d.first(o.d) * h.kernel + h.first(o.h)) * w.kernel + w.first(o.w);
  x += o.plane * places(d, h, w);
  each_tap(d, h, w, o, [&](int tap, int place) {
    const SUM one = wide(x[place]);
    if (one > best || one != one) {
      best = one;
      won = tap;
    }
  });
  put(y + number, best);
  winner[number] = static_cast<Winner>(won);
}

template <typename Winner>
DEVICE void to_winners(const SCALAR* grad_output, const Winner* winner, SCALAR* dx, long long number,
                       const Axis& d, const Axis& h, const Axis& w) {
  const Place s(number, d.size, h.size, w.size);
  grad_output += s.plane * windows(d, h, w);
  winner += s.plane * windows(d, h, w);
  SUM sum = 0;
  each_window(d, h, w, s, [&](int tap, int window) {
    if (winner[window] == tap) sum += wide(grad_output[window]);
  });
  put(dx + number, sum);
}

// What lies where the winner does; 0 where that is padding.
template <typename Winner>
DEVICE void of_winner(const SCALAR* x, const Winner* winner, SCALAR* y, long long number,
                      const Axis& d, const Axis& h, const Axis& w) {
  const Place o(number, d.out, h.out, w.out);
  const int tap = winner[number];
  const int i = d.place(o.d, tap / w.kernel / h.kernel), j = h.place(o.h, tap / w.kernel % h.kernel);
  const int k = w.place(o.w, tap % w.kernel);
  const bool inside = CHECK(winner_d_inside, static_cast<unsigned>(i) < d.size) &&
                      CHECK(winner_h_inside, static_cast<unsigned>(j) < h.size) &&
                      CHECK(winner_w_inside, static_cast<unsigned>(k) < w.size);
  put(y + number, inside ? wide(x[o.plane * places(d, h, w) + (i * h.size + j) * w.size + k]) : SUM(0));
}

#define ENTRIES(name, Winner)                                                                     \
  extern "C" __global__ void __launch_bounds__(256, 4)                                               \
      max_forward_##name(const SCALAR* x, SCALAR* y, Winner* winner, SETTINGS) {                  \
    AXES largest(x, y, winner, number, d, h, w);                                                  \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(256, 4)                                               \
      max_grad_input_##name(const SCALAR* grad_output, const Winner* winner, SCALAR* dx, SETTINGS) { \
    AXES to_winners(grad_output, winner, dx, number, d, h, w);                                    \
  }                                                                                               \
  extern "C" __global__ void __launch_bounds__(256, 4)                                               \
      max_gather_##name(const SCALAR* x, const Winner* winner, SCALAR* y, SETTINGS) {             \
    AXES of_winner(x, winner, y, number, d, h, w);                                                \
  }

ENTRIES(u1, unsigned char)
ENTRIES(i4, int)

// `divisors` has a number for each window of a plane, or is null: then all are divided by `divisor`.
extern "C" __global__ void __launch_bounds__(256, 4)
    avg_forward(const SCALAR* x, const SUM* divisors, SCALAR* y, double divisor, SETTINGS) {
  AXES
  const Place o(number, d.out, h.out, w.out);
  x += o.plane * places(d, h, w);
  SUM sum = 0;
  each_tap(d, h, w, o, [&](int, int place) { sum += wide(x[place]); });
  put(y + number, sum / (divisors == nullptr ? SUM(divisor) : divisors[number - o.plane * windows(d, h, w)]));
}

extern "C" __global__ void __launch_bounds__(256, 4)
    avg_grad_input(const SCALAR* grad_output, const SUM* divisors, SCALAR* dx, double divisor,
                   SETTINGS) {
  AXES
  const Place s(number, d.size, h.size, w.size);
  grad_output += s.plane * windows(d, h, w);
  SUM sum = 0;
  each_window(d, h, w, s, [&](int, int window) {
    sum += wide(grad_output[window]) / (divisors == nullptr ? SUM(divisor) : divisors[window]);
  });
  put(dx + number, sum);
}
