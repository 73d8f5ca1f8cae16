// Softmax, its logarithm and cross-entropy, and their gradients, along axis 1 of (M, C, L).
//
// rows: L = 1; a block holds a row in registers from the largest element to the result: one read, one
// write. columns: L > 1, or few classes; a thread takes one position, or 16 bytes of neighbouring ones,
// and goes along C three times, for the largest, the sum and the result, twice of them from the caches.
// No sum depends on the order in which threads run.
//
// Counted in float32, an element: softmax, its logarithm and the gradient of cross-entropy move 8
// bytes, cross-entropy 4, the gradients of softmax 12; two exponentials at most, some 30 instructions.
// Bound: memory.
//
// Left open: SCALAR, float or double.
#include "inverse.cuh"
#include "rows.cuh"
#include "totals.cuh"

enum What { SOFTMAX = 0, LOG_SOFTMAX = 1, LOSS = 2, LOSS_GRAD = 3 };  // cuda.py has the same numbers

DEVICE SCALAR infinity() { return SCALAR(__int_as_float(0x7f800000)); }
DEVICE SCALAR not_a_number() { return SCALAR(__int_as_float(0x7fc00000)); }
DEVICE SCALAR larger(SCALAR a, SCALAR b) { return a > b ? a : b; }  // b if a is NaN

// What is known of a row, or of one position, before its results.
struct Known {
  SCALAR largest, total;  // of the logits, and the sum of exp(logit - largest)
  SCALAR factor;          // 1 / total, or log(total) for the logarithm
  SCALAR grad;            // dL/dloss
};

DEVICE Known known(int what, SCALAR largest, SCALAR total, SCALAR grad) {
  return {largest, total, what == LOG_SOFTMAX ? log(total) : inverse(total), grad};
}

DEVICE SCALAR result(int what, SCALAR x, const Known& row, bool hit) {
  if (what == LOG_SOFTMAX) return x - row.largest - row.factor;
  const SCALAR y = exp(x - row.largest) * row.factor;
  return what == SOFTMAX ? y : (y - SCALAR(hit)) * row.grad;
}

// log(sum_c exp(x_c)) - x_target. A target that is no class, which no caller gives, is NaN.
DEVICE SCALAR loss(const Known& row, const SCALAR* x, long long target, int C) {
  const SCALAR of_target = target >= 0 && target < C ? x[target] : not_a_number();
  return log(row.total) - (of_target - row.largest);
}

// dL/dx from dL/dy, y (or its logarithm) and the sum of dL/dy y (or of dL/dy).
DEVICE SCALAR back(bool is_log, SCALAR grad, SCALAR y, SCALAR total) {
  return is_log ? grad - exp(y) * total : y * (grad - total);
}

// f of each element of a row in registers.
template <typename F>
DEVICE void each(F f) {
#pragma unroll
  for (int n = 0; n < DEPTH; n++)
#pragma unroll
    for (int i = 0; i < PACK; i++) f(n, i);
}

// One row a block. Beyond the row's end stand minus infinities, whose exponential is 0.
extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    rows(const SCALAR* __restrict__ x, const long long* __restrict__ target,
         const SCALAR* __restrict__ grad, SCALAR* __restrict__ y, int C, int what, int grad_step,
         SCALAR share, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  const long long number = blockIdx.x;
  x += number * C;
  Row row;
  SCALAR largest = -infinity();
  for (int first = 0; first < C; first += turn_length()) {
    row.load(x, first, C, wide, -infinity());
    each([&](int n, int i) { largest = larger(row.packs[n].of[i], largest); });
  }
  largest = over_block(largest, parts, larger);
  SCALAR total = 0;
  for (int first = 0; first < C; first += turn_length()) {
    if (C > turn_length()) row.load(x, first, C, wide, -infinity());
    each([&](int n, int i) { total += exp(row.packs[n].of[i] - largest); });
  }
  total = sum_over_block(total, parts);
  const SCALAR scale = what == LOSS_GRAD ? grad[number * grad_step] * share : SCALAR(1);
  const Known all = known(what, largest, total, scale);
  const long long hit = target != nullptr ? target[number] : -1;
  if (what == LOSS) {
    if (threadIdx.x == 0) y[number] = loss(all, x, hit, C);
    return;
  }
  for (int first = 0; first < C; first += turn_length()) {
    if (C > turn_length()) row.load(x, first, C, wide, -infinity());
    each([&](int n, int i) {
      SCALAR& value = row.packs[n].of[i];
      value = result(what, value, all, Row::place(n, first) + i == hit);
    });
    row.store(y + number * C, first, C, wide);
  }
}

extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    rows_grad(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ y,
              SCALAR* __restrict__ grad_x, int C, int is_log, int wide) {
  __shared__ SCALAR parts[MOST_WARPS];
  const long long start = static_cast<long long>(blockIdx.x) * C;
  Row g, own;
  SCALAR total = 0;
  for (int first = 0; first < C; first += turn_length()) {
    g.load(grad + start, first, C, wide, 0);
    own.load(y + start, first, C, wide, 0);
    each([&](int n, int i) {
      total += is_log ? g.packs[n].of[i] : g.packs[n].of[i] * own.packs[n].of[i];
    });
  }
  total = sum_over_block(total, parts);
  for (int first = 0; first < C; first += turn_length()) {
    if (C > turn_length()) {
      g.load(grad + start, first, C, wide, 0);
      own.load(y + start, first, C, wide, 0);
    }
    each([&](int n, int i) {
      own.packs[n].of[i] = back(is_log, g.packs[n].of[i], own.packs[n].of[i], total);
    });
    own.store(grad_x + start, first, C, wide);
  }
}

// ------------------------------------------------------------------ a thread for each position

// Where a thread's first position is in (M, C, L), and how many rows of L are before it.
struct Position {
  long long offset, row;
};

DEVICE Position position(unsigned number, int C, int L) {
  const unsigned row = number / L;
  return {static_cast<long long>(row) * C * L + number % L, row};
}

template <int COUNT>
DEVICE void column(const SCALAR* x, const long long* target, const SCALAR* grad, SCALAR* y,
                   unsigned positions, int C, int L, int what, int grad_step, SCALAR share) {
  using Few = Neighbours<COUNT>;
  const unsigned number = (blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
  if (!CHECK(position_inside, number < positions)) return;
  const Position at = position(number, C, L);
  x += at.offset;
  Few largest, total = {};
  for (int i = 0; i < COUNT; i++) largest.of[i] = -infinity();
#pragma unroll 4
  for (int c = 0; c < C; c++) {
    const Few few = *reinterpret_cast<const Few*>(x + static_cast<long long>(c) * L);
    for (int i = 0; i < COUNT; i++) largest.of[i] = larger(few.of[i], largest.of[i]);
  }
#pragma unroll 4
  for (int c = 0; c < C; c++) {
    const Few few = *reinterpret_cast<const Few*>(x + static_cast<long long>(c) * L);
    for (int i = 0; i < COUNT; i++) total.of[i] += exp(few.of[i] - largest.of[i]);
  }
  const SCALAR scale = what == LOSS_GRAD ? grad[at.row * grad_step] * share : SCALAR(1);
  const long long hit = target != nullptr ? target[at.row] : -1;
  Known of[COUNT];
  for (int i = 0; i < COUNT; i++) of[i] = known(what, largest.of[i], total.of[i], scale);
  if (what == LOSS) {  // of logits (M, C): one position a thread
    y[number] = loss(of[0], x, hit, C);
    return;
  }
#pragma unroll 4
  for (int c = 0; c < C; c++) {
    Few few = *reinterpret_cast<const Few*>(x + static_cast<long long>(c) * L);
    for (int i = 0; i < COUNT; i++) few.of[i] = result(what, few.of[i], of[i], c == hit);
    *reinterpret_cast<Few*>(y + at.offset + static_cast<long long>(c) * L) = few;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    columns(const SCALAR* __restrict__ x, const long long* __restrict__ target,
            const SCALAR* __restrict__ grad, SCALAR* __restrict__ y, unsigned positions, int C, int L,
            int what, int grad_step, SCALAR share, int wide) {
  if (wide)
    column<PACK>(x, target, grad, y, positions, C, L, what, grad_step, share);
  else
    column<1>(x, target, grad, y, positions, C, L, what, grad_step, share);
}

template <int COUNT>
DEVICE void column_grad(const SCALAR* grad, const SCALAR* y, SCALAR* grad_x, unsigned positions,
                        int C, int L, bool is_log) {
  using Few = Neighbours<COUNT>;
  const unsigned number = (blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
  if (!CHECK(position_inside, number < positions)) return;
  const long long start = position(number, C, L).offset;
  Few total = {};
#pragma unroll 4
  for (int c = 0; c < C; c++) {
    const long long at = start + static_cast<long long>(c) * L;
    const Few g = *reinterpret_cast<const Few*>(grad + at);
    const Few own = *reinterpret_cast<const Few*>(y + at);
    for (int i = 0; i < COUNT; i++) total.of[i] += is_log ? g.of[i] : g.of[i] * own.of[i];
  }
#pragma unroll 4
  for (int c = 0; c < C; c++) {
    const long long at = start + static_cast<long long>(c) * L;
    const Few g = *reinterpret_cast<const Few*>(grad + at);
    Few own = *reinterpret_cast<const Few*>(y + at);
    for (int i = 0; i < COUNT; i++) own.of[i] = back(is_log, g.of[i], own.of[i], total.of[i]);
    *reinterpret_cast<Few*>(grad_x + at) = own;
  }
}

extern "C" __global__ void __launch_bounds__(256)
    columns_grad(const SCALAR* __restrict__ grad, const SCALAR* __restrict__ y,
                 SCALAR* __restrict__ grad_x, unsigned positions, int C, int L, int is_log, int wide) {
  if (wide)
    column_grad<PACK>(grad, y, grad_x, positions, C, L, is_log);
  else
    column_grad<1>(grad, y, grad_x, positions, C, L, is_log);
}

// The mean of n losses, by one block: they are few beside the logits.
extern "C" __global__ void __launch_bounds__(MOST_THREADS)
    mean(const SCALAR* __restrict__ losses, SCALAR* __restrict__ y, int n) {
  __shared__ SCALAR parts[MOST_WARPS];
  const SCALAR total = sum_of(losses, n, parts);
  if (threadIdx.x == 0) *y = total / n;
}
