// kernels/cuda/device.cuh on the CPU: the same functions, and names that can be taken out.
#pragma once
#include "cuda_c.h"

#define KEPT(name) (!emulator::removed<emulator::hash(#name)>())
#define BARRIER(name) \
  do { if (KEPT(name)) emulator::wait_at(emulator::AT_BARRIER, #name); } while (0)
#define CHECK(name, condition) (!KEPT(name) || (condition))
#define DYNAMIC_SHARED(type, name) \
  type* const name = reinterpret_cast<type*>(emulator::now->block->dynamic)
#define DEVICE inline

constexpr unsigned WHOLE_WARP = 0xffffffffu;

// ------------------------------------------------------------------------- asynchronous copies

// The hardware may copy at any time between here and the wait: in the forward schedule at the last
// moment, so that a missing wait reads NaN; in the reverse one at once, so that a buffer which is
// still being read is overwritten; in the shuffled one by chance.
template <int BYTES> void copy_async(void* shared, const void* global, bool inside) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16);
  using namespace emulator;
  const auto to = reinterpret_cast<uintptr_t>(shared), from = reinterpret_cast<uintptr_t>(global);
  if (to % BYTES || (inside && from % BYTES)) fail(where(*now) + " copies from or to a misaligned address");
  const Copy copy{shared, inside ? global : nullptr, BYTES};
  const bool at_once =
      launch_.schedule == REVERSE || (launch_.schedule == SHUFFLED && draw() % 2);
  if (!at_once) now->copies.back().push_back(copy);
  else if (inside) std::memcpy(shared, global, BYTES);
  else std::memset(shared, 0, BYTES);
}

inline void commit_copies() { emulator::now->copies.emplace_back(); }

template <int PENDING> void wait_copies() {
  auto& groups = emulator::now->copies;
  while (groups.size() > PENDING + 1) {
    for (const emulator::Copy& c : groups.front()) {
      if (c.from) std::memcpy(c.to, c.from, c.bytes);
      else std::memset(c.to, 0, c.bytes);
    }
    groups.erase(groups.begin());
  }
}
#define WAIT_COPIES(name, pending) do { if (KEPT(name)) wait_copies<pending>(); } while (0)

// ------------------------------------------------------------------------------- tensor cores

namespace emulator {

template <int WORDS> struct Words { unsigned word[WORDS]; };

inline float bf16(unsigned pair, int high) {
  return __uint_as_float(high ? pair & 0xffff0000u : pair << 16);
}

// The hardware reads 19 bits of a TF32 number; the others might as well be 0.
inline float tf32(unsigned bits) { return __uint_as_float(bits & 0xffffe000u); }

}  // namespace emulator

template <bool TURNED> void load_matrices(unsigned (&to)[4], const void* row) {
  using namespace emulator;
  if (reinterpret_cast<uintptr_t>(row) % 16) fail(where(*now) + " loads a row of a matrix misaligned");
  const Slot* all = exchange(WHOLE_WARP, row, "load_matrices");
  const unsigned lane = now->number % 32;
  for (unsigned m = 0; m < 4; m++) {
    unsigned pair = 0;
    for (unsigned half = 0; half < 2; half++) {
      const unsigned r = TURNED ? 2 * (lane % 4) + half : lane / 4;
      const unsigned c = TURNED ? lane / 4 : 2 * (lane % 4) + half;
      pair |= unsigned(taken<const unsigned short*>(all[8 * m + r])[c]) << (16 * half);
    }
    to[m] = pair;
  }
}

// Products and sums in float64, rounded once: the hardware's own order and width are not published.
inline void multiply_bf16(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  using namespace emulator;
  const Slot* all = exchange(WHOLE_WARP, Words<6>{{a[0], a[1], a[2], a[3], b[0], b[1]}}, "multiply_bf16");
  const unsigned lane = now->number % 32;
  for (unsigned i = 0; i < 4; i++) {
    const unsigned row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    double total = sum[i];
    for (unsigned k = 0; k < 16; k++) {
      const auto left = taken<Words<6>>(all[row % 8 * 4 + k % 8 / 2]);
      const auto right = taken<Words<6>>(all[column * 4 + k % 8 / 2]);
      total += double(bf16(left.word[row / 8 + 2 * (k / 8)], k % 2)) * bf16(right.word[4 + k / 8], k % 2);
    }
    sum[i] = float(total);
  }
}

inline void multiply_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  using namespace emulator;
  const Slot* all = exchange(WHOLE_WARP, Words<6>{{a[0], a[1], a[2], a[3], b[0], b[1]}}, "multiply_tf32");
  const unsigned lane = now->number % 32;
  for (unsigned i = 0; i < 4; i++) {
    const unsigned row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    double total = sum[i];
    for (unsigned k = 0; k < 8; k++) {
      const auto left = taken<Words<6>>(all[row % 8 * 4 + k % 4]);
      const auto right = taken<Words<6>>(all[column * 4 + k % 4]);
      total += double(tf32(left.word[row / 8 + 2 * (k / 4)])) * tf32(right.word[4 + k / 4]);
    }
    sum[i] = float(total);
  }
}

inline unsigned to_tf32(float x) {  // to the nearest, ties away from zero
  const unsigned bits = __float_as_uint(x);
  return std::isfinite(x) ? (bits + 0x1000u) & 0xffffe000u : bits;
}

// ------------------------------------------------------------------------------------ clusters

#define CLUSTER(blocks)

inline unsigned cluster_rank() { return emulator::now->block->rank; }

template <typename T> T* in_cluster(T* mine, unsigned rank) {
  using namespace emulator;
  if (rank >= launch_.cluster) fail(where(*now) + " reaches for a block that its cluster does not have");
  Block &own = *now->block, &other = *(now->block - own.rank + rank);
  auto* p = reinterpret_cast<unsigned char*>(mine);
  if (&own == &other) return mine;
  if (p >= own.dynamic && p < own.dynamic + launch_.dynamic_bytes)
    return reinterpret_cast<T*>(other.dynamic + (p - own.dynamic));
  if (p < __start_cuda_shared || p >= __stop_cuda_shared)
    fail(where(*now) + " asks for an address in a cluster that is not in shared memory");
  return reinterpret_cast<T*>(other.image.data() + (p - __start_cuda_shared));
}

#define CLUSTER_BARRIER(name) \
  do { if (KEPT(name)) emulator::wait_at(emulator::AT_CLUSTER_BARRIER, #name); } while (0)
