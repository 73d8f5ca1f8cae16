// The table behind a convolution: for each step k of its sums, (channel, tap), where the step reads,
// relative to the place of the result, and where its weight lies.
//
// A sum then runs over one index, with neither divisions nor a case for each number of axes. In the
// gradient with respect to the input, results whose places are equal modulo the stride (a phase) meet
// the same taps, and no others: their table has no step that hits nothing between two strides.
// Counted: 20 bytes written per step, 5 times the weights of one result. Bound: the launch itself.
#include "columns.cuh"

struct Axis {
  int kernel, stride, padding, dilation, phase;
  bool gradient;

  DEVICE int reach(int tap) const {
    return gradient ? phase + padding - tap * dilation : tap * dilation - padding;
  }
  DEVICE bool meets(int tap) const { return !gradient || reach(tap) % stride == 0; }
  DEVICE int count() const {
    int taps = 0;
    for (int tap = 0; tap < kernel; tap++) taps += meets(tap);
    return taps;
  }
  DEVICE int tap(int number) const {  // the one that `number` others come before
    int tap = 0;
    while (!meets(tap) || number-- > 0) tap++;
    return tap;
  }
  DEVICE int distance(int tap) const { return gradient ? reach(tap) / stride : reach(tap); }
};

extern "C" __global__ void __launch_bounds__(256)
    steps(int4* __restrict__ places, int* __restrict__ weights_at, int* __restrict__ counts, int most,
          int channels, int channel_pitch, int gradient, int source_d, int source_h, int source_w,
          int kernel_d, int kernel_h, int kernel_w, int stride_d, int stride_h, int stride_w,
          int padding_d, int padding_h, int padding_w, int dilation_d, int dilation_h, int dilation_w,
          int phases_d, int phases_h, int phases_w) {
  const int number = blockIdx.x * 256 + threadIdx.x, phase = blockIdx.y;
  const Triple first = Digits(phase, {phases_d, phases_h, phases_w}).at;
  const Axis d = {kernel_d, stride_d, padding_d, dilation_d, first.d, gradient != 0};
  const Axis h = {kernel_h, stride_h, padding_h, dilation_h, first.h, gradient != 0};
  const Axis w = {kernel_w, stride_w, padding_w, dilation_w, first.w, gradient != 0};
  const Triple taps = {d.count(), h.count(), w.count()};
  const int count = channels * volume(taps);
  if (number == 0) counts[phase] = count;
  if (!CHECK(number_inside, number < count)) return;
  const Digits k(number, taps);
  const int tap_d = d.tap(k.at.d), tap_h = h.tap(k.at.h), tap_w = w.tap(k.at.w);
  const int far_d = d.distance(tap_d), far_h = h.distance(tap_h), far_w = w.distance(tap_w);
  const Triple source = {source_d, source_h, source_w}, kernel = {kernel_d, kernel_h, kernel_w};
  places[phase * most + number] = {k.image * volume(source) + place_in(source, far_d, far_h, far_w),
                                   far_d, far_h, far_w};
  weights_at[phase * most + number] = k.image * channel_pitch + place_in(kernel, tap_d, tap_h, tap_w);
}
