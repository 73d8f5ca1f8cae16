// Channels of (N, C, L): each is spread over the batch, and few of them must keep a whole GPU busy, so that
// several blocks reduce a part of one each. channels.py computes the grid.
#pragma once
#include "device.cuh"
#include "pack.cuh"

constexpr int THREADS = 256, SLICE = 4096;  // of a channel of one sample; channels.py has the same

// The part of channel blockIdx.x that block blockIdx.y reduces: f(where, sample) for each COUNT
// neighbours. Slices of samples go round the parts; `across` threads share a slice, others take the next.
template <int COUNT, typename F>
DEVICE void over_part(int samples, int channels, unsigned L, int across, F f) {
  const unsigned slices = (L + SLICE - 1) / SLICE, lane = threadIdx.x % across;
  const unsigned step = gridDim.y * (THREADS / across);
  unsigned slice = blockIdx.y + gridDim.y * (threadIdx.x / across);
  for (; CHECK(slice_inside, slice < samples * slices); slice += step) {
    const unsigned sample = slice / slices, first = slice % slices * SLICE;
    const unsigned last = min(first + SLICE, L);
    const long long start = (static_cast<long long>(sample) * channels + blockIdx.x) * L;
    for (unsigned i = first + lane * COUNT; i < last; i += across * COUNT) f(start + i, sample);
  }
}
