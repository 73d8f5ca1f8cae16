// Dropout by a counter: an element's number and a seed say whether it is kept, so that no mask is read or
// written, the grid does not matter, and what goes back draws the same numbers anew.
//
// elements: each for itself; a thread takes four, for which Philox gives four words at once. channels:
// groups of `inner` neighbours; a thread takes 16 bytes and draws where a group begins. uniform: the
// same words as numbers.
//
// Counted in float32, an element: 8 bytes (uniform 4; half in 16 bits) and some 20 integer instructions,
// a quarter of the ten rounds. Bound: memory.
//
// Left open: SCALAR, of arrays; SUM, what is computed in.
#include "device.cuh"
#include "held.cuh"
#include "pack.cuh"

constexpr int THREADS = 256, WORDS = 4;  // of a block, and of a counter
constexpr int FEW = PACK < WORDS ? PACK : WORDS;  // elements of one access where each has a word

struct Words {
  unsigned of[WORDS];

  DEVICE unsigned at(unsigned n) const {  // indexed by n they would have to be in memory
    const unsigned low = n & 1 ? of[1] : of[0], high = n & 1 ? of[3] : of[2];
    return n & 2 ? high : low;
  }
};

// Philox-4x32-10 (Salmon, Moraes, Dror, Shaw 2011, section 3.3); the upper half of the counter is 0.
DEVICE Words philox(unsigned counter, unsigned long long seed) {
  unsigned c0 = counter, c1 = 0, c2 = 0, c3 = 0;
  unsigned k0 = static_cast<unsigned>(seed), k1 = static_cast<unsigned>(seed >> 32);
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const unsigned long long left = 0xD2511F53ull * c0, right = 0xCD9E8D57ull * c2;
    c0 = static_cast<unsigned>(right >> 32) ^ c1 ^ k0;
    c1 = static_cast<unsigned>(right);
    c2 = static_cast<unsigned>(left >> 32) ^ c3 ^ k1;
    c3 = static_cast<unsigned>(left);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// What becomes of an element whose word this is.
struct Fate {
  unsigned long long threshold;  // words below it drop: 2^32 is all of them
  SUM scale, shift, floor;

  DEVICE SCALAR of(SCALAR element, unsigned word) const {
    const SUM x = wide(element);
    return held(word < threshold ? 0 * x + floor : scale * x + shift);
  }
};

extern "C" __global__ void __launch_bounds__(THREADS)
    elements(const SCALAR* __restrict__ x, SCALAR* __restrict__ y, unsigned n, int in_packs,
             unsigned long long seed, unsigned long long threshold, SUM scale, SUM shift, SUM floor) {
  const Fate fate = {threshold, scale, shift, floor};
  const unsigned counter = blockIdx.x * THREADS + threadIdx.x, first = counter * WORDS;
  const Words words = philox(counter, seed);
  if (in_packs && CHECK(words_inside, first + WORDS <= n)) {
#pragma unroll
    for (int done = 0; done < WORDS; done += FEW) {
      auto few = *reinterpret_cast<const Neighbours<FEW>*>(x + first + done);
#pragma unroll
      for (int i = 0; i < FEW; i++) few.of[i] = fate.of(few.of[i], words.of[done + i]);
      *reinterpret_cast<Neighbours<FEW>*>(y + first + done) = few;
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < WORDS; i++)
    if (CHECK(element_inside, first + i < n)) y[first + i] = fate.of(x[first + i], words.of[i]);
}

// `in_packs`: groups are whole packs.
extern "C" __global__ void __launch_bounds__(THREADS)
    channels(const SCALAR* __restrict__ x, SCALAR* __restrict__ y, unsigned n, unsigned inner,
             int in_packs, unsigned long long seed, unsigned long long threshold, SUM scale,
             SUM shift, SUM floor) {
  const Fate fate = {threshold, scale, shift, floor};
  const unsigned first = (blockIdx.x * THREADS + threadIdx.x) * PACK;
  unsigned group = first / inner, end = (group + 1) * inner;
  unsigned word = philox(group / WORDS, seed).at(group % WORDS);
  if (in_packs) {
    if (!CHECK(channel_inside, first < n)) return;
    Pack pack = *reinterpret_cast<const Pack*>(x + first);
#pragma unroll
    for (int i = 0; i < PACK; i++) pack.of[i] = fate.of(pack.of[i], word);
    *reinterpret_cast<Pack*>(y + first) = pack;
    return;
  }
#pragma unroll 1
  for (unsigned i = first; i < first + PACK && CHECK(neighbour_inside, i < n); i++) {
    if (i == end) {
      group++;
      end += inner;
      word = philox(group / WORDS, seed).at(group % WORDS);
    }
    y[i] = fate.of(x[i], word);
  }
}

// low + span u, where u is one of 2^24 numbers from 0 up to 1, which float32 holds exactly.
extern "C" __global__ void __launch_bounds__(THREADS)
    uniform(SCALAR* __restrict__ y, unsigned n, unsigned long long seed, SUM low, SUM span) {
  const unsigned counter = blockIdx.x * THREADS + threadIdx.x, first = counter * WORDS;
  const Words words = philox(counter, seed);
  const auto number = [=](int i) { return held(low + span * (SUM(words.of[i] >> 8) / (1 << 24))); };
  if (CHECK(numbers_inside, first + WORDS <= n)) {
#pragma unroll
    for (int done = 0; done < WORDS; done += FEW) {
      Neighbours<FEW> few;
#pragma unroll
      for (int i = 0; i < FEW; i++) few.of[i] = number(done + i);
      *reinterpret_cast<Neighbours<FEW>*>(y + first + done) = few;
    }
    return;
  }
#pragma unroll
  for (int i = 0; i < WORDS; i++)
    if (CHECK(number_inside, first + i < n)) y[first + i] = number(i);
}
