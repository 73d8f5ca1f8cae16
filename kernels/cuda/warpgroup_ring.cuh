// A ring of tiles between those who fetch them and the warpgroups that multiply them: the first group of
// a block only fetches, the others, CONSUMERS, only multiply. `full` says that a stage has come, `empty`
// that its products have been read; nobody waits for a whole block.
//
// Left open: FORMAT (BFLOAT16 or FLOAT16).
#pragma once
#include "swizzled.cuh"

constexpr int CONSUMERS = 2, STAGES = 4;
constexpr int THREADS = (1 + CONSUMERS) * WARPGROUP;
constexpr int BARRIERS = 1024;  // bytes for them: what lies behind is a multiple of it, too

// Tiles of a and b, then the barriers of each stage.
template <typename A, typename B>
struct Ring {
  Element* tiles;
  Mbarrier *full, *empty;

  DEVICE explicit Ring(Element* memory)
      : tiles(memory), full(reinterpret_cast<Mbarrier*>(memory + STAGES * (A::SIZE + B::SIZE))), empty(full + STAGES) {}
  DEVICE Element* a(int step) const { return tiles + step % STAGES * A::SIZE; }
  DEVICE Element* b(int step) const { return tiles + STAGES * A::SIZE + step % STAGES * B::SIZE; }
  // Of the phase that a stage is in when a step comes to it.
  DEVICE static int parity(int step) { return step / STAGES & 1; }
  // What lies behind the barriers.
  template <typename T>
  DEVICE T* rest() const {
    return reinterpret_cast<T*>(reinterpret_cast<unsigned char*>(full) + BARRIERS);
  }

  // Make the barriers: a stage is full when so many threads have arrived, and the bytes they expect.
  DEVICE void make(int arrivals) const {
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < STAGES; stage++) {
        initialise(full + stage, arrivals);
        initialise(empty + stage, CONSUMERS * 4);  // warps
      }
      FENCE_MBARRIERS(barriers_seen);  // by the copy engine
    }
    BARRIER(barriers_made);  // before any thread waits at them
  }

  // Wait until the stage of a step is empty: until the phase before the one that begins now has ended,
  // as it has of a stage that nobody has used yet.
  DEVICE void wait_empty(int step) const { WAIT_PHASE(stage_empty, empty + step % STAGES, parity(step) ^ 1); }
};

#if FORMAT == BFLOAT16
DEVICE unsigned bits(Element x) { return x; }
#else
DEVICE unsigned bits(Element x) { return x.bits; }
#endif

// Two neighbours in memory, `at` a multiple of 4 bytes.
DEVICE void write_pair(Element* at, Element left, Element right) {
  *reinterpret_cast<unsigned*>(at) = bits(left) | bits(right) << 16;
}

template <typename A, typename B, int COUNT>
DEVICE void add_product(float (&sum)[COUNT], const Element* tile_a, const Element* tile_b, int row, int column) {
#pragma unroll
  for (int k = 0; k < DEPTH; k += PRODUCT) {
    const Word a = A::descriptor(tile_a, row, k), b = B::descriptor(tile_b, column, k);
#if FORMAT == BFLOAT16
    multiply_async_bf16<A::ALONG_K, B::ALONG_K>(sum, a, b);
#else
    multiply_async_fp16<A::ALONG_K, B::ALONG_K>(sum, a, b);
#endif
  }
}

// What a warpgroup does: add up the products of 64 rows, from `row` on, by 2 COUNT columns of the tiles.
// There is a step at least: were there a way past all products, their sums would not be theirs alone
// until the last wait, and the compiler would then have each product awaited before the next.
template <typename A, typename B, int COUNT>
DEVICE void multiply(float (&sum)[COUNT], const Ring<A, B>& ring, int row, int column, int steps) {
  int step = 0;
  do {
    WAIT_PHASE(stage_full, ring.full + step % STAGES, ring.parity(step));
    FENCE_SUMS(sums_given);
    add_product<A, B>(sum, ring.a(step), ring.b(step), row, column);
    COMMIT_PRODUCTS(step_begun);
    // The products of the step before are done, and their stage can be filled again; those of this
    // step are still going on.
    WAIT_PRODUCTS(step_before_done, 1, sum);
    if (step > 0 && threadIdx.x % 32 == 0) ARRIVE(stage_left, ring.empty + (step - 1) % STAGES);
  } while (++step < steps);
  WAIT_PRODUCTS(all_done, 0, sum);
}

// Call put(half, row, column, sum, sum right of it) for all sums of this thread in its 64 rows, of which
// there are `rows`: in the first half of them it has one row, in the second another.
template <int COUNT, typename Put>
DEVICE void for_pairs(const float (&sum)[COUNT], int rows, Put put) {
  const int warp = threadIdx.x % WARPGROUP / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int half = 0; half < 2; half++) {
    const int row = 16 * warp + lane / 4 + 8 * half;
    if (!CHECK(row_inside, row < rows)) continue;
#pragma unroll
    for (int n = 0; n < COUNT / 4; n++)
      put(half, row, 8 * n + lane % 4 * 2, sum[4 * n + 2 * half], sum[4 * n + 2 * half + 1]);
  }
}
