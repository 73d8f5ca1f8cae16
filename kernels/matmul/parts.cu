// y = f(the sum of partial products + bias), in the order of the parts: what follows a product whose
// sums were split. No sum depends on who comes first, as it would with atomics.
//
// Counted: `count` partial sums read for each element written, one add each. Bound: memory, of which
// the parts are rarely more than the second-level cache holds.
// An element's column is i / apart % columns: the last axis of a matrix, or the channels of an image.
// Left open: SCALAR, of the result and the bias; SUM, of the parts.
#include "epilogue.cuh"
#include "scalars.cuh"

extern "C" __global__ void __launch_bounds__(256)
    add_parts(const SUM* __restrict__ parts, const SCALAR* __restrict__ bias, SCALAR* __restrict__ y,
              long long size, int columns, int apart, int count, int activation) {
  const long long i = blockIdx.x * 256LL + threadIdx.x;
  if (!CHECK(element_inside, i < size)) return;
  SUM sum = 0;
  for (int part = 0; part < count; part++) sum += parts[part * size + i];
  if (bias != nullptr) sum += wide(bias[i / apart % columns]);
  put(y + i, cut_off(sum, floor_of<SUM>(activation)));
}
