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

struct Operands { unsigned a[4], b[2]; };

// Products and sums in float64, rounded once: the hardware's own order and width are not published.
// A register holds PER_WORD neighbours along k, four lanes those of half a product's depth.
template <unsigned PER_WORD, typename Number>
void multiply(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2], const char* name, Number number) {
  constexpr unsigned WIDTH = 4 * PER_WORD;
  const Operands own{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const Slot* all = exchange(WHOLE_WARP, own, name);
  const unsigned lane = now->number % 32;
  double total[4] = {sum[0], sum[1], sum[2], sum[3]};
  for (unsigned k = 0; k < 2 * WIDTH; k++) {
    const unsigned from = k % WIDTH / PER_WORD, word = k / WIDTH, part = k % PER_WORD;
    const auto left = taken<Operands>(all[lane / 4 * 4 + from]);
    const double here[2] = {number(left.a[2 * word], part), number(left.a[2 * word + 1], part)};
    for (unsigned i = 0; i < 2; i++) {
      const auto right = taken<Operands>(all[(lane % 4 * 2 + i) * 4 + from]);
      const double there = number(right.b[word], part);
      total[i] += here[0] * there;
      total[2 + i] += here[1] * there;
    }
  }
  for (unsigned i = 0; i < 4; i++) sum[i] = float(total[i]);
}

}  // namespace emulator

inline unsigned short half_bits(float x) { return reinterpret_bits<unsigned short>(_Float16(x)); }
inline float half_value(unsigned short bits) { return float(reinterpret_bits<_Float16>(bits)); }

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

inline void multiply_bf16(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulator::multiply<2>(sum, a, b, "multiply_bf16", [](unsigned pair, unsigned high) {
    return __uint_as_float(high ? pair & 0xffff0000u : pair << 16);
  });
}

inline void multiply_fp16(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulator::multiply<2>(sum, a, b, "multiply_fp16", [](unsigned pair, unsigned high) {
    return half_value(static_cast<unsigned short>(high ? pair >> 16 : pair));
  });
}

inline void multiply_tf32(float (&sum)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  emulator::multiply<1>(sum, a, b, "multiply_tf32", [](unsigned bits, unsigned) {
    return __uint_as_float(bits & 0xffffe000u);  // the hardware reads 19 bits: the others might be 0
  });
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
