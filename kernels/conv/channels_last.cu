// A pack of channels for each place: y[group, image, s, r] = x[image, group, r, s], with zeros for the
// channels from R to `padded`. Convolutions on tensor cores read 16 bytes of channels at a time, of
// places that no alignment ties, which padding leaves out as a whole.
//
// A block turns 32 x 32 elements by way of shared memory: neighbours read and write neighbours.
// Counted: every element read and written once, `padded` / R of them written. Bound: memory.
// Left open: SCALAR; ROUNDED, whether numbers are rounded to TF32 on the way.
#include "device.cuh"

constexpr int SIDE = 32, DOWN = 8;

extern "C" __global__ void __launch_bounds__(SIDE * DOWN)
    channels_last(const SCALAR* __restrict__ x, SCALAR* __restrict__ y, int images, int groups, int R,
                  int S, int padded, int tiles_along) {
  __shared__ SCALAR tile[SIDE][SIDE + 1];  // columns fall into different banks
  const int across = threadIdx.x % SIDE, down = threadIdx.x / SIDE;
  const int matrix = blockIdx.x / tiles_along, s_0 = blockIdx.x % tiles_along * SIDE, r_0 = blockIdx.y * SIDE;
  const int to = matrix % groups * images + matrix / groups;
  x += static_cast<long long>(matrix) * R * S;
  y += static_cast<long long>(to) * S * padded;
#pragma unroll
  for (int i = 0; i < SIDE; i += DOWN) {
    const int r = r_0 + down + i, s = s_0 + across;
    const bool there = CHECK(channel_inside, r < R) && CHECK(place_inside, s < S);
    const SCALAR value = there ? x[static_cast<long long>(r) * S + s] : SCALAR(0);
#if ROUNDED
    tile[down + i][across] = __uint_as_float(to_tf32(value));
#else
    tile[down + i][across] = value;
#endif
  }
  BARRIER(tile_loaded);  // what a thread writes, others have read
#pragma unroll
  for (int i = 0; i < SIDE; i += DOWN) {
    const int s = s_0 + down + i, r = r_0 + across;
    if (CHECK(result_inside, s < S) && CHECK(pack_inside, r < padded))
      y[static_cast<long long>(s) * padded + r] = tile[across][down + i];
  }
}
