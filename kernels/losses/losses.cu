// Mean losses of values, (x - target)^2 and log(1 + exp(x)) - target x, and their gradients.
//
// Each block adds up CHUNK elements, whatever the GPU, and one block the sums of all: the same bits each
// time. The gradients are one pass, element by element.
//
// Counted in float32, an element: 8 bytes, back 12; 3 FLOPs for squares, some 30 for the logistic loss.
// Bound: memory.
//
// Left open: SCALAR, float or double.
#include "elements.cuh"
#include "sigmoid.cuh"
#include "totals.cuh"

constexpr int CHUNK = 1 << 14;  // elements of a block: cuda.py has the same number

// The sum of f(x, target) over the chunk of this block; AT_ONCE packs of each are on their way.
template <int AT_ONCE, typename F>
DEVICE SCALAR sum_of_chunk(const SCALAR* x, const SCALAR* target, long long n, bool wide,
                           SCALAR* parts, F f) {
  const long long start = static_cast<long long>(blockIdx.x) * CHUNK;
  SCALAR total = 0;
#pragma unroll AT_ONCE
  for (int turn = threadIdx.x * PACK; turn < CHUNK; turn += THREADS * PACK) {
    const long long first = start + turn;
    if (wide && CHECK(chunk_pack_inside, first + PACK <= n)) {
      const Pack left = *reinterpret_cast<const Pack*>(x + first);
      const Pack right = *reinterpret_cast<const Pack*>(target + first);
#pragma unroll
      for (int i = 0; i < PACK; i++) total += f(left.of[i], right.of[i]);
    } else {
#pragma unroll 1
      for (int i = 0; i < PACK; i++)
        if (CHECK(chunk_element_inside, first + i < n)) total += f(x[first + i], target[first + i]);
    }
  }
  return sum_over_block_once(total, parts);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    squares(const SCALAR* __restrict__ x, const SCALAR* __restrict__ target,
            SCALAR* __restrict__ sums, long long n, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  const SCALAR total = sum_of_chunk<4>(x, target, n, wide, parts, [](SCALAR x, SCALAR t) {
    return (x - t) * (x - t);
  });
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// `outside` becomes 1 where a target is not in [0, 1]: all that write it write the same.
extern "C" __global__ void __launch_bounds__(THREADS)
    logistics(const SCALAR* __restrict__ x, const SCALAR* __restrict__ target,
              SCALAR* __restrict__ sums, long long n, int wide, int* __restrict__ outside) {
  __shared__ SCALAR parts[MOST_WARPS];
  bool wrong = false;
  const SCALAR total = sum_of_chunk<2>(x, target, n, wide, parts, [&](SCALAR x, SCALAR t) {
    wrong |= !(t >= 0 && t <= 1);
    return log_1_exp(x) - t * x;
  });
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
  if (wrong) *outside = 1;
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    mean(const SCALAR* __restrict__ sums, SCALAR* __restrict__ y, int chunks, SCALAR n) {
  __shared__ SCALAR parts[MOST_WARPS];
  const SCALAR total = sum_of(sums, chunks, parts);
  if (threadIdx.x == 0) *y = total / n;
}

// `share` is 2 / n, or 1 / n; grad is dL/dmean.
extern "C" __global__ void __launch_bounds__(THREADS)
    squares_grad(const SCALAR* __restrict__ x, const SCALAR* __restrict__ target,
                 SCALAR* __restrict__ grad_x, long long n, int wide,
                 const SCALAR* __restrict__ grad, SCALAR share) {
  const SCALAR factor = *grad * share;
  for_elements(grad_x, n, wide, [=](SCALAR x, SCALAR t) { return (x - t) * factor; }, x, target);
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT)
    logistics_grad(const SCALAR* __restrict__ x, const SCALAR* __restrict__ target,
                   SCALAR* __restrict__ grad_x, long long n, int wide,
                   const SCALAR* __restrict__ grad, SCALAR share) {
  const SCALAR factor = *grad * share;
  const auto back = [=](SCALAR x, SCALAR t) { return (sigmoid(x) - t) * factor; };
  for_elements(grad_x, n, wide, back, x, target);
}
