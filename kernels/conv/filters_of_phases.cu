// The weights of each phase of a gradient, side by side: y[phase, row, k] = weight[row, the k-th tap that
// meets there], channels last, in chunks of 16 bytes, and zeros where a phase has fewer taps than `most`.
//
// So that boxes of a matrix hold the weights of neighbouring steps (wgmma.cu): the taps that meet in a
// phase are no neighbours in `weight`. Where all strides are 1 they are, and it need not be launched.
// Counted: each weight read and written once, and the zeros. Bound: memory.
#include "device.cuh"

extern "C" __global__ void __launch_bounds__(256)
    filters_of_phases(const int4* __restrict__ weight, int4* __restrict__ y, const int* __restrict__ weights_at,
                      const int* __restrict__ counts, int most, int rows, int taps, int chunks) {
  const int number = blockIdx.x * 256 + threadIdx.x, phase = blockIdx.y;
  const int chunk = number % chunks, k = number / chunks % most, row = number / chunks / most;
  if (!CHECK(row_inside, row < rows)) return;
  int4 own = {0, 0, 0, 0};
  if (CHECK(tap_inside, k < counts[phase]))
    own = weight[(static_cast<long long>(row) * taps + weights_at[phase * most + k]) * chunks + chunk];
  y[static_cast<long long>(phase) * rows * most * chunks + number] = own;
}
