// Connectionist temporal classification: alpha or beta of all steps, and the gradient.
//
// walk: a block has a sequence, a thread up to STATES of its 2 S + 1 states, and goes from step to step:
// each takes the logarithm of the sum of its own state, its neighbour and, over a blank, the one beyond,
// which lie in shared memory in two rows, with one barrier a step. Beta, with what its own step emits,
// is the alpha of the reversed sequence: the same walk from the other end. What a step emits is asked
// for AHEAD steps before it is needed: it depends on nothing but the labels, and memory is far.
// gradient: a warp has a step of a sequence; a lane has classes, and adds up the occupancies of its
// class in the order of the labels, which `sort` has brought together; the lanes share the blank's.
// No sum depends on the order in which threads run, and there are no atomics.
//
// Counted in float32: walk reads and writes 4 bytes and takes 3 exponentials and a logarithm for each
// state and step. Bound: latency, some 300 cycles a step, for T steps one after the other, whatever the
// batch up to a sequence for each multiprocessor. gradient moves 8 bytes a class and 8 a state.
//
// Left open: SCALAR, float or double.
#include "device.cuh"
#include "warp.cuh"

constexpr int STATES = 4, AHEAD = 2, THREADS = 256, WARPS = THREADS / 32;
constexpr int MOST_THREADS = 512;  // of a walk: 2048 states, 1023 labels

DEVICE SCALAR nothing() { return -SCALAR(__int_as_float(0x7f800000)); }  // the logarithm of 0

// log(exp(a) + exp(b) + exp(c)); a NaN stays one.
DEVICE SCALAR log_sum(SCALAR a, SCALAR b, SCALAR c) {
  const SCALAR largest = fmax(a, fmax(b, c));
  if (!(largest > nothing())) return a + b + c;
  return largest + log(exp(a - largest) + exp(b - largest) + exp(c - largest));
}

// A length, which no caller gives out of range: a graph is launched on what nobody has looked at.
DEVICE int within(long long length, int most) {
  return static_cast<int>(length < 0 ? 0 : length > most ? most : length);
}

// One sequence as a walk sees it: places 0 .. last are its states, from the end that it begins at.
struct Sequence {
  const long long* labels;
  int steps, last, blank;
  bool from_the_end;

  DEVICE int step(int i) const { return from_the_end ? steps - 1 - i : i; }
  DEVICE int state(int place) const { return from_the_end ? last - place : place; }
  DEVICE long long label(int place) const {
    const int s = state(place);
    return s % 2 ? labels[s / 2] : blank;
  }
  // Whether a place is reached from the one before the last: over a blank, between different labels.
  DEVICE bool skips(int place) const {
    return place % 2 && CHECK(has_label_before, place > 2) && label(place) != label(place - 2);
  }
};

// f of each place of a sequence that this thread has: up to STATES of them.
template <typename F>
DEVICE void each_place(const Sequence& own, F f) {
#pragma unroll
  for (int k = 0; k < STATES; k++) {
    const int place = threadIdx.x + k * blockDim.x;
    if (CHECK(place_is_own, place <= own.last)) f(k, place);
  }
}

// Alpha (T, N, 2 S + 1) and the losses; or, where `losses` is null, beta and what its own step emits.
// Alpha is -inf where a sequence has no step or state; of beta that is left as it was.
extern "C" __global__ void __launch_bounds__(MOST_THREADS, 1)
    walk(const SCALAR* __restrict__ log_probs, const long long* __restrict__ targets,
         const long long* __restrict__ input_lengths, const long long* __restrict__ target_lengths,
         SCALAR* __restrict__ found, SCALAR* __restrict__ losses, int T, int C, int S, int blank) {
  DYNAMIC_SHARED(SCALAR, rows);  // what two steps have found, by place
  const int n = blockIdx.x, N = gridDim.x, width = 2 * S + 1;
  const Sequence own = {targets + static_cast<long long>(n) * S, within(input_lengths[n], T),
                        2 * within(target_lengths[n], S), blank, losses == nullptr};
  const auto emitted = [=](int i, int label) {
    if (!CHECK(step_is_own, i < own.steps)) return SCALAR(0);
    if (label < 0 || label >= C) return SCALAR(__int_as_float(0x7fc00000));  // likewise: NaN
    return log_probs[(static_cast<long long>(own.step(i)) * N + n) * C + label];
  };
  int label[STATES];
  bool skips[STATES];
  SCALAR coming[AHEAD][STATES];
  each_place(own, [&](int k, int place) {
    label[k] = static_cast<int>(own.label(place));
    skips[k] = own.skips(place);
    rows[width + place] = place == 0 ? 0 : nothing();  // as if before the first step
#pragma unroll
    for (int i = 0; i < AHEAD; i++) coming[i][k] = emitted(i, label[k]);
  });
  BARRIER(begun);  // the row before the first step
  for (int i = 0; i < own.steps; i++) {
    const SCALAR* before = rows + (i + 1) % 2 * width;
    SCALAR* now = rows + i % 2 * width;
    SCALAR* kept = found + (static_cast<long long>(own.step(i)) * N + n) * width;
    each_place(own, [&](int k, int place) {
      const SCALAR neighbour = CHECK(has_neighbour, place > 0) ? before[place - 1] : nothing();
      const SCALAR beyond = skips[k] ? before[place - 2] : nothing();
      const SCALAR value = log_sum(before[place], neighbour, beyond) + coming[0][k];
#pragma unroll
      for (int j = 1; j < AHEAD; j++) coming[j - 1][k] = coming[j][k];
      coming[AHEAD - 1][k] = emitted(i + AHEAD, label[k]);
      now[place] = kept[own.state(place)] = value;
    });
    BARRIER(row_written);  // before neighbours read it; and they have read the row that is written next
  }
  if (losses == nullptr) return;
  const SCALAR* final = rows + (own.steps + 1) % 2 * width;
  if (threadIdx.x == 0) {
    const SCALAR on_label = CHECK(has_labels, own.last > 0) ? final[own.last - 1] : nothing();
    losses[n] = 0 - log_sum(final[own.last], on_label, nothing());
  }
  for (int t = 0; t < T; t++)
    for (int s = (t < own.steps ? own.last + 1 : 0) + threadIdx.x; s < width; s += blockDim.x)
      found[(static_cast<long long>(t) * N + n) * width + s] = nothing();
}

// The places (N, S) of each sequence's labels, sorted by label, those of one label in order.
extern "C" __global__ void __launch_bounds__(THREADS)
    sort(const long long* __restrict__ targets, const long long* __restrict__ target_lengths,
         int* __restrict__ order, int S) {
  const long long first = static_cast<long long>(blockIdx.x) * S;
  const int count = within(target_lengths[blockIdx.x], S);
  const long long* labels = targets + first;
  for (int place = threadIdx.x; CHECK(label_inside, place < count); place += THREADS) {
    const long long own = labels[place];
    int rank = 0;
    for (int other = 0; other < count; other++)
      rank += labels[other] < own || (labels[other] == own && other < place);
    order[first + rank] = place;
  }
}

// How likely a state is, given the labels; `beta` includes what the step emits.
DEVICE SCALAR occupancy(SCALAR alpha, SCALAR beta, SCALAR emitted, SCALAR log_total) {
  const SCALAR joint = alpha + beta;
  return joint == nothing() ? SCALAR(0) : exp(joint - emitted - log_total);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    gradient(const SCALAR* __restrict__ grad_output, const SCALAR* __restrict__ log_probs,
             const long long* __restrict__ targets, const long long* __restrict__ input_lengths,
             const long long* __restrict__ target_lengths, const SCALAR* __restrict__ losses,
             const SCALAR* __restrict__ alpha, const SCALAR* __restrict__ beta,
             const int* __restrict__ order, SCALAR* __restrict__ y, long long count, int N, int C,
             int S, int blank) {
  const long long row = static_cast<long long>(blockIdx.x) * WARPS + threadIdx.x / 32;
  if (!CHECK(row_inside, row < count)) return;
  const int lane = threadIdx.x % 32, n = static_cast<int>(row % N);
  const int labels = within(target_lengths[n], S), width = 2 * S + 1;
  targets += static_cast<long long>(n) * S;
  order += static_cast<long long>(n) * S;
  log_probs += row * C;
  alpha += row * width;
  beta += row * width;
  y += row * C;
  const bool running = row / N < input_lengths[n];
  const SCALAR loss = losses[n], log_total = loss == -nothing() ? SCALAR(0) : -loss;
  SCALAR of_blank = 0;
  if (running)
    for (int s = 2 * lane; CHECK(blank_inside, s <= 2 * labels); s += 64)
      of_blank += occupancy(alpha[s], beta[s], log_probs[blank], log_total);
  of_blank = over_warp(of_blank, [](SCALAR a, SCALAR b) { return a + b; });
  for (int c = lane; CHECK(class_inside, c < C); c += 32) {
    if (!running) {
      y[c] = 0;
      continue;
    }
    int from = 0;  // the first place of a label that is not less than c
    for (int to = labels; from < to;) {
      const int middle = (from + to) / 2;
      if (targets[order[middle]] < c)
        from = middle + 1;
      else
        to = middle;
    }
    SCALAR occupied = c == blank ? of_blank : SCALAR(0);
    for (; CHECK(place_inside, from < labels) && targets[order[from]] == c; from++) {
      const int s = 2 * order[from] + 1;
      occupied += occupancy(alpha[s], beta[s], log_probs[c], log_total);
    }
    y[c] = (exp(log_probs[c]) - occupied) * grad_output[n];
  }
}
